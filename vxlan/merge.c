/* SPDX-License-Identifier: BSD-3-Clause */
/* See merge.h. Pure; workers. */
#include "merge.h"

#include <stddef.h>

#include "checksum.h"
#include "vxlan.h"
#include "wire.h"

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_URG = 0x20,
	TCP_CWR = 0x80
};
enum { IP4_FRAGMENT = 0x3fff }; /* more fragments, or an offset */

/* Where things are in a datagram, from its VXLAN header. */
struct shape {
	uint16_t l3, l4, payload;
	bool is_v6;
};

/* Return: false if the datagram carries no plain TCP segment. */
static bool shape_find(const uint8_t *d, uint32_t len, struct shape *shape)
{
	const uint8_t *ip = d + VXLAN_HDR_LEN + WIRE_ETH_LEN;
	uint16_t type;

	if (len < VXLAN_HDR_LEN + WIRE_ETH_LEN + WIRE_IP4_LEN + WIRE_TCP_LEN)
		return false;
	type = wire_get16(d + VXLAN_HDR_LEN + 12);
	shape->l3 = VXLAN_HDR_LEN + WIRE_ETH_LEN;
	shape->is_v6 = type == WIRE_TYPE_IP6;
	if (type == WIRE_TYPE_IP4) {
		if (ip[0] != 0x45 || ip[9] != WIRE_PROTO_TCP ||
		    (wire_get16(ip + 6) & IP4_FRAGMENT) != 0)
			return false;
		shape->l4 = shape->l3 + WIRE_IP4_LEN;
	} else if (type == WIRE_TYPE_IP6) {
		if (ip[0] >> 4 != 6 || ip[6] != WIRE_PROTO_TCP)
			return false;
		shape->l4 = shape->l3 + WIRE_IP6_LEN;
	} else {
		return false;
	}
	if (len < shape->l4 + (uint32_t)WIRE_TCP_LEN || d[shape->l4 + 12] >> 4 < 5)
		return false;
	shape->payload = (uint16_t)(shape->l4 + (d[shape->l4 + 12] >> 4) * 4);
	return len > shape->payload;
}

/* Length in the IP header and both checksums are those of this very datagram; TCP's is only looked at if asked. */
static bool segment_is_sound(const uint8_t *d, uint32_t len, const struct shape *shape,
			     bool sum_payload)
{
	const uint8_t *ip = d + shape->l3;
	uint32_t l4_len = len - shape->l4;

	if (shape->is_v6) {
		if (wire_get16(ip + 4) != l4_len)
			return false;
	} else if (wire_get16(ip + 2) != len - shape->l3 ||
		   checksum_fold(checksum_sum_ip4(ip)) != UINT16_MAX) {
		return false;
	}
	return !sum_payload ||
	       checksum_fold(checksum_pseudo(shape->is_v6 ? ip + 8 : ip + 12, shape->is_v6 ? 32 : 8,
					     WIRE_PROTO_TCP, l4_len) +
			     checksum_sum(d + shape->l4, l4_len)) == UINT16_MAX;
}

/* Whether @d may follow @first: what segmentation changes aside, all headers are the same. */
static bool segment_follows(const uint8_t *first, const uint8_t *d, const struct shape *shape,
			    uint32_t offset)
{
	const uint8_t *ip1 = first + shape->l3, *ip = d + shape->l3;
	const uint8_t *tcp1 = first + shape->l4, *tcp = d + shape->l4;

	if (memcmp(first, d, shape->l3) != 0 || memcmp(tcp1, tcp, 4) != 0 ||
	    wire_get32(tcp) != wire_get32(tcp1) ||
	    wire_get32(tcp + 4) != wire_get32(tcp1 + 4) + offset ||
	    memcmp(tcp1 + 8, tcp + 8, 5) != 0 || memcmp(tcp1 + 14, tcp + 14, 2) != 0 ||
	    memcmp(tcp1 + 18, tcp + 18, (size_t)(shape->payload - shape->l4 - 18)) != 0)
		return false;
	if (((tcp1[13] ^ tcp[13]) & ~(TCP_FIN | TCP_PSH | TCP_CWR)) != 0)
		return false;
	if (shape->is_v6)
		return memcmp(ip1, ip, 4) == 0 && memcmp(ip1 + 6, ip + 6, 34) == 0;
	return memcmp(ip1, ip, 2) == 0 && memcmp(ip1 + 6, ip + 6, 4) == 0 &&
	       memcmp(ip1 + 12, ip + 12, 8) == 0;
}

/* Check all, and list the payloads behind the first datagram. Return: flags to add, -1: cannot be merged. */
static int row_check(const uint8_t *row, uint32_t len, uint16_t segment, bool was_on_wire,
		     const struct shape *shape, struct frame_seg *segs, uint16_t *n_segs)
{
	uint32_t step = segment - (uint32_t)shape->payload, offset = 0;
	int flags = 0;

	*n_segs = 0;
	for (uint32_t at = 0; at < len; at += segment, offset += step) {
		const uint8_t *d = row + at;
		uint32_t part = len - at < segment ? len - at : segment;
		bool last = at + segment >= len;
		struct shape own;

		if (!shape_find(d, part, &own) || own.l4 != shape->l4 ||
		    own.payload != shape->payload || own.is_v6 != shape->is_v6 ||
		    !segment_is_sound(d, part, shape, was_on_wire) ||
		    !segment_follows(row, d, shape, offset) ||
		    (d[shape->l4 + 13] & (TCP_SYN | TCP_RST | TCP_URG)) != 0 ||
		    (!last && (d[shape->l4 + 13] & (TCP_FIN | TCP_PSH)) != 0) ||
		    (at > 0 && (d[shape->l4 + 13] & TCP_CWR) != 0))
			return -1;
		flags |= d[shape->l4 + 13];
		if (at == 0)
			continue;
		if (*n_segs == FRAME_SEGS_MAX - 1)
			return -1;
		segs[++*n_segs] = (struct frame_seg){d + shape->payload, part - shape->payload};
	}
	return flags;
}

bool merge_row(uint8_t *bytes, uint32_t len, uint16_t front, uint16_t segment, bool was_on_wire,
	       struct frame *f, struct frame_seg *segs)
{
	uint8_t *row = bytes + front, *ip, *tcp;
	uint32_t merged, first, in_hdr;
	struct shape shape;
	uint16_t n_segs, sum;
	int flags;

	if (len <= front + (uint32_t)segment || !shape_find(row, segment, &shape))
		return false;
	flags = row_check(row, len - front, segment, was_on_wire, &shape, segs, &n_segs);
	if (flags < 0)
		return false;
	first = front + (uint32_t)segment;
	merged = first;
	for (uint16_t i = 1; i <= n_segs; i++)
		merged += segs[i].len;

	ip = row + shape.l3;
	tcp = row + shape.l4;
	if (shape.is_v6) {
		wire_put16(ip + 4, (uint16_t)(merged - front - shape.l4));
	} else {
		wire_put16(ip + 2, (uint16_t)(merged - front - shape.l3));
		memset(ip + 10, 0, 2);
		checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
	}
	tcp[13] = (uint8_t)flags;
	sum = checksum_fold(checksum_pseudo(shape.is_v6 ? ip + 8 : ip + 12, shape.is_v6 ? 32 : 8,
					    WIRE_PROTO_TCP, merged - front - shape.l4));
	memcpy(tcp + 16, &sum, sizeof(sum));

	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	in_hdr = first < FRAME_HDR_MAX ? first : FRAME_HDR_MAX;
	f->hdr_len = (uint16_t)in_hdr;
	f->len = merged;
	memcpy(f->hdr, bytes, in_hdr);
	segs[0] = (struct frame_seg){bytes + in_hdr, first - in_hdr};
	f->segs = first > in_hdr ? segs : segs + 1;
	f->n_segs = (uint16_t)(n_segs + (first > in_hdr));
	f->offload.flags = FRAME_NEEDS_CSUM;
	f->offload.csum_start = (uint16_t)(front + shape.l4);
	f->offload.csum_offset = 16;
	f->offload.gso = shape.is_v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
	f->offload.gso_size = (uint16_t)(segment - shape.payload);
	f->offload.gso_ecn = (flags & TCP_CWR) != 0;
	return true;
}
