/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packed ring: virtio 1.2 §2.8. See ring.h for the rules and the memory order. Runs on the workers.
 *
 * One array of descriptors serves both ways. A descriptor is available when its AVAIL flag equals the driver's wrap
 * counter and its USED flag does not; it is used when both equal the device's. We write id, length and flags of a used
 * descriptor with one 64-bit store.
 */
#include <rte_branch_prediction.h>
#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "vhost/ring_layout.h"
#include "vhost/ring_rx.h"
#include "vhost/ring_tx.h"

#define PACKED_F_AVAIL (1 << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_F_USED  (1 << VRING_PACKED_DESC_F_USED)
#define PACKED_WRAP    RING_WRAP /* of offsets in event suppression areas */

struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

RING_INLINE struct packed_desc packed_desc_load(const struct vring_packed_desc *desc)
{
	const uint64_t *words = (const uint64_t *)desc;
	/* The word with the flags first: it says whether the other one is ours to read. */
	uint64_t rest = __atomic_load_n(&words[1], __ATOMIC_ACQUIRE);
	uint64_t addr = __atomic_load_n(&words[0], __ATOMIC_RELAXED);

	return (struct packed_desc){addr, (uint32_t)rest, (uint16_t)(rest >> 32),
				    (uint16_t)(rest >> 48)};
}

RING_INLINE bool packed_is_available(uint16_t flags, bool wrap)
{
	return !!(flags & PACKED_F_AVAIL) == wrap && !!(flags & PACKED_F_USED) != wrap;
}

RING_INLINE void packed_step(const struct ring *ring, uint16_t n, uint16_t *position, bool *wrap)
{
	uint32_t next = (uint32_t)*position + n;

	if (next >= ring->size) {
		next -= ring->size;
		*wrap = !*wrap;
	}
	*position = (uint16_t)next;
}

RING_INLINE uint16_t packed_peek(struct ring *ring, uint16_t max, bool writable,
				 struct ring_buf *bufs)
{
	const uint16_t want = writable ? VRING_DESC_F_WRITE : 0;
	uint16_t at = ring->next_avail;
	bool wrap = ring->avail_wrap;

	/* At most one lap at a time: what packed_step() can do. */
	if (max > ring->size)
		max = ring->size;
	for (uint16_t i = 0; i < max; i++) {
		struct packed_desc desc = packed_desc_load(&ring->pdesc[at]);

		if (!packed_is_available(desc.flags, wrap) ||
		    (desc.flags &
		     (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | VRING_DESC_F_INDIRECT)) != want ||
		    desc.len == 0)
			return i;
		bufs[i].base = vhost_mem_at(ring->mem, desc.addr, desc.len);
		if (unlikely(bufs[i].base == NULL))
			return i;
		bufs[i].len = desc.len;
		bufs[i].id = desc.id;
		if (writable) {
			ring_prefetch_write(bufs[i].base);
			ring_prefetch_write(bufs[i].base + 64);
		} else {
			rte_prefetch0(bufs[i].base);
			rte_prefetch0(bufs[i].base + 64);
		}
		packed_step(ring, 1, &at, &wrap);
	}
	return max;
}

RING_INLINE void packed_skip(struct ring *ring, uint16_t n)
{
	packed_step(ring, n, &ring->next_avail, &ring->avail_wrap);
}

/* A table of descriptors behind one descriptor: §2.8.7. Order is that of the table; there are no links. */
static enum ring_take packed_take_indirect(struct ring *ring, const struct packed_desc *outer,
					   bool writable, struct ring_buf *bufs, uint16_t room,
					   uint16_t *n_bufs)
{
	const struct vring_packed_desc *table;
	uint32_t n_table = outer->len / sizeof(*table);

	if (!ring->indirect || outer->flags & VRING_DESC_F_NEXT || n_table == 0 || n_table > room ||
	    outer->len % sizeof(*table) != 0 || outer->addr % sizeof(uint64_t) != 0)
		return RING_UNUSABLE;
	table = (const struct vring_packed_desc *)vhost_mem_at(ring->mem, outer->addr, outer->len);
	if (table == NULL || (uintptr_t)table % sizeof(uint64_t) != 0)
		return RING_UNUSABLE;
	for (uint32_t i = 0; i < n_table; i++) {
		struct packed_desc desc = packed_desc_load(&table[i]);

		if (desc.flags & VRING_DESC_F_INDIRECT || desc.len == 0 ||
		    !(desc.flags & VRING_DESC_F_WRITE) == writable)
			return RING_UNUSABLE;
		bufs[i].base = vhost_mem_at(ring->mem, desc.addr, desc.len);
		if (bufs[i].base == NULL)
			return RING_UNUSABLE;
		bufs[i].len = desc.len;
	}
	*n_bufs = (uint16_t)n_table;
	return RING_TAKEN;
}

static enum ring_take packed_take(struct ring *ring, bool writable, struct ring_buf *bufs,
				  uint16_t room, uint16_t *n_bufs, struct ring_done *done)
{
	uint16_t at = ring->next_avail, n_slots = 0, n = 0;
	bool wrap = ring->avail_wrap;
	enum ring_take result = RING_TAKEN;
	struct packed_desc desc;

	if (ring->broken)
		return RING_BROKEN;
	desc = packed_desc_load(&ring->pdesc[at]);
	if (!packed_is_available(desc.flags, wrap))
		return RING_EMPTY;
	*n_bufs = 0;
	/* Even a chain that is unusable is walked to its end: only that tells where the next one begins. */
	for (;;) {
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (n_slots > 0)
				result = RING_UNUSABLE;
			else
				result =
					packed_take_indirect(ring, &desc, writable, bufs, room, &n);
		} else if (desc.len == 0 || n == room ||
			   !(desc.flags & VRING_DESC_F_WRITE) == writable) {
			result = RING_UNUSABLE;
		} else if (result == RING_TAKEN) {
			bufs[n].base = vhost_mem_at(ring->mem, desc.addr, desc.len);
			if (bufs[n].base == NULL)
				result = RING_UNUSABLE;
			bufs[n++].len = desc.len;
		}
		n_slots++;
		packed_step(ring, 1, &at, &wrap);
		if (!(desc.flags & VRING_DESC_F_NEXT))
			break;
		if (n_slots == ring->size) {
			ring->broken = true;
			return RING_BROKEN;
		}
		desc = packed_desc_load(&ring->pdesc[at]);
		if (!packed_is_available(desc.flags, wrap)) {
			ring->broken = true;
			return RING_BROKEN;
		}
	}
	*done = (struct ring_done){desc.id, n_slots, 0};
	ring->next_avail = at;
	ring->avail_wrap = wrap;
	*n_bufs = n;
	return result;
}

RING_INLINE void packed_write_used(struct ring *ring, const struct ring_done *done, uint16_t at,
				   bool wrap, bool writable)
{
	uint16_t flags = wrap ? PACKED_F_AVAIL | PACKED_F_USED : 0;

	if (writable && done->len > 0)
		flags |= VRING_DESC_F_WRITE;
	__atomic_store_n((uint64_t *)&ring->pdesc[at] + 1,
			 done->len | (uint64_t)done->id << 32 | (uint64_t)flags << 48,
			 __ATOMIC_RELEASE);
	RING_STORED();
}

/* ring_inflight.h, step 1: nothing of the batch may be written before. */
RING_INLINE void packed_journal_write(const struct ring *ring, const struct ring_done *done,
				      uint16_t n, bool writable)
{
	struct ring_journal *journal = ring->inflight.journal;

	rte_memcpy(journal->done, done, n * sizeof(*done));
	RING_STORED();
	__atomic_store_n(&journal->batch,
			 ring->next_used | (ring->used_wrap ? PACKED_WRAP : 0) | (uint32_t)n << 16 |
				 (writable ? JOURNAL_WRITABLE : 0),
			 __ATOMIC_RELEASE);
	RING_STORED();
}

/* Step 3: and nothing of the next batch, its journal included, before this. */
RING_INLINE void packed_journal_close(const struct ring *ring)
{
	__atomic_store_n(&ring->inflight.packed->position,
			 inflight_position(ring->next_used, ring->used_wrap), __ATOMIC_RELEASE);
	rte_compiler_barrier();
	RING_STORED();
}

/* The first one is written last: a driver that looks in ring order sees the whole batch or nothing. */
RING_INLINE void packed_give(struct ring *ring, const struct ring_done *done, uint16_t n,
			     bool writable)
{
	uint16_t first = ring->next_used;
	bool first_wrap = ring->used_wrap;

	if (n == 0)
		return;
	if (ring->inflight.journal != NULL)
		packed_journal_write(ring, done, n, writable);
	packed_step(ring, done[0].n_slots, &ring->next_used, &ring->used_wrap);
	for (uint16_t i = 1; i < n; i++) {
		packed_write_used(ring, &done[i], ring->next_used, ring->used_wrap, writable);
		packed_step(ring, done[i].n_slots, &ring->next_used, &ring->used_wrap);
	}
	packed_write_used(ring, &done[0], first, first_wrap, writable);
	if (ring->inflight.journal != NULL)
		packed_journal_close(ring);
}

void ring_packed_redo(struct ring *ring, const struct ring_done *done, uint16_t n, bool writable)
{
	if (packed_is_available(packed_desc_load(&ring->pdesc[ring->next_used]).flags,
				ring->used_wrap)) {
		packed_give(ring, done, n, writable);
		return;
	}
	for (uint16_t i = 0; i < n; i++)
		packed_step(ring, done[i].n_slots, &ring->next_used, &ring->used_wrap);
}

static bool packed_wants_signal(struct ring *ring)
{
	uint16_t old = ring->signalled, now = ring->next_used;
	bool valid = ring->signalled_valid;
	uint16_t flags, event;
	uint32_t both;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	both = __atomic_load_n((uint32_t *)ring->driver_event, __ATOMIC_RELAXED);
	flags = (uint16_t)(both >> 16) & 3;
	ring->signalled = now;
	ring->signalled_valid = true;
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (!ring->event_idx || flags != VRING_PACKED_EVENT_FLAG_DESC || !valid)
		return true;
	/* Bring event, now and old onto one axis on which `now` lies in the current lap: §2.8.10. */
	event = both & (PACKED_WRAP - 1);
	if (now <= old)
		old -= ring->size;
	if (!!(both & PACKED_WRAP) != ring->used_wrap)
		event -= ring->size;
	return ring_passed(event, now, old);
}

static bool packed_arm(struct ring *ring, bool armed)
{
	struct vring_packed_desc_event *event = ring->device_event;

	if (!armed) {
		__atomic_store_n(&event->flags, VRING_PACKED_EVENT_FLAG_DISABLE, __ATOMIC_RELAXED);
		return false;
	}
	if (ring->event_idx) {
		__atomic_store_n(&event->off_wrap,
				 ring->next_avail | (ring->avail_wrap ? PACKED_WRAP : 0),
				 __ATOMIC_RELAXED);
		__atomic_store_n(&event->flags, VRING_PACKED_EVENT_FLAG_DESC, __ATOMIC_RELEASE);
	} else {
		__atomic_store_n(&event->flags, VRING_PACKED_EVENT_FLAG_ENABLE, __ATOMIC_RELAXED);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring->broken ||
	       packed_is_available(packed_desc_load(&ring->pdesc[ring->next_avail]).flags,
				   ring->avail_wrap);
}

static uint16_t packed_rx(struct ring *ring, struct frame *frames, uint16_t max, uint64_t *drops);
static bool packed_tx(struct ring *ring, struct frame_out *out, uint16_t n);

const struct ring_layout ring_packed_layout = {
	.peek = packed_peek,
	.skip = packed_skip,
	.take = packed_take,
	.give = packed_give,
	.wants_signal = packed_wants_signal,
	.arm = packed_arm,
	.rx = packed_rx,
	.tx = packed_tx,
};

static uint16_t packed_rx(struct ring *ring, struct frame *frames, uint16_t max, uint64_t *drops)
{
	return ring_rx_run(ring, frames, max, drops, &ring_packed_layout);
}

static bool packed_tx(struct ring *ring, struct frame_out *out, uint16_t n)
{
	return ring_tx_run(ring, out, n, &ring_packed_layout);
}
