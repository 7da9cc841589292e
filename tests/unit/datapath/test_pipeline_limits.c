/* SPDX-License-Identifier: BSD-3-Clause */
/* What the pipeline refuses, learns and floods, capture file in, capture file out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/datapath/rig.h"

#define A frames_mac(1)
#define B frames_mac(2)
#define C frames_mac(3)

static struct rig rig;

static void access_ports(uint16_t n)
{
	rig_init(&rig, n, 1);
	for (uint16_t i = 0; i < n; i++)
		rig_access(&rig, i, 0, 10);
}

static void passes(uint16_t in, uint16_t out, uint64_t to, uint64_t from, size_t len)
{
	rig_in(&rig, in, rig_frame(to, from, NULL, len));
	rig_out(&rig, out, rig_frame(to, from, NULL, len));
}

static void floods(uint16_t in, uint16_t n_ports, uint64_t to, uint64_t from, size_t len)
{
	rig_in(&rig, in, rig_frame(to, from, NULL, len));
	for (uint16_t i = 0; i < n_ports; i++)
		if (i != in)
			rig_out(&rig, i, rig_frame(to, from, NULL, len));
}

static void known_unicast_reaches_its_port_only(void **state)
{
	(void)state;
	access_ports(4);
	floods(0, 4, B, A, 60); /* B is unknown */
	passes(1, 0, A, B, 61);
	passes(0, 1, B, A, 62);
	floods(2, 4, RIG_BROADCAST, C, 63);
	passes(1, 2, C, B, 1514);
	floods(1, 4, UINT64_C(0x01005e000001), B, 64); /* a group */
	rig_run(&rig);
}

static void station_that_moves_is_followed(void **state)
{
	(void)state;
	access_ports(3);
	floods(0, 3, RIG_BROADCAST, A, 60);
	passes(1, 0, A, B, 60);
	floods(2, 3, RIG_BROADCAST, A, 60);
	passes(1, 2, A, B, 60);
	rig_run(&rig);
}

static void frame_never_goes_back_where_it_came_from(void **state)
{
	(void)state;
	access_ports(2);
	floods(0, 2, RIG_BROADCAST, A, 60);
	rig_in(&rig, 0, rig_frame(A, B, NULL, 60));
	rig_drop(&rig, 0, DROP_SAME_PORT, 1);
	rig_in(&rig, 0, rig_frame(A, A, NULL, 60));
	rig_drop(&rig, 0, DROP_SAME_PORT, 1);
	rig_run(&rig);
}

static void source_that_no_station_may_have_is_refused(void **state)
{
	(void)state;
	access_ports(2);
	rig_in(&rig, 0, rig_frame(B, RIG_BROADCAST, NULL, 60));
	rig_in(&rig, 0, rig_frame(B, UINT64_C(0x01005e000001), NULL, 60));
	rig_in(&rig, 0, rig_frame(B, 0, NULL, 60));
	rig_drop(&rig, 0, DROP_SOURCE_MULTICAST, 3);
	rig_run(&rig);
}

static void runts_are_dropped_on_switches(void **state)
{
	static const uint32_t c10[] = {RIG_C(10), 0};

	(void)state;
	access_ports(2);
	for (size_t len = 1; len < 14; len++) {
		struct rig_frame *frame = rig_frame(B, A, NULL, 60);

		frame->len = len;
		rig_in(&rig, 0, frame);
	}
	for (size_t len = 14; len < 18; len++) { /* ends inside its tag */
		struct rig_frame *frame = rig_frame(B, A, c10, 60);

		frame->len = len;
		rig_in(&rig, 0, frame);
	}
	rig_drop(&rig, 0, DROP_RUNT, 13 + 4);
	passes(0, 1, B, A, 14);
	rig_run(&rig);
}

static void mtu_counts_on_the_way_in_and_on_the_way_out(void **state)
{
	(void)state;
	access_ports(3);
	rig.cfg->ports[0].mtu = 9000;
	rig.cfg->ports[2].mtu = 9216;
	floods(0, 3, RIG_BROADCAST, A, 1514);
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 1515));
	rig_drop(&rig, 1, DROP_OVERSIZE, 1);
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 1515));
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 9014));
	rig_drop(&rig, 1, DROP_OVERSIZE, 1);
	rig_out(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 9014));
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 9015));
	rig_drop(&rig, 0, DROP_OVERSIZE, 1);
	rig_in(&rig, 1, rig_frame(RIG_BROADCAST, B, NULL, 1515));
	rig_drop(&rig, 1, DROP_OVERSIZE, 1);
	rig_run(&rig);
}

static void tags_do_not_count_against_the_mtu(void **state)
{
	static const uint16_t vids_10[] = {10, 0};
	static const uint32_t c10[] = {RIG_C(10), 0};
	static const uint32_t c10_c5[] = {RIG_C(10), RIG_C(5), 0};

	(void)state;
	rig_init(&rig, 2, 1);
	rig_trunk(&rig, 0, 0, VLAN_TPID_C, 0, vids_10);
	rig_trunk(&rig, 1, 0, VLAN_TPID_C, 0, vids_10);
	rig_in(&rig, 0, rig_frame(B, A, c10, 1518));
	rig_out(&rig, 1, rig_frame(B, A, c10, 1518));
	rig_in(&rig, 0, rig_frame(B, A, c10_c5, 1522));
	rig_out(&rig, 1, rig_frame(B, A, c10_c5, 1522));
	rig_in(&rig, 0, rig_frame(B, A, c10, 1519));
	rig_drop(&rig, 0, DROP_OVERSIZE, 1);
	rig_run(&rig);
}

static void port_that_is_down_or_unattached_takes_and_gives_nothing(void **state)
{
	(void)state;
	access_ports(4);
	rig.cfg->ports[1].admin_up = false;
	rig.cfg->ports[2].role = PORT_DETACHED;
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_out(&rig, 3, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_in(&rig, 1, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_drop(&rig, 1, DROP_PORT_DOWN, 1);
	rig_in(&rig, 2, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_drop(&rig, 2, DROP_PORT_UNATTACHED, 1);
	rig_run(&rig);
}

static void unicast_to_a_port_that_went_down_is_dropped_there(void **state)
{
	(void)state;
	access_ports(3);
	fdb_learn(rig.fdb, FDB_FID(0, 10), B, 1, 0, 0, 0);
	rig.cfg->ports[1].admin_up = false;
	rig_in(&rig, 0, rig_frame(B, A, NULL, 60));
	rig_drop(&rig, 1, DROP_PORT_DOWN, 1);
	rig_run(&rig);
}

static void sticky_station_cannot_be_taken_over(void **state)
{
	(void)state;
	access_ports(3);
	rig.cfg->ports[0].sticky = true;
	floods(0, 3, RIG_BROADCAST, A, 60);
	rig_in(&rig, 1, rig_frame(RIG_BROADCAST, A, NULL, 60)); /* somebody else says to be A */
	rig_drop(&rig, 1, DROP_STICKY_MOVE, 1);
	passes(2, 0, A, B, 60);
	rig_run(&rig);
}

static void static_station_is_known_before_it_speaks(void **state)
{
	(void)state;
	access_ports(3);
	fdb_learn(rig.fdb, FDB_FID(0, 10), B, 2, FDB_STATIC, 0, 0);
	passes(0, 2, B, A, 60);
	rig_in(&rig, 1, rig_frame(A, B, NULL, 60));
	rig_drop(&rig, 1, DROP_STICKY_MOVE, 1);
	passes(2, 0, A, B, 60);
	rig_run(&rig);
}

static void static_station_behind_a_port_without_the_vlan_is_told(void **state)
{
	(void)state;
	access_ports(3);
	rig_access(&rig, 2, 0, 20);
	fdb_learn(rig.fdb, FDB_FID(0, 10), B, 2, FDB_STATIC, 0, 0);
	rig_in(&rig, 0, rig_frame(B, A, NULL, 60));
	rig_drop(&rig, 2, DROP_VLAN_NOT_MEMBER, 1);
	rig_run(&rig);
}

static void entry_of_a_port_that_left_the_switch_is_flooded(void **state)
{
	(void)state;
	rig_init(&rig, 4, 2);
	for (uint16_t i = 0; i < 3; i++)
		rig_access(&rig, i, 0, 10);
	rig_access(&rig, 3, 1, 10);
	fdb_learn(rig.fdb, FDB_FID(0, 10), B, 3, 0, 0, 0);    /* of another switch by now */
	fdb_learn(rig.fdb, FDB_FID(0, 10), C, 4711, 0, 0, 0); /* of no port at all */
	floods(0, 3, B, A, 60);
	floods(0, 3, C, A, 60);
	rig_run(&rig);
}

static void port_learns_up_to_its_limit_and_still_forwards(void **state)
{
	(void)state;
	access_ports(3);
	rig.cfg->ports[0].fdb_limit = 2;
	for (uint8_t i = 10; i < 15; i++)
		floods(0, 3, RIG_BROADCAST, frames_mac(i), 60);
	passes(1, 0, frames_mac(10), B, 60);
	passes(1, 0, frames_mac(11), B, 60);
	floods(1, 3, frames_mac(12), B, 60);
	rig_run(&rig);
}

static void switch_that_does_not_learn_floods(void **state)
{
	(void)state;
	access_ports(3);
	rig.cfg->switches[0].learning = false;
	floods(0, 3, RIG_BROADCAST, A, 60);
	floods(1, 3, A, B, 60);
	rig_run(&rig);
}

static void burst_keeps_the_order_of_each_destination(void **state)
{
	(void)state;
	access_ports(4);
	rig.burst = FRAME_BURST;
	fdb_learn(rig.fdb, FDB_FID(0, 10), B, 1, 0, 0, 0);
	fdb_learn(rig.fdb, FDB_FID(0, 10), C, 2, 0, 0, 0);
	for (size_t i = 0; i < 96; i++) {
		if (i % 5 == 0)
			floods(0, 4, RIG_BROADCAST, A, 60 + i);
		else
			passes(0, i % 2 == 0 ? 1 : 2, i % 2 == 0 ? B : C, A, 60 + i);
	}
	rig_run(&rig);
}

/* More egress ports than output has groups. */
static void burst_of_floods_to_many_ports_is_complete(void **state)
{
	(void)state;
	access_ports(60);
	rig.burst = FRAME_BURST;
	for (size_t i = 0; i < 8; i++)
		floods(0, 60, RIG_BROADCAST, A, 60 + i);
	rig_run(&rig);
}

/* Frames next to each other that agree in ingress, addresses and tag are decided together: but for their length, and no further. */
static void frames_of_one_run_are_judged_by_their_own_length(void **state)
{
	(void)state;
	access_ports(3);
	rig.burst = FRAME_BURST;
	fdb_learn(rig.fdb, FDB_FID(0, 10), B, 2, FDB_STATIC, 0, 0);
	fdb_learn(rig.fdb, FDB_FID(0, 10), C, 1, FDB_STATIC, 0, 0);
	rig_in(&rig, 0, rig_frame(B, A, NULL, 1515)); /* first of its run, and too long */
	rig_drop(&rig, 0, DROP_OVERSIZE, 1);
	passes(0, 2, B, A, 60);
	passes(0, 2, B, A, 1514);
	rig_in(&rig, 0, rig_frame(B, A, NULL, 1600));
	rig_drop(&rig, 0, DROP_OVERSIZE, 1);
	passes(0, 2, B, A, 61);
	passes(0, 1, C, A, 62); /* another station */
	passes(0, 2, B, A, 63); /* and back */
	passes(0, 2, B, A, 64);
	rig_in(&rig, 0, rig_frame(B, RIG_BROADCAST, NULL, 60)); /* refused, all of it */
	rig_in(&rig, 0, rig_frame(B, RIG_BROADCAST, NULL, 60));
	rig_drop(&rig, 0, DROP_SOURCE_MULTICAST, 2);
	rig_in(&rig, 0,
	       rig_frame(B, A, (const uint32_t[]){RIG_C(7), 0}, 64)); /* a tag is no part of it */
	rig_drop(&rig, 0, DROP_VLAN_TAGGED, 1);
	passes(0, 2, B, A, 65);
	rig_run(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_one_run_are_judged_by_their_own_length),
		cmocka_unit_test(known_unicast_reaches_its_port_only),
		cmocka_unit_test(station_that_moves_is_followed),
		cmocka_unit_test(frame_never_goes_back_where_it_came_from),
		cmocka_unit_test(source_that_no_station_may_have_is_refused),
		cmocka_unit_test(runts_are_dropped_on_switches),
		cmocka_unit_test(mtu_counts_on_the_way_in_and_on_the_way_out),
		cmocka_unit_test(tags_do_not_count_against_the_mtu),
		cmocka_unit_test(port_that_is_down_or_unattached_takes_and_gives_nothing),
		cmocka_unit_test(unicast_to_a_port_that_went_down_is_dropped_there),
		cmocka_unit_test(sticky_station_cannot_be_taken_over),
		cmocka_unit_test(static_station_is_known_before_it_speaks),
		cmocka_unit_test(static_station_behind_a_port_without_the_vlan_is_told),
		cmocka_unit_test(entry_of_a_port_that_left_the_switch_is_flooded),
		cmocka_unit_test(port_learns_up_to_its_limit_and_still_forwards),
		cmocka_unit_test(switch_that_does_not_learn_floods),
		cmocka_unit_test(burst_keeps_the_order_of_each_destination),
		cmocka_unit_test(burst_of_floods_to_many_ports_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
