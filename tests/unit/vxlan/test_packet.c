/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's large TCP frame must leave as the row of packets scapy makes of the same stream. */
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
	table = overlay_table(&o);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vtep_table_free(table);
	return 0;
}

static void large_frame(const uint8_t *bytes, uint32_t len, enum frame_gso gso, uint16_t l4_off,
			uint32_t seg_len)
{
	overlay_frame(&frame, segs, bytes, len, seg_len);
	frame.offload = (struct frame_offload){.flags = FRAME_NEEDS_CSUM,
					       .gso = (uint8_t)gso,
					       .gso_size = VECTOR_MSS,
					       .gso_hdr_len = (uint16_t)(l4_off + 32),
					       .csum_start = l4_off,
					       .csum_offset = 16};
	out = (struct frame_out){.f = &frame};
}

static void expect_segments(uint16_t peer, const uint8_t *const wanted[],
			    const uint32_t wanted_len[])
{
	struct packet_cursor cursor;

	dest = (struct encap_dest){.peer = peer};
	assert_int_equal(encap_burst(table, &out, &dest, 1), 1);
	assert_int_equal(packet_start(&cursor, &out, dest.outer_len), DROP_NONE);
	assert_int_equal(packet_count(&cursor), VECTOR_SEGMENTS);
	for (int i = 0; i < VECTOR_SEGMENTS; i++) {
		uint32_t len = packet_next(&cursor, packet, sizeof(packet));

		overlay_assert_bytes(packet, len, wanted[i], wanted_len[i]);
	}
	assert_true(packet_is_done(&cursor));
	assert_int_equal(packet_next(&cursor, packet, sizeof(packet)), 0);
}

#define SEGMENTS_OF(n)                                                                             \
	static const uint8_t *const wanted[] = {                                                   \
		vector_tso##n##_segment0, vector_tso##n##_segment1, vector_tso##n##_segment2,      \
		vector_tso##n##_segment3};                                                         \
	static const uint32_t wanted_len[] = {                                                     \
		sizeof(vector_tso##n##_segment0), sizeof(vector_tso##n##_segment1),                \
		sizeof(vector_tso##n##_segment2), sizeof(vector_tso##n##_segment3)}

static void tso_over_ip4_makes_the_packets_scapy_makes(void **state)
{
	SEGMENTS_OF(4);

	(void)state;
	for (uint32_t seg_len = 61; seg_len < 4000; seg_len = seg_len * 3 / 2) {
		large_frame(vector_tso4_frame, sizeof(vector_tso4_frame), FRAME_GSO_TCP4, 34,
			    seg_len);
		expect_segments(0, wanted, wanted_len);
	}
}

static void tso_over_ip6_makes_the_packets_scapy_makes(void **state)
{
	SEGMENTS_OF(6);

	(void)state;
	large_frame(vector_tso6_frame, sizeof(vector_tso6_frame), FRAME_GSO_TCP6, 54, 999);
	expect_segments(1, wanted, wanted_len);
}

static void size_of_a_segment_is_what_must_fit_the_underlay(void **state)
{
	(void)state;
	large_frame(vector_tso4_frame, sizeof(vector_tso4_frame), FRAME_GSO_TCP4, 34, 500);
	frame.offload.gso_size = 1464 - 66;
	dest = (struct encap_dest){0};
	assert_int_equal(encap_burst(table, &out, &dest, 1), 1);
	large_frame(vector_tso4_frame, sizeof(vector_tso4_frame), FRAME_GSO_TCP4, 34, 500);
	frame.offload.gso_size = 1464 - 65;
	assert_int_equal(encap_burst(table, &out, &dest, 1), 0);
	assert_int_equal(out.drop, DROP_VXLAN_TOO_BIG);
}

static void contradictory_offloads_are_refused(void **state)
{
	struct packet_cursor cursor;

	(void)state;
	for (int wrong = 0; wrong < 6; wrong++) {
		large_frame(vector_tso4_frame, sizeof(vector_tso4_frame), FRAME_GSO_TCP4, 34, 500);
		dest = (struct encap_dest){0};
		assert_int_equal(encap_burst(table, &out, &dest, 1), 1);
		switch (wrong) {
		case 0:
			frame.offload.gso_size = 0;
			break;
		case 1:
			frame.offload.gso_hdr_len = 40;
			break;
		case 2:
			frame.offload.gso_hdr_len = 127;
			break;
		case 3:
			frame.offload.gso = FRAME_GSO_TCP6;
			break;
		case 4:
			frame.hdr[23] = 17;
			break;
		default:
			frame.offload.gso_hdr_len = UINT16_MAX;
		}
		assert_int_equal(packet_start(&cursor, &out, dest.outer_len), DROP_BAD_OFFLOAD);
	}
}

static void short_buffer_ends_the_frame_without_overrun(void **state)
{
	struct packet_cursor cursor;
	uint8_t guard[600];

	(void)state;
	large_frame(vector_tso4_frame, sizeof(vector_tso4_frame), FRAME_GSO_TCP4, 34, 500);
	dest = (struct encap_dest){0};
	assert_int_equal(encap_burst(table, &out, &dest, 1), 1);
	assert_int_equal(packet_start(&cursor, &out, dest.outer_len), DROP_NONE);
	memset(guard, 0xee, sizeof(guard));
	assert_int_equal(packet_next(&cursor, guard, 500), 0);
	assert_false(packet_is_done(&cursor));
	assert_int_equal(guard[500], 0xee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(tso_over_ip4_makes_the_packets_scapy_makes),
		TEST(tso_over_ip6_makes_the_packets_scapy_makes),
		TEST(size_of_a_segment_is_what_must_fit_the_underlay),
		TEST(contradictory_offloads_are_refused),
		TEST(short_buffer_ends_the_frame_without_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
