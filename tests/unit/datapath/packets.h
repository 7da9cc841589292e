/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP and UDP packets as a guest with offloads leaves them, and a receiver's check of what arrives.
 * The checksum arithmetic is written out byte by byte, on purpose not the one under test. Include
 * after cmocka.h and frames.h.
 */
#ifndef TESTS_UNIT_DATAPATH_PACKETS_H
#define TESTS_UNIT_DATAPATH_PACKETS_H

#include <stdint.h>
#include <string.h>

#include "frame.h"

struct packet {
	struct frame f;
	struct frame_seg segs[FRAME_SEGS_MAX];
	uint16_t l3, l4, hdr_len;
	uint8_t bytes[FRAME_LEN_MAX];
};

enum { PACKET_IP4, PACKET_IP6 };

static inline void packet_put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline uint32_t packet_get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t packet_sum(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/** packet_pseudo() - Sum of the pseudo header of a transport segment */
static inline uint32_t packet_pseudo(const uint8_t *ip, uint8_t proto, uint32_t len)
{
	uint8_t tail[4] = {0, proto, (uint8_t)(len >> 8), (uint8_t)len};
	uint32_t sum = len >> 16;

	sum = ip[0] >> 4 == 4 ? packet_sum(sum, ip + 12, 8) : packet_sum(sum, ip + 8, 32);
	return packet_sum(sum, tail, sizeof(tail));
}

/**
 * packet_split() - Lay the bytes out as a port would: a snapshot, and the rest in pieces of @piece
 * bytes
 */
static inline void packet_split(struct packet *p, uint32_t len, uint32_t piece)
{
	struct frame *f = &p->f;
	uint32_t at;

	f->len = len;
	f->hdr_len = (uint16_t)(len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
	f->hdr = f->buf + FRAME_HDR_ROOM;
	memcpy(f->hdr, p->bytes, f->hdr_len);
	f->n_segs = 0;
	f->segs = p->segs;
	for (at = f->hdr_len; at < len;) {
		uint32_t n = len - at < piece ? len - at : piece;

		assert_true(f->n_segs < FRAME_SEGS_MAX);
		p->segs[f->n_segs++] = (struct frame_seg){.base = p->bytes + at, .len = n};
		at += n;
	}
}

/**
 * packet_make() - A packet whose checksum is left to do, with the pseudo header's sum in its field
 * @tag:      a VLAN tag in front, 0: none
 * @gso_size: 0: no GSO
 */
static inline void packet_make(struct packet *p, int ip_version, uint8_t proto, uint32_t tag,
			       uint32_t payload, uint16_t gso_size)
{
	uint16_t at = 12, l4_hdr = proto == 6 ? 32 : 8; /* TCP with 12 bytes of options */
	uint8_t *ip, *l4;

	memset(&p->f, 0, offsetof(struct frame, buf));
	frames_mac_put(p->bytes, frames_mac(2));
	frames_mac_put(p->bytes + 6, frames_mac(1));
	if (tag != 0) {
		packet_put16(p->bytes + at, tag >> 16);
		packet_put16(p->bytes + at + 2, tag & 0xffff);
		at += 4;
	}
	packet_put16(p->bytes + at, ip_version == PACKET_IP4 ? 0x0800 : 0x86dd);
	p->l3 = at + 2;
	ip = p->bytes + p->l3;
	p->l4 = p->l3 + (ip_version == PACKET_IP4 ? 20 : 40);
	l4 = p->bytes + p->l4;
	p->hdr_len = p->l4 + l4_hdr;
	memset(ip, 0, p->hdr_len - p->l3);
	if (ip_version == PACKET_IP4) {
		ip[0] = 0x45;
		packet_put16(ip + 2, 20u + l4_hdr + payload);
		packet_put16(ip + 4, 0xfffe); /* the id wraps soon */
		packet_put16(ip + 6, 0x4000); /* DF */
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
		packet_put16(ip + 10, ~packet_sum(0, ip, 20) & 0xffff);
	} else {
		ip[0] = 0x60;
		packet_put16(ip + 4, l4_hdr + payload);
		ip[6] = proto;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		ip[23] = 1;
		ip[39] = 2;
	}
	packet_put16(l4, 40000);
	packet_put16(l4 + 2, 5201);
	if (proto == 6) {
		memcpy(l4 + 4, "\xff\xff\xfc\x00", 4); /* the sequence number wraps soon */
		l4[12] = 0x80;
		l4[13] = 0x99; /* CWR, ACK, PSH, FIN */
		memcpy(l4 + 20, "\x01\x01\x08\x0a\x11\x22\x33\x44\x55\x66\x77\x88", 12);
	} else {
		packet_put16(l4 + 4, 8 + payload);
	}
	packet_put16(l4 + (proto == 6 ? 16 : 6), packet_pseudo(ip, proto, l4_hdr + payload));
	for (uint32_t i = 0; i < payload; i++)
		p->bytes[p->hdr_len + i] = (uint8_t)(i * 7 + (i >> 8));
	packet_split(p, p->hdr_len + payload, 1500);
	p->f.offload.flags = FRAME_NEEDS_CSUM;
	p->f.offload.csum_start = p->l4;
	p->f.offload.csum_offset = proto == 6 ? 16 : 6;
	p->f.offload.gso_size = gso_size;
	if (gso_size != 0)
		p->f.offload.gso = proto != 6		      ? FRAME_GSO_UDP
				   : ip_version == PACKET_IP4 ? FRAME_GSO_TCP4
							      : FRAME_GSO_TCP6;
}

/** packet_flatten() - What the receiver sees of @out; Return: its length */
static inline uint32_t packet_flatten(const struct frame_out *out, uint8_t *to)
{
	uint32_t at = out->prefix_len;

	memcpy(to, out->prefix, at);
	memcpy(to + at, out->f->hdr + out->skip, out->f->hdr_len - out->skip);
	at += out->f->hdr_len - out->skip;
	for (uint16_t i = 0; i < out->f->n_segs; i++) {
		memcpy(to + at, out->f->segs[i].base, out->f->segs[i].len);
		at += out->f->segs[i].len;
	}
	assert_int_equal(at, frame_out_len(out));
	return at;
}

/** packet_check() - A receiver's view: lengths and checksums of the IP packet at @l3 are right */
static inline void packet_check(const uint8_t *bytes, uint32_t len, uint16_t l3,
				bool udp_may_fragment)
{
	const uint8_t *ip = bytes + l3;
	bool ip4 = ip[0] >> 4 == 4;
	uint32_t ip_hdr = ip4 ? (ip[0] & 0x0fu) * 4 : 40, l4_len = len - l3 - ip_hdr;
	uint8_t proto = ip4 ? ip[9] : ip[6];

	if (ip4) {
		assert_int_equal(packet_get16(ip + 2), len - l3);
		assert_int_equal(packet_sum(0, ip, ip_hdr), 0xffff);
	} else {
		assert_int_equal(packet_get16(ip + 4), len - l3 - 40);
	}
	if (udp_may_fragment)
		return;
	assert_int_equal(packet_sum(packet_pseudo(ip, proto, l4_len), ip + ip_hdr, l4_len), 0xffff);
}

#endif
