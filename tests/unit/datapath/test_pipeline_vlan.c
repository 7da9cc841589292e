/* SPDX-License-Identifier: BSD-3-Clause */
/* VLANs through the whole pipeline, capture file in, capture file out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/datapath/rig.h"

#define A frames_mac(1)
#define B frames_mac(2)

static struct rig rig;

static const uint16_t vids_10_20[] = {10, 20, 0};
static const uint16_t vids_none[] = {0};

/*
 *   0: access 10    1: access 10    2: access 20    3: trunk 10,20    4: trunk 10,20 native 20
 */
static void campus(void)
{
	rig_init(&rig, 5, 1);
	rig_access(&rig, 0, 0, 10);
	rig_access(&rig, 1, 0, 10);
	rig_access(&rig, 2, 0, 20);
	rig_trunk(&rig, 3, 0, VLAN_TPID_C, 0, vids_10_20);
	rig_trunk(&rig, 4, 0, VLAN_TPID_C, 20, vids_10_20);
}

static const uint32_t c10[] = {RIG_C(10), 0};
static const uint32_t c20[] = {RIG_C(20), 0};

static void flood_stays_in_the_vlan_and_is_tagged_per_port(void **state)
{
	(void)state;
	campus();
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_out(&rig, 1, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_out(&rig, 3, rig_frame(RIG_BROADCAST, A, c10, 64));
	rig_out(&rig, 4, rig_frame(RIG_BROADCAST, A, c10, 64));
	for (int i = 3; i < 5; i++) /* the payload is the untagged frame's */
		memcpy(rig.out[i - 2].frame->bytes + 16, rig.in[0].frame->bytes + 12, 48);
	rig_run(&rig);
}

static void native_vlan_leaves_untagged_on_its_trunk_only(void **state)
{
	(void)state;
	campus();
	rig_in(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 100));
	rig_out(&rig, 3, rig_frame(RIG_BROADCAST, A, c20, 104));
	rig_out(&rig, 4, rig_frame(RIG_BROADCAST, A, NULL, 100));
	memcpy(rig.out[0].frame->bytes + 16, rig.in[0].frame->bytes + 12, 88);
	rig_run(&rig);
}

static void untagged_on_a_trunk_is_the_native_vlan(void **state)
{
	(void)state;
	campus();
	rig_in(&rig, 4, rig_frame(RIG_BROADCAST, A, NULL, 100));
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 100));
	rig_out(&rig, 3, rig_frame(RIG_BROADCAST, A, c20, 104));
	memcpy(rig.out[1].frame->bytes + 16, rig.in[0].frame->bytes + 12, 88);
	rig_run(&rig);
}

static void tag_of_the_native_vlan_is_accepted_too(void **state)
{
	(void)state;
	campus();
	rig_in(&rig, 4, rig_frame(RIG_BROADCAST, A, c20, 104));
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 100));
	rig_out(&rig, 3, rig_frame(RIG_BROADCAST, A, c20, 104));
	memcpy(rig.out[0].frame->bytes + 12, rig.in[0].frame->bytes + 16, 88);
	rig_run(&rig);
}

static void untagged_on_a_trunk_without_native_is_refused(void **state)
{
	(void)state;
	campus();
	rig_in(&rig, 3, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_drop(&rig, 3, DROP_VLAN_UNTAGGED, 1);
	rig_run(&rig);
}

static void tagged_on_an_access_port_is_refused(void **state)
{
	static const uint32_t s10[] = {RIG_S(10), 0};

	(void)state;
	campus();
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, c10, 64));
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, c20, 64));
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, s10, 64));
	rig_drop(&rig, 0, DROP_VLAN_TAGGED, 3);
	rig_run(&rig);
}

static void vlan_the_trunk_does_not_carry_is_refused(void **state)
{
	static const uint32_t c30[] = {RIG_C(30), 0};

	(void)state;
	campus();
	rig_in(&rig, 3, rig_frame(RIG_BROADCAST, A, c30, 64));
	rig_drop(&rig, 3, DROP_VLAN_NOT_MEMBER, 1);
	rig_run(&rig);
}

static void vlan_4095_is_reserved(void **state)
{
	static const uint32_t c4095[] = {RIG_C(4095), 0};

	(void)state;
	campus();
	rig_in(&rig, 3, rig_frame(RIG_BROADCAST, A, c4095, 64));
	rig_drop(&rig, 3, DROP_VLAN_RESERVED, 1);
	rig_run(&rig);
}

static void priority_tag_counts_as_untagged_and_keeps_its_priority(void **state)
{
	static const uint32_t priority[] = {RIG_C(0xa000), 0};
	static const uint32_t c10_prio[] = {RIG_C(0xa00a), 0};

	(void)state;
	campus();
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, priority, 104));
	rig_out(&rig, 1, rig_frame(RIG_BROADCAST, A, NULL, 100));
	rig_out(&rig, 3, rig_frame(RIG_BROADCAST, A, c10_prio, 104));
	rig_out(&rig, 4, rig_frame(RIG_BROADCAST, A, c10_prio, 104));
	memcpy(rig.out[0].frame->bytes + 12, rig.in[0].frame->bytes + 16, 88);
	rig_run(&rig);
}

static void priority_and_dei_survive_from_trunk_to_trunk(void **state)
{
	static const uint32_t c10_prio[] = {RIG_C(0xf00a), 0};

	(void)state;
	campus();
	rig_in(&rig, 3, rig_frame(B, A, c10_prio, 1518));
	rig_out(&rig, 0, rig_frame(B, A, NULL, 1514));
	rig_out(&rig, 1, rig_frame(B, A, NULL, 1514));
	rig_out(&rig, 4, rig_frame(B, A, c10_prio, 1518));
	for (int i = 0; i < 2; i++)
		memcpy(rig.out[i].frame->bytes + 12, rig.in[0].frame->bytes + 16, 1502);
	rig_run(&rig);
}

static void stacked_tags_are_payload_behind_the_outer_one(void **state)
{
	static const uint32_t c10_c99[] = {RIG_C(10), RIG_C(99), 0};
	static const uint32_t c99[] = {RIG_C(99), 0};

	(void)state;
	campus();
	rig_in(&rig, 3, rig_frame(RIG_BROADCAST, A, c10_c99, 108));
	rig_out(&rig, 0, rig_frame(RIG_BROADCAST, A, c99, 104));
	rig_out(&rig, 1, rig_frame(RIG_BROADCAST, A, c99, 104));
	rig_out(&rig, 4, rig_frame(RIG_BROADCAST, A, c10_c99, 108));
	for (int i = 0; i < 2; i++)
		memcpy(rig.out[i].frame->bytes + 12, rig.in[0].frame->bytes + 16, 92);
	rig_run(&rig);
}

static void same_address_in_two_vlans_is_two_stations(void **state)
{
	(void)state;
	rig_init(&rig, 4, 1);
	rig_access(&rig, 0, 0, 10);
	rig_access(&rig, 1, 0, 10);
	rig_access(&rig, 2, 0, 20);
	rig_access(&rig, 3, 0, 20);
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_out(&rig, 1, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_in(&rig, 3, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_in(&rig, 1, rig_frame(A, B, NULL, 60));
	rig_out(&rig, 0, rig_frame(A, B, NULL, 60));
	rig_in(&rig, 2, rig_frame(A, B, NULL, 60));
	rig_out(&rig, 3, rig_frame(A, B, NULL, 60));
	rig_run(&rig);
}

static const uint16_t vids_100[] = {100, 0};

/* 0: customer (tunnel 100)    1: provider trunk, 802.1ad    2: customer (tunnel 100) */
static void provider(void)
{
	rig_init(&rig, 3, 1);
	rig_tunnel(&rig, 0, 0, 100);
	rig_trunk(&rig, 1, 0, VLAN_TPID_S, 0, vids_100);
	rig_tunnel(&rig, 2, 0, 100);
}

static void tunnel_carries_customer_tags_below_a_service_tag(void **state)
{
	static const uint32_t s100_c10[] = {RIG_S(100), RIG_C(10), 0};
	static const uint32_t s100[] = {RIG_S(100), 0};

	(void)state;
	provider();
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, c10, 104));
	rig_out(&rig, 1, rig_frame(RIG_BROADCAST, A, s100_c10, 108));
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, c10, 104));
	memcpy(rig.out[0].frame->bytes + 16, rig.in[0].frame->bytes + 12, 92);
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 100));
	rig_out(&rig, 1, rig_frame(RIG_BROADCAST, A, s100, 104));
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 100));
	memcpy(rig.out[2].frame->bytes + 16, rig.in[1].frame->bytes + 12, 88);
	rig_run(&rig);
}

static void service_tag_is_taken_off_towards_the_customer(void **state)
{
	static const uint32_t s100_c10[] = {RIG_S(100), RIG_C(10), 0};

	(void)state;
	provider();
	rig_in(&rig, 1, rig_frame(RIG_BROADCAST, A, s100_c10, 108));
	rig_out(&rig, 0, rig_frame(RIG_BROADCAST, A, c10, 104));
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, c10, 104));
	for (int i = 0; i < 2; i++)
		memcpy(rig.out[i].frame->bytes + 12, rig.in[0].frame->bytes + 16, 92);
	rig_run(&rig);
}

static void tag_of_another_kind_is_payload_to_a_trunk(void **state)
{
	static const uint16_t vids_5[] = {5, 0};
	static const uint32_t s100_c5[] = {RIG_S(100), RIG_C(5), 0};
	static const uint32_t c5[] = {RIG_C(5), 0};

	(void)state;
	rig_init(&rig, 2, 1);
	rig_trunk(&rig, 0, 0, VLAN_TPID_S, 0, vids_100);
	rig_trunk(&rig, 1, 0, VLAN_TPID_C, 100, vids_5); /* native 100: C-tag 5 is its own VLAN 5 */
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, s100_c5, 108));
	rig_out(&rig, 1, rig_frame(RIG_BROADCAST, A, c5, 104));
	memcpy(rig.out[0].frame->bytes + 12, rig.in[0].frame->bytes + 16, 92);
	rig_in(&rig, 0,
	       rig_frame(RIG_BROADCAST, A, c5,
			 104)); /* untagged to an 802.1ad trunk without native */
	rig_drop(&rig, 0, DROP_VLAN_UNTAGGED, 1);
	rig_run(&rig);
}

static void vlan_with_one_port_has_no_other_member(void **state)
{
	(void)state;
	rig_init(&rig, 2, 1);
	rig_access(&rig, 0, 0, 10);
	rig_trunk(&rig, 1, 0, VLAN_TPID_C, 0, vids_none);
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_drop(&rig, 0, DROP_NO_MEMBER, 1);
	rig_run(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flood_stays_in_the_vlan_and_is_tagged_per_port),
		cmocka_unit_test(native_vlan_leaves_untagged_on_its_trunk_only),
		cmocka_unit_test(untagged_on_a_trunk_is_the_native_vlan),
		cmocka_unit_test(tag_of_the_native_vlan_is_accepted_too),
		cmocka_unit_test(untagged_on_a_trunk_without_native_is_refused),
		cmocka_unit_test(tagged_on_an_access_port_is_refused),
		cmocka_unit_test(vlan_the_trunk_does_not_carry_is_refused),
		cmocka_unit_test(vlan_4095_is_reserved),
		cmocka_unit_test(priority_tag_counts_as_untagged_and_keeps_its_priority),
		cmocka_unit_test(priority_and_dei_survive_from_trunk_to_trunk),
		cmocka_unit_test(stacked_tags_are_payload_behind_the_outer_one),
		cmocka_unit_test(same_address_in_two_vlans_is_two_stations),
		cmocka_unit_test(tunnel_carries_customer_tags_below_a_service_tag),
		cmocka_unit_test(service_tag_is_taken_off_towards_the_customer),
		cmocka_unit_test(tag_of_another_kind_is_payload_to_a_trunk),
		cmocka_unit_test(vlan_with_one_port_has_no_other_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
