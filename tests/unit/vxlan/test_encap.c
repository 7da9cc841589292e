/* SPDX-License-Identifier: BSD-3-Clause */
/* Encapsulated packets must be, byte for byte, what scapy makes of the same fields. */
#include "overlay.h"

#include "encap.h"
#include "packet.h"

static struct overlay o;
static struct vtep_table *table;
static struct frame frame;
static struct frame_seg segs[FRAME_SEGS_MAX];
static struct frame_out out;
static struct encap_dest dest;
static uint8_t packet[70000];

static int setup(void **state)
{
	(void)state;
	overlay_init(&o);
	table = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vtep_table_free(table);
	return 0;
}

/* Encapsulate and write the packet out. Return: its length, 0 when refused (out.drop). */
static uint32_t send_to(uint16_t peer, const uint8_t *bytes, uint32_t len, uint8_t prefix_len,
			uint8_t skip)
{
	struct packet_cursor cursor;

	if (table == NULL)
		table = overlay_table(&o);
	overlay_frame(&frame, segs, bytes, len, 37);
	out = (struct frame_out){.f = &frame, .prefix_len = prefix_len, .skip = skip};
	memcpy(out.prefix, bytes, prefix_len);
	dest = (struct encap_dest){.vni = 0, .peer = peer};
	if (encap_burst(table, &out, &dest, 1) == 0)
		return 0;
	assert_int_equal(packet_start(&cursor, &out, dest.outer_len), DROP_NONE);
	assert_int_equal(packet_count(&cursor), 1);
	len = packet_next(&cursor, packet, sizeof(packet));
	assert_true(packet_is_done(&cursor));
	assert_int_equal(packet_next(&cursor, packet, sizeof(packet)), 0);
	return len;
}

#define SEND(peer, vector) send_to(peer, vector_##vector, sizeof(vector_##vector), 0, 0)

static void ip4_carries_the_frame_with_df_and_no_checksum(void **state)
{
	(void)state;
	OVERLAY_ASSERT(packet, SEND(0, inner_udp4), encap4);
	assert_int_equal(dest.uplink, 5);
}

static void ip4_checksum_is_filled_when_asked(void **state)
{
	(void)state;
	OVERLAY_SET(&o, csum, VTEP_CSUM_ON);
	OVERLAY_ASSERT(packet, SEND(0, inner_udp4), encap4_csum);
}

static void ip6_checksum_is_filled_unless_zero_is_asked(void **state)
{
	(void)state;
	OVERLAY_ASSERT(packet, SEND(1, inner_udp6), encap6);
	vtep_table_free(table);
	table = NULL;
	OVERLAY_SET(&o, csum, VTEP_CSUM_ZERO);
	OVERLAY_ASSERT(packet, SEND(1, inner_udp6), encap6_zero);
}

static void fixed_dscp_keeps_the_congestion_mark(void **state)
{
	(void)state;
	OVERLAY_SET(&o, dscp_fixed, true);
	OVERLAY_SET(&o, dscp, 46);
	OVERLAY_ASSERT(packet, SEND(0, inner_udp4), encap4_dscp46);
}

static void egress_tag_is_stripped_or_kept_inside(void **state)
{
	(void)state;
	/* as vlan_egress() leaves an untagged egress of a tagged frame: 12 bytes of addresses, tag skipped */
	OVERLAY_ASSERT(packet, send_to(0, vector_inner_tagged, sizeof(vector_inner_tagged), 12, 16),
		       encap4_untagged);
	OVERLAY_ASSERT(packet, SEND(0, inner_tagged), encap4_tagged);
}

static void source_port_stays_in_its_range_and_spreads(void **state)
{
	uint16_t seen[64] = {0};
	uint8_t bytes[sizeof(vector_inner_udp4)];
	unsigned n_seen = 0;

	(void)state;
	OVERLAY_SET(&o, src_port_min, 40000);
	OVERLAY_SET(&o, src_port_max, 40063);
	memcpy(bytes, vector_inner_udp4, sizeof(bytes));
	for (unsigned flow = 0; flow < 1000; flow++) {
		uint16_t port;

		wire_put16(bytes + 34, (uint16_t)(1024 + flow));
		send_to(0, bytes, sizeof(bytes), 0, 0);
		port = wire_get16(packet + 34);
		assert_in_range(port, 40000, 40063);
		seen[port - 40000]++;
	}
	for (unsigned i = 0; i < 64; i++)
		n_seen += seen[i] > 0;
	assert_int_equal(n_seen, 64);
	for (unsigned i = 0; i < 64; i++)
		assert_in_range(seen[i], 2, 48); /* mean 15.6 */
}

static void default_source_ports_are_dynamic_ones(void **state)
{
	(void)state;
	OVERLAY_SET(&o, src_port_min, 0);
	OVERLAY_SET(&o, src_port_max, 0);
	assert_true(SEND(0, inner_udp4) > 0);
	assert_in_range(wire_get16(packet + 34), 49152, 65535);
}

static void ecmp_uses_every_next_hop_and_keeps_flows_together(void **state)
{
	uint8_t bytes[sizeof(vector_inner_udp4)];
	unsigned seen[3] = {0};

	(void)state;
	o.peers[0].n_nexthops = 3;
	for (uint16_t i = 0; i < 3; i++) {
		o.peers[0].nexthops[i] = o.peers[0].nexthops[0];
		o.peers[0].nexthops[i].uplink = i;
		o.peers[0].nexthops[i].dst_mac[5] = (uint8_t)(0x50 + i);
	}
	o.peers[0].nexthops[1].resolved = false; /* not used while unresolved */
	memcpy(bytes, vector_inner_udp4, sizeof(bytes));
	for (unsigned flow = 0; flow < 200; flow++) {
		uint16_t uplink;

		wire_put16(bytes + 34, (uint16_t)(1024 + flow));
		send_to(0, bytes, sizeof(bytes), 0, 0);
		uplink = dest.uplink;
		assert_int_equal(packet[5], 0x50 + uplink);
		seen[uplink]++;
		send_to(0, bytes, sizeof(bytes), 0, 0);
		assert_int_equal(dest.uplink, uplink);
	}
	assert_int_equal(seen[1], 0);
	assert_in_range(seen[0], 60, 140);
}

static void frame_larger_than_the_underlay_is_refused(void **state)
{
	(void)state;
	/* 1500 - 36 = 1464 bytes of inner frame */
	memset(packet, 0xaa, 2000);
	assert_true(send_to(0, memcpy(packet + 4000, packet, 1464), 1464, 0, 0) > 0);
	assert_int_equal(send_to(0, memset(packet + 4000, 0xaa, 1465), 1465, 0, 0), 0);
	assert_int_equal(out.drop, DROP_VXLAN_TOO_BIG);
	assert_true(send_to(1, memset(packet + 4000, 0xaa, 1444), 1444, 0, 0) > 0);
	assert_int_equal(send_to(1, memset(packet + 4000, 0xaa, 1445), 1445, 0, 0), 0);
}

static void peer_without_route_or_neighbour_says_which(void **state)
{
	(void)state;
	o.peers[0].n_nexthops = 0;
	o.peers[1].nexthops[0].resolved = false;
	assert_int_equal(SEND(0, inner_udp4), 0);
	assert_int_equal(out.drop, DROP_VXLAN_NO_ROUTE);
	assert_int_equal(SEND(1, inner_udp4), 0);
	assert_int_equal(out.drop, DROP_VXLAN_NO_NEIGHBOUR);
}

static void refused_frame_does_not_disturb_its_neighbours(void **state)
{
	struct frame_out outs[3];
	struct encap_dest dests[3] = {{.peer = 0}, {.peer = 1}, {.peer = 0}};

	(void)state;
	o.peers[1].n_nexthops = 0;
	table = overlay_table(&o);
	overlay_frame(&frame, segs, vector_inner_udp4, sizeof(vector_inner_udp4), 64);
	for (int i = 0; i < 3; i++)
		outs[i] = (struct frame_out){.f = &frame};
	assert_int_equal(encap_burst(table, outs, dests, 3), 2);
	assert_int_equal(outs[0].drop, DROP_NONE);
	assert_int_equal(outs[1].drop, DROP_VXLAN_NO_ROUTE);
	assert_int_equal(outs[2].drop, DROP_NONE);
	assert_memory_equal(outs[0].prefix, outs[2].prefix, 50);
	assert_memory_equal(outs[0].prefix, vector_encap4, 50);
}

static void open_inner_checksum_is_filled(void **state)
{
	struct packet_cursor cursor;
	uint8_t bytes[sizeof(vector_inner_udp4)];
	uint16_t pseudo;

	(void)state;
	OVERLAY_SET(&o, csum, VTEP_CSUM_ON);
	table = overlay_table(&o);
	memcpy(bytes, vector_inner_udp4, sizeof(bytes));
	/* as a guest leaves it: the pseudo header's sum */
	pseudo = 0;
	for (unsigned sum = 0, i = 0; i < 1; i++) {
		for (unsigned w = 26; w < 34; w += 2)
			sum += wire_get16(bytes + w);
		sum += 17 + wire_get16(bytes + 38);
		pseudo = (uint16_t)((sum & 0xffff) + (sum >> 16));
	}
	wire_put16(bytes + 40, pseudo);
	overlay_frame(&frame, segs, bytes, sizeof(bytes), 64);
	frame.offload = (struct frame_offload){
		.flags = FRAME_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	out = (struct frame_out){.f = &frame};
	dest = (struct encap_dest){0};
	assert_int_equal(encap_burst(table, &out, &dest, 1), 1);
	assert_int_equal(packet_start(&cursor, &out, dest.outer_len), DROP_NONE);
	OVERLAY_ASSERT(packet, packet_next(&cursor, packet, sizeof(packet)), encap4_csum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(ip4_carries_the_frame_with_df_and_no_checksum),
		TEST(ip4_checksum_is_filled_when_asked),
		TEST(ip6_checksum_is_filled_unless_zero_is_asked),
		TEST(fixed_dscp_keeps_the_congestion_mark),
		TEST(egress_tag_is_stripped_or_kept_inside),
		TEST(source_port_stays_in_its_range_and_spreads),
		TEST(default_source_ports_are_dynamic_ones),
		TEST(ecmp_uses_every_next_hop_and_keeps_flows_together),
		TEST(frame_larger_than_the_underlay_is_refused),
		TEST(peer_without_route_or_neighbour_says_which),
		TEST(refused_frame_does_not_disturb_its_neighbours),
		TEST(open_inner_checksum_is_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
