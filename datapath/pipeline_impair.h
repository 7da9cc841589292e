/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the pipeline and impaired links meet: into the wait, and out of it.
 *
 *   in:   port rx -> parse -> cut GSO -> wait -> the pipeline, as if received then
 *   out:  output stage -> cut GSO -> wait -> the port's tx, or across the patch link
 *
 * Ports whose links are not impaired see nothing of it: their queues are polled by another loop, and what they are sent
 * takes the branch that was there for patch links. Runs on the workers; a direction is emptied by one of them, its owner, which the
 * snapshot names (snapshot_empties()). When it changes, the new one begins a grace period after the old one has ended: all that the old one
 * took out has left by then. What a frame's fate and time are was decided when it entered, so neither depends on who takes it out.
 */
#ifndef DATAPATH_PIPELINE_IMPAIR_H
#define DATAPATH_PIPELINE_IMPAIR_H

#include "impair/wheel.h"
#include "pipeline.h"

/* The wheels of all workers, by index, and how to wake one. */
struct impair_hub {
	_Atomic(struct wheel *) wheels[PORT_WORKERS_MAX];
	void (*wake)(uint16_t worker);
};

struct pipeline_impair {
	struct wheel *wheel;	/* own */
	struct impair_hub *hub; /* borrowed; NULL: there is one worker */
	struct impair_batch batch;
};

/** pipeline_impair_new() - Return: NULL without memory */
struct pipeline_impair *pipeline_impair_new(void);
void pipeline_impair_free(struct pipeline_impair *impair);

/** pipeline_impair_in() - In place of pipeline_run(), for frames of ports that are impaired on the way in */
void pipeline_impair_in(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
			uint16_t n);

/**
 * pipeline_impair_out() - A frame leaves by a port that is impaired on the way out
 * @out: with the tags it shall have there
 */
void pipeline_impair_out(struct pipeline *pl, const struct snapshot *cfg, uint16_t port,
			 struct frame_out *out);

/**
 * pipeline_impair_run() - Send on what is due in the directions that this worker owns
 * Return: how many frames.
 */
uint32_t pipeline_impair_run(struct pipeline *pl, const struct snapshot *cfg);

/**
 * pipeline_impair_adopt() - Look at all directions, because the snapshot is new: which are this worker's, and when they are due
 *
 * Another worker may have had it first, put frames into a direction that only it names, and kicked: with the snapshot
 * before, that kick led nowhere.
 */
void pipeline_impair_adopt(struct pipeline *pl, const struct snapshot *cfg);

/** pipeline_impair_is_idle() - Nothing waits and nobody has kicked: pipeline_impair_run() has nothing to do */
static inline bool pipeline_impair_is_idle(const struct pipeline *pl)
{
	const struct wheel *wheel = pl->impair->wheel;

	return wheel->n == 0 && !atomic_load_explicit(&wheel->is_kicked, memory_order_relaxed);
}

/** pipeline_impair_next() - When the next frame is due, CLOCK_MONOTONIC; UINT64_MAX if none waits */
uint64_t pipeline_impair_next(const struct pipeline *pl);

#endif
