/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completing offloads in software: checksums (RFC 1071), TCP segmentation, IP fragmentation of UDP
 * (RFC 791 §3.2, RFC 8200 §4.5). Runs on the worker that owns the scratch.
 *
 * The frame is laid out once, contiguously, as the receiver shall see it. Segments are heads of
 * their own in front of a piece of that copy.
 */
#include "offload.h"

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "l4.h"

#define SCRATCH_BYTES	 (2 * (FRAME_LEN_MAX + FRAME_PREFIX_MAX))
#define IP6_HDR_LEN	 40
#define IP6_FRAGMENT	 44
#define IP6_FRAGMENT_LEN 8
#define TCP_CWR		 0x80
#define TCP_FIN_PSH	 0x09

struct offload_scratch {
	/* the GSO frame being cut */
	const uint8_t *bytes;
	struct l4 l4; /* offsets as in bytes */
	uint8_t gso;
	uint16_t hdr_len;
	uint16_t step;	 /* payload per segment */
	uint32_t len;	 /* of bytes */
	uint32_t offset; /* payload done */
	uint16_t index;	 /* segments done */
	uint32_t fragment_id;

	uint32_t used; /* of memory[] */
	uint16_t n;
	struct frame frames[FRAME_BURST];
	struct frame_seg segs[FRAME_BURST];
	struct frame_out outs[FRAME_BURST];
	uint8_t memory[SCRATCH_BYTES];
};

static inline uint16_t read_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void write_be16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline uint32_t read_be32(const uint8_t *p)
{
	return (uint32_t)read_be16(p) << 16 | read_be16(p + 2);
}

static inline void write_be32(uint8_t *p, uint32_t value)
{
	write_be16(p, value >> 16);
	write_be16(p + 2, value);
}

/* RFC 9293 §3.1, RFC 8200 §8.1: addresses, protocol and length of the transport segment. */
static uint64_t sum_pseudo_header(const uint8_t *ip, const struct l4 *l4, uint32_t l4_len)
{
	return l4->ip6 ? checksum_pseudo(ip + 8, 32, l4->proto, l4_len)
		       : checksum_pseudo(ip + 12, 8, l4->proto, l4_len);
}

struct offload_scratch *offload_scratch_new(void)
{
	return calloc(1, sizeof(struct offload_scratch));
}

void offload_scratch_free(struct offload_scratch *scratch)
{
	free(scratch);
}

void offload_scratch_reset(struct offload_scratch *scratch)
{
	scratch->used = 0;
	scratch->n = 0;
}

/* Copy what the receiver would see into one piece; NULL if there is no room. */
static uint8_t *lay_out(struct offload_scratch *s, const struct frame_out *out)
{
	const struct frame *f = out->f;
	uint32_t len = frame_out_len(out), at = out->prefix_len;
	uint8_t *to = s->memory + s->used;

	if (len > SCRATCH_BYTES - s->used)
		return NULL;
	memcpy(to, out->prefix, out->prefix_len);
	memcpy(to + at, f->hdr + out->skip, f->hdr_len - out->skip);
	at += f->hdr_len - out->skip;
	for (uint16_t i = 0; i < f->n_segs && at < len; i++) {
		uint32_t n = f->segs[i].len < len - at ? f->segs[i].len : len - at;

		memcpy(to + at, f->segs[i].base, n);
		at += n;
	}
	memset(to + at, 0, len - at); /* a port that promised more than it has */
	s->used += len;
	return to;
}

static void out_to_frame(struct frame_out *out, struct frame *f, uint32_t len)
{
	f->len = len;
	memset(&f->offload, 0, sizeof(f->offload));
	f->offload.flags = FRAME_CSUM_VALID;
	out->f = f;
	out->prefix_len = 0;
	out->skip = 0;
	out->drop = DROP_NONE;
}

bool offload_checksum(struct offload_scratch *s, struct frame_out *out)
{
	const struct frame *f = out->f;
	uint32_t start = (uint32_t)((int)f->offload.csum_start + frame_out_shift(out));
	uint32_t field = start + f->offload.csum_offset, len = frame_out_len(out);
	struct frame *copy;
	uint8_t *bytes;
	uint64_t sum;

	if (s->n == FRAME_BURST)
		return false;
	bytes = lay_out(s, out);
	if (bytes == NULL)
		return false;
	/* The field holds the pseudo header's sum already. */
	sum = checksum_sum(bytes + start, len - start);
	if (f->offload.csum_offset == 6)
		checksum_store_udp(bytes + field, sum);
	else
		checksum_store(bytes + field, sum);
	copy = &s->frames[s->n++];
	copy->hdr = bytes;
	copy->hdr_len = (uint16_t)(len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
	copy->n_segs = len > copy->hdr_len ? 1 : 0;
	copy->segs = &s->segs[s->n - 1];
	s->segs[s->n - 1] =
		(struct frame_seg){.base = bytes + copy->hdr_len, .len = len - copy->hdr_len};
	out_to_frame(out, copy, len);
	return true;
}

/* The datagram's checksum covers all of its fragments: it is filled in before the cut. */
static void udp_checksum_fill(struct offload_scratch *s, uint8_t *bytes)
{
	uint8_t *udp = bytes + s->l4.off;
	uint32_t udp_len = s->len - s->l4.off;

	write_be16(udp + 4, udp_len);
	write_be16(udp + 6, 0);
	checksum_store_udp(udp + 6, sum_pseudo_header(bytes + s->l4.l3_off, &s->l4, udp_len) +
					    checksum_sum(udp, udp_len));
}

enum drop_reason offload_segment_start(struct offload_scratch *s, const struct frame_out *out)
{
	const struct frame *f = out->f;
	int shift = frame_out_shift(out);
	uint32_t extra = 0;
	uint8_t *bytes;

	offload_scratch_reset(s);
	if (!l4_find(f, &s->l4))
		return DROP_BAD_OFFLOAD;
	bytes = lay_out(s, out);
	if (bytes == NULL)
		return DROP_NO_MEMORY;
	s->l4.l3_off = (uint16_t)(s->l4.l3_off + shift);
	s->l4.off = (uint16_t)(s->l4.off + shift);
	s->hdr_len = (uint16_t)(f->offload.gso_hdr_len + shift);
	s->bytes = bytes;
	s->len = frame_out_len(out);
	s->gso = f->offload.gso;
	s->step = f->offload.gso_size;
	s->offset = 0;
	s->index = 0;
	if (s->gso == FRAME_GSO_UDP) {
		s->step &= (uint16_t)~7; /* fragment offsets count in eights */
		s->fragment_id++;
		extra = s->l4.ip6 ? IP6_FRAGMENT_LEN : 0;
		udp_checksum_fill(s, bytes);
	}
	if (s->hdr_len + extra > sizeof(s->frames[0].buf))
		return DROP_BAD_OFFLOAD;
	return DROP_NONE;
}

static void ip4_finish(uint8_t *ip, uint32_t ip_len, uint16_t id)
{
	write_be16(ip + 2, ip_len);
	write_be16(ip + 4, id);
	write_be16(ip + 10, 0);
	checksum_store(ip + 10, checksum_sum(ip, (ip[0] & 0x0fu) * 4));
}

static void tcp_segment_finish(const struct offload_scratch *s, struct frame *f, uint32_t n,
			       bool last)
{
	uint8_t *ip = f->hdr + s->l4.l3_off, *tcp = f->hdr + s->l4.off;
	uint32_t tcp_hdr_len = (uint32_t)s->hdr_len - s->l4.off;
	uint64_t sum;

	if (s->l4.ip6)
		write_be16(ip + 4, (uint32_t)s->hdr_len - s->l4.l3_off - IP6_HDR_LEN + n);
	else
		ip4_finish(ip, (uint32_t)s->hdr_len - s->l4.l3_off + n,
			   (uint16_t)(read_be16(ip + 4) + s->index));
	write_be32(tcp + 4, read_be32(tcp + 4) + s->offset);
	if (!last)
		tcp[13] &= (uint8_t)~TCP_FIN_PSH;
	if (s->index > 0)
		tcp[13] &= (uint8_t)~TCP_CWR;
	write_be16(tcp + 16, 0);
	sum = sum_pseudo_header(ip, &s->l4, tcp_hdr_len + n);
	sum += checksum_sum(tcp, tcp_hdr_len);
	/* tcp_hdr_len is a multiple of 4: the payload begins on an even byte of the sum */
	sum += checksum_sum(s->bytes + s->hdr_len + s->offset, n);
	checksum_store(tcp + 16, sum);
}

static void udp_fragment4_finish(const struct offload_scratch *s, struct frame *f, uint32_t n,
				 bool last)
{
	uint8_t *ip = f->hdr + s->l4.l3_off;
	uint16_t flags = read_be16(ip + 6) & 0xc000;

	write_be16(ip + 6, flags | (last ? 0 : 0x2000) | s->offset / 8);
	ip4_finish(ip, (uint32_t)s->hdr_len - s->l4.l3_off + n, read_be16(ip + 4));
}

/* The byte that names the header at l4.off: in the fixed header, or in the last extension. */
static uint8_t *ip6_last_next_header(const struct offload_scratch *s, uint8_t *hdr)
{
	uint16_t off = s->l4.l3_off + IP6_HDR_LEN;
	uint8_t *next = hdr + s->l4.l3_off + 6;

	while (off < s->l4.off) {
		next = hdr + off;
		off += (uint16_t)(8 + hdr[off + 1] * 8);
	}
	return next;
}

static void udp_fragment6_finish(const struct offload_scratch *s, struct frame *f, uint32_t n,
				 bool last)
{
	uint8_t *ip = f->hdr + s->l4.l3_off, *fragment = f->hdr + s->hdr_len;

	*ip6_last_next_header(s, f->hdr) = IP6_FRAGMENT;
	fragment[0] = s->l4.proto;
	fragment[1] = 0;
	write_be16(fragment + 2, s->offset | (last ? 0 : 1));
	write_be32(fragment + 4, s->fragment_id);
	f->hdr_len += IP6_FRAGMENT_LEN;
	write_be16(ip + 4, (uint32_t)f->hdr_len - s->l4.l3_off - IP6_HDR_LEN + n);
}

static void segment_make(struct offload_scratch *s, uint16_t i, uint32_t n, bool last)
{
	struct frame *f = &s->frames[i];

	f->hdr = f->buf;
	f->hdr_len = s->hdr_len;
	memcpy(f->hdr, s->bytes, s->hdr_len);
	f->n_segs = 1;
	f->segs = &s->segs[i];
	s->segs[i] = (struct frame_seg){.base = s->bytes + s->hdr_len + s->offset, .len = n};
	if (s->gso != FRAME_GSO_UDP)
		tcp_segment_finish(s, f, n, last);
	else if (s->l4.ip6)
		udp_fragment6_finish(s, f, n, last);
	else
		udp_fragment4_finish(s, f, n, last);
	out_to_frame(&s->outs[i], f, f->hdr_len + n);
	if (s->gso == FRAME_GSO_UDP)
		f->offload.flags = 0; /* of a fragment nobody can say that */
}

uint16_t offload_segment_next(struct offload_scratch *s, struct frame_out **segments)
{
	uint32_t payload = s->len - s->hdr_len;
	uint16_t i = 0;

	for (; i < FRAME_BURST && s->offset < payload; i++) {
		uint32_t left = payload - s->offset, n = left < s->step ? left : s->step;

		segment_make(s, i, n, n == left);
		s->offset += n;
		s->index++;
	}
	*segments = s->outs;
	return i;
}
