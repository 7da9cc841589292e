/* SPDX-License-Identifier: BSD-3-Clause */
/* "Too big" answers: byte for byte scapy's, and none where RFC 1122 and RFC 4443 forbid one. */
#include "overlay.h"

#include "encap.h"
#include "toobig.h"

static struct frame frame;
static struct frame_seg segs[FRAME_SEGS_MAX];
static struct reply reply;
static uint8_t bytes[2000];

static bool answered(const uint8_t *packet, uint32_t len, uint16_t mtu)
{
	overlay_frame(&frame, segs, packet, len, 64);
	return toobig_reply(&frame, mtu, &reply);
}

#define ANSWERED(vector, mtu) answered(vector_##vector, sizeof(vector_##vector), mtu)

static void ip4_sender_is_told_the_mtu(void **state)
{
	(void)state;
	assert_true(ANSWERED(inner_big4, 1450));
	OVERLAY_ASSERT(reply.bytes, reply.len, toobig4);
}

static void ip6_sender_is_told_the_mtu(void **state)
{
	(void)state;
	assert_true(ANSWERED(big6, 1430));
	OVERLAY_ASSERT(reply.bytes, reply.len, toobig6);
}

static void answer_keeps_the_vlan(void **state)
{
	(void)state;
	assert_true(ANSWERED(inner_tagged, 1450));
	assert_memory_equal(reply.bytes, vector_inner_tagged + 6, 6);
	assert_memory_equal(reply.bytes + 6, vector_inner_tagged, 6);
	assert_memory_equal(reply.bytes + 12, vector_inner_tagged + 12, 6);
	assert_int_equal(reply.bytes[18], 0x45);
}

static void nobody_is_told_where_the_rfcs_forbid_it(void **state)
{
	(void)state;
	assert_false(ANSWERED(icmp_error4, 1450));
	assert_false(ANSWERED(icmp_error6, 1450));
	assert_true(ANSWERED(icmp_echo6, 1450));
	assert_false(ANSWERED(arp_request, 1450));
	assert_false(ANSWERED(ns, 1450)); /* multicast */
	memcpy(bytes, vector_inner_udp4, sizeof(vector_inner_udp4));
	bytes[20] = 0;
	bytes[21] = 4; /* a later fragment */
	assert_false(answered(bytes, sizeof(vector_inner_udp4), 1450));
	memcpy(bytes, vector_inner_udp4, sizeof(vector_inner_udp4));
	memset(bytes + 30, 255, 4); /* broadcast address in a unicast frame */
	assert_false(answered(bytes, sizeof(vector_inner_udp4), 1450));
	for (uint32_t len = 14; len < 14 + 20 + 8; len++)
		assert_false(answered(vector_inner_udp4, len, 1450));
}

static void announced_mtu_is_the_one_that_fits_exactly(void **state)
{
	struct frame_out out = {.f = &frame};
	struct encap_dest dest = {0};
	struct vtep_table *table;
	struct overlay o;

	(void)state;
	overlay_init(&o);
	table = overlay_table(&o);
	overlay_frame(&frame, segs, vector_inner_udp4, sizeof(vector_inner_udp4), 64);
	assert_int_equal(toobig_mtu(&table->peers[0], &out), 1450);
	assert_int_equal(toobig_mtu(&table->peers[1], &out), 1430);
	/* a kept tag takes four bytes; a stripped one does not */
	overlay_frame(&frame, segs, vector_inner_tagged, sizeof(vector_inner_tagged), 64);
	assert_int_equal(toobig_mtu(&table->peers[0], &out), 1446);
	out.skip = 16;
	out.prefix_len = 12;
	assert_int_equal(toobig_mtu(&table->peers[0], &out), 1450);
	/* and a packet of that size goes, one byte more does not */
	memcpy(bytes, vector_inner_udp4, sizeof(vector_inner_udp4));
	out = (struct frame_out){.f = &frame};
	overlay_frame(&frame, segs, bytes, 14 + 1450, 64);
	assert_int_equal(encap_burst(table, &out, &dest, 1), 1);
	out = (struct frame_out){.f = &frame};
	overlay_frame(&frame, segs, bytes, 14 + 1451, 64);
	assert_int_equal(encap_burst(table, &out, &dest, 1), 0);
	vtep_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_sender_is_told_the_mtu),
		cmocka_unit_test(ip6_sender_is_told_the_mtu),
		cmocka_unit_test(answer_keeps_the_vlan),
		cmocka_unit_test(nobody_is_told_where_the_rfcs_forbid_it),
		cmocka_unit_test(announced_mtu_is_the_one_that_fits_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
