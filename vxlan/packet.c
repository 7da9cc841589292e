/* SPDX-License-Identifier: BSD-3-Clause */
/* See packet.h. Pure; workers. */
#include "packet.h"

#include "base/copy.h"
#include "checksum.h"
#include "vxlan.h"
#include "wire.h"

/* A snapshot may have grown into its head room. */
#define PACKET_HEADERS_MAX (FRAME_PREFIX_MAX + FRAME_HDR_ROOM + FRAME_HDR_MAX)

#define PREFIX_USUAL 64 /* has room for VXLAN over IPv4 */

enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

/* The frame's first @len bytes as they will be on the wire. Return: bytes that are in prefix and snapshot, at most @len. */
static uint32_t copy_front(const struct frame_out *out, uint8_t *buf, uint32_t len)
{
	uint32_t prefix = out->prefix_len < len ? out->prefix_len : len;
	uint32_t hdr = (uint32_t)(out->f->hdr_len - out->skip);

	if (hdr > len - prefix)
		hdr = len - prefix;
	copy_short(buf, out->prefix, prefix);
	copy_short(buf + prefix, out->f->hdr + out->skip, hdr);
	return prefix + hdr;
}

/* Where inner IP and TCP are; all from prefix and snapshot, never from segments. */
static enum drop_reason find_inner(struct packet_cursor *c)
{
	uint8_t front[PACKET_HEADERS_MAX];
	uint32_t have = copy_front(c->out, front, c->headers_len);
	uint16_t l3 = 0, type;
	const uint8_t *ip;

	if (have < c->headers_len)
		return DROP_BAD_OFFLOAD;
	type = wire_ethertype(front + c->outer_len, have - c->outer_len, &l3);
	c->l3_off = (uint16_t)(c->outer_len + l3);
	ip = front + c->l3_off;
	if (type == WIRE_TYPE_IP4 && c->out->f->offload.gso == FRAME_GSO_TCP4 &&
	    have >= c->l3_off + (uint32_t)WIRE_IP4_LEN && ip[9] == WIRE_PROTO_TCP) {
		c->l4_off = (uint16_t)(c->l3_off + (ip[0] & 0xf) * 4);
	} else if (type == WIRE_TYPE_IP6 && c->out->f->offload.gso == FRAME_GSO_TCP6 &&
		   have >= c->l3_off + (uint32_t)WIRE_IP6_LEN) {
		/* Extension headers lie between; TCP is where the checksum starts. */
		int start = c->out->f->offload.csum_start + frame_out_shift(c->out);

		if (start < c->l3_off + WIRE_IP6_LEN ||
		    (ip[6] == WIRE_PROTO_TCP && start != c->l3_off + WIRE_IP6_LEN))
			return DROP_BAD_OFFLOAD;
		c->l4_off = (uint16_t)start;
		c->l3_is_v6 = true;
	} else {
		return DROP_BAD_OFFLOAD;
	}
	if (c->l4_off < c->l3_off + WIRE_IP4_LEN || c->l4_off + (uint32_t)WIRE_TCP_LEN > have ||
	    c->l4_off + (uint32_t)(front[c->l4_off + 12] >> 4) * 4 != have)
		return DROP_BAD_OFFLOAD;
	return DROP_NONE;
}

enum drop_reason packet_start(struct packet_cursor *c, const struct frame_out *out,
			      uint8_t outer_len)
{
	const struct frame_offload *offload = &out->f->offload;
	int headers;

	*c = (struct packet_cursor){.out = out, .outer_len = outer_len};
	c->segmented = offload->gso != FRAME_GSO_NONE;
	if (out->skip > out->f->hdr_len || outer_len > out->prefix_len)
		return DROP_BAD_OFFLOAD;
	if (!c->segmented) {
		c->payload_len = frame_out_len(out);
		return DROP_NONE;
	}
	headers = offload->gso_hdr_len + frame_out_shift(out);
	if (offload->gso_size == 0 || headers <= outer_len ||
	    (uint32_t)headers >= frame_out_len(out) || headers > PACKET_HEADERS_MAX ||
	    offload->gso_hdr_len > out->f->hdr_len)
		return DROP_BAD_OFFLOAD;
	c->headers_len = (uint16_t)headers;
	c->payload_len = frame_out_len(out) - c->headers_len;
	c->hdr_done = offload->gso_hdr_len;
	return find_inner(c);
}

uint32_t packet_count(const struct packet_cursor *c)
{
	uint32_t size = c->out->f->offload.gso_size;

	return c->segmented ? (c->payload_len + size - 1) / size : 1;
}

/* The next @len payload bytes: the rest of the snapshot, then the segments. Return: bytes found. */
static uint32_t copy_payload(struct packet_cursor *c, uint8_t *buf, uint32_t len)
{
	const struct frame *f = c->out->f;
	uint32_t done = 0;

	if (c->hdr_done < f->hdr_len) {
		done = (uint32_t)(f->hdr_len - c->hdr_done);
		if (done > len)
			done = len;
		memcpy(buf, f->hdr + c->hdr_done, done);
		c->hdr_done = (uint16_t)(c->hdr_done + done);
	}
	while (done < len && c->source_seg < f->n_segs) {
		const struct frame_seg *seg = &f->segs[c->source_seg];
		uint32_t part = seg->len - c->source_off;

		if (part > len - done)
			part = len - done;
		memcpy(buf + done, seg->base + c->source_off, part);
		done += part;
		c->source_off += part;
		if (c->source_off == seg->len) {
			c->source_seg++;
			c->source_off = 0;
		}
	}
	return done;
}

static bool outer_wants_checksum(const uint8_t *packet, uint8_t outer_len)
{
	const uint8_t *udp = packet + outer_len - VXLAN_HDR_LEN - WIRE_UDP_LEN;

	return udp[6] != 0 || udp[7] != 0;
}

/* Lengths, then the UDP checksum if encap asked for one: it covers everything, so it comes last. */
static void finish_outer(uint8_t *packet, uint8_t outer_len, uint32_t len)
{
	bool is_v6 = outer_len == VXLAN_OUTER_LEN6;
	uint8_t *ip = packet + WIRE_ETH_LEN;
	uint8_t *udp = packet + outer_len - VXLAN_HDR_LEN - WIRE_UDP_LEN;
	uint16_t udp_len = (uint16_t)(len - (uint32_t)(udp - packet));

	wire_put16(udp + 4, udp_len);
	if (is_v6) {
		wire_put16(ip + 4, udp_len);
	} else {
		wire_put16(ip + 2, (uint16_t)(udp_len + WIRE_IP4_LEN));
		memset(ip + 10, 0, 2);
		checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
	}
	if (outer_wants_checksum(packet, outer_len)) {
		memset(udp + 6, 0, 2);
		checksum_store_udp(udp + 6,
				   checksum_pseudo(is_v6 ? ip + 8 : ip + 12, is_v6 ? 32 : 8,
						   WIRE_PROTO_UDP, udp_len) +
					   checksum_sum(udp, udp_len));
	}
}

static void finish_segment(const struct packet_cursor *c, uint8_t *packet, uint32_t len,
			   bool is_last)
{
	uint8_t *ip = packet + c->l3_off;
	uint8_t *tcp = packet + c->l4_off;
	uint16_t tcp_len = (uint16_t)(len - c->l4_off);

	if (c->l3_is_v6) {
		wire_put16(ip + 4, (uint16_t)(len - c->l3_off - WIRE_IP6_LEN));
	} else {
		wire_put16(ip + 2, (uint16_t)(len - c->l3_off));
		wire_put16(ip + 4, (uint16_t)(wire_get16(ip + 4) + c->n_sent));
		memset(ip + 10, 0, 2);
		checksum_store(ip + 10, checksum_sum(ip, (size_t)(c->l4_off - c->l3_off)));
	}
	wire_put32(tcp + 4, wire_get32(tcp + 4) + c->done);
	if (!is_last)
		tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (c->n_sent > 0)
		tcp[13] &= (uint8_t)~TCP_CWR; /* RFC 3168 §6.1.2: said once */
	memset(tcp + 16, 0, 2);
	checksum_store(tcp + 16, checksum_pseudo(c->l3_is_v6 ? ip + 8 : ip + 12,
						 c->l3_is_v6 ? 32 : 8, WIRE_PROTO_TCP, tcp_len) +
					 checksum_sum(tcp, tcp_len));
}

/* A checksum the guest left open: its field holds the pseudo header's sum (virtio 1.2 §5.1.6.2). */
static void finish_checksum(const struct frame_out *out, uint8_t *packet, uint32_t len)
{
	const struct frame_offload *offload = &out->f->offload;
	int start = offload->csum_start + frame_out_shift(out);
	uint8_t *field;

	if ((offload->flags & FRAME_NEEDS_CSUM) == 0 || start < 0 ||
	    (uint32_t)start + offload->csum_offset + 2 > len)
		return;
	field = packet + start + offload->csum_offset;
	/* 0 would mean "no checksum" in UDP; all ones is the same sum and right for TCP as well (RFC 1624 §2) */
	checksum_store_udp(field, checksum_sum(packet + start, len - (uint32_t)start));
}

/* What is not in the snapshot. Return: the packet's length. */
static uint32_t write_segs(const struct frame *f, uint8_t *buf, uint32_t len, uint32_t cap)
{
	for (uint16_t i = 0; i < f->n_segs; i++) {
		/* @cap was compared with the frame's length, which a list of segments must not exceed */
		uint32_t part = f->segs[i].len < cap - len ? f->segs[i].len : cap - len;

		memcpy(buf + len, f->segs[i].base, part);
		len += part;
	}
	return len;
}

uint32_t packet_write(const struct frame_out *out, uint8_t outer_len, uint8_t *buf, uint32_t cap)
{
	const struct frame *f = out->f;
	uint32_t prefix = out->prefix_len, hdr = (uint32_t)(f->hdr_len - out->skip);
	uint32_t len = prefix + hdr;

	if (frame_out_len(out) > cap || out->skip > f->hdr_len)
		return 0;
	/* What is more than the prefix is overwritten, or beyond the packet: copies of fixed size are a few moves. */
	if (cap < sizeof(out->prefix))
		copy_short(buf, out->prefix, prefix);
	else if (prefix > PREFIX_USUAL)
		memcpy(buf, out->prefix, sizeof(out->prefix));
	else if (prefix != 0)
		memcpy(buf, out->prefix, PREFIX_USUAL);
	copy_short(buf + prefix, f->hdr + out->skip, hdr);
	if (f->n_segs != 0)
		len = write_segs(f, buf, len, cap);
	if ((f->offload.flags & FRAME_NEEDS_CSUM) != 0)
		finish_checksum(out, buf, len);
	/* Lengths are right already. */
	if (outer_len != 0 && outer_wants_checksum(buf, outer_len))
		finish_outer(buf, outer_len, len);
	return len;
}

/* The next segment. */
static uint32_t write_segment(struct packet_cursor *c, uint8_t *buf, uint32_t cap)
{
	uint32_t part = c->payload_len - c->done, len;

	if (part > c->out->f->offload.gso_size)
		part = c->out->f->offload.gso_size;
	if (c->headers_len + part > cap)
		return 0;
	len = copy_front(c->out, buf, c->headers_len);
	len += copy_payload(c, buf + len, part);
	finish_segment(c, buf, len, c->done + part == c->payload_len);
	if (c->outer_len != 0)
		finish_outer(buf, c->outer_len, len);
	c->done += part;
	return len;
}

uint32_t packet_next(struct packet_cursor *c, uint8_t *buf, uint32_t cap)
{
	uint32_t len;

	if (packet_is_done(c))
		return 0;
	if (c->segmented) {
		len = write_segment(c, buf, cap);
	} else {
		len = packet_write(c->out, c->outer_len, buf, cap);
		c->done = len != 0 ? c->payload_len : 0;
	}
	c->n_sent = (uint16_t)(c->n_sent + (len != 0));
	return len;
}
