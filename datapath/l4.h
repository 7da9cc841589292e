/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding the transport header in a frame's snapshot: IPv4 with options, IPv6 with extension
 * headers.
 *
 * Pure, bounded by hdr_len; any thread. All offsets are from the frame's first byte.
 */
#ifndef DATAPATH_L4_H
#define DATAPATH_L4_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "frame.h"
#include "vlan.h"

#define L4_ETH_HDR_LEN	 14
#define L4_ETHERTYPE_IP4 0x0800
#define L4_ETHERTYPE_ARP 0x0806
#define L4_ETHERTYPE_IP6 0x86dd
#define L4_IP4_HDR_MIN	 20
#define L4_PROTO_TCP	 6
#define L4_PROTO_UDP	 17

struct l4 {
	uint16_t l3_off;
	uint16_t off; /* of the transport header */
	uint8_t proto;
	bool ip6;
	bool fragment; /* part of a fragmented datagram: there may be no transport header at off */
};

/** l4_parse_tags() - Look through up to two VLAN tags
 * @f: in: hdr, hdr_len. out: n_tags, ethertype, l3_off
 *
 * Return: false when the frame ends inside its Ethernet header or a tag.
 */
static inline bool l4_parse_tags(struct frame *f)
{
	uint16_t off = 12, type;

	f->n_tags = 0;
	f->ethertype = 0;
	f->l3_off = 0;
	if (f->hdr_len < L4_ETH_HDR_LEN)
		return false;
	type = (uint16_t)(f->hdr[off] << 8 | f->hdr[off + 1]);
	while (__builtin_expect(type == VLAN_TPID_C || type == VLAN_TPID_S, 0) && f->n_tags < 2) {
		off += 4;
		if (off + 2 > f->hdr_len)
			return false;
		f->n_tags++;
		type = (uint16_t)(f->hdr[off] << 8 | f->hdr[off + 1]);
	}
	f->ethertype = type;
	if (type == L4_ETHERTYPE_IP4 || type == L4_ETHERTYPE_IP6 || type == L4_ETHERTYPE_ARP)
		f->l3_off = off + 2;
	return true;
}

/**
 * l4_find() - Where does the transport header begin?
 * @f: after l4_parse_tags()
 *
 * Return: false if this is no IP, or its headers are malformed or reach beyond the snapshot.
 */
bool l4_find(const struct frame *f, struct l4 *l4);

/* One step of the flow hash. */
static inline uint64_t l4_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static inline bool l4_has_ports(uint8_t proto)
{
	return proto == L4_PROTO_TCP || proto == L4_PROTO_UDP;
}

/* What most frames are, without the walk: TCP or UDP, whole, in IPv4 without options. The same number as below. */
static inline bool l4_hash_plain(const struct frame *f, uint32_t *hash)
{
	const uint8_t *ip = f->hdr + f->l3_off;
	uint64_t addresses;
	uint32_t ports;

	if (f->ethertype != L4_ETHERTYPE_IP4 || f->l3_off + L4_IP4_HDR_MIN + 4 > f->hdr_len ||
	    ip[0] != 0x45 || (ip[6] & 0x3f) != 0 || ip[7] != 0 || !l4_has_ports(ip[9]))
		return false;
	memcpy(&addresses, ip + 12, sizeof(addresses));
	memcpy(&ports, ip + L4_IP4_HDR_MIN, sizeof(ports));
	*hash = (uint32_t)l4_mix(l4_mix(f->ethertype ^ (uint64_t)ip[9] << 16, addresses), ports);
	return true;
}

/** l4_flow_hash_any() - As l4_flow_hash(), the long way */
uint32_t l4_flow_hash_any(const struct frame *f);

/**
 * l4_flow_hash() - The same number for all frames of a flow: addresses, protocol and ports as far
 * as there are any
 */
static inline uint32_t l4_flow_hash(const struct frame *f)
{
	uint32_t hash;

	return f->l3_off != 0 && l4_hash_plain(f, &hash) ? hash : l4_flow_hash_any(f);
}

#endif
