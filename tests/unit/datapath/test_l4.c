/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow hash, short way and long; and copies of headers, which every port makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/copy.h"
#include "l4.h"

static struct frame frame;

/* IPv4 in @len bytes, all that is random taken from @seed. */
static void frame_make(uint8_t proto, uint16_t fragment, uint16_t len, uint32_t seed)
{
	uint8_t *hdr = frame.buf + FRAME_HDR_ROOM;

	memset(&frame, 0, sizeof(frame));
	frame.hdr = hdr;
	frame.hdr_len = len;
	frame.len = len;
	for (int i = 0; i < FRAME_HDR_MAX; i++)
		hdr[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	hdr[12] = 0x08;
	hdr[13] = 0x00;
	hdr[14] = 0x45;
	hdr[20] = (uint8_t)(fragment >> 8);
	hdr[21] = (uint8_t)fragment;
	hdr[23] = proto;
	l4_parse_tags(&frame);
}

static void short_way_gives_the_same_hash_as_the_long_one(void **state)
{
	static const uint8_t protos[] = {L4_PROTO_TCP, L4_PROTO_UDP, 1, 50};
	static const uint16_t fragments[] = {0, 0x4000, 0x2000, 0x0001, 0x00b9};

	(void)state;
	for (uint32_t seed = 0; seed < 50; seed++) {
		for (size_t p = 0; p < sizeof(protos); p++) {
			for (size_t f = 0; f < sizeof(fragments) / sizeof(fragments[0]); f++) {
				for (uint16_t len = 14; len <= 60; len++) {
					frame_make(protos[p], fragments[f], len, seed);
					assert_int_equal(l4_flow_hash(&frame),
							 l4_flow_hash_any(&frame));
				}
			}
		}
	}
}

static void flows_that_differ_in_a_port_differ_in_the_hash(void **state)
{
	uint32_t one;

	(void)state;
	frame_make(L4_PROTO_UDP, 0, 60, 1);
	one = l4_flow_hash(&frame);
	frame.hdr[35] ^= 1;
	assert_int_not_equal(l4_flow_hash(&frame), one);
	frame.hdr[35] ^= 1;
	frame.hdr[50] ^= 1; /* payload */
	assert_int_equal(l4_flow_hash(&frame), one);
	frame_make(L4_PROTO_UDP, 0x2000, 60, 1);
	one = l4_flow_hash(&frame);
	frame.hdr[35] ^= 1; /* no ports in a fragment */
	assert_int_equal(l4_flow_hash(&frame), one);
}

static void copies_are_exact_at_every_length(void **state)
{
	uint8_t from[512], to[512 + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 7 + 1);
	for (size_t len = 0; len <= sizeof(from); len++) {
		memset(to, 0, sizeof(to));
		copy_short(to + 1, from, len);
		assert_memory_equal(to + 1, from, len);
		assert_int_equal(to[0], 0);
		assert_int_equal(to[len + 1], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_way_gives_the_same_hash_as_the_long_one),
		cmocka_unit_test(flows_that_differ_in_a_port_differ_in_the_hash),
		cmocka_unit_test(copies_are_exact_at_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
