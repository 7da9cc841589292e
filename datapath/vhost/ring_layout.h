/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What differs between split and packed rings, as seen by ring_rx.c and ring_tx.c. Private to datapath/vhost.
 *
 * The bodies of rx and tx are written once, as inline functions over a constant table, and instantiated per layout: the
 * compiler resolves the calls, a burst pays one indirect call.
 */
#ifndef DATAPATH_VHOST_RING_LAYOUT_H
#define DATAPATH_VHOST_RING_LAYOUT_H

#include "vhost/ring.h"

/* Behind each store that a driver or the next switch may see; tests die here. */
#ifndef RING_STORED
#define RING_STORED() ((void)0)
#endif

#define RING_WRAP (1 << 15) /* wrap counter in a packed ring's positions */

#define RING_INLINE static inline __attribute__((always_inline))

enum ring_take {
	RING_EMPTY,
	RING_TAKEN,
	RING_UNUSABLE, /* taken, but must be given back without being used */
	RING_BROKEN    /* ring->broken was set; nothing taken */
};

struct ring_position {
	uint16_t next_avail;
	bool avail_wrap;
};

struct ring_layout {
	/*
	 * The next chains that consist of one plain buffer, at most @max, without taking them. 0 does not mean that the ring is
	 * empty: the next chain may be of another kind, or bad.
	 */
	uint16_t (*peek)(struct ring *ring, uint16_t max, bool writable, struct ring_buf *bufs);
	/* Take @n chains that were peeked at. */
	void (*skip)(struct ring *ring, uint16_t n);
	/* Take the next chain, of any kind: up to @room buffers, their number, and what to give back. */
	enum ring_take (*take)(struct ring *ring, bool writable, struct ring_buf *bufs,
			       uint16_t room, uint16_t *n_bufs, struct ring_done *done);
	/* Give @n chains back. */
	void (*give)(struct ring *ring, const struct ring_done *done, uint16_t n, bool writable);
	/* After give: does the peer want a signal? */
	bool (*wants_signal)(struct ring *ring);
	/* See ring_arm(). */
	bool (*arm)(struct ring *ring, bool armed);

	uint16_t (*rx)(struct ring *ring, struct frame *frames, uint16_t max, uint64_t *drops);
	bool (*tx)(struct ring *ring, struct frame_out *out, uint16_t n);
};

extern const struct ring_layout ring_split_layout, ring_packed_layout;

/* A packed ring's position as the in-flight region keeps it: both halves agree, no batch is half done. */
RING_INLINE uint64_t inflight_position(uint16_t index, bool wrap)
{
	return index * UINT64_C(0x10001) | (wrap ? UINT64_C(0x0101) << 32 : 0);
}

/**
 * ring_packed_redo() - Give a batch back that a switch before us was giving back when it died
 *
 * The batch begins at next_used, which moves behind it. Nothing is written if the driver could see it already.
 */
void ring_packed_redo(struct ring *ring, const struct ring_done *done, uint16_t n, bool writable);

RING_INLINE struct ring_position ring_position(const struct ring *ring)
{
	return (struct ring_position){ring->next_avail, ring->avail_wrap};
}

RING_INLINE void ring_rewind(struct ring *ring, struct ring_position to)
{
	ring->next_avail = to.next_avail;
	ring->avail_wrap = to.avail_wrap;
}

/*
 * The line that @at is in will be written. Where it is in another CPU's cache, a fetch for reading would be the first of two trips: and that is
 * what compilers make of __builtin_prefetch(at, 1) for a CPU that might be too old.
 */
RING_INLINE void ring_prefetch_write(const uint8_t *at)
{
	__asm__ volatile("prefetchw %0" : : "m"(*at));
}

/* virtio 1.2 §2.7.10: has the counter passed @event on its way from @old to @now? */
RING_INLINE bool ring_passed(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

#endif
