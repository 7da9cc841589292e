/* SPDX-License-Identifier: BSD-3-Clause */
/* See packet.h. Pure; workers. */
#include "packet.h"

#include <stddef.h>

#include "base/copy.h"
#include "checksum.h"
#include "vxlan.h"
#include "wire.h"

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
	const uint8_t *front = c->headers, *ip;
	uint32_t have = copy_front(c->out, c->headers, c->headers_len);
	uint16_t l3 = 0, type;

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

/* Take out of the headers what every segment has its own of, and sum the rest. */
static void headers_prepare(struct packet_cursor *c)
{
	uint8_t *ip = c->headers + c->l3_off, *tcp = c->headers + c->l4_off;

	c->tcp_seq = wire_get32(tcp + 4);
	c->tcp_flags = tcp[13];
	memset(tcp + 4, 0, 4);
	tcp[13] = 0;
	memset(tcp + 16, 0, 2);
	c->tcp_sum = checksum_sum(tcp, (size_t)(c->headers_len - c->l4_off)) +
		     checksum_pseudo(c->l3_is_v6 ? ip + 8 : ip + 12, c->l3_is_v6 ? 32 : 8,
				     WIRE_PROTO_TCP, 0);
	if (c->l3_is_v6)
		return;
	c->ip_id = wire_get16(ip + 4);
	memset(ip + 2, 0, 4);
	memset(ip + 10, 0, 2);
	c->ip_sum = checksum_sum(ip, (size_t)(c->l4_off - c->l3_off));
}

enum drop_reason packet_start(struct packet_cursor *c, const struct frame_out *out,
			      uint8_t outer_len)
{
	const struct frame_offload *offload = &out->f->offload;
	enum drop_reason reason;
	int headers;

	memset(c, 0, offsetof(struct packet_cursor, headers));
	c->out = out;
	c->outer_len = outer_len;
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
	reason = find_inner(c);
	if (reason == DROP_NONE)
		headers_prepare(c);
	return reason;
}

uint32_t packet_count(const struct packet_cursor *c)
{
	uint32_t size = c->out->f->offload.gso_size;

	return c->segmented ? (c->payload_len + size - 1) / size : 1;
}

/* Copy to @buf[@at] and add to the sum of @buf. */
static void copy_part(uint8_t *buf, uint32_t at, const uint8_t *from, uint32_t len, uint64_t *sum)
{
	uint64_t part = checksum_copy(buf + at, from, len);

	*sum += (at & 1) != 0 ? checksum_swap(part) : part;
}

/* The next @len payload bytes: the rest of the snapshot, then the segments. Return: bytes found; @sum: theirs. */
static uint32_t copy_payload(struct packet_cursor *c, uint8_t *buf, uint32_t len, uint64_t *sum)
{
	const struct frame *f = c->out->f;
	uint32_t done = 0;

	if (c->hdr_done < f->hdr_len) {
		done = (uint32_t)(f->hdr_len - c->hdr_done);
		if (done > len)
			done = len;
		copy_part(buf, 0, f->hdr + c->hdr_done, done, sum);
		c->hdr_done = (uint16_t)(c->hdr_done + done);
	}
	while (done < len && c->source_seg < f->n_segs) {
		const struct frame_seg *seg = &f->segs[c->source_seg];
		uint32_t part = seg->len - c->source_off;

		if (part > len - done)
			part = len - done;
		copy_part(buf, done, seg->base + c->source_off, part, sum);
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

/* What a segment has its own of; @ip: its inner IP header, @len: bytes from there, @payload: sum of its payload. */
static void finish_segment(const struct packet_cursor *c, uint8_t *ip, uint32_t len, bool is_last,
			   uint64_t payload)
{
	uint16_t l4 = (uint16_t)(c->l4_off - c->l3_off), tcp_len = (uint16_t)(len - l4);
	uint32_t seq = htobe32(c->tcp_seq + c->done);
	uint8_t *tcp = ip + l4;
	uint8_t own[2] = {0, c->tcp_flags};
	uint16_t flags;

	if (c->l3_is_v6) {
		wire_put16(ip + 4, (uint16_t)(len - WIRE_IP6_LEN));
	} else {
		uint16_t total = (uint16_t)len, id = (uint16_t)(c->ip_id + c->n_sent);

		wire_put16(ip + 2, total);
		wire_put16(ip + 4, id);
		checksum_store(ip + 10, c->ip_sum + htobe16(total) + htobe16(id));
	}
	if (!is_last)
		own[1] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (c->n_sent > 0)
		own[1] &= (uint8_t)~TCP_CWR; /* RFC 3168 §6.1.2: said once */
	memcpy(&flags, own, sizeof(flags));
	memcpy(tcp + 4, &seq, sizeof(seq));
	tcp[13] = own[1];
	checksum_store(tcp + 16, c->tcp_sum + htobe16(tcp_len) + seq + flags + payload);
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

		copy_large(buf + len, f->segs[i].base, part);
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

/* The next segment without its first @skip bytes. */
static uint32_t write_segment(struct packet_cursor *c, uint32_t skip, uint8_t *buf, uint32_t cap)
{
	uint32_t part = c->payload_len - c->done, len = c->headers_len - skip;
	uint64_t sum = 0;

	if (part > c->out->f->offload.gso_size)
		part = c->out->f->offload.gso_size;
	if (len + part > cap)
		return 0;
	copy_short(buf, c->headers + skip, len);
	len += copy_payload(c, buf + len, part, &sum);
	finish_segment(c, buf + c->l3_off - skip, len + skip - c->l3_off,
		       c->done + part == c->payload_len, sum);
	if (c->outer_len != 0 && skip == 0)
		finish_outer(buf, c->outer_len, len);
	c->done += part;
	c->n_sent++;
	return len;
}

uint32_t packet_next_inner(struct packet_cursor *c, uint8_t *buf, uint32_t cap)
{
	if (packet_is_done(c))
		return 0;
	return write_segment(c, (uint32_t)(c->outer_len - VXLAN_HDR_LEN), buf, cap);
}

uint32_t packet_next(struct packet_cursor *c, uint8_t *buf, uint32_t cap)
{
	uint32_t len;

	if (packet_is_done(c))
		return 0;
	if (c->segmented)
		return write_segment(c, 0, buf, cap);
	len = packet_write(c->out, c->outer_len, buf, cap);
	c->done = len != 0 ? c->payload_len : 0;
	c->n_sent = len != 0;
	return len;
}
