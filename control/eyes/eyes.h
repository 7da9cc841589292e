/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who looks at frames: captures, live traces and samplers, each with a probe (datapath/probe/) and a say which ports it means.
 *
 * A watcher names ports, switches or labs, never indices. What it looks at is worked out anew for every snapshot, so it goes on
 * when a port is replaced, comes back, or joins the switch later. Adding or removing one publishes a snapshot that differs in
 * nothing else. Control thread only.
 */
#ifndef CONTROL_EYES_EYES_H
#define CONTROL_EYES_EYES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "apply.h"
#include "model.h"
#include "probe/probe.h"

#define EYES_TARGETS_MAX 64

struct eyes;
struct event_base;
struct mirrors;
struct sflows;

/* Which ports, and where. */
struct eyes_select {
	uint16_t n_targets;
	char targets
		[EYES_TARGETS_MAX]
		[MODEL_NAME_MAX]; /* a port's, a switch's or an owner's name, looked for in this order */
	bool points[PROBE_POINTS];
};

struct eyes_watcher {
	struct eyes *eyes;
	struct eyes_select select;
	struct probe *probe; /* owned */
	unsigned int slot;   /* its bit */
	/* told after every snapshot, when indices may have changed; may be NULL */
	void (*published)(struct eyes_watcher *watcher, const struct model *model);
	LIST_ENTRY(eyes_watcher) next;
};

/** eyes_new() - Nobody looks yet. @apply, @base: borrowed. Return: NULL without memory. */
struct eyes *eyes_new(struct apply *apply, struct event_base *base);
/** eyes_close() - End what looks by the model (sFlow), while the datapath still runs */
void eyes_close(struct eyes *eyes);
/** eyes_free() - After the datapath has been stopped; all watchers have been removed */
void eyes_free(struct eyes *eyes);

const struct apply *eyes_apply(const struct eyes *eyes);
const struct model *eyes_model(const struct eyes *eyes);

/** eyes_matches() - Whether a selection means this port now */
bool eyes_matches(const struct eyes_select *select, const struct model *model,
		  const struct model_port *port);

/** eyes_check() - Whether every target exists. Return: 0 or -ENOENT with @err. */
int eyes_check(const struct eyes *eyes, const struct eyes_select *select, struct err *err);

/**
 * eyes_add() - Let a watcher look from now on
 * @watcher: select, probe and published are set; must stay until eyes_remove()
 *
 * Return: 0, -EBUSY when there are PROBES_MAX already, or -ENOMEM.
 */
int eyes_add(struct eyes *eyes, struct eyes_watcher *watcher, struct err *err);

/** eyes_refresh() - What a watcher selects was changed. Return: 0 or -ENOMEM and it looks as before. */
int eyes_refresh(struct eyes_watcher *watcher);

/** eyes_remove() - No worker uses its probe when this returns, and the probe has been freed */
void eyes_remove(struct eyes_watcher *watcher);

/** eyes_sync() - After a change was made: agents as the model says */
void eyes_sync(struct eyes *eyes);
const struct mirrors *eyes_mirrors(const struct eyes *eyes);
const struct sflows *eyes_sflows(const struct eyes *eyes);

/** eyes_build() - Fill a new snapshot's masks; fits apply_eyes() */
void eyes_build(struct snapshot *snapshot, const struct model *model, void *eyes);
/** eyes_published() - A snapshot was published */
void eyes_published(struct eyes *eyes, const struct model *model);

#endif
