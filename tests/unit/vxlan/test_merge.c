/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of segments become one frame again, and only if one frame can have made them. */
#include "overlay.h"

#include "checksum.h"
#include "merge.h"
#include "vxlan.h"
#include "wire.h"

#define FRONT	42
#define L3	(FRONT + VXLAN_HDR_LEN + WIRE_ETH_LEN) /* in the first datagram */
#define L4	(L3 + WIRE_IP4_LEN)
#define HEADERS (L4 + WIRE_TCP_LEN)
#define PAYLOAD 1000
#define SEGMENT (HEADERS - FRONT + PAYLOAD)
#define N	5
#define LAST	123
#define ROW_LEN (FRONT + (N - 1) * SEGMENT + HEADERS - FRONT + LAST)

static uint8_t row[ROW_LEN];
static struct frame frame;
static struct frame_seg segs[FRAME_SEGS_MAX];

static uint8_t *datagram(int i)
{
	return row + FRONT + (size_t)i * SEGMENT;
}

static uint32_t payload_len(int i)
{
	return i == N - 1 ? LAST : PAYLOAD;
}

static void segment_sum(int i)
{
	uint8_t *ip = datagram(i) + L3 - FRONT, *tcp = datagram(i) + L4 - FRONT;
	uint32_t l4_len = WIRE_TCP_LEN + payload_len(i);

	wire_put16(ip + 2, (uint16_t)(WIRE_IP4_LEN + l4_len));
	memset(ip + 10, 0, 2);
	checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
	memset(tcp + 16, 0, 2);
	checksum_store(tcp + 16, checksum_pseudo(ip + 12, 8, WIRE_PROTO_TCP, l4_len) +
					 checksum_sum(tcp, l4_len));
}

static void row_make(void)
{
	static const uint8_t ip[WIRE_IP4_LEN] = {0x45, 0, 0,  0, 0, 0, 0x40, 0, 64, 6,
						 0,    0, 10, 0, 0, 1, 10,   0, 0,  2};

	memset(row, 0, sizeof(row));
	for (int i = 0; i < N; i++) {
		uint8_t *d = datagram(i);

		d[0] = VXLAN_FLAG_VNI;
		d[6] = 7;
		memset(d + VXLAN_HDR_LEN, 2, 12);
		wire_put16(d + VXLAN_HDR_LEN + 12, WIRE_TYPE_IP4);
		memcpy(d + L3 - FRONT, ip, sizeof(ip));
		wire_put16(d + L3 - FRONT + 4, (uint16_t)(77 + i));
		d += L4 - FRONT;
		wire_put16(d, 1234);
		wire_put16(d + 2, 80);
		wire_put32(d + 4, 0xfffffe00u + (uint32_t)i * PAYLOAD); /* wraps */
		wire_put32(d + 8, 99);
		d[12] = 5 << 4;
		d[13] = i == N - 1 ? 0x18 : 0x10;
		wire_put16(d + 14, 500);
		for (uint32_t b = 0; b < payload_len(i); b++)
			d[WIRE_TCP_LEN + b] = (uint8_t)(i * 31 + (int)b);
		segment_sum(i);
	}
}

static bool merges(void)
{
	return merge_row(row, sizeof(row), FRONT, SEGMENT, true, &frame, segs);
}

static void row_of_one_frame_is_one_frame_again(void **state)
{
	const uint8_t *tcp;
	uint32_t at;

	(void)state;
	row_make();
	assert_true(merges());
	assert_int_equal(frame.len, HEADERS + (N - 1) * PAYLOAD + LAST);
	assert_int_equal(frame.offload.gso, FRAME_GSO_TCP4);
	assert_int_equal(frame.offload.gso_size, PAYLOAD);
	assert_int_equal(frame.offload.csum_start, L4);
	assert_int_equal(wire_get16(frame.hdr + L3 + 2), frame.len - L3);
	tcp = frame.hdr + L4;
	assert_int_equal(wire_get32(tcp + 4), 0xfffffe00u);
	assert_int_equal(tcp[13], 0x18);
	/* The payload, piece by piece: the rest of the snapshot, then the segments. */
	at = HEADERS;
	for (int i = 0; i < N; i++) {
		for (uint32_t b = 0; b < payload_len(i); b++, at++) {
			uint32_t off = at;
			uint8_t byte;

			if (off < frame.hdr_len) {
				byte = frame.hdr[off];
			} else {
				uint16_t s = 0;

				for (off -= frame.hdr_len; off >= frame.segs[s].len; s++)
					off -= frame.segs[s].len;
				byte = frame.segs[s].base[off];
			}
			assert_int_equal(byte, (uint8_t)(i * 31 + (int)b));
		}
	}
}

static void what_no_one_frame_made_is_left_alone(void **state)
{
	/* where in the third segment, from its datagram's first byte */
	static const size_t touched[] = {
		6,	    VXLAN_HDR_LEN,  L3 - FRONT + 1,  L3 - FRONT + 8, L3 - FRONT + 15,
		L4 - FRONT, L4 - FRONT + 7, L4 - FRONT + 11, L4 - FRONT + 15};

	(void)state;
	for (size_t i = 0; i < sizeof(touched) / sizeof(touched[0]); i++) {
		row_make();
		datagram(2)[touched[i]] ^= 4;
		segment_sum(2);
		assert_false(merges());
	}
}

static void wrong_checksum_inside_is_left_alone(void **state)
{
	(void)state;
	row_make();
	datagram(3)[SEGMENT - 1] ^= 1;
	assert_false(merges());
}

static void row_that_never_left_memory_is_not_summed_again(void **state)
{
	(void)state;
	row_make();
	datagram(3)[SEGMENT - 1] ^= 1;
	assert_true(merge_row(row, sizeof(row), FRONT, SEGMENT, false, &frame, segs));
	row_make();
	datagram(3)[VXLAN_HDR_LEN + WIRE_ETH_LEN + 10] ^= 1; /* IPv4 header checksum */
	assert_false(merge_row(row, sizeof(row), FRONT, SEGMENT, false, &frame, segs));
}

static void flags_that_end_something_end_the_merge(void **state)
{
	(void)state;
	for (int flag = 0; flag < 6; flag++) {
		row_make();
		datagram(1)[L4 - FRONT + 13] ^= (uint8_t)(1 << flag); /* FIN SYN RST PSH ACK URG */
		segment_sum(1);
		assert_false(merges());
	}
}

static void hostile_rows_are_survived(void **state)
{
	(void)state;
	for (uint32_t len = FRONT; len < FRONT + 200; len++) {
		for (uint16_t segment = 1; segment < 200; segment += 7) {
			row_make();
			merge_row(row, len, FRONT, segment, true, &frame, segs);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_of_one_frame_is_one_frame_again),
		cmocka_unit_test(what_no_one_frame_made_is_left_alone),
		cmocka_unit_test(wrong_checksum_inside_is_left_alone),
		cmocka_unit_test(row_that_never_left_memory_is_not_summed_again),
		cmocka_unit_test(flags_that_end_something_end_the_merge),
		cmocka_unit_test(hostile_rows_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
