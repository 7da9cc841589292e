/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames that wait in one direction: bytes in chunks, and a heap by the time when they are due.
 *
 * One mapping, reserved at once, touched as it is used: chunks and records that were given back are used again first. No
 * locking: impair.c has it.
 */
#ifndef DATAPATH_IMPAIR_STORE_H
#define DATAPATH_IMPAIR_STORE_H

#include <stddef.h>

#include "impair/impair.h"

struct store_record {
	uint64_t due_ns;
	uint64_t serial; /* order of those that are due at the same time */
	uint32_t len;
	uint32_t first_chunk;
	uint16_t in_port;
	uint8_t hops;
	struct frame_offload offload;
};

/* Things with a number that are taken and given back. */
struct store_pool {
	uint32_t *next; /* of those that were given back; also the chain of a frame's chunks */
	uint32_t free;	/* first of those, STORE_NONE: none */
	uint32_t n_touched;
	uint32_t size;
};

#define STORE_NONE UINT32_MAX

struct store {
	void *memory;
	size_t size;
	struct store_record *records;
	uint32_t *heap; /* of records */
	uint32_t n;	/* in the heap */
	uint64_t serial;
	uint64_t bytes; /* of the frames held, those being sent included */
	uint32_t n_held;
	struct store_pool record_pool, chunk_pool;
	uint8_t *chunks;
	uint64_t *turns; /* room for IMPAIR_QUEUE_MAX, not the store's own */
};

/** store_init() - Return: 0 or -ENOMEM */
int store_init(struct store *store);
void store_fini(struct store *store);

/**
 * store_put() - Keep a copy of a frame
 * @flip: bit of the frame that is inverted in the copy, or -1
 * Return: false when there is no room.
 */
bool store_put(struct store *store, const struct frame_out *out, uint64_t due_ns, int64_t flip);

/** store_first_due() - UINT64_MAX when nothing waits */
uint64_t store_first_due(const struct store *store);

/** store_take() - The record of the first in the heap, which leaves it; there is one */
uint32_t store_take(struct store *store);

/** store_frame() - A record as a frame; @segs has room for IMPAIR_FRAME_CHUNKS */
void store_frame(const struct store *store, uint32_t record, struct frame *f,
		 struct frame_seg *segs);

/** store_give_back() - The frame has gone */
void store_give_back(struct store *store, uint32_t record);

#endif
