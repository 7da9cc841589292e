/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a worker's cycles go: TSC cycles per stage, counted only while somebody asks.
 *
 * Theory of operation
 *   A worker that counts takes the time at marks: behind each stage of a burst, behind rx, in the middle of tx. What has passed
 *   since the mark before belongs to the stage that the mark names. So all of the time is somewhere, and a stage whose code
 *   has no mark of its own is part of the next one. What a mark itself costs is measured when counting begins, and kept apart
 *   (CYCLES_COUNTING). A thread that is not seen at a mark for a millisecond was most likely preempted, which is no stage's cost
 *   either (CYCLES_AWAY). A worker that does not count has a NULL in thread-local memory: the pipeline asks for it once a burst and
 *   then has no marks, those around it are a test each.
 *
 *   The CPU runs ahead over marks, as it does over everything: a few cycles of a cache miss may be found at the neighbour.
 *
 * Threads: a worker counts for itself; control reads, and says until when to count (worker.h).
 */
#ifndef DATAPATH_CYCLES_H
#define DATAPATH_CYCLES_H

#include <stdbool.h>
#include <stddef.h>

#include "stats.h"

/* X(symbol, name, sentence). From parse to output: as stages[]. */
/* clang-format off */
#define CYCLES_STAGES(X) \
	X(CYCLES_IDLE, "idle", "looking at queues where nothing waits") \
	X(CYCLES_RECEIVE, "receive", "take descriptors, copy the frames' heads") \
	X(CYCLES_PARSE, "parse", "tags, runs of frames alike") \
	X(CYCLES_ADMIT, "admit", "may it come in, and into which VLAN") \
	X(CYCLES_MIRROR, "mirror", "copies of what came in") \
	X(CYCLES_LEARN, "learn", "the sender's address, prefetch of the receiver's") \
	X(CYCLES_FORWARD, "forward", "look up the receiver's address") \
	X(CYCLES_OUTPUT, "output", "tags, patch links, group by port") \
	X(CYCLES_SEND, "send", "take the receiver's descriptors, copy the frames") \
	X(CYCLES_PUBLISH, "publish", "hand descriptors back on both sides, signal the peers") \
	X(CYCLES_IMPAIR, "impair", "links with delay, loss or a rate") \
	X(CYCLES_OTHER, "other", "the round over the queues") \
	X(CYCLES_AWAY, "away", "between two marks for a millisecond: another thread had the CPU") \
	X(CYCLES_COUNTING, "counting", "taking the time for this table")
/* clang-format on */

#define CYCLES_AS_ENUM(symbol, name, sentence) symbol,
enum cycles_stage { CYCLES_STAGES(CYCLES_AS_ENUM) CYCLES_N };
#undef CYCLES_AS_ENUM

/* Of one worker, since it started: grows only while cycles are counted. */
struct cycles {
	uint64_t spent[CYCLES_N]; /* TSC cycles */
	uint64_t frames, bursts;
	uint64_t last;	   /* TSC at the last mark; the worker's own, as is the next */
	uint64_t cost;	   /* of a mark */
	uint64_t away_min; /* from here on it is CYCLES_AWAY */
};

/* Where this thread counts, NULL: it does not. */
extern _Thread_local struct cycles *cycles_here;

/** cycles_begin() - This thread counts into @cycles from now on, which may have counts already */
void cycles_begin(struct cycles *cycles);

/** cycles_end() - This thread counts no more */
static inline void cycles_end(void)
{
	cycles_here = NULL;
}

/** cycles_is_on() - Whether this thread counts */
static inline bool cycles_is_on(void)
{
	return __builtin_expect(cycles_here != NULL, 0);
}

/** cycles_take() - The body of cycles_mark(), for a thread that counts */
void cycles_take(enum cycles_stage stage);

/** cycles_mark() - What has passed since the last mark was @stage */
static inline void cycles_mark(enum cycles_stage stage)
{
	if (cycles_is_on())
		cycles_take(stage);
}

/** cycles_restart() - What has passed since the last mark counts nowhere: this thread slept */
void cycles_restart(void);

/** cycles_burst() - A burst of @n frames was received */
static inline void cycles_burst(uint16_t n)
{
	if (!cycles_is_on())
		return;
	stats_add(&cycles_here->frames, n);
	stats_add(&cycles_here->bursts, 1);
}

/** cycles_name() - Stable name of a stage */
const char *cycles_name(enum cycles_stage stage);

/** cycles_sentence() - What is done there */
const char *cycles_sentence(enum cycles_stage stage);

#endif
