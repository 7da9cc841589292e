/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One direction of a link that behaves like a bad cable: delay, jitter, loss, rate, duplicates, reordering, corruption.
 *
 * Theory of operation
 *   A frame that enters an impaired direction is copied into memory of that direction (it must wait, and its sender wants
 *   the buffer back), with a time at which it is due. The frames that wait form a heap by that time. One worker at a time, the owner,
 *   takes out what is due and sends it on; any worker may put frames in. What happens to a frame is decided when it enters,
 *   by impair_decide(), from random numbers that depend on the seed alone: the same frames in the same order have
 *   the same fate.
 *
 *   GSO frames are cut into the segments that a wire would carry before they enter (pipeline_impair.c): loss hits a segment,
 *   not 64 KiB, and the rate counts what is sent. Bytes are those of the frame from its Ethernet header on, without
 *   preamble, FCS and gap, as `tc` counts them.
 *
 * Memory is reserved by impair_new(), touched as it is used, and bounded: IMPAIR_HELD_MAX frames and IMPAIR_CHUNKS_MAX
 * pieces of IMPAIR_CHUNK_BYTES. Nothing is allocated afterwards.
 *
 * Threads: control makes and frees; workers put in under a spinlock that only workers take; the owner takes out.
 * The parameters are in the snapshot, so that a change of them is a change of the snapshot: what waits keeps its time.
 */
#ifndef DATAPATH_IMPAIR_IMPAIR_H
#define DATAPATH_IMPAIR_IMPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define IMPAIR_PPM	     1000000u /* probabilities are parts of a million */
#define IMPAIR_HELD_MAX	     49152u   /* frames that wait in one direction */
#define IMPAIR_CHUNKS_MAX    49152u
#define IMPAIR_CHUNK_BYTES   2048u
#define IMPAIR_FRAME_CHUNKS  6u /* of one frame: a jumbo frame and more */
#define IMPAIR_QUEUE_MAX     65536u
#define IMPAIR_QUEUE_DEFAULT 1000u
#define IMPAIR_QUEUE_NS                                                                            \
	UINT64_C(100000000) /* what a queue without a limit in bytes holds: 100 ms of its rate */
#define IMPAIR_QUEUE_BYTES_MIN 32768u
#define IMPAIR_DELAY_MAX_NS    UINT64_C(60000000000)

/* Directions of a port: what it sends to us, what we send to it. */
enum impair_direction { IMPAIR_IN, IMPAIR_OUT, IMPAIR_DIRECTIONS };

enum impair_distribution { IMPAIR_UNIFORM, IMPAIR_NORMAL, IMPAIR_PARETO };

/* What was asked for; all zero: nothing. Validated by control. */
struct impair_params {
	uint64_t delay_ns;
	uint64_t
		jitter_ns; /* not above delay_ns. Uniform: most deviation; else: standard deviation */
	uint8_t distribution; /* enum impair_distribution */
	bool may_overtake;    /* jitter may change the order of frames */
	uint32_t loss_ppm;
	/* Gilbert-Elliott: chances, per frame, to enter and to leave a burst, and of loss inside and outside of one */
	uint32_t burst_enter_ppm, burst_leave_ppm, burst_loss_ppm, gap_loss_ppm;
	uint64_t rate_bps;     /* 0: unlimited */
	uint32_t queue_frames; /* that wait for their turn at the rate; 0: IMPAIR_QUEUE_DEFAULT */
	uint64_t queue_bytes;  /* 0: IMPAIR_QUEUE_NS of the rate, at least IMPAIR_QUEUE_BYTES_MIN */
	uint32_t duplicate_ppm;
	uint32_t
		reorder_ppm; /* chance that a frame skips the delay and overtakes those that wait */
	uint32_t corrupt_ppm; /* chance that one bit is flipped */
	uint64_t seed;
};

/* Written by workers, read by any thread with stats_read(). */
struct impair_stats {
	uint64_t frames; /* came in */
	uint64_t lost, queue_full, memory_full;
	uint64_t duplicated, reordered, corrupted;
	uint64_t held_frames, held_bytes; /* wait now */
	uint64_t left_frames, left_bytes; /* were taken out and sent on */
};

struct impair;

/** impair_is_set() - Whether the parameters ask for anything */
bool impair_is_set(const struct impair_params *params);

/**
 * impair_new() - Reserve the memory of one direction
 * @salt: makes directions with the same seed differ
 * Return: NULL when there is no address space.
 */
struct impair *impair_new(uint64_t salt);

/**
 * impair_free() - Let go of the memory and of what waits in it; NULL is fine
 * Return: how many frames waited.
 */
uint64_t impair_free(struct impair *impair);

/**
 * impair_push() - A frame enters: decide its fate and keep a copy
 * @params:   as in the caller's snapshot
 * @out:      no GSO; copied before the call returns
 * @now_ns:   CLOCK_MONOTONIC
 * @is_first: out: set to true if something is due earlier than before, otherwise untouched
 *
 * Return: DROP_NONE if the frame, or one copy of it at least, is held; otherwise why not: DROP_IMPAIR_LOSS is what was asked for.
 * Context: any worker.
 */
enum drop_reason impair_push(struct impair *impair, const struct impair_params *params,
			     const struct frame_out *out, uint64_t now_ns, bool *is_first);

/* Frames that were taken out. The owner's. */
struct impair_batch {
	uint16_t n;
	uint32_t records[FRAME_BURST];
	struct frame frames[FRAME_BURST];
	struct frame_seg segs[FRAME_BURST][IMPAIR_FRAME_CHUNKS];
};

/**
 * impair_pop() - Take out what is due, in the order of time
 * @batch: filled; the bytes stay where they are until impair_release()
 * Return: batch->n
 * Context: the owner.
 */
uint16_t impair_pop(struct impair *impair, uint64_t now_ns, struct impair_batch *batch);

/** impair_release() - The frames of impair_pop() have gone */
void impair_release(struct impair *impair, const struct impair_batch *batch);

/** impair_due() - When the next frame is due, UINT64_MAX if none waits. Any worker. */
uint64_t impair_due(const struct impair *impair);

/** impair_stats_get() - Any thread */
void impair_stats_get(const struct impair *impair, struct impair_stats *stats);

#endif
