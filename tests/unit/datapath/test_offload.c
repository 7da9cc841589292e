/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums and segmentation in software, checked with a receiver's arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "l4.h"
#include "offload.h"
#include "unit/datapath/frames.h"
#include "unit/datapath/packets.h"

#define TAG 0x8100000au

static struct packet packet;
static uint8_t flat[FRAME_LEN_MAX];

static bool valid(struct packet *p)
{
	l4_parse_tags(&p->f);
	return offload_validate(&p->f);
}

static void checksum_is_filled_in(int version, uint8_t proto, uint32_t tag, uint32_t payload)
{
	struct offload_scratch *scratch = offload_scratch_new();
	struct frame_out out = {.f = &packet.f};
	uint32_t len;

	packet_make(&packet, version, proto, tag, payload, 0);
	assert_true(valid(&packet));
	assert_false(offload_is_taken(&packet.f.offload, 0));
	assert_true(offload_is_taken(&packet.f.offload, PORT_TX_CSUM));
	assert_true(offload_checksum(scratch, &out));
	assert_true(offload_is_taken(&out.f->offload, 0));
	assert_int_equal(out.f->offload.flags, FRAME_CSUM_VALID);
	len = packet_flatten(&out, flat);
	assert_int_equal(len, packet.f.len);
	packet_check(flat, len, packet.l3, false);
	/* nothing but the checksum changed */
	memcpy(flat + packet.l4 + (proto == 6 ? 16 : 6),
	       packet.bytes + packet.l4 + (proto == 6 ? 16 : 6), 2);
	assert_memory_equal(flat, packet.bytes, len);
	offload_scratch_free(scratch);
}

static void checksums_of_tcp_and_udp_are_filled_in(void **state)
{
	static const uint32_t payloads[] = {0, 1, 2, 3, 63, 64, 65, 999, 1460, 8999};

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		for (int version = PACKET_IP4; version <= PACKET_IP6; version++) {
			checksum_is_filled_in(version, 6, 0, payloads[i]);
			checksum_is_filled_in(version, 17, 0, payloads[i]);
			checksum_is_filled_in(version, 6, TAG, payloads[i]);
		}
	}
}

static void udp_checksum_of_zero_is_sent_as_ones(void **state)
{
	struct offload_scratch *scratch = offload_scratch_new();
	struct frame_out out = {.f = &packet.f};
	uint32_t sum;

	(void)state;
	packet_make(&packet, PACKET_IP4, 17, 0, 2, 0);
	memset(packet.bytes + packet.hdr_len, 0, 2);
	sum = packet_sum(0, packet.bytes + packet.l4, 10); /* make the total ffff */
	packet_put16(packet.bytes + packet.hdr_len, 0xffff - sum);
	packet_split(&packet, packet.f.len, 1500);
	assert_true(valid(&packet));
	assert_true(offload_checksum(scratch, &out));
	packet_flatten(&out, flat);
	assert_int_equal(packet_get16(flat + packet.l4 + 6), 0xffff);
	offload_scratch_free(scratch);
}

/* Tags may change on the way out: offsets move with them. */
static void checksum_behind_a_pushed_tag_is_filled_in(void **state)
{
	struct offload_scratch *scratch = offload_scratch_new();
	struct frame_out out = {.f = &packet.f, .prefix_len = 16, .skip = 12};
	uint32_t len;

	(void)state;
	packet_make(&packet, PACKET_IP4, 6, 0, 100, 0);
	assert_true(valid(&packet));
	memcpy(out.prefix, packet.bytes, 12);
	memcpy(out.prefix + 12, "\x81\x00\x00\x0a", 4);
	assert_true(offload_checksum(scratch, &out));
	len = packet_flatten(&out, flat);
	assert_int_equal(len, packet.f.len + 4);
	assert_memory_equal(flat + 12, "\x81\x00\x00\x0a\x08\x00", 6);
	packet_check(flat, len, packet.l3 + 4, false);
	offload_scratch_free(scratch);
}

static uint32_t get32(const uint8_t *p)
{
	return packet_get16(p) << 16 | packet_get16(p + 2);
}

static void tcp_is_cut(int version, uint32_t tag, uint32_t payload, uint16_t mss)
{
	struct offload_scratch *scratch = offload_scratch_new();
	struct frame_out out = {.f = &packet.f}, *segments;
	uint32_t offset = 0, n_total = 0;
	uint16_t n;

	packet_make(&packet, version, 6, tag, payload, mss);
	assert_true(valid(&packet));
	assert_int_equal(packet.f.offload.gso_hdr_len, packet.hdr_len);
	assert_false(offload_is_taken(&packet.f.offload, PORT_TX_CSUM));
	assert_int_equal(offload_segment_start(scratch, &out), DROP_NONE);
	while ((n = offload_segment_next(scratch, &segments)) > 0) {
		assert_true(n <= FRAME_BURST);
		for (uint16_t i = 0; i < n; i++, n_total++) {
			uint32_t len = packet_flatten(&segments[i], flat),
				 data = len - packet.hdr_len;
			bool first = offset == 0, last = offset + data == payload;
			const uint8_t *tcp = flat + packet.l4;

			packet_check(flat, len, packet.l3, false);
			assert_int_equal(data, last ? payload - offset : mss);
			assert_memory_equal(flat, packet.bytes, packet.l3);
			assert_memory_equal(flat + packet.hdr_len,
					    packet.bytes + packet.hdr_len + offset, data);
			assert_int_equal(get32(tcp + 4), (uint32_t)(0xfffffc00 + offset));
			assert_int_equal(tcp[13], 0x10 | (first ? 0x80 : 0) | (last ? 0x09 : 0));
			assert_memory_equal(tcp + 20, packet.bytes + packet.l4 + 20, 12);
			if (version == PACKET_IP4)
				assert_int_equal(packet_get16(flat + packet.l3 + 4),
						 (0xfffe + n_total) & 0xffff);
			assert_true(offload_is_taken(&segments[i].f->offload, 0));
			offset += data;
		}
	}
	assert_int_equal(offset, payload);
	assert_int_equal(n_total, (payload + mss - 1) / mss);
	offload_scratch_free(scratch);
}

static void tcp_is_cut_into_correct_segments(void **state)
{
	(void)state;
	for (int version = PACKET_IP4; version <= PACKET_IP6; version++) {
		tcp_is_cut(version, 0, 1449, 1448);
		tcp_is_cut(version, 0, 65000, 1448);
		tcp_is_cut(version, TAG, 65000, 1428);
		tcp_is_cut(version, 0, 14480, 1448); /* no rest */
		tcp_is_cut(version, 0, 3000, 9);
		tcp_is_cut(version, 0, 64, 1);
		tcp_is_cut(version, 0, 65000, 64999);
	}
}

static void gso_that_fits_one_segment_is_an_ordinary_frame(void **state)
{
	(void)state;
	packet_make(&packet, PACKET_IP4, 6, 0, 1448, 1448);
	assert_true(valid(&packet));
	assert_int_equal(packet.f.offload.gso, FRAME_GSO_NONE);
	assert_int_equal(packet.f.offload.flags, FRAME_NEEDS_CSUM);
}

/* Put the fragments' payload together and check the datagram's checksum over all of it. */
static void udp_is_fragmented(int version, uint32_t payload, uint16_t gso_size)
{
	static uint8_t datagram[FRAME_LEN_MAX];
	struct offload_scratch *scratch = offload_scratch_new();
	struct frame_out out = {.f = &packet.f}, *segments;
	uint32_t offset = 0;
	uint16_t n;

	packet_make(&packet, version, 17, 0, payload, gso_size);
	assert_true(valid(&packet));
	assert_int_equal(offload_segment_start(scratch, &out), DROP_NONE);
	while ((n = offload_segment_next(scratch, &segments)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			uint32_t len = packet_flatten(&segments[i], flat), hdr = packet.l4;
			bool more;

			packet_check(flat, len, packet.l3, true);
			if (version == PACKET_IP4) {
				uint32_t field = packet_get16(flat + packet.l3 + 6);

				more = (field & 0x2000) != 0;
				assert_int_equal((field & 0x1fff) * 8, offset);
			} else {
				hdr += 8;
				assert_int_equal(flat[packet.l3 + 6], 44);
				assert_int_equal(flat[packet.l4], 17);
				more = (packet_get16(flat + packet.l4 + 2) & 1) != 0;
				assert_int_equal(packet_get16(flat + packet.l4 + 2) & 0xfff8,
						 offset);
			}
			memcpy(datagram + offset, flat + hdr, len - hdr);
			offset += len - hdr;
			assert_int_equal(more, offset < payload + 8);
		}
	}
	assert_int_equal(offset, payload + 8);
	assert_memory_equal(datagram + 8, packet.bytes + packet.hdr_len, payload);
	assert_int_equal(
		packet_sum(packet_pseudo(packet.bytes + packet.l3, 17, offset), datagram, offset),
		0xffff);
	offload_scratch_free(scratch);
}

static void udp_is_cut_into_fragments(void **state)
{
	(void)state;
	for (int version = PACKET_IP4; version <= PACKET_IP6; version++) {
		udp_is_fragmented(version, 4000, 1472);
		udp_is_fragmented(version, 65000, 1475);
		udp_is_fragmented(version, 100, 8);
	}
}

static void gso_must_match_the_headers(void **state)
{
	(void)state;
	packet_make(&packet, PACKET_IP4, 6, 0, 9000, 1448);
	packet.f.offload.gso = FRAME_GSO_TCP6;
	assert_false(valid(&packet));
	packet.f.offload.gso = FRAME_GSO_UDP;
	assert_false(valid(&packet));
	packet.f.offload.gso = 77;
	assert_false(valid(&packet));
	packet.f.offload.gso = FRAME_GSO_TCP4;
	packet.f.offload.gso_size = 0;
	assert_false(valid(&packet));
	packet.f.offload.gso_size = 1448;
	packet.f.offload.flags = 0;
	assert_false(valid(&packet));
	packet.f.offload.flags = FRAME_NEEDS_CSUM;
	assert_true(valid(&packet));
	packet_put16(packet.f.hdr + packet.l3 + 2, 1500); /* the IP length says something else */
	assert_false(valid(&packet));
	packet_make(&packet, PACKET_IP4, 6, 0, 9000, 1448);
	packet_put16(packet.f.hdr + packet.l3 + 6, 0x2000); /* a fragment */
	assert_false(valid(&packet));
	packet_make(&packet, PACKET_IP4, 6, 0, 9000, 1448);
	packet.f.hdr[packet.l4 + 12] = 0x40; /* a TCP header of 16 bytes */
	assert_false(valid(&packet));
	packet_make(&packet, PACKET_IP6, 6, 0, 9000, 1448);
	packet.f.hdr[packet.l3 + 6] = 0; /* a chain of extension headers that leaves the snapshot */
	memset(packet.f.hdr + packet.l4, 0, 1);
	packet.f.hdr[packet.l4 + 1] = 255;
	assert_false(valid(&packet));
	packet_make(&packet, PACKET_IP4, 17, 0, 9000, 7); /* not even one unit of eight */
	assert_false(valid(&packet));
}

/* Each segment costs as much as a frame: who asks for tens of thousands asks for everybody's time. */
static void gso_into_thousands_of_pieces_is_refused(void **state)
{
	(void)state;
	for (int version = PACKET_IP4; version <= PACKET_IP6; version++) {
		packet_make(&packet, version, 6, 0, 65000, 1);
		assert_false(valid(&packet));
		packet_make(&packet, version, 6, 0, OFFLOAD_SEGMENTS_MAX * 8 + 1, 8);
		assert_false(valid(&packet));
		packet_make(&packet, version, 6, 0, OFFLOAD_SEGMENTS_MAX * 8, 8);
		assert_true(valid(&packet));
		packet_make(&packet, version, 6, 0, 65000, 48); /* Linux's least MSS */
		assert_true(valid(&packet));
		packet_make(&packet, version, 17, 0, 65000, 8);
		assert_false(valid(&packet));
	}
}

static void checksum_must_be_inside_the_frame_and_behind_its_headers(void **state)
{
	static const uint16_t bad[][2] = {{34, 65535}, {65535, 16}, {0, 16},  {13, 16},
					  {34, 6},     {33, 16},    {146, 19}};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		packet_make(&packet, PACKET_IP4, 6, 0, 100, 0);
		assert_int_equal(packet.f.len, 166);
		packet.f.offload.csum_start = bad[i][0];
		packet.f.offload.csum_offset = bad[i][1];
		assert_false(valid(&packet));
	}
	packet_make(&packet, PACKET_IP4, 6, 0, 100, 0);
	packet.f.offload.csum_start = 100; /* of something tunnelled: the sender knows */
	assert_true(valid(&packet));
}

static void port_without_room_is_told_when_scratch_is_full(void **state)
{
	struct offload_scratch *scratch = offload_scratch_new();
	struct frame_out out;
	int n = 0;

	(void)state;
	packet_make(&packet, PACKET_IP4, 6, 0, 100, 0);
	assert_true(valid(&packet));
	for (;; n++) {
		out = (struct frame_out){.f = &packet.f};
		if (!offload_checksum(scratch, &out))
			break;
	}
	assert_int_equal(n, FRAME_BURST);
	assert_ptr_equal(out.f, &packet.f); /* untouched, to be tried again */
	offload_scratch_reset(scratch);
	assert_true(offload_checksum(scratch, &out));
	offload_scratch_free(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_of_tcp_and_udp_are_filled_in),
		cmocka_unit_test(udp_checksum_of_zero_is_sent_as_ones),
		cmocka_unit_test(checksum_behind_a_pushed_tag_is_filled_in),
		cmocka_unit_test(tcp_is_cut_into_correct_segments),
		cmocka_unit_test(gso_that_fits_one_segment_is_an_ordinary_frame),
		cmocka_unit_test(udp_is_cut_into_fragments),
		cmocka_unit_test(gso_must_match_the_headers),
		cmocka_unit_test(gso_into_thousands_of_pieces_is_refused),
		cmocka_unit_test(checksum_must_be_inside_the_frame_and_behind_its_headers),
		cmocka_unit_test(port_without_room_is_told_when_scratch_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
