/* SPDX-License-Identifier: BSD-3-Clause */
/* The overlay's table: what it refuses, what it finds, and how it grows. */
#include "overlay.h"

#include <errno.h>

static struct overlay o;

static int setup(void **state)
{
	(void)state;
	overlay_init(&o);
	return 0;
}

/* The specification must be refused with a sentence that has @words in it. */
static void refused(const char *words)
{
	struct vtep_table *table = NULL;
	struct err err = {0};

	assert_int_equal(vtep_table_new(&o.spec, &table, &err), -EINVAL);
	assert_null(table);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	overlay_init(&o);
}

static void vni_outside_24_bits_is_refused(void **state)
{
	(void)state;
	o.vni.vni = 0;
	refused("VNI 0 is outside 1..16777215");
	o.vni.vni = 1 << 24;
	refused("VNI 16777216 is outside");
	o.vni.vni = VXLAN_VNI_MAX;
	vtep_table_free(overlay_table(&o));
}

static void nothing_may_be_given_twice(void **state)
{
	struct vtep_vni_spec vnis[2];

	(void)state;
	vnis[0] = vnis[1] = o.vni;
	o.spec.n_vnis = 2;
	o.spec.vnis = vnis;
	vnis[1].vid++;
	refused("VNI 10010 is given twice");
	vnis[1].vni++;
	vnis[1].vid--;
	o.spec.n_vnis = 2;
	o.spec.vnis = vnis;
	refused("VLAN 10 of one switch has two VNIs");
	o.peers[2].remote = o.peers[0].remote;
	refused("remote VTEP 192.0.2.2 is given twice");
	o.locals[1] = o.locals[0];
	refused("local VTEP 192.0.2.1 is given twice");
	o.members[1] = o.members[0];
	refused("remote VTEP 192.0.2.2 is given twice");
}

static void addresses_that_cannot_be_vteps_are_refused(void **state)
{
	(void)state;
	o.peers[0].remote = overlay_ip4(239, 1, 1, 1);
	refused("remote VTEP 239.1.1.1: a multicast address");
	o.peers[0].remote = overlay_ip4(255, 255, 255, 255);
	refused("broadcast");
	o.peers[0].remote = o.locals[0];
	refused("remote VTEP 192.0.2.1 is an address of this host");
	o.peers[0].remote = overlay_ip4(0, 0, 0, 0);
	refused("unspecified");
	o.locals[0] = overlay_ip4(127, 0, 0, 1);
	refused("local VTEP 127.0.0.1: a loopback address");
	o.locals[1] = (struct vxlan_ip){.is_v6 = 1, .b = {0xff, 0x0e, [15] = 1}};
	refused("local VTEP ff0e::1: a multicast address");
	o.peers[0].local = 1;
	refused("of another family");
	o.peers[0].local = 2;
	refused("no local VTEP address");
}

static void underlay_mtu_must_hold_the_inner_one(void **state)
{
	(void)state;
	o.vni.mtu = 1430; /* the IPv6 peer: 1500 - 70 */
	vtep_table_free(overlay_table(&o));
	o.vni.mtu = 1431;
	refused("VNI 10010: an MTU of 1431 needs 1501 in the underlay, the route to VTEP "
		"2001:db8::2 has 1500");
	o.vni.n_members = 1; /* IPv4 alone: 1500 - 50 */
	o.vni.mtu = 1450;
	vtep_table_free(overlay_table(&o));
	o.vni.tag = VTEP_TAG_KEEP;
	refused("lower the VNI's to 1446");
}

static void source_port_range_must_have_a_port(void **state)
{
	(void)state;
	OVERLAY_SET(&o, src_port_min, 50001);
	refused("source ports 50001-50000: the range is empty");
}

static void look_ups_find_what_is_there_and_only_that(void **state)
{
	struct vtep_table *table = overlay_table(&o);
	struct vxlan_ip stranger = overlay_ip4(192, 0, 2, 77);

	(void)state;
	assert_int_equal(vtep_local_find(table, &o.locals[1]), 1);
	assert_int_equal(vtep_local_find(table, &stranger), VTEP_NONE);
	assert_int_equal(vtep_peer_find(table, &o.peers[1].remote, 1), 1);
	assert_int_equal(vtep_peer_find(table, &o.peers[1].remote, 0), VTEP_NONE);
	assert_int_equal(vtep_peer_find(table, &stranger, 0), VTEP_NONE);
	assert_int_equal(vtep_vni_find(table, VNI_10010), 0);
	assert_int_equal(vtep_vni_find(table, 0), -1);
	assert_int_equal(vtep_vni_of_vlan(table, 3, 10), 0);
	assert_int_equal(vtep_vni_of_vlan(table, 3, 11), -1);
	assert_int_equal(vtep_vni_of_vlan(table, 2, 10), -1);
	assert_int_equal(vtep_member_find(table, 0, VNI_10010), 0);
	assert_int_equal(vtep_member_find(table, 2, VNI_10010), -1);
	assert_int_equal(table->peers[1].slot, 11);
	vtep_table_free(table);
}

static void wire_needs_no_vlan_of_its_own(void **state)
{
	struct vtep_vni_spec vnis[3];
	struct vtep_table *table;

	(void)state;
	for (uint32_t v = 0; v < 3; v++) {
		vnis[v] = o.vni;
		vnis[v].vni = 100 + v;
		vnis[v].sw = VTEP_NONE;
	}
	o.spec.n_vnis = 3;
	o.spec.vnis = vnis;
	table = overlay_table(&o);
	assert_int_equal(vtep_vni_find(table, 102), 2);
	assert_int_equal(vtep_vni_of_vlan(table, VTEP_NONE, 10), -1);
	vtep_table_free(table);
}

static void empty_overlay_finds_nothing(void **state)
{
	struct vtep_spec empty = {0};
	struct vtep_table *table = NULL;

	(void)state;
	assert_int_equal(vtep_table_new(&empty, &table, NULL), 0);
	assert_int_equal(vtep_peer_find(table, &o.peers[0].remote, 0), VTEP_NONE);
	assert_int_equal(vtep_member_find(table, 0, 1), -1);
	vtep_table_free(table);
	vtep_table_free(NULL);
}

/* 4,096 VNIs, each with 24 of 256 VTEPs: every membership is found, no other is. */
static void four_thousand_vnis_are_all_found(void **state)
{
	enum { N_VNIS = 4096, N_PEERS = 256, N_MEMBERS = 24 };
	struct vtep_vni_spec *vnis = calloc(N_VNIS, sizeof(*vnis));
	struct vtep_peer_spec *peers = calloc(N_PEERS, sizeof(*peers));
	struct vtep_member *members = calloc(N_VNIS * N_MEMBERS, sizeof(*members));
	struct vtep_table *table;

	(void)state;
	for (uint32_t p = 0; p < N_PEERS; p++) {
		peers[p] = o.peers[0];
		peers[p].remote =
			overlay_ip4(198, 51, (uint8_t)(p >> 7), (uint8_t)(1 + (p & 0x7f)));
	}
	for (uint32_t v = 0; v < N_VNIS; v++) {
		vnis[v] = o.vni;
		vnis[v].vni = v * 4001 + 1;
		vnis[v].sw = (uint16_t)(v >> 11);
		vnis[v].vid = (uint16_t)(1 + (v & 0x7ff));
		vnis[v].n_members = N_MEMBERS;
		vnis[v].members = &members[v * N_MEMBERS];
		for (uint32_t m = 0; m < N_MEMBERS; m++)
			members[v * N_MEMBERS + m] = (struct vtep_member){
				.peer = (uint16_t)((v + m * 7) % N_PEERS), .flood = (m % 2) == 0};
	}
	o.spec.n_peers = N_PEERS;
	o.spec.peers = peers;
	o.spec.n_vnis = N_VNIS;
	o.spec.vnis = vnis;
	table = overlay_table(&o);
	for (uint32_t v = 0; v < N_VNIS; v++) {
		assert_int_equal(vtep_vni_find(table, vnis[v].vni), v);
		assert_int_equal(vtep_vni_of_vlan(table, vnis[v].sw, vnis[v].vid), v);
		assert_int_equal(table->vnis[v].n_flood, N_MEMBERS / 2);
		for (uint32_t p = 0; p < N_PEERS; p++) {
			uint32_t step = (p + 10 * N_PEERS - v % N_PEERS) % N_PEERS;
			bool is_member = step % 7 == 0 && step / 7 < N_MEMBERS;

			assert_int_equal(vtep_member_find(table, (uint16_t)p, vnis[v].vni),
					 is_member ? (int32_t)v : -1);
		}
	}
	print_message("4096 VNIs with 24 VTEPs each: %zu KiB\n", table->bytes / 1024);
	assert_in_range(table->bytes, 1, 16 << 20);
	vtep_table_free(table);
	free(members);
	free(peers);
	free(vnis);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, setup)
		TEST(vni_outside_24_bits_is_refused),
		TEST(nothing_may_be_given_twice),
		TEST(addresses_that_cannot_be_vteps_are_refused),
		TEST(underlay_mtu_must_hold_the_inner_one),
		TEST(source_port_range_must_have_a_port),
		TEST(look_ups_find_what_is_there_and_only_that),
		TEST(wire_needs_no_vlan_of_its_own),
		TEST(empty_overlay_finds_nothing),
		TEST(four_thousand_vnis_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
