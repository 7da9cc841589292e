/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums that a kernel left to a NIC: recognised, filled in, and nothing else touched. */
#include "overlay.h"

#include "checksum.h"
#include "unfilled.h"
#include "vxlan.h"
#include "wire.h"

#define PAYLOAD 101

static uint8_t packet[512], before[512];
static uint32_t packet_len, outer_l3_len, inner_l4; /* offset of the inner TCP or UDP header */

static uint8_t *ip_put(uint8_t *at, bool is_v6, uint8_t proto, uint32_t l4_len)
{
	static const uint8_t ip4[WIRE_IP4_LEN] = {0x45, 0, 0,  0, 0, 0, 0x40, 0, 64, 0,
						  0,	0, 10, 0, 0, 1, 10,   0, 0,  2};

	if (is_v6) {
		memset(at, 0x11, WIRE_IP6_LEN);
		wire_put32(at, 0x60000000);
		wire_put16(at + 4, (uint16_t)l4_len);
		at[6] = proto;
		return at + WIRE_IP6_LEN;
	}
	memcpy(at, ip4, sizeof(ip4));
	wire_put16(at + 2, (uint16_t)(WIRE_IP4_LEN + l4_len));
	at[9] = proto;
	checksum_store(at + 10, checksum_sum(at, WIRE_IP4_LEN));
	return at + WIRE_IP4_LEN;
}

static uint64_t pseudo(const uint8_t *l4, bool is_v6, uint8_t proto, uint32_t l4_len)
{
	return checksum_pseudo(l4 - (is_v6 ? 32 : 8), is_v6 ? 32 : 8, proto, l4_len);
}

/* A VXLAN packet with all checksums right. */
static void make(bool outer6, bool inner6, uint8_t proto)
{
	uint32_t l4_len = (proto == WIRE_PROTO_TCP ? WIRE_TCP_LEN : WIRE_UDP_LEN) + PAYLOAD;
	uint32_t inner_len = WIRE_ETH_LEN + (inner6 ? WIRE_IP6_LEN : WIRE_IP4_LEN) + l4_len;
	uint32_t udp_len = WIRE_UDP_LEN + VXLAN_HDR_LEN + inner_len;
	uint8_t *udp, *at, *l4;

	memset(packet, 0, sizeof(packet));
	wire_put16(packet + 12, outer6 ? WIRE_TYPE_IP6 : WIRE_TYPE_IP4);
	udp = ip_put(packet + WIRE_ETH_LEN, outer6, WIRE_PROTO_UDP, udp_len);
	wire_put16(udp + 4, (uint16_t)udp_len);
	udp[WIRE_UDP_LEN] = VXLAN_FLAG_VNI;
	at = udp + WIRE_UDP_LEN + VXLAN_HDR_LEN;
	memset(at, 2, 12);
	wire_put16(at + 12, inner6 ? WIRE_TYPE_IP6 : WIRE_TYPE_IP4);
	l4 = ip_put(at + WIRE_ETH_LEN, inner6, proto, l4_len);
	if (proto == WIRE_PROTO_TCP)
		l4[12] = 5 << 4;
	else
		wire_put16(l4 + 4, (uint16_t)l4_len);
	for (uint32_t i = l4_len - PAYLOAD; i < l4_len; i++)
		l4[i] = (uint8_t)(i * 7);
	checksum_store_udp(l4 + (proto == WIRE_PROTO_TCP ? 16 : 6),
			   pseudo(l4, inner6, proto, l4_len) + checksum_sum(l4, l4_len));
	checksum_store_udp(udp + 6, pseudo(udp, outer6, WIRE_PROTO_UDP, udp_len) +
					    checksum_sum(udp, udp_len));
	inner_l4 = (uint32_t)(l4 - packet);
	outer_l3_len = outer6 ? WIRE_IP6_LEN : WIRE_IP4_LEN;
	packet_len = (uint32_t)(udp - packet) + udp_len;
	memcpy(before, packet, sizeof(before));
}

/* Leave a checksum to the NIC, as Linux does. */
static void leave(uint8_t *l4, bool is_v6, uint8_t proto, uint32_t l4_len)
{
	uint16_t sum = checksum_fold(pseudo(l4, is_v6, proto, l4_len));

	memcpy(l4 + (proto == WIRE_PROTO_TCP ? 16 : 6), &sum, sizeof(sum));
}

static void inner_checksum_is_filled_in(void **state)
{
	(void)state;
	for (int kind = 0; kind < 8; kind++) {
		bool outer6 = kind & 1, inner6 = kind & 2;
		uint8_t proto = kind & 4 ? WIRE_PROTO_TCP : WIRE_PROTO_UDP;

		make(outer6, inner6, proto);
		leave(packet + inner_l4, inner6, proto, packet_len - inner_l4);
		assert_memory_not_equal(packet, before, sizeof(packet));
		/* the outer sum is that of the filled packet: "local checksum offload" */
		assert_false(unfilled_complete(packet, packet_len));
		assert_memory_equal(packet, before, sizeof(packet));
	}
}

static void outer_checksum_left_open_is_said(void **state)
{
	(void)state;
	for (int outer6 = 0; outer6 < 2; outer6++) {
		uint8_t *udp;

		make(outer6, false, WIRE_PROTO_TCP);
		udp = packet + WIRE_ETH_LEN + outer_l3_len;
		leave(udp, outer6, WIRE_PROTO_UDP, packet_len - WIRE_ETH_LEN - outer_l3_len);
		memcpy(before, packet, sizeof(before));
		assert_true(unfilled_complete(packet, packet_len));
		assert_memory_equal(packet, before, sizeof(packet));
	}
}

static void wrong_checksum_stays_wrong(void **state)
{
	(void)state;
	make(false, false, WIRE_PROTO_TCP);
	packet[packet_len - 1] ^= 1;
	memcpy(before, packet, sizeof(before));
	assert_false(unfilled_complete(packet, packet_len));
	assert_memory_equal(packet, before, sizeof(packet));
}

static void no_byte_beyond_the_packet_is_needed(void **state)
{
	(void)state;
	make(true, true, WIRE_PROTO_TCP);
	leave(packet + inner_l4, true, WIRE_PROTO_TCP, packet_len - inner_l4);
	for (uint32_t len = 0; len < packet_len; len++) {
		/* on the heap, so that a sanitizer sees */
		uint8_t *part = malloc(len + 1);

		memcpy(part, packet, len);
		assert_false(unfilled_complete(part, len));
		assert_memory_equal(part, packet, len);
		free(part);
	}
}

static void fragments_and_other_protocols_are_left_alone(void **state)
{
	(void)state;
	make(false, false, WIRE_PROTO_TCP);
	leave(packet + inner_l4, false, WIRE_PROTO_TCP, packet_len - inner_l4);
	packet[inner_l4 - WIRE_IP4_LEN + 6] = 0x20; /* more fragments */
	memcpy(before, packet, sizeof(before));
	assert_false(unfilled_complete(packet, packet_len));
	packet[inner_l4 - WIRE_IP4_LEN + 6] = 0;
	packet[inner_l4 - WIRE_IP4_LEN + 9] = 132; /* SCTP */
	memcpy(before, packet, sizeof(before));
	assert_false(unfilled_complete(packet, packet_len));
	assert_memory_equal(packet, before, sizeof(packet));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inner_checksum_is_filled_in),
		cmocka_unit_test(outer_checksum_left_open_is_said),
		cmocka_unit_test(wrong_checksum_stays_wrong),
		cmocka_unit_test(no_byte_beyond_the_packet_is_needed),
		cmocka_unit_test(fragments_and_other_protocols_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
