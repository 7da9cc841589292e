/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filling a guest's receive buffers, for both layouts. Included by ring_split.c and ring_packed.c only.
 *
 * The one copy of a frame's payload happens here: straight from the sender's memory into the receiver's. As on the way in,
 * runs of plain buffers are peeked at and prefetched; a frame that needs more than the next plain buffer
 * goes the general way: gather buffers until it fits, then copy, or put them back and drop the frame.
 */
#ifndef DATAPATH_VHOST_RING_TX_H
#define DATAPATH_VHOST_RING_TX_H

#include <rte_branch_prediction.h>
#include <rte_memcpy.h>
#include <rte_pause.h>
#include <string.h>

#include "base/copy.h"
#include "cycles.h"
#include "port.h"
#include "vhost/ring_layout.h"

#define RING_TX_RETRIES 8 /* looks at a full ring, about a microsecond in all */

/* Copies what the receiver will see of a frame behind its virtio header into one buffer. */
RING_INLINE void ring_copy_plain(const struct frame_out *out, uint8_t *to)
{
	const struct frame *f = out->f;

	if (out->prefix_len > 0) {
		copy_short(to, out->prefix, out->prefix_len);
		to += out->prefix_len;
	}
	copy_short(to, f->hdr + out->skip, f->hdr_len - out->skip);
	to += f->hdr_len - out->skip;
	for (uint16_t i = 0; i < f->n_segs; i++) {
		rte_memcpy(to, f->segs[i].base, f->segs[i].len);
		to += f->segs[i].len;
	}
}

/*
 * The header of a frame that wishes nothing, from constants. (Read back from a struct that was written in other pieces just before, it would have to
 * wait until those writes are in the cache: fourteen cycles a frame.) A constant length per branch keeps the copy inline.
 */
RING_INLINE void ring_put_header(uint8_t *to, uint8_t len)
{
	static const struct vnet_hdr plain = {.num_buffers = 1};

	if (likely(len == VNET_LEN_MAX))
		memcpy(to, &plain, VNET_LEN_MAX);
	else
		memcpy(to, &plain, VNET_LEN_OLD);
}

/* Where the next byte goes in a list of buffers. The list is long enough: its sum was checked. */
struct ring_cursor {
	struct ring_buf *buf;
	uint32_t used;
};

static inline void ring_scatter(struct ring_cursor *at, const void *data, uint32_t len)
{
	const uint8_t *from = data;

	while (len > 0) {
		uint32_t piece = at->buf->len - at->used;

		if (piece == 0) {
			at->buf++;
			at->used = 0;
			continue;
		}
		if (piece > len)
			piece = len;
		rte_memcpy(at->buf->base + at->used, from, piece);
		at->used += piece;
		from += piece;
		len -= piece;
	}
}

/* What ring_tx_gather() found for a frame. */
enum ring_room { RING_ROOM, RING_NO_ROOM, RING_ROOM_UNUSABLE, RING_TOO_SMALL };

/*
 * Takes chains into ring->bufs and behind the first @*n_done entries of ring->done until @total bytes fit. When they do not,
 * nothing is taken, but for an unusable chain at the front: that one is given back to the guest.
 */
static inline enum ring_room ring_tx_gather(struct ring *ring, uint32_t total, uint16_t *n_done,
					    uint16_t *n_chains, const struct ring_layout *layout)
{
	struct ring_position start = ring_position(ring);
	uint16_t first = *n_done, done = first, n_bufs = 0;
	uint64_t room = 0;

	while (room < total) {
		uint16_t n, chain_room = RING_TX_BUFS - n_bufs;
		uint64_t chain_len = 0;
		enum ring_take took;

		if (done > first && !ring->mergeable)
			goto too_small;
		if (chain_room == 0 || done == RING_DONE_MAX)
			goto too_small;
		took = layout->take(ring, true, ring->bufs + n_bufs, chain_room, &n,
				    &ring->done[done]);
		if (took == RING_EMPTY || took == RING_BROKEN) {
			ring_rewind(ring, start);
			return RING_NO_ROOM;
		}
		if (took == RING_UNUSABLE) {
			if (done > first) /* it will be at the front for the next frame */
				goto too_small;
			*n_done = done + 1;
			return RING_ROOM_UNUSABLE;
		}
		for (uint16_t i = 0; i < n; i++)
			chain_len += ring->bufs[n_bufs + i].len;
		n_bufs += n;
		/* All chains but the last are filled to their end. */
		ring->done[done++].len =
			(uint32_t)(chain_len < total - room ? chain_len : total - room);
		room += chain_len;
	}
	*n_chains = done - first;
	*n_done = done;
	return RING_ROOM;

too_small:
	ring_rewind(ring, start);
	return RING_TOO_SMALL;
}

/* The general way for one frame. @retries is how often a full ring may still be looked at in this call. */
static inline enum drop_reason ring_tx_chain(struct ring *ring, const struct frame_out *out,
					     struct vnet_hdr *hdr, uint16_t *n_done,
					     unsigned int *retries,
					     const struct ring_layout *layout)
{
	const struct frame *f = out->f;
	uint32_t total = ring->vnet_len + frame_out_len(out);
	struct ring_cursor at = {ring->bufs, 0};
	uint16_t n_chains;
	enum ring_room room;

	for (;;) {
		if (*n_done > RING_DONE_MAX - RING_TX_BUFS) {
			layout->give(ring, ring->done, *n_done, true);
			*n_done = 0;
		}
		room = ring_tx_gather(ring, total, n_done, &n_chains, layout);
		if (room != RING_NO_ROOM || *retries == 0 || ring->broken)
			break;
		/* Show the receiver what there is, so that it can make room. */
		layout->give(ring, ring->done, *n_done, true);
		*n_done = 0;
		(*retries)--;
		for (int i = 0; i < 4; i++)
			rte_pause();
	}
	switch (room) {
	case RING_NO_ROOM:
		return DROP_NO_ROOM;
	case RING_ROOM_UNUSABLE:
		return DROP_BAD_DESCRIPTOR;
	case RING_TOO_SMALL:
		return DROP_TOO_BIG_FOR_RECEIVER;
	case RING_ROOM:
		break;
	}
	hdr->num_buffers = n_chains;
	ring_scatter(&at, hdr, ring->vnet_len);
	ring_scatter(&at, out->prefix, out->prefix_len);
	ring_scatter(&at, f->hdr + out->skip, f->hdr_len - out->skip);
	for (uint16_t i = 0; i < f->n_segs; i++)
		ring_scatter(&at, f->segs[i].base, f->segs[i].len);
	return DROP_NONE;
}

RING_INLINE bool ring_tx_run(struct ring *ring, struct frame_out *out, uint16_t n,
			     const struct ring_layout *layout)
{
	struct ring_buf plain[FRAME_BURST];
	uint16_t n_plain = 0, at = 0, n_done = 0;
	unsigned int retries = RING_TX_RETRIES;
	uint16_t given_from = ring->next_used;
	bool wrapped_from = ring->used_wrap;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t total = ring->vnet_len + frame_out_len(&out[i]);
		bool has_wishes = (out[i].f->offload.flags | out[i].f->offload.gso) != 0;
		struct vnet_hdr hdr;

		if (unlikely(has_wishes)) {
			out[i].drop = vnet_write(&out[i], ring->offloads, &hdr);
			if (out[i].drop != DROP_NONE)
				continue;
		}
		if (at == n_plain) {
			layout->skip(ring, at);
			at = 0;
			n_plain = layout->peek(ring, n - i < FRAME_BURST ? n - i : FRAME_BURST,
					       true, plain);
		}
		if (likely(at < n_plain && plain[at].len >= total && n_done < RING_DONE_MAX)) {
			uint8_t *to = plain[at].base;

			if (likely(!has_wishes))
				ring_put_header(to, ring->vnet_len);
			else
				memcpy(to, &hdr, ring->vnet_len);
			ring_copy_plain(&out[i], to + ring->vnet_len);
			ring->done[n_done++] = (struct ring_done){plain[at++].id, 1, total};
			out[i].drop = DROP_NONE;
			continue;
		}
		layout->skip(ring, at);
		at = n_plain = 0;
		if (!has_wishes)
			hdr = (struct vnet_hdr){.num_buffers = 1};
		out[i].drop = ring_tx_chain(ring, &out[i], &hdr, &n_done, &retries, layout);
	}
	layout->skip(ring, at);
	cycles_mark(CYCLES_SEND);
	layout->give(ring, ring->done, n_done, true);
	if (ring->next_used == given_from && ring->used_wrap == wrapped_from)
		return false;
	return layout->wants_signal(ring);
}

#endif
