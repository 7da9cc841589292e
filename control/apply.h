/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the model to what runs.
 *
 * A change has two halves. apply_prepare() does everything that can fail: it gives out indices, opens the new ports and
 * builds the next snapshot; whatever it did is undone when something fails. apply_commit() cannot fail: it publishes
 * the snapshot, closes the ports nobody names any more, and brings the FDB into line. Between the two the caller puts
 * the new state on disk.
 *
 * Invariants:
 * - a port that does not change keeps its struct port: its peer notices nothing;
 * - an index belongs to one object until a commit that ends it has flushed its FDB entries; only the
 *   next change may give it out again;
 * - a port object is closed only after datapath_publish() returned from a snapshot without it.
 *
 * One exception to "open before close": a new port that needs the very socket or file of one that goes (a port with
 * another number of queues, or renamed) can only be opened once the old one is closed. Such ports are taken out with
 * a snapshot of their own first, and opened again if the change fails.
 *
 * Control thread only.
 */
#ifndef CONTROL_APPLY_H
#define CONTROL_APPLY_H

#include "base/err.h"
#include "model.h"
#include "snapshot.h"

/* What is behind a port index. */
struct live_port {
	struct port *port;			  /* NULL: a patch end, or it could not be opened */
	struct port_drops *patch_drops;		  /* [PORT_WORKERS_MAX], patch ends only */
	struct port_queue_stats *patch_stats;	  /* [2 * PORT_WORKERS_MAX], patch ends only */
	struct impair *impair[IMPAIR_DIRECTIONS]; /* NULL: that direction is not impaired */
	bool is_flapped;			  /* its link is down for a while by itself */
	uint32_t pinned; /* duties (snapshot.h) that stay where they are, a bit each */
	uint8_t doers[SNAPSHOT_DUTIES_MAX]; /* of duties that were moved: worker + 1; else 0 */
	char error[256];		    /* why it could not be opened, or "" */
	uint64_t try_ns;		    /* CLOCK_MONOTONIC before which it is not tried again */
};

struct apply;

/* Told of every snapshot. @live: by index. */
typedef void (*apply_on_publish)(const struct model *model, const struct live_port *live,
				 void *arg);

/* May add to a snapshot, of @model, that was just built and may still be thrown away. */
typedef void (*apply_on_build)(struct snapshot *snapshot, const struct model *model, void *arg);

/** apply_new() - Nothing runs yet; the datapath is up. Return: NULL without memory. */
struct apply *apply_new(void);

/**
 * apply_watch() - Be told of snapshots; NULL: nobody
 * @before: is called before one is published, and so before ports that it no longer names are closed: whoever refers to ports besides (the
 *          overlay) lets go of them here, and has ready what the first frame of a new one needs
 * @after:  is called when the workers have it
 */
void apply_watch(struct apply *apply, apply_on_publish before, apply_on_publish after, void *arg);

/** apply_eyes() - Have @on_build called for every new snapshot; NULL: nobody */
void apply_eyes(struct apply *apply, apply_on_build on_build, void *arg);

/**
 * apply_republish() - Publish what runs once more, because what apply_eyes() adds has changed
 * Return: 0, or -ENOMEM and the workers have what they had. Not between prepare and commit.
 */
int apply_republish(struct apply *apply);

/** apply_free() - Close all ports; the datapath has been stopped */
void apply_free(struct apply *apply);

/** apply_model() - What runs, in names; valid until the next commit */
const struct model *apply_model(const struct apply *apply);

/** apply_live() - What is behind a port of apply_model(); valid until the next commit */
const struct live_port *apply_live(const struct apply *apply, const struct model_port *port);

/** apply_live_all() - The same by index, SNAPSHOT_PORTS_MAX of them */
const struct live_port *apply_live_all(const struct apply *apply);

/** apply_port_failed() - Whether a port should be open and is not; fits diff_print() */
bool apply_port_failed(const struct model_port *port, void *apply);

/** apply_generation() - Number of the published snapshot */
uint64_t apply_generation(const struct apply *apply);

/**
 * apply_prepare() - Do all of a change that can fail
 * @next:     passed model_check(); owned by apply when this succeeds, by the caller when it fails
 * @tolerant: a port that cannot be opened is logged, left out and remembered, instead of failing the change
 *
 * Ports of @next with an index of SNAPSHOT_NONE were named by the request, and are opened again if they are not open.
 * Return: 0, then exactly one of apply_commit() and apply_abort() must follow; or -errno with @err filled and
 * everything as it was.
 */
int apply_prepare(struct apply *apply, struct model *next, bool tolerant, struct err *err);

void apply_commit(struct apply *apply);
void apply_abort(struct apply *apply);

/**
 * apply_open_again() - Try ports that were left out once more, and publish those that open
 *
 * Of those that port_opens_again() names: uplinks, whose UDP port another program had, or whose card was not there. Other ports wait
 * to be named. Not between prepare and commit.
 */
void apply_open_again(struct apply *apply);

/**
 * apply_duty_move() - Have another worker poll an rx queue of a port that runs, or empty an impaired direction, as long as it lives
 * @duty: as in snapshot_move()
 * Return: 0, or -ENOMEM and nothing has changed. Not between prepare and commit.
 */
int apply_duty_move(struct apply *apply, const struct model_port *port, uint16_t duty,
		    uint16_t worker);

/** apply_duty_pin() - Note whether a duty may be moved when workers are busy */
void apply_duty_pin(struct apply *apply, const struct model_port *port, uint16_t duty, bool pinned);

/** apply_flapped() - Let a port's link be down for a while, from apply_republish() on. Return: whether that is new. */
bool apply_flapped(struct apply *apply, const struct model_port *port, bool is_down);

#endif
