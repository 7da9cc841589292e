/* SPDX-License-Identifier: BSD-3-Clause */
/* Wires, links between switches, and reserved multicast, capture file in, capture file out. */
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
static const uint32_t c10[] = {RIG_C(10), 0};

/* The frame as it came, out of another port. */
static void passes(uint16_t in, uint16_t out, uint64_t to, uint64_t from, const uint32_t *tags,
		   size_t len)
{
	rig_in(&rig, in, rig_frame(to, from, tags, len));
	rig_out(&rig, out, rig_frame(to, from, tags, len));
}

static void wire_forwards_everything_untouched(void **state)
{
	static const uint32_t odd[] = {RIG_S(4095), RIG_C(0xffff), RIG_C(0), 0};

	(void)state;
	rig_init(&rig, 2, 0);
	rig_wire(&rig, 0, 1);
	for (unsigned int i = 0; i < 16; i++) /* BPDU, PAUSE, LACP, LLDP and the rest */
		passes(0, 1, RIG_RESERVED + i, A, NULL, 60);
	passes(1, 0, RIG_BROADCAST, A, odd, 100);
	passes(0, 1, A, A, NULL, 60);		  /* to itself */
	passes(1, 0, A, RIG_BROADCAST, NULL, 60); /* from a multicast address */
	passes(1, 0, 0, 0, NULL, 1514);
	passes(0, 1, B, A, c10, 1518);
	rig_run(&rig);
}

static void wire_passes_runts(void **state)
{
	(void)state;
	rig_init(&rig, 2, 0);
	rig_wire(&rig, 0, 1);
	for (size_t len = 1; len < 20; len++) {
		struct rig_frame *in = rig_frame(B, A, NULL, 60), *out = rig_frame(B, A, NULL, 60);

		in->len = out->len = len;
		rig_in(&rig, 0, in);
		rig_out(&rig, 1, out);
	}
	rig_run(&rig);
}

static void wire_respects_the_mtu_and_link_state_of_its_ends(void **state)
{
	(void)state;
	rig_init(&rig, 4, 0);
	rig_wire(&rig, 0, 1);
	rig_wire(&rig, 2, 3);
	rig.cfg->ports[1].mtu = 1000;
	rig.cfg->ports[3].admin_up = false;
	rig_in(&rig, 0, rig_frame(B, A, NULL, 1515));
	rig_drop(&rig, 0, DROP_OVERSIZE, 1);
	rig_in(&rig, 0, rig_frame(B, A, NULL, 1015));
	rig_drop(&rig, 1, DROP_OVERSIZE, 1);
	passes(0, 1, B, A, NULL, 1014);
	rig_in(&rig, 2, rig_frame(B, A, NULL, 60));
	rig_in(&rig, 3, rig_frame(B, A, NULL, 60));
	rig_drop(&rig, 3, DROP_PORT_DOWN, 2);
	rig_run(&rig);
}

static void half_a_wire_leads_nowhere(void **state)
{
	(void)state;
	rig_init(&rig, 2, 0);
	rig_wire(&rig, 0, 1);
	rig.cfg->ports[0].peer = SNAPSHOT_NONE;
	rig.cfg->ports[1].role = PORT_DETACHED;
	rig_in(&rig, 0, rig_frame(B, A, NULL, 60));
	rig_in(&rig, 1, rig_frame(B, A, NULL, 60));
	rig_drop(&rig, 0, DROP_PORT_UNATTACHED, 1);
	rig_drop(&rig, 1, DROP_PORT_UNATTACHED, 1);
	rig_run(&rig);
}

/*
 *   0: access 10 --+
 *   1: access 20 --+ switch 0 --2== link (trunk 10,20) ==3-- switch 1 +-- 4: access 10
 *                                                                    +-- 5: access 20
 */
static void two_switches(void)
{
	rig_init(&rig, 6, 2);
	rig_access(&rig, 0, 0, 10);
	rig_access(&rig, 1, 0, 20);
	rig_trunk(&rig, 2, 0, VLAN_TPID_C, 0, vids_10_20);
	rig_trunk(&rig, 3, 1, VLAN_TPID_C, 0, vids_10_20);
	rig_patch(&rig, 2, 3);
	rig_access(&rig, 4, 1, 10);
	rig_access(&rig, 5, 1, 20);
}

static void link_joins_the_vlans_of_two_switches(void **state)
{
	(void)state;
	two_switches();
	passes(0, 4, RIG_BROADCAST, A, NULL, 60);
	passes(4, 0, A, B, NULL, 60);
	passes(0, 4, B, A, NULL, 1514);
	passes(5, 1, RIG_BROADCAST, A, NULL, 600);
	passes(1, 5, A, B, NULL, 60);
	rig_run(&rig);
}

static void check_counts_of_both_ends(struct rig *r)
{
	const struct port_queue_stats *from = r->cfg->ports[2].patch_stats;
	const struct port_queue_stats *to = r->cfg->ports[3].patch_stats;

	assert_int_equal(from[1].pkts, 1);
	assert_int_equal(from[1].bytes, 64);
	assert_int_equal(from[0].pkts, 0);
	assert_int_equal(to[0].pkts, 1);
	assert_int_equal(to[0].bytes, 64);
	assert_int_equal(to[1].pkts, 0);
}

static void link_counts_both_ends(void **state)
{
	(void)state;
	two_switches();
	rig.after = check_counts_of_both_ends;
	passes(0, 4, RIG_BROADCAST, A, NULL, 60);
	rig_run(&rig);
}

static void take_link_down(struct rig *r, size_t i)
{
	r->cfg->ports[2].admin_up = i == 0;
}

static void link_that_is_down_drops_unicast_and_carries_no_flood(void **state)
{
	(void)state;
	two_switches();
	rig.before = take_link_down;
	passes(4, 0, RIG_BROADCAST, B, NULL, 60); /* B is known behind the link */
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 60));
	rig_drop(&rig, 0, DROP_NO_MEMBER, 1);
	rig_in(&rig, 0, rig_frame(B, A, NULL, 60));
	rig_drop(&rig, 2, DROP_PORT_DOWN, 1);
	rig_run(&rig);
}

/*
 * A ring of three switches, without spanning tree: port 2i+1 of switch i is linked to port 2(i+1)
 * of the next.
 */
static void loop_of_links_ends_at_the_hop_limit(void **state)
{
	(void)state;
	rig_init(&rig, 7, 3);
	for (uint16_t i = 0; i < 6; i++)
		rig_access(&rig, i, i / 2, 10);
	rig_patch(&rig, 1, 2);
	rig_patch(&rig, 3, 4);
	rig_patch(&rig, 5, 0);
	rig_access(&rig, 6, 0, 10);
	rig_in(&rig, 6, rig_frame(RIG_BROADCAST, A, NULL, 60));
	/*
	 * One copy runs each way around; after 3, 6, 9, 12, 15 hops it is back at switch 0 and goes
	 * out of port 6.
	 */
	for (int i = 0; i < 2 * (FRAME_HOPS_MAX / 3); i++)
		rig_out(&rig, 6, rig_frame(RIG_BROADCAST, A, NULL, 60));
	/*
	 * After the 16th hop they are at switch 1 and at switch 2 and want to leave by the far end.
	 */
	rig_drop(&rig, 3, DROP_LOOP, 1);
	rig_drop(&rig, 4, DROP_LOOP, 1);
	rig_run(&rig);
}

static void line_of_switches_within_the_hop_limit_passes(void **state)
{
	const uint16_t n = FRAME_HOPS_MAX + 1;

	(void)state;
	rig_init(&rig, (uint16_t)(2 * n), n);
	for (uint16_t i = 0; i < 2 * n; i++)
		rig_access(&rig, i, i / 2, 10);
	for (uint16_t i = 0; i + 1 < n; i++)
		rig_patch(&rig, 2 * i + 1, 2 * i + 2);
	passes(0, (uint16_t)(2 * n - 1), RIG_BROADCAST, A, NULL, 60);
	passes((uint16_t)(2 * n - 1), 0, A, B, NULL, 60);
	passes(0, (uint16_t)(2 * n - 1), B, A, NULL, 1514);
	rig_run(&rig);
}

/*
 * One burst of floods over many links: more copies than one level holds, and none is lost or
 * overtaken.
 */
static void burst_over_many_links_keeps_every_frame_in_order(void **state)
{
	const uint16_t n_links = 8, n_frames = FRAME_BURST;

	(void)state;
	rig_init(&rig, 1 + 3 * n_links, 1 + n_links);
	rig.burst = FRAME_BURST;
	rig_access(&rig, 0, 0, 10);
	for (uint16_t i = 0; i < n_links; i++) {
		rig_access(&rig, 1 + 3 * i, 0, 10);
		rig_access(&rig, 2 + 3 * i, 1 + i, 10);
		rig_patch(&rig, 1 + 3 * i, 2 + 3 * i);
		rig_access(&rig, 3 + 3 * i, 1 + i, 10);
	}
	for (uint16_t k = 0; k < n_frames; k++) {
		rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, NULL, 100 + k));
		for (uint16_t i = 0; i < n_links; i++)
			rig_out(&rig, 3 + 3 * i, rig_frame(RIG_BROADCAST, A, NULL, 100 + k));
	}
	rig_run(&rig);
}

/*
 * Tunnel ports at both ends of each link push a tag per hop: stacked until the head room is used
 * up.
 */
static void tags_stacked_over_links_are_taken_off_again(void **state)
{
	static const uint16_t vids_100[] = {100, 0};

	(void)state;
	rig_init(&rig, 4, 2);
	rig_tunnel(&rig, 0, 0, 100);
	rig_trunk(&rig, 1, 0, VLAN_TPID_S, 0, vids_100);
	rig_trunk(&rig, 2, 1, VLAN_TPID_S, 0, vids_100);
	rig_patch(&rig, 1, 2);
	rig_tunnel(&rig, 3, 1, 100);
	passes(0, 3, B, A, c10, 64);
	passes(0, 3, B, A, c10, 1518);
	passes(0, 3, B, A, NULL, 60);
	rig_run(&rig);
}

/*
 * 0: tunnel, VLAN 1 --- switch 0 --- 1: all as it is ==link== 2: trunk 10 --- switch 1 --+-- 3: trunk 10
 *                                                                                       +-- 4: trunk 10
 */
static void what_a_tunnel_says_of_a_frame_ends_at_a_link(void **state)
{
	static const uint16_t vids_10[] = {10, 0};

	(void)state;
	rig_init(&rig, 5, 2);
	rig_access(&rig, 0, 0, 1);
	rig.given_vid = 1;
	rig_tunnel(&rig, 1, 0, 1);
	rig_trunk(&rig, 2, 1, VLAN_TPID_C, 0, vids_10);
	rig_patch(&rig, 1, 2);
	rig_trunk(&rig, 3, 1, VLAN_TPID_C, 0, vids_10);
	rig_trunk(&rig, 4, 1, VLAN_TPID_C, 0, vids_10);
	rig_in(&rig, 0, rig_frame(RIG_BROADCAST, A, c10, 64));
	rig_out(&rig, 3, rig_frame(RIG_BROADCAST, A, c10, 64));
	rig_out(&rig, 4, rig_frame(RIG_BROADCAST, A, c10, 64));
	/* A is known behind the link. */
	rig_in(&rig, 3, rig_frame(A, B, c10, 64));
	rig_out(&rig, 0, rig_frame(A, B, c10, 64));
	rig_run(&rig);
}

static void reserved_multicast_is_dropped_forwarded_or_sent_to_the_peer(void **state)
{
	struct switch_config *sw;

	(void)state;
	rig_init(&rig, 4, 1);
	for (uint16_t i = 0; i < 4; i++)
		rig_access(&rig, i, 0, 10);
	sw = &rig.cfg->switches[0];
	sw->peer_port = 3;
	sw->reserved[0x00] = RESERVED_DROP;
	sw->reserved[0x02] = RESERVED_FORWARD;
	sw->reserved[0x0e] = RESERVED_PEER;
	rig_in(&rig, 0, rig_frame(RIG_RESERVED + 0x00, A, NULL, 60));
	rig_drop(&rig, 0, DROP_RESERVED_MULTICAST, 1);
	rig_in(&rig, 0, rig_frame(RIG_RESERVED + 0x02, A, NULL, 60));
	for (uint16_t i = 1; i < 4; i++)
		rig_out(&rig, i, rig_frame(RIG_RESERVED + 0x02, A, NULL, 60));
	passes(0, 3, RIG_RESERVED + 0x0e, A, NULL, 60);
	rig_in(&rig, 3, rig_frame(RIG_RESERVED + 0x0e, B, NULL, 60)); /* the peer's own go to all */
	for (uint16_t i = 0; i < 3; i++)
		rig_out(&rig, i, rig_frame(RIG_RESERVED + 0x0e, B, NULL, 60));
	rig_run(&rig);
}

static void reserved_multicast_is_configured_per_switch(void **state)
{
	(void)state;
	rig_init(&rig, 4, 2);
	for (uint16_t i = 0; i < 4; i++)
		rig_access(&rig, i, i / 2, 10);
	memset(rig.cfg->switches[1].reserved, RESERVED_FORWARD, 16);
	memset(rig.cfg->switches[0].reserved, RESERVED_PEER, 16); /* and no peer port */
	for (unsigned int i = 0; i < 16; i++) {
		rig_in(&rig, 0, rig_frame(RIG_RESERVED + i, A, NULL, 60));
		rig_drop(&rig, 0, DROP_RESERVED_MULTICAST, 1);
		passes(2, 3, RIG_RESERVED + i, A, NULL, 60);
	}
	rig_in(&rig, 0,
	       rig_frame(RIG_RESERVED + 16, A, NULL,
			 60)); /* the next address is an ordinary group */
	rig_out(&rig, 1, rig_frame(RIG_RESERVED + 16, A, NULL, 60));
	rig_run(&rig);
}

static void reserved_multicast_is_named_even_where_the_vlan_would_refuse_it(void **state)
{
	(void)state;
	rig_init(&rig, 1, 1);
	rig_trunk(&rig, 0, 0, VLAN_TPID_C, 0, vids_10_20);
	rig_in(&rig, 0, rig_frame(RIG_RESERVED, A, NULL, 60));
	rig_drop(&rig, 0, DROP_RESERVED_MULTICAST, 1);
	rig_run(&rig);
}

/*
 *   0 access 10 -- switch 0 -- 1 trunk, 10 native and 20     1 is sent to by both bursts before any frame leaves: untagged
 *                   |    |                                   what is of VLAN 10, tagged what has come back as of VLAN 20
 *       2 access 10 +-link-+ 3 access 20
 */
static void frames_that_come_back_in_another_vlan_leave_as_that_vlans(void **state)
{
	static const uint32_t c20[] = {RIG_C(20), 0};

	(void)state;
	rig_init(&rig, 4, 1);
	rig_access(&rig, 0, 0, 10);
	rig_trunk(&rig, 1, 0, VLAN_TPID_C, 10, vids_10_20);
	rig_access(&rig, 2, 0, 10);
	rig_access(&rig, 3, 0, 20);
	rig_patch(&rig, 2, 3);
	fdb_learn(rig.fdb, FDB_FID(0, 10), frames_mac(10), 1, 0, 0, 0);
	for (uint8_t i = 11; i < 15; i++) {
		fdb_learn(rig.fdb, FDB_FID(0, 10), frames_mac(i), 2, 0, 0, 0);
		fdb_learn(rig.fdb, FDB_FID(0, 20), frames_mac(i), 1, 0, 0, 0);
	}
	rig.burst = 8;
	passes(0, 1, frames_mac(10), A, NULL, 60);
	for (uint8_t i = 11; i < 15; i++) {
		struct rig_frame *in = rig_frame(frames_mac(i), A, NULL, 60);
		struct rig_frame *out = rig_frame(frames_mac(i), A, c20, 64);

		memcpy(out->bytes + 18, in->bytes + 14, 60 - 14);
		rig_in(&rig, 0, in);
		rig_out(&rig, 1, out);
	}
	rig_run(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_forwards_everything_untouched),
		cmocka_unit_test(wire_passes_runts),
		cmocka_unit_test(wire_respects_the_mtu_and_link_state_of_its_ends),
		cmocka_unit_test(half_a_wire_leads_nowhere),
		cmocka_unit_test(link_joins_the_vlans_of_two_switches),
		cmocka_unit_test(link_counts_both_ends),
		cmocka_unit_test(link_that_is_down_drops_unicast_and_carries_no_flood),
		cmocka_unit_test(loop_of_links_ends_at_the_hop_limit),
		cmocka_unit_test(line_of_switches_within_the_hop_limit_passes),
		cmocka_unit_test(burst_over_many_links_keeps_every_frame_in_order),
		cmocka_unit_test(tags_stacked_over_links_are_taken_off_again),
		cmocka_unit_test(what_a_tunnel_says_of_a_frame_ends_at_a_link),
		cmocka_unit_test(reserved_multicast_is_dropped_forwarded_or_sent_to_the_peer),
		cmocka_unit_test(reserved_multicast_is_configured_per_switch),
		cmocka_unit_test(reserved_multicast_is_named_even_where_the_vlan_would_refuse_it),
		cmocka_unit_test(frames_that_come_back_in_another_vlan_leave_as_that_vlans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
