/* SPDX-License-Identifier: BSD-3-Clause */
/* What scapy encapsulated comes out as the frame that went in; what an impostor sends is refused, each under its own reason. */
#include "overlay.h"

#include "checksum.h"
#include "decap.h"

static struct overlay o;
static struct vtep_table *table;
static struct frame frame;
static struct frame_seg segs[FRAME_SEGS_MAX];
static struct pull_scratch scratch;
static struct decap_info info;
static uint8_t inner[70000], bytes[4000];

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

/* Behind another packet of decap4's VTEP, with the snapshot an uplink takes, the same becomes of a packet as alone. */
static void receive_in_row(const uint8_t *packet, uint32_t len, uint32_t seg_len)
{
	static struct frame pair[2];
	static struct frame_seg pair_segs[2][FRAME_SEGS_MAX];
	static struct pull_scratch pair_scratch;
	static uint8_t alone[70000], in_row[70000];
	struct decap_info infos[2];

	overlay_frame(&pair[0], pair_segs[0], vector_decap4, sizeof(vector_decap4), 64);
	overlay_frame_uplink(&pair[1], pair_segs[1], packet, len, seg_len, VXLAN_OUTER_LEN4);
	decap_burst(table, pair, infos, 2, &pair_scratch);
	assert_int_equal(infos[1].verdict, info.verdict);
	assert_int_equal(infos[1].drop, info.drop);
	assert_int_equal(infos[1].peer, info.peer);
	assert_int_equal(infos[1].vni, info.vni);
	if (info.verdict != DECAP_INNER)
		return;
	len = overlay_bytes(&frame, alone);
	assert_int_equal(pair[1].len, len);
	assert_int_equal(overlay_bytes(&pair[1], in_row), len);
	assert_memory_equal(in_row, alone, len);
	assert_int_equal(pair[1].hdr_len, frame.hdr_len);
	assert_true(pair[1].hdr >= pair[1].buf + FRAME_HDR_ROOM);
}

/* Return: length of the inner frame in inner[], 0 unless DECAP_INNER. */
static uint32_t receive(const uint8_t *packet, uint32_t len, uint32_t seg_len)
{
	if (table == NULL)
		table = overlay_table(&o);
	overlay_frame(&frame, segs, packet, len, seg_len);
	decap_burst(table, &frame, &info, 1, &scratch);
	receive_in_row(packet, len, seg_len);
	if (info.verdict != DECAP_INNER)
		return 0;
	assert_int_equal(info.verdict, DECAP_INNER);
	assert_int_equal(frame.hdr_len, frame.len < FRAME_HDR_MAX ? frame.len : FRAME_HDR_MAX);
	assert_true(frame.hdr >= frame.buf + FRAME_HDR_ROOM);
	len = overlay_bytes(&frame, inner);
	assert_int_equal(len, frame.len);
	return len;
}

#define RECEIVE(vector, seg_len) receive(vector_##vector, sizeof(vector_##vector), seg_len)

/* decap4 with @n bytes at @off replaced, IPv4 header checksum made right again. */
static void refuse(uint32_t off, const void *change, uint32_t n, enum drop_reason reason)
{
	memcpy(bytes, vector_decap4, sizeof(vector_decap4));
	memcpy(bytes + off, change, n);
	memset(bytes + 24, 0, 2);
	checksum_store(bytes + 24, checksum_sum(bytes + 14, 20));
	assert_int_equal(receive(bytes, sizeof(vector_decap4), 64), 0);
	assert_int_equal(info.verdict, DECAP_DROP);
	if (info.drop != reason)
		fail_msg("dropped as %s, wanted %s", drop_name(info.drop), drop_name(reason));
	/* and without a UDP checksum, which may be another reason, but in a row the same */
	memset(bytes + 40, 0, 2);
	receive(bytes, sizeof(vector_decap4), 64);
}

static void ip4_gives_the_inner_frame(void **state)
{
	(void)state;
	OVERLAY_ASSERT(inner, RECEIVE(decap4, 64), inner_udp4);
	assert_int_equal(info.peer, 0);
	assert_int_equal(info.vni, 0);
}

static void ip4_options_are_skipped(void **state)
{
	(void)state;
	OVERLAY_ASSERT(inner, RECEIVE(decap4_options, 64), inner_udp4);
}

static void large_frame_is_whole_whatever_the_segments(void **state)
{
	(void)state;
	for (uint32_t seg_len = 29; seg_len < 1600; seg_len += 31) {
		OVERLAY_ASSERT(inner, RECEIVE(decap4_big, seg_len), inner_big4);
		OVERLAY_ASSERT(inner, RECEIVE(decap6, seg_len), inner_udp6);
	}
	assert_int_equal(info.peer, 1);
}

static void rows_without_udp_checksums_are_whole(void **state)
{
	(void)state;
	memcpy(bytes, vector_decap4_big, sizeof(vector_decap4_big));
	memset(bytes + 40, 0, 2);
	for (uint32_t seg_len = 29; seg_len < 1600; seg_len += 31)
		OVERLAY_ASSERT(inner, receive(bytes, sizeof(vector_decap4_big), seg_len),
			       inner_big4);
	memcpy(bytes, vector_decap4, sizeof(vector_decap4));
	memset(bytes + 40, 0, 2);
	for (uint32_t pad = 0; pad < 300; pad += 7)
		OVERLAY_ASSERT(inner, receive(bytes, (uint32_t)sizeof(vector_decap4) + pad, 64),
			       inner_udp4);
	/* One bit after another of all that decides */
	for (uint32_t bit = 12 * 8; bit < 64 * 8; bit++) {
		memcpy(bytes, vector_decap4, sizeof(vector_decap4));
		memset(bytes + 40, 0, 2);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		receive(bytes, sizeof(vector_decap4), 64);
		if (bit / 8 < 24 || bit / 8 > 25) {
			memset(bytes + 24, 0, 2);
			checksum_store(bytes + 24, checksum_sum(bytes + 14, 20));
			receive(bytes, sizeof(vector_decap4), 64);
		}
	}
}

static void underlay_padding_is_cut_off(void **state)
{
	uint32_t len;

	(void)state;
	len = RECEIVE(decap4_padded, 64);
	assert_int_equal(len, sizeof(vector_decap4_padded) - 50 - 20);
	assert_memory_equal(inner, vector_decap4_padded + 50, len);
}

static void reserved_bits_are_ignored(void **state)
{
	uint16_t no_checksum = 0;

	(void)state;
	memcpy(bytes, vector_decap4, sizeof(vector_decap4));
	memcpy(bytes + 40, &no_checksum, 2);
	bytes[42] = 0xff;
	memset(bytes + 43, 0xff, 3);
	bytes[49] = 0xff;
	OVERLAY_ASSERT(inner, receive(bytes, sizeof(vector_decap4), 64), inner_udp4);
}

static void ip6_without_checksum_needs_consent(void **state)
{
	(void)state;
	assert_int_equal(RECEIVE(decap6_zero, 64), 0);
	assert_int_equal(info.drop, DROP_VXLAN_BAD_CHECKSUM);
	vtep_table_free(table);
	table = NULL;
	OVERLAY_SET(&o, csum, VTEP_CSUM_ZERO);
	OVERLAY_ASSERT(inner, RECEIVE(decap6_zero, 64), inner_udp6);
}

static void wrong_udp_checksum_is_refused_wherever_the_damage_is(void **state)
{
	(void)state;
	for (uint32_t off = 34; off < sizeof(vector_decap4_big); off += 13) {
		memcpy(bytes, vector_decap4_big, sizeof(vector_decap4_big));
		bytes[off] ^= 0x10;
		assert_int_equal(receive(bytes, sizeof(vector_decap4_big), 101), 0);
	}
	memcpy(bytes, vector_decap4_big, sizeof(vector_decap4_big));
	bytes[1000] ^= 1;
	assert_int_equal(receive(bytes, sizeof(vector_decap4_big), 101), 0);
	assert_int_equal(info.drop, DROP_VXLAN_BAD_CHECKSUM);
}

static void checksum_the_kernel_vouches_for_is_not_summed(void **state)
{
	(void)state;
	table = overlay_table(&o);
	memcpy(bytes, vector_decap4, sizeof(vector_decap4));
	bytes[40] ^= 0x55;
	for (int flag = FRAME_NEEDS_CSUM; flag <= FRAME_CSUM_VALID; flag++) {
		overlay_frame(&frame, segs, bytes, sizeof(vector_decap4), 64);
		frame.offload.flags = (uint8_t)flag;
		frame.offload.csum_start = 34;
		frame.offload.csum_offset = 6;
		assert_int_equal(decap_burst(table, &frame, &info, 1, &scratch), 1);
		assert_int_equal(frame.offload.flags, 0);
	}
}

static void offload_of_the_inner_frame_moves_with_it(void **state)
{
	(void)state;
	table = overlay_table(&o);
	overlay_frame(&frame, segs, vector_decap4_big, sizeof(vector_decap4_big), 500);
	frame.offload = (struct frame_offload){.flags = FRAME_NEEDS_CSUM,
					       .gso = FRAME_GSO_TCP4,
					       .gso_size = 700,
					       .csum_start = 50 + 34,
					       .csum_offset = 16};
	assert_int_equal(decap_burst(table, &frame, &info, 1, &scratch), 1);
	assert_int_equal(frame.offload.csum_start, 34);
	assert_int_equal(frame.offload.csum_offset, 16);
	assert_int_equal(frame.offload.gso_size, 700);
	assert_int_equal(frame.offload.flags, FRAME_NEEDS_CSUM);

	overlay_frame(&frame, segs, vector_decap4_big, sizeof(vector_decap4_big), 500);
	frame.offload = (struct frame_offload){.gso = FRAME_GSO_TCP4, .gso_size = 700};
	assert_int_equal(decap_burst(table, &frame, &info, 1, &scratch), 0);
	assert_int_equal(info.drop, DROP_BAD_OFFLOAD);
}

static void what_is_not_vxlan_for_us_is_left_alone(void **state)
{
	static const uint32_t offs[] = {12, 23, 33,
					37}; /* ethertype, protocol, destination address, port */

	(void)state;
	table = overlay_table(&o);
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		memcpy(bytes, vector_decap4, sizeof(vector_decap4));
		bytes[offs[i]] ^= 0x40;
		assert_int_equal(receive(bytes, sizeof(vector_decap4), 64), 0);
		assert_int_equal(info.verdict, DECAP_NOT_OURS);
		assert_int_equal(frame.len, sizeof(vector_decap4));
		assert_memory_equal(frame.hdr, bytes, frame.hdr_len);
	}
	for (uint32_t len = 0; len < 42; len++) {
		assert_int_equal(receive(vector_decap4, len, 64), 0);
		assert_int_equal(info.verdict, DECAP_NOT_OURS);
	}
	/* a later fragment has no ports: the kernel's */
	memcpy(bytes, vector_decap4, sizeof(vector_decap4));
	bytes[21] = 5;
	assert_int_equal(receive(bytes, sizeof(vector_decap4), 64), 0);
	assert_int_equal(info.verdict, DECAP_NOT_OURS);
}

static void impostors_are_refused_each_under_its_own_reason(void **state)
{
	static const uint8_t stranger[4] = {192, 0, 2, 9}, ourselves[4] = {192, 0, 2, 1},
			     outsider[4] = {192, 0, 2, 3};
	static const uint8_t no_flag[1] = {0x00}, other_vni[3] = {0, 0, 1}, fragment[2] = {0x20, 0};

	(void)state;
	refuse(26, stranger, 4, DROP_VXLAN_UNKNOWN_VTEP);
	refuse(26, ourselves, 4, DROP_VXLAN_OWN_ADDRESS);
	refuse(26, outsider, 4, DROP_VXLAN_VTEP_NOT_IN_VNI);
	refuse(42, no_flag, 1, DROP_VXLAN_NO_VNI);
	refuse(46, other_vni, 3, DROP_VXLAN_UNKNOWN_VNI);
	refuse(20, fragment, 2, DROP_VXLAN_FRAGMENT);
	refuse(50, "\xff", 1, DROP_VXLAN_BAD_CHECKSUM);
}

static void lengths_that_lie_are_refused(void **state)
{
	static const uint8_t huge[2] = {0xff, 0xff}, tiny[2] = {0, 15}, runt[2] = {0, 16 + 13},
			     less[2] = {0, 19};

	(void)state;
	refuse(16, huge, 2, DROP_VXLAN_BAD_LENGTH);
	refuse(16, less, 2, DROP_VXLAN_BAD_LENGTH);
	refuse(38, huge, 2, DROP_VXLAN_BAD_LENGTH);
	refuse(38, tiny, 2, DROP_VXLAN_BAD_LENGTH);
	refuse(38, runt, 2, DROP_VXLAN_INNER_RUNT);
	/* cut off anywhere: never accepted */
	for (uint32_t len = 42; len < sizeof(vector_decap4); len++) {
		assert_int_equal(receive(vector_decap4, len, 64), 0);
		assert_int_equal(info.verdict, DECAP_DROP);
		assert_int_equal(info.drop, DROP_VXLAN_BAD_LENGTH);
	}
}

static void broken_ip_header_checksum_is_refused(void **state)
{
	(void)state;
	memcpy(bytes, vector_decap4, sizeof(vector_decap4));
	bytes[22]--; /* ttl */
	assert_int_equal(receive(bytes, sizeof(vector_decap4), 64), 0);
	assert_int_equal(info.drop, DROP_VXLAN_BAD_CHECKSUM);
}

static void congestion_in_the_underlay_reaches_the_guest(void **state)
{
	static const uint8_t ce_on_not_ect[1] = {0x03};

	(void)state;
	OVERLAY_ASSERT(inner, RECEIVE(decap4_ce, 64), inner_ce);
	OVERLAY_ASSERT(inner, RECEIVE(decap4_ce6, 64), inner_ce6);
	/* inner_untagged is Not-ECT: the mark cannot be given, so the packet is dropped */
	o.vni.tag = VTEP_TAG_STRIP;
	memcpy(bytes, vector_decap4_tagged, sizeof(vector_decap4_tagged));
	memcpy(bytes + 15, ce_on_not_ect, 1);
	memset(bytes + 24, 0, 2);
	checksum_store(bytes + 24, checksum_sum(bytes + 14, 20));
	assert_int_equal(receive(bytes, sizeof(vector_decap4_tagged), 64), 0);
	assert_int_equal(info.drop, DROP_VXLAN_ECN);
}

static void inner_tag_is_treated_as_the_vni_says(void **state)
{
	(void)state;
	o.vni.tag = VTEP_TAG_KEEP;
	OVERLAY_ASSERT(inner, RECEIVE(decap4_tagged, 64), inner_tagged);
	vtep_table_free(table);
	table = NULL;
	o.vni.tag = VTEP_TAG_STRIP;
	OVERLAY_ASSERT(inner, RECEIVE(decap4_tagged, 64), inner_untagged);
	vtep_table_free(table);
	table = NULL;
	o.vni.tag = VTEP_TAG_REFUSE;
	assert_int_equal(RECEIVE(decap4_tagged, 64), 0);
	assert_int_equal(info.drop, DROP_VXLAN_INNER_TAGGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(ip4_gives_the_inner_frame),
		TEST(ip4_options_are_skipped),
		TEST(large_frame_is_whole_whatever_the_segments),
		TEST(rows_without_udp_checksums_are_whole),
		TEST(underlay_padding_is_cut_off),
		TEST(reserved_bits_are_ignored),
		TEST(ip6_without_checksum_needs_consent),
		TEST(wrong_udp_checksum_is_refused_wherever_the_damage_is),
		TEST(checksum_the_kernel_vouches_for_is_not_summed),
		TEST(offload_of_the_inner_frame_moves_with_it),
		TEST(what_is_not_vxlan_for_us_is_left_alone),
		TEST(impostors_are_refused_each_under_its_own_reason),
		TEST(lengths_that_lie_are_refused),
		TEST(broken_ip_header_checksum_is_refused),
		TEST(congestion_in_the_underlay_reaches_the_guest),
		TEST(inner_tag_is_treated_as_the_vni_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
