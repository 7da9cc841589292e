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

#include "frame.h"

#define L4_ETHERTYPE_IP4 0x0800
#define L4_ETHERTYPE_IP6 0x86dd
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
bool l4_parse_tags(struct frame *f);

/**
 * l4_find() - Where does the transport header begin?
 * @f: after l4_parse_tags()
 *
 * Return: false if this is no IP, or its headers are malformed or reach beyond the snapshot.
 */
bool l4_find(const struct frame *f, struct l4 *l4);

/**
 * l4_flow_hash() - The same number for all frames of a flow: addresses, protocol and ports as far
 * as there are any
 */
uint32_t l4_flow_hash(const struct frame *f);

#endif
