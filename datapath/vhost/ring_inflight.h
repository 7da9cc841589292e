/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In-flight state of a ring: what a switch that is killed leaves to the next one, in memory that the front-end keeps.
 *
 * Theory of operation
 *
 * A worker finishes what it takes within the burst, in order. So nothing has to be known of single descriptors, as
 * devices that wait for a disk need it: between bursts a ring is its position, and all descriptors behind it
 * are untouched.
 *
 *  - Split: used->idx is that position, in the guest's memory, and moves with one store. A burst that was not given back is
 *    taken again. The region only says so: no descriptor in flight, ever. The fast path does not touch it.
 *  - Packed: the position is nowhere in the ring, and a batch is given back by several stores, of which the first
 *    descriptor's comes last (ring_packed.c). So, once a batch:
 *      1. the batch is copied into the journal, and one store says how many from where: it *will* be given back;
 *      2. the ring is written;
 *      3. one store moves the position behind it.
 *    Whoever finds a journal whose batch begins at the position looks at the first descriptor. Still available: the
 *    driver has seen nothing and waits just there; the batch is written again, whole. Else: it was all
 *    written, and the driver may have used its descriptors anew; they are left alone, and the position moves. Before 1 and
 *    after 3 there is nothing to do.
 *
 * Hence no ring stops and no descriptor is lost or given back twice. Frames that the burst had taken from a sender when the
 * switch died are taken again: at most FRAME_BURST per queue are delivered twice, none is lost.
 *
 * The layouts are those of the vhost-user specification ("Inflight I/O tracking"), with no descriptor in flight; behind all
 * queues comes a journal for each, which is ours. The guest cannot reach a region. The front-end's process can, at any
 * time: what is in it is loaded once and checked, and nothing in it is used to address memory.
 */
#ifndef DATAPATH_VHOST_RING_INFLIGHT_H
#define DATAPATH_VHOST_RING_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INFLIGHT_VERSION 1 /* of the specification's layouts; 0: never used */
#define INFLIGHT_ALIGN	 64

struct ring;
struct ring_done;

/* Heads of a queue's part of the region; an array of the queue's size follows. */
struct inflight_split {
	uint64_t features; /* 0 */
	uint16_t version;
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
};

struct inflight_packed {
	uint64_t features; /* 0 */
	uint16_t version;
	uint16_t desc_num;
	uint16_t free_head;
	uint16_t old_free_head;
	union {
		struct {
			uint16_t used_idx, old_used_idx;
			uint8_t used_wrap_counter, old_used_wrap_counter;
			uint8_t zero[2];
		};
		uint64_t position; /* all of the above, in one store */
	};
	uint8_t padding[8];
};

#define INFLIGHT_SPLIT_DESC  16
#define INFLIGHT_PACKED_DESC 32

#define JOURNAL_MAGIC	 UINT64_C(0x31306c6e72756f6a) /* changes with the layout */
#define JOURNAL_DONE_MAX 320
#define JOURNAL_WRITABLE (UINT32_C(1) << 31)

struct ring_journal {
	uint64_t magic;
	uint32_t batch; /* position it begins at | number << 16 | JOURNAL_WRITABLE */
	uint32_t padding[13];
	uint64_t done[JOURNAL_DONE_MAX]; /* struct ring_done */
};

/* One ring's part of a region, in shared memory; state is NULL without. */
struct ring_inflight {
	union {
		struct inflight_split *split;
		struct inflight_packed *packed;
		void *state;
	};
	struct ring_journal *journal; /* packed rings only */
};

_Static_assert(sizeof(struct inflight_split) == 16 && sizeof(struct inflight_packed) == 32,
	       "vhost-user specification, Inflight I/O tracking");
_Static_assert(sizeof(struct ring_journal) % INFLIGHT_ALIGN == 0, "one behind the other");

/**
 * ring_inflight_bytes() - How large a region has to be
 * @size: of each queue
 */
static inline uint64_t ring_inflight_bytes(bool packed, uint16_t n_queues, uint16_t size)
{
	uint64_t state =
		packed ? sizeof(struct inflight_packed) + INFLIGHT_PACKED_DESC * (uint64_t)size
		       : sizeof(struct inflight_split) + INFLIGHT_SPLIT_DESC * (uint64_t)size;

	state = (state + INFLIGHT_ALIGN - 1) & ~(uint64_t)(INFLIGHT_ALIGN - 1);
	return n_queues * (state + (packed ? sizeof(struct ring_journal) : 0));
}

/** ring_inflight_at() - Where ring @index's part of a region of that many bytes is */
struct ring_inflight ring_inflight_at(void *region, bool packed, uint16_t n_queues, uint16_t size,
				      uint16_t index);

/**
 * ring_inflight_begin() - A ring is opened at its position and keeps this part from now on
 * Context: before the ring is worked.
 */
void ring_inflight_begin(struct ring *ring, const struct ring_inflight *inflight);

/**
 * ring_inflight_recover() - Take a ring up where the switch before left it
 * @ring: open, its positions as the front-end said; they are replaced, and a batch that was under way is given back
 *
 * A part that was never used leaves the ring as it is. Call ring_inflight_begin() afterwards.
 * Return: NULL, or a constant sentence: what is in the part cannot be, and the ring must not be worked.
 */
const char *ring_inflight_recover(struct ring *ring, const struct ring_inflight *inflight);

#endif
