/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From an encapsulated frame to packets on an uplink: the one copy, and all that needs the payload.
 *
 * A guest that was given TSO hands over up to 64 KiB at once. An uplink without tunnel offloads sends it as a row of packets: each with
 * its own outer headers, inner IP length and id, TCP sequence number, flags and checksums. Frames that need no segmentation go
 * through the same function and come out as one packet.
 *
 * Payload bytes are summed as they are copied, each read once: guest memory may change in between. What the headers of all segments have
 * in common is laid out and summed once per frame.
 */
#ifndef VXLAN_PACKET_H
#define VXLAN_PACKET_H

#include "frame.h"

/* A snapshot may have grown into its head room. */
#define PACKET_HEADERS_MAX (FRAME_PREFIX_MAX + FRAME_HDR_ROOM + FRAME_HDR_MAX)

struct packet_cursor {
	const struct frame_out *out;
	uint8_t outer_len;
	uint16_t headers_len; /* outer and inner headers that every segment repeats */
	uint32_t payload_len; /* of the whole frame behind those headers */
	uint32_t done;	      /* payload bytes already sent */
	uint16_t n_sent;
	uint16_t source_seg; /* where the next payload byte is: this segment, */
	uint32_t source_off; /* at this offset */
	uint16_t hdr_done;   /* snapshot bytes already taken */
	/* inner header offsets from the packet's first byte; only with gso */
	uint16_t l3_off, l4_off;
	bool l3_is_v6, segmented;
	uint8_t tcp_flags;
	uint16_t ip_id; /* of the first segment */
	uint32_t tcp_seq;
	uint64_t ip_sum; /* of the inner IPv4 header without length, id and checksum */
	uint64_t
		tcp_sum; /* of pseudo header and TCP header without length, sequence number, flags and checksum */
	uint8_t headers[PACKET_HEADERS_MAX]; /* of every segment; what differs is 0 in it */
};

/**
 * packet_start() - Prepare to write an encapsulated frame
 * @c:	       cursor, borrows @out until the last packet_next()
 * @out:       as encap_burst() left it
 * @outer_len: encap_dest.outer_len; 0: a frame that is not encapsulated
 *
 * Return: DROP_NONE, or DROP_BAD_OFFLOAD when headers and offload contradict each other.
 */
enum drop_reason packet_start(struct packet_cursor *c, const struct frame_out *out,
			      uint8_t outer_len);

/**
 * packet_next() - Write the next packet
 * @buf: where to
 * @cap: bytes it has room for
 *
 * Return: length, 0 when all has been written. A packet that does not fit @cap ends the frame with 0 as well; packet_is_done()
 * tells.
 */
uint32_t packet_next(struct packet_cursor *c, uint8_t *buf, uint32_t cap);

/**
 * packet_next_inner() - Write the next segment without what is outside its VXLAN header
 *
 * For the second and following ones of a row that has one outer Ethernet, IP and UDP header. Only with c->segmented and an outer
 * header. Return: as packet_next().
 */
uint32_t packet_next_inner(struct packet_cursor *c, uint8_t *buf, uint32_t cap);

/**
 * packet_write() - Write a frame that needs no segmentation, all at once
 * @out:       offload.gso is FRAME_GSO_NONE; else as for packet_start()
 * @buf, @cap: as for packet_next()
 *
 * Return: length, 0 when @cap is too small. The same as packet_start() and one packet_next(), for those in a hurry.
 */
uint32_t packet_write(const struct frame_out *out, uint8_t outer_len, uint8_t *buf, uint32_t cap);

static inline bool packet_is_done(const struct packet_cursor *c)
{
	return c->n_sent > 0 && c->done == c->payload_len;
}

/** packet_count() - How many packets the frame makes in all */
uint32_t packet_count(const struct packet_cursor *c);

#endif
