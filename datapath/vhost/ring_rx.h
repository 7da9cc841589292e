/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking frames from a ring, for both layouts. Included by ring_split.c and ring_packed.c only.
 *
 * Most frames are one plain buffer: peek finds a run of those, prefetches them, and they become frames in a second pass. All
 * other chains go one by one through the general way, which gathers header and snapshot across buffers.
 */
#ifndef DATAPATH_VHOST_RING_RX_H
#define DATAPATH_VHOST_RING_RX_H

#include <rte_atomic.h>
#include <rte_branch_prediction.h>
#include <rte_memcpy.h>
#include <stddef.h>
#include <string.h>

#include "base/copy.h"
#include "port.h"
#include "vhost/ring_layout.h"

/* Checks the length (runts are the stages' business: a wire carries them), clears what the stages fill in. */
RING_INLINE enum drop_reason ring_frame_begin(struct frame *f, uint32_t len)
{
	if (unlikely(len == 0))
		return DROP_BAD_DESCRIPTOR;
	if (unlikely(len > FRAME_LEN_MAX))
		return DROP_OVERSIZE;
	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	f->len = len;
	f->hdr_len = (uint16_t)(len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
	return DROP_NONE;
}

/* What a sender's header wishes; @low and @high are its ten bytes, loaded once. */
static __attribute__((noinline)) enum drop_reason ring_frame_wishes(struct ring *ring, uint64_t low,
								    uint16_t high, struct frame *f)
{
	struct vnet_hdr hdr = {0}; /* num_buffers means nothing on this way */

	memcpy(&hdr, &low, sizeof(low));
	memcpy((uint8_t *)&hdr + sizeof(low), &high, sizeof(high));
	return vnet_read(&hdr, ring->offloads, f) ? DROP_NONE : DROP_BAD_OFFLOAD;
}

/* A frame out of one buffer; *@n_segs counts the burst's segments. */
RING_INLINE enum drop_reason ring_frame_plain(struct ring *ring, const struct ring_buf *buf,
					      struct frame *f, uint16_t *n_segs)
{
	const uint8_t *payload = buf->base + ring->vnet_len;
	enum drop_reason reason;
	uint64_t low;
	uint16_t high;

	if (unlikely(buf->len < ring->vnet_len))
		return DROP_BAD_DESCRIPTOR;
	reason = ring_frame_begin(f, buf->len - ring->vnet_len);
	if (unlikely(reason != DROP_NONE))
		return reason;
	if (f->len > FRAME_HDR_MAX) {
		rte_memcpy(f->hdr, payload, FRAME_HDR_MAX);
		f->segs = &ring->segs[*n_segs];
		f->n_segs = 1;
		ring->segs[(*n_segs)++] =
			(struct frame_seg){payload + FRAME_HDR_MAX, f->len - FRAME_HDR_MAX};
	} else {
		copy_short(f->hdr, payload, f->len);
	}
	static_assert(VNET_LEN_OLD == sizeof(low) + sizeof(high), "the header's bytes");
	memcpy(&low, buf->base, sizeof(low));
	memcpy(&high, buf->base + sizeof(low), sizeof(high));
	rte_compiler_barrier(); /* from here on the copies, never the original */
	if (likely((low & VNET_WISHES) == 0))
		return DROP_NONE;
	return ring_frame_wishes(ring, low, high, f);
}

/* Moves up to @want bytes from the front of a list of buffers; returns how many there were. */
static inline uint32_t ring_gather(struct ring_buf **at, const struct ring_buf *end, uint8_t *to,
				   uint32_t want)
{
	uint32_t got = 0;

	while (got < want && *at < end) {
		uint32_t piece = (*at)->len < want - got ? (*at)->len : want - got;

		memcpy(to + got, (*at)->base, piece);
		(*at)->base += piece;
		(*at)->len -= piece;
		got += piece;
		if ((*at)->len == 0)
			(*at)++;
	}
	return got;
}

/* A frame out of ring->bufs[0..@n). */
static inline enum drop_reason ring_frame_chain(struct ring *ring, uint16_t n, struct frame *f,
						uint16_t *n_segs)
{
	struct ring_buf *at = ring->bufs, *end = ring->bufs + n;
	struct vnet_hdr hdr = {0};
	enum drop_reason reason;
	uint64_t len = 0;

	for (const struct ring_buf *buf = at; buf < end; buf++)
		len += buf->len;
	if (len < ring->vnet_len)
		return DROP_BAD_DESCRIPTOR;
	len -= ring->vnet_len;
	reason = ring_frame_begin(f, len > FRAME_LEN_MAX ? FRAME_LEN_MAX + 1 : (uint32_t)len);
	if (reason != DROP_NONE)
		return reason;
	ring_gather(&at, end, (uint8_t *)&hdr, ring->vnet_len);
	ring_gather(&at, end, f->hdr, f->hdr_len);
	if (end - at > FRAME_SEGS_MAX)
		return DROP_BAD_DESCRIPTOR;
	f->segs = &ring->segs[*n_segs];
	f->n_segs = (uint16_t)(end - at);
	for (; at < end; at++)
		ring->segs[(*n_segs)++] = (struct frame_seg){at->base, at->len};
	return vnet_read(&hdr, ring->offloads, f) ? DROP_NONE : DROP_BAD_OFFLOAD;
}

RING_INLINE uint16_t ring_rx_run(struct ring *ring, struct frame *frames, uint16_t max,
				 uint64_t *drops, const struct ring_layout *layout)
{
	uint16_t n_segs = 0, n_frames = 0;
	enum drop_reason reason;

	if (max > FRAME_BURST)
		max = FRAME_BURST;
	/* Each round takes at least one chain, and a burst takes no more chains than it may have frames. */
	while (ring->n_done < max && n_segs <= RING_SEGS_POOL - FRAME_SEGS_MAX) {
		struct ring_buf plain[FRAME_BURST];
		uint16_t n = layout->peek(ring, max - ring->n_done, false, plain);

		for (uint16_t i = 0; i < n; i++) {
			reason = ring_frame_plain(ring, &plain[i], &frames[n_frames], &n_segs);
			ring->done[ring->n_done++] = (struct ring_done){plain[i].id, 1, 0};
			if (likely(reason == DROP_NONE))
				n_frames++;
			else
				drops[reason]++;
		}
		if (n > 0) {
			layout->skip(ring, n);
			continue;
		}

		uint16_t n_bufs;
		enum ring_take took = layout->take(ring, false, ring->bufs, RING_BUFS_MAX, &n_bufs,
						   &ring->done[ring->n_done]);

		if (took == RING_EMPTY || took == RING_BROKEN)
			break;
		ring->n_done++;
		reason = took == RING_TAKEN
				 ? ring_frame_chain(ring, n_bufs, &frames[n_frames], &n_segs)
				 : DROP_BAD_DESCRIPTOR;
		if (reason == DROP_NONE)
			n_frames++;
		else
			drops[reason]++;
	}
	return n_frames;
}

#endif
