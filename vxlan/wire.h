/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes of packets, read and written in network order at any alignment. No bounds are checked here: the caller
 * has compared the offset with the length of the snapshot first.
 */
#ifndef VXLAN_WIRE_H
#define VXLAN_WIRE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum {
	WIRE_ETH_LEN = 14,
	WIRE_TAG_LEN = 4,
	WIRE_IP4_LEN = 20,
	WIRE_IP6_LEN = 40,
	WIRE_UDP_LEN = 8,
	WIRE_TCP_LEN = 20,
	WIRE_ARP_LEN = 28,
	WIRE_ICMP_LEN = 8,
};

enum {
	WIRE_TYPE_IP4 = 0x0800,
	WIRE_TYPE_ARP = 0x0806,
	WIRE_TYPE_RARP = 0x8035,
	WIRE_TYPE_TAG_C = 0x8100,
	WIRE_TYPE_TAG_S = 0x88a8,
	WIRE_TYPE_IP6 = 0x86dd,
};

enum { WIRE_PROTO_ICMP = 1, WIRE_PROTO_TCP = 6, WIRE_PROTO_UDP = 17, WIRE_PROTO_ICMP6 = 58 };

static inline uint16_t wire_get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static inline uint32_t wire_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline void wire_put16(uint8_t *p, uint16_t value)
{
	value = htobe16(value);
	memcpy(p, &value, sizeof(value));
}

static inline void wire_put32(uint8_t *p, uint32_t value)
{
	value = htobe32(value);
	memcpy(p, &value, sizeof(value));
}

/**
 * wire_ethertype() - Find a frame's payload behind its VLAN tags
 * @frame:  first byte of the frame
 * @len:    bytes that may be looked at
 * @l3_off: out: offset of the payload; tags beyond the second are payload
 *
 * Return: the ethertype in host order, or 0 when the frame is too short to have one.
 */
static inline uint16_t wire_ethertype(const uint8_t *frame, uint32_t len, uint16_t *l3_off)
{
	uint16_t off = WIRE_ETH_LEN;
	uint16_t type;

	if (len < WIRE_ETH_LEN)
		return 0;
	type = wire_get16(frame + 12);
	for (int tags = 0; tags < 2 && (type == WIRE_TYPE_TAG_C || type == WIRE_TYPE_TAG_S);
	     tags++) {
		if (len < off + (uint32_t)WIRE_TAG_LEN)
			return 0;
		type = wire_get16(frame + off + 2);
		off += WIRE_TAG_LEN;
	}
	*l3_off = off;
	return type;
}

#endif
