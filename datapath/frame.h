/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The unit of the datapath.
 *
 * A frame is a private snapshot of its first bytes (`hdr`) and a list of segments with the rest
 * (`segs`). Decisions are taken on the snapshot and the snapshot is what is delivered; the bytes in
 * `segs` may live in guest memory and change under our hands, so nothing is ever decided on them.
 * What the segments really are (a descriptor chain, a file's bytes, a kernel buffer) is the
 * business of the port that received the frame; they stay valid until that port's rx_release().
 *
 * All lengths are bytes without FCS. One worker owns a frame from rx to rx_release().
 */
#ifndef DATAPATH_FRAME_H
#define DATAPATH_FRAME_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "drop.h"

#define FRAME_HDR_MAX 128 /* bytes a port snapshots at most */
#define FRAME_HDR_ROOM                                                                             \
	64 /* head room in front of them: tags pushed on a patch link; a cache line */
#define FRAME_PREFIX_MAX 96 /* bytes an egress may put in place of the first ones */
#define FRAME_SEGS_MAX	 64 /* a 64 KiB TSO frame of 1 KiB buffers */
#define FRAME_LEN_MAX	 (65535 + 64)
#define FRAME_MTU_MAX	 9216
#define FRAME_BURST	 64
#define FRAME_HOPS_MAX	 16 /* patch links a frame may cross */

struct frame_seg {
	const uint8_t *base; /* untrusted, volatile in effect: copy, never parse */
	uint32_t len;
};

/*
 * What the sender left for others to do: virtio 1.2 §5.1.6.2, offsets from the frame's first byte.
 */
enum { FRAME_NEEDS_CSUM = 1, FRAME_CSUM_VALID = 2 };
enum frame_gso { FRAME_GSO_NONE, FRAME_GSO_TCP4, FRAME_GSO_TCP6, FRAME_GSO_UDP };

struct frame_offload {
	uint8_t flags;	   /* FRAME_NEEDS_CSUM | FRAME_CSUM_VALID */
	uint8_t gso;	   /* enum frame_gso */
	bool gso_ecn;	   /* VIRTIO_NET_HDR_GSO_ECN was set */
	uint16_t gso_size; /* payload bytes per segment (MSS) */
	/* bytes of headers in front of the payload: by stage_parse, from the snapshot */
	uint16_t gso_hdr_len;
	uint16_t csum_start;
	uint16_t csum_offset;
};

enum frame_verdict { FRAME_TO_PORT, FRAME_TO_FLOOD };

struct frame {
	/* set by the port at rx */
	uint8_t *hdr;	  /* first snapshot byte, inside buf */
	uint16_t hdr_len; /* min(len, FRAME_HDR_MAX) at rx; tags of patch links may add to it */
	uint16_t n_segs;  /* 0 when the snapshot holds the whole frame */
	uint32_t len;	  /* hdr_len + all segments */
	const struct frame_seg *segs;
	struct frame_offload offload;
	uint16_t
		in_port; /* index in the snapshot: set by the worker, or by the rx of a port with rx_for_others */
	uint16_t
		given_vid; /* the VLAN is known already and the frame has no tag for it (tunnels); 0: classify */
	bool is_cut;   /* a mirror cut it: it was longer; rx leaves it 0 */
	bool no_learn; /* its source is not to be learned (tunnels whose stations are announced) */

	/* set by the stages */
	uint8_t n_tags; /* VLAN tags in hdr (parse), at most 2 are looked at */
	uint8_t run;   /* the same as the frame before: so are ingress, addresses and tag (parse) */
	uint8_t hops;  /* patch links crossed */
	uint16_t vid;  /* classified VLAN (admit); 0 on wires */
	uint16_t prio; /* PCP and DEI bits, as in the TCI's top 4 bits */
	uint16_t out_port;
	uint8_t verdict;    /* enum frame_verdict (forward) */
	uint8_t strip;	    /* tag bytes at offset 12 that admit consumed: 0 or 4 */
	uint16_t l3_off;    /* from hdr; 0 when the ethertype is unknown or beyond the snapshot */
	uint16_t ethertype; /* host order, behind the tags */

	uint8_t buf[FRAME_HDR_ROOM + FRAME_HDR_MAX] __attribute__((aligned(64)));
} __attribute__((aligned(64)));

/* All that is not `buf` is one cache line, and an Ethernet header begins one. */
static_assert(sizeof(struct frame) == 64 + FRAME_HDR_ROOM + FRAME_HDR_MAX, "no line is wasted");

/*
 * One frame towards one port: what differs per egress. On the wire it is
 * prefix[0..prefix_len), then hdr[skip..hdr_len), then the segments.
 */
struct frame_out {
	struct frame *f;
	uint8_t prefix_len;
	uint8_t skip;
	uint8_t drop; /* enum drop_reason, written by tx when the frame was not taken */
	uint8_t prefix[FRAME_PREFIX_MAX] __attribute__((aligned(16))); /* moved in pieces of 16 */
};

/** frame_out_init() - A frame as it came in: nothing in front, nothing skipped; the prefix stays unwritten */
static inline void frame_out_init(struct frame_out *out, struct frame *f)
{
	out->f = f;
	out->prefix_len = 0;
	out->skip = 0;
	out->drop = DROP_NONE;
}

/** frame_out_len() - Bytes the receiver will see */
static inline uint32_t frame_out_len(const struct frame_out *out)
{
	return out->f->len + out->prefix_len - out->skip;
}

/**
 * frame_out_shift() - What to add to header offsets (csum_start, gso_hdr_len) of the frame on this
 * egress
 */
static inline int frame_out_shift(const struct frame_out *out)
{
	return (int)out->prefix_len - (int)out->skip;
}

/**
 * frame_out_copy() - Copy the frame's first bytes as the receiver sees them
 * @n: at most
 * Return: bytes copied.
 */
uint32_t frame_out_copy(const struct frame_out *out, uint8_t *to, uint32_t n);

#endif
