/* SPDX-License-Identifier: BSD-3-Clause */
/* See unfilled.h. Pure; workers. */
#include "unfilled.h"

#include "checksum.h"
#include "vxlan.h"
#include "wire.h"

/* Layer 4 of an IP packet, and what its checksum covers beside it. */
struct l4 {
	uint8_t *bytes;
	uint32_t len;
	uint8_t proto;
	const uint8_t *addresses;
	uint8_t addresses_len;
};

/* Return: false for what is no TCP or UDP, is a fragment, or is longer than it says. */
static bool l4_find(uint8_t *frame, uint32_t len, struct l4 *l4)
{
	uint16_t l3 = 0, type = wire_ethertype(frame, len, &l3);
	uint32_t front, total;
	uint8_t *ip = frame + l3;

	if (type == WIRE_TYPE_IP4 && len >= l3 + (uint32_t)WIRE_IP4_LEN) {
		front = (ip[0] & 0xfu) * 4;
		total = wire_get16(ip + 2);
		l4->proto = ip[9];
		l4->addresses = ip + 12;
		l4->addresses_len = 8;
		if (front < WIRE_IP4_LEN || (wire_get16(ip + 6) & 0x3fff) != 0)
			return false;
	} else if (type == WIRE_TYPE_IP6 && len >= l3 + (uint32_t)WIRE_IP6_LEN) {
		front = WIRE_IP6_LEN;
		total = front + wire_get16(ip + 4);
		l4->proto = ip[6];
		l4->addresses = ip + 8;
		l4->addresses_len = 32;
	} else {
		return false;
	}
	if (total > len - l3 || total < front)
		return false;
	l4->bytes = ip + front;
	l4->len = total - front;
	return (l4->proto == WIRE_PROTO_TCP && l4->len >= WIRE_TCP_LEN) ||
	       (l4->proto == WIRE_PROTO_UDP && l4->len >= WIRE_UDP_LEN);
}

static uint8_t *l4_field(const struct l4 *l4)
{
	return l4->bytes + (l4->proto == WIRE_PROTO_TCP ? 16 : 6);
}

/* The field holds the pseudo header's sum, and that is not by chance the right checksum. */
static bool l4_is_open(const struct l4 *l4)
{
	uint16_t field, pseudo = checksum_fold(checksum_pseudo(l4->addresses, l4->addresses_len,
							       l4->proto, l4->len));

	memcpy(&field, l4_field(l4), sizeof(field));
	return field == pseudo &&
	       checksum_fold(pseudo + checksum_sum(l4->bytes, l4->len)) != UINT16_MAX;
}

bool unfilled_complete(uint8_t *packet, uint32_t len)
{
	struct l4 outer, inner;

	if (!l4_find(packet, len, &outer) || outer.proto != WIRE_PROTO_UDP ||
	    outer.len < WIRE_UDP_LEN + VXLAN_HDR_LEN)
		return false;
	if (l4_find(outer.bytes + WIRE_UDP_LEN + VXLAN_HDR_LEN,
		    outer.len - WIRE_UDP_LEN - VXLAN_HDR_LEN, &inner) &&
	    l4_is_open(&inner))
		checksum_store_udp(l4_field(&inner), checksum_sum(inner.bytes, inner.len));
	return l4_is_open(&outer);
}
