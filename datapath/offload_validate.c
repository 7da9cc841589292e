/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sender's offload wishes against the snapshot of its headers. Everything here is hostile; any
 * worker.
 */
#include <stddef.h>

#include "l4.h"
#include "offload.h"

#define ETH_HDR_LEN	 14
#define TCP_HDR_MIN	 20
#define TCP_CSUM_OFFSET	 16
#define UDP_HDR_LEN	 8
#define UDP_CSUM_OFFSET	 6
#define UDP_FRAGMENT_MIN 8

static inline uint16_t read_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/*
 * The checksum field must be inside the frame, behind the headers that are none of its business.
 * When it is that of the outermost transport header, it must be where TCP and UDP have it; further
 * in (tunnels) the sender knows better.
 */
static bool csum_is_valid(const struct frame *f, const struct l4 *l4)
{
	const struct frame_offload *o = &f->offload;

	if (o->csum_start < ETH_HDR_LEN + 4 * f->n_tags ||
	    (uint32_t)o->csum_start + o->csum_offset + 2 > f->len)
		return false;
	if (l4 == NULL)
		return true;
	if (o->csum_start < l4->off || l4->fragment)
		return false;
	if (o->csum_start > l4->off)
		return true;
	if (l4->proto == L4_PROTO_TCP)
		return o->csum_offset == TCP_CSUM_OFFSET;
	return l4->proto != L4_PROTO_UDP || o->csum_offset == UDP_CSUM_OFFSET;
}

/*
 * The length in the IP header must be that of the frame: segments are cut by one and checked by the
 * other.
 */
static bool ip_length_is_valid(const struct frame *f, const struct l4 *l4)
{
	const uint8_t *ip = f->hdr + l4->l3_off;

	if (l4->ip6)
		return (uint32_t)read_be16(ip + 4) + 40 == f->len - l4->l3_off;
	return read_be16(ip + 2) == f->len - l4->l3_off;
}

static bool gso_tcp_hdr_len(const struct frame *f, const struct l4 *l4, uint16_t *hdr_len)
{
	uint16_t tcp_len;

	if (l4->proto != L4_PROTO_TCP || l4->off + TCP_HDR_MIN > f->hdr_len)
		return false;
	tcp_len = (uint16_t)((f->hdr[l4->off + 12] >> 4) * 4);
	*hdr_len = l4->off + tcp_len;
	return tcp_len >= TCP_HDR_MIN && *hdr_len <= f->hdr_len;
}

static bool gso_is_valid(struct frame *f, const struct l4 *l4)
{
	struct frame_offload *o = &f->offload;

	if (l4 == NULL || o->gso_size == 0 || (o->flags & FRAME_NEEDS_CSUM) == 0 ||
	    o->csum_start != l4->off || !ip_length_is_valid(f, l4))
		return false;
	switch (o->gso) {
	case FRAME_GSO_TCP4:
		return !l4->ip6 && gso_tcp_hdr_len(f, l4, &o->gso_hdr_len);
	case FRAME_GSO_TCP6:
		return l4->ip6 && gso_tcp_hdr_len(f, l4, &o->gso_hdr_len);
	case FRAME_GSO_UDP:
		o->gso_hdr_len = l4->off;
		return l4->proto == L4_PROTO_UDP && l4->off + UDP_HDR_LEN <= f->hdr_len &&
		       o->gso_size >= UDP_FRAGMENT_MIN && !o->gso_ecn;
	default:
		return false;
	}
}

bool offload_validate(struct frame *f)
{
	struct frame_offload *o = &f->offload;
	struct l4 found;
	const struct l4 *l4 = l4_find(f, &found) ? &found : NULL;

	o->gso_hdr_len = 0;
	if ((o->flags & FRAME_NEEDS_CSUM) != 0 && !csum_is_valid(f, l4))
		return false;
	if (o->gso == FRAME_GSO_NONE) {
		o->gso_ecn = false;
		return true;
	}
	if (!gso_is_valid(f, l4))
		return false;
	if (f->len - o->gso_hdr_len > OFFLOAD_SEGMENTS_MAX * (uint32_t)o->gso_size)
		return false;
	if (f->len - o->gso_hdr_len <= o->gso_size) {
		o->gso = FRAME_GSO_NONE;
		o->gso_ecn = false;
	}
	return true;
}
