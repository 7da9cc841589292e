/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split ring: virtio 1.2 §2.7. See ring.h for the rules and the memory order. Runs on the workers.
 */
#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "vhost/ring_layout.h"
#include "vhost/ring_rx.h"
#include "vhost/ring_tx.h"

/* A descriptor, loaded once: two words that the guest may change between, each of them checked as loaded. */
struct split_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

RING_INLINE struct split_desc split_desc_load(const struct vring_desc *desc)
{
	const uint64_t *words = (const uint64_t *)desc;
	uint64_t addr = __atomic_load_n(&words[0], __ATOMIC_RELAXED);
	uint64_t rest = __atomic_load_n(&words[1], __ATOMIC_RELAXED);

	return (struct split_desc){addr, (uint32_t)rest, (uint16_t)(rest >> 32),
				   (uint16_t)(rest >> 48)};
}

/* How many chains wait, looking at avail->idx only when fewer than @enough are known of. */
RING_INLINE uint16_t split_n_waiting(struct ring *ring, uint16_t enough)
{
	uint16_t n = (uint16_t)(ring->avail_seen - ring->next_avail);

	if (n >= enough)
		return n;
	ring->avail_seen = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	n = (uint16_t)(ring->avail_seen - ring->next_avail);
	if (unlikely(n > ring->size)) {
		ring->broken = true;
		ring->avail_seen = ring->next_avail;
		return 0;
	}
	return n;
}

RING_INLINE uint16_t split_head(const struct ring *ring, uint16_t index)
{
	return __atomic_load_n(&ring->avail->ring[index & (ring->size - 1)], __ATOMIC_RELAXED);
}

RING_INLINE uint16_t split_peek(struct ring *ring, uint16_t max, bool writable,
				struct ring_buf *bufs)
{
	const uint16_t want = writable ? VRING_DESC_F_WRITE : 0;
	uint16_t n = split_n_waiting(ring, max);

	if (n > max)
		n = max;
	for (uint16_t i = 0; i < n; i++) {
		uint16_t head = split_head(ring, ring->next_avail + i);
		struct split_desc desc;

		if (unlikely(head >= ring->size))
			return i;
		desc = split_desc_load(&ring->desc[head]);
		if ((desc.flags &
		     (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)) != want ||
		    desc.len == 0)
			return i;
		bufs[i].base = vhost_mem_at(ring->mem, desc.addr, desc.len);
		if (unlikely(bufs[i].base == NULL))
			return i;
		bufs[i].len = desc.len;
		bufs[i].id = head;
		if (writable) {
			ring_prefetch_write(bufs[i].base);
			ring_prefetch_write(bufs[i].base + 64);
		} else {
			rte_prefetch0(bufs[i].base);
			rte_prefetch0(bufs[i].base + 64);
		}
	}
	return n;
}

RING_INLINE void split_skip(struct ring *ring, uint16_t n)
{
	ring->next_avail += n;
}

static enum ring_take split_take(struct ring *ring, bool writable, struct ring_buf *bufs,
				 uint16_t room, uint16_t *n_bufs, struct ring_done *done)
{
	const struct vring_desc *table = ring->desc;
	uint32_t n_table = ring->size;
	struct split_desc desc;
	uint16_t head, n = 0;

	if (ring->broken || split_n_waiting(ring, 1) == 0)
		return ring->broken ? RING_BROKEN : RING_EMPTY;
	head = split_head(ring, ring->next_avail);
	if (head >= ring->size) {
		ring->broken = true;
		return RING_BROKEN;
	}
	ring->next_avail++;
	*done = (struct ring_done){head, 1, 0};
	*n_bufs = 0;

	desc = split_desc_load(&table[head]);
	if (desc.flags & VRING_DESC_F_INDIRECT) {
		if (!ring->indirect || desc.flags & VRING_DESC_F_NEXT || desc.len == 0 ||
		    desc.len % sizeof(*table) != 0 || desc.addr % sizeof(uint64_t) != 0)
			return RING_UNUSABLE;
		table = (const struct vring_desc *)vhost_mem_at(ring->mem, desc.addr, desc.len);
		if (table == NULL || (uintptr_t)table % sizeof(uint64_t) != 0)
			return RING_UNUSABLE;
		n_table = desc.len / sizeof(*table);
		desc = split_desc_load(&table[0]);
	}
	/* Ends at the latest when @room is used up: every step takes one buffer. */
	for (;;) {
		if (desc.flags & VRING_DESC_F_INDIRECT || desc.len == 0 || n == room ||
		    !(desc.flags & VRING_DESC_F_WRITE) == writable)
			return RING_UNUSABLE;
		bufs[n].base = vhost_mem_at(ring->mem, desc.addr, desc.len);
		if (bufs[n].base == NULL)
			return RING_UNUSABLE;
		bufs[n++].len = desc.len;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			break;
		if (desc.next >= n_table)
			return RING_UNUSABLE;
		desc = split_desc_load(&table[desc.next]);
	}
	*n_bufs = n;
	return RING_TAKEN;
}

RING_INLINE void split_give(struct ring *ring, const struct ring_done *done, uint16_t n,
			    bool writable)
{
	const uint16_t mask = ring->size - 1;

	(void)writable;
	if (n == 0)
		return;
	for (uint16_t i = 0; i < n; i++) {
		uint64_t *used =
			(uint64_t *)&ring->used->ring[(uint16_t)(ring->next_used + i) & mask];

		/* used elements are only 4-byte aligned: two words */
		__atomic_store_n((uint32_t *)used, done[i].id, __ATOMIC_RELAXED);
		__atomic_store_n((uint32_t *)used + 1, done[i].len, __ATOMIC_RELAXED);
		RING_STORED();
	}
	ring->next_used += n;
	__atomic_store_n(&ring->used->idx, ring->next_used, __ATOMIC_RELEASE);
	RING_STORED();
}

static bool split_wants_signal(struct ring *ring)
{
	uint16_t old = ring->signalled;
	bool valid = ring->signalled_valid;
	uint16_t event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->event_idx)
		return !(__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(&ring->avail->ring[ring->size], __ATOMIC_RELAXED);
	ring->signalled = ring->next_used;
	ring->signalled_valid = true;
	return !valid || ring_passed(event, ring->next_used, old);
}

static bool split_arm(struct ring *ring, bool armed)
{
	if (ring->event_idx) {
		/* Disarmed, the event stays where it is: behind us, it is not passed again soon. */
		if (armed)
			__atomic_store_n((uint16_t *)&ring->used->ring[ring->size],
					 ring->next_avail, __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&ring->used->flags, armed ? 0 : VRING_USED_F_NO_NOTIFY,
				 __ATOMIC_RELAXED);
	}
	if (!armed)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* A broken ring has nothing to wait for either: the next rx reports it. */
	return split_n_waiting(ring, ring->size) > 0 || ring->broken;
}

static uint16_t split_rx(struct ring *ring, struct frame *frames, uint16_t max, uint64_t *drops);
static bool split_tx(struct ring *ring, struct frame_out *out, uint16_t n);

const struct ring_layout ring_split_layout = {
	.peek = split_peek,
	.skip = split_skip,
	.take = split_take,
	.give = split_give,
	.wants_signal = split_wants_signal,
	.arm = split_arm,
	.rx = split_rx,
	.tx = split_tx,
};

static uint16_t split_rx(struct ring *ring, struct frame *frames, uint16_t max, uint64_t *drops)
{
	return ring_rx_run(ring, frames, max, drops, &ring_split_layout);
}

static bool split_tx(struct ring *ring, struct frame_out *out, uint16_t n)
{
	return ring_tx_run(ring, out, n, &ring_split_layout);
}
