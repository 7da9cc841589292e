/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Header walks over the snapshot: see l4.h.
 */
#include "l4.h"

#include <string.h>

#define IP6_HDR_LEN	   40
#define IP6_EXTENSIONS_MAX 8
#define IP6_HOP_BY_HOP	   0
#define IP6_ROUTING	   43
#define IP6_FRAGMENT	   44
#define IP6_DESTINATION	   60

static inline uint16_t read_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool find_ip4(const struct frame *f, struct l4 *l4)
{
	const uint8_t *ip = f->hdr + l4->l3_off;
	uint16_t hdr_bytes;

	if (l4->l3_off + L4_IP4_HDR_MIN > f->hdr_len || ip[0] >> 4 != 4)
		return false;
	hdr_bytes = (uint16_t)((ip[0] & 0x0f) * 4);
	if (hdr_bytes < L4_IP4_HDR_MIN || l4->l3_off + hdr_bytes > f->hdr_len)
		return false;
	l4->off = l4->l3_off + hdr_bytes;
	l4->proto = ip[9];
	l4->fragment = (read_be16(ip + 6) & 0x3fff) != 0; /* MF or an offset */
	return true;
}

/* RFC 8200 §4: extension headers that may stand in front of the transport header. */
static bool find_ip6(const struct frame *f, struct l4 *l4)
{
	const uint8_t *ip = f->hdr + l4->l3_off;
	uint16_t off = l4->l3_off + IP6_HDR_LEN;
	uint8_t next;

	if (off > f->hdr_len || ip[0] >> 4 != 6)
		return false;
	next = ip[6];
	for (int i = 0; i < IP6_EXTENSIONS_MAX; i++) {
		const uint8_t *ext = f->hdr + off;

		if (next != IP6_HOP_BY_HOP && next != IP6_ROUTING && next != IP6_FRAGMENT &&
		    next != IP6_DESTINATION) {
			l4->off = off;
			l4->proto = next;
			return true;
		}
		if (off + 8 > f->hdr_len)
			return false;
		if (next == IP6_FRAGMENT) {
			l4->fragment = true;
			off += 8;
		} else {
			off += (uint16_t)(8 + ext[1] * 8);
		}
		if (off > f->hdr_len)
			return false;
		next = ext[0];
	}
	return false;
}

bool l4_find(const struct frame *f, struct l4 *l4)
{
	memset(l4, 0, sizeof(*l4));
	if (f->l3_off == 0)
		return false;
	l4->l3_off = f->l3_off;
	l4->ip6 = f->ethertype == L4_ETHERTYPE_IP6;
	if (f->ethertype == L4_ETHERTYPE_IP4)
		return find_ip4(f, l4);
	return l4->ip6 && find_ip6(f, l4);
}

static inline uint64_t mix(uint64_t hash, const uint8_t *bytes, uint32_t len)
{
	uint64_t word;

	while (len > 0) {
		uint32_t n = len < sizeof(word) ? len : (uint32_t)sizeof(word);

		word = 0;
		memcpy(&word, bytes, n);
		hash = l4_mix(hash, word);
		bytes += n;
		len -= n;
	}
	return hash;
}

uint32_t l4_flow_hash_any(const struct frame *f)
{
	uint64_t hash = f->ethertype;
	struct l4 l4;

	if (!l4_find(f, &l4))
		return (uint32_t)mix(hash, f->hdr, f->hdr_len < 12 ? f->hdr_len : 12);
	if (l4.ip6)
		hash = mix(hash ^ (uint64_t)l4.proto << 16, f->hdr + l4.l3_off + 8, 32);
	else
		hash = mix(hash ^ (uint64_t)l4.proto << 16, f->hdr + l4.l3_off + 12, 8);
	if (!l4.fragment && l4_has_ports(l4.proto) && l4.off + 4 <= f->hdr_len)
		hash = mix(hash, f->hdr + l4.off, 4);
	return (uint32_t)hash;
}
