/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pipeline: a burst moves through the stages from top to bottom, on one thread, to completion.
 *
 * A patch link between two switches is no queue: stage_output puts a copy of the frame's head into
 * the next level, and the level runs through the same stages with the other end as its ingress
 * port. The payload stays where it is. Levels are as many as hops are allowed, each as large as a
 * burst; a full one is run at once, so that no frame is lost for want of room, and the order of
 * frames is kept. What a loop of links can cost is bounded by the hop limit and by
 * PIPELINE_CROSSINGS_MAX.
 */
#include "pipeline.h"
#include "pipeline_impair.h"

#include <stdlib.h>
#include <string.h>

const struct stage stages[] = {
	{"parse", stage_parse},	    /* headers, offload wishes, runts */
	{"admit", stage_admit},	    /* port state, MTU, source address, reserved multicast, VLAN */
	{"learn", stage_learn},	    /* source address -> FDB */
	{"forward", stage_forward}, /* FDB, flood, wire */
	{"output", stage_output},   /* tag, cross patch links, complete offloads, send */
	{NULL, NULL},
};

struct pipeline *pipeline_new(uint16_t worker, uint16_t n_workers, struct learn_queue *learn)
{
	struct pipeline *pl = calloc(1, sizeof(*pl));

	if (pl == NULL)
		return NULL;
	if (output_init(&pl->output) != 0) {
		free(pl);
		return NULL;
	}
	pl->impair = pipeline_impair_new();
	if (pl->impair == NULL) {
		pipeline_free(pl);
		return NULL;
	}
	pl->worker = worker;
	pl->shared_tx = n_workers > 1;
	pl->learn = learn;
	return pl;
}

void pipeline_free(struct pipeline *pl)
{
	if (pl == NULL)
		return;
	pipeline_impair_free(pl->impair);
	output_fini(&pl->output);
	free(pl);
}

static void run_stages(struct pipeline *pl, struct burst *b)
{
	for (const struct stage *stage = stages; stage->name != NULL && b->n > 0; stage++)
		stage->run(pl, b);
}

/* Run what waits at a level; it is empty afterwards. */
static void run_level(struct pipeline *pl, const struct snapshot *cfg, uint16_t hops)
{
	struct pipeline_level *level = &pl->levels[hops];
	struct burst b = {.cfg = cfg, .n = level->n};

	for (uint16_t i = 0; i < level->n; i++)
		b.frames[i] = &level->frames[i];
	run_stages(pl, &b);
	if (hops + 1 < FRAME_HOPS_MAX && pl->levels[hops + 1].n > 0)
		run_level(pl, cfg, hops + 1);
	output_flush(pl, cfg); /* it points into this level */
	level->n = 0;
}

void pipeline_run(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames, uint16_t n)
{
	struct burst b = {.cfg = cfg, .n = n};

	for (uint16_t i = 0; i < n; i++) {
		frames[i].hops = 0;
		b.frames[i] = &frames[i];
	}
	pl->crossings_left = PIPELINE_CROSSINGS_MAX;
	run_stages(pl, &b);
	if (pl->levels[0].n > 0)
		run_level(pl, cfg, 0);
	output_flush(pl, cfg);
}

void pipeline_crossed(struct pipeline *pl, const struct snapshot *cfg)
{
	for (uint16_t hops = 0; hops < FRAME_HOPS_MAX; hops++) {
		if (pl->levels[hops].n > 0)
			run_level(pl, cfg, hops);
	}
}

void pipeline_resume(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
		     uint16_t n)
{
	struct burst b = {.cfg = cfg, .n = n};

	for (uint16_t i = 0; i < n; i++)
		b.frames[i] = &frames[i];
	pl->crossings_left = PIPELINE_CROSSINGS_MAX;
	run_stages(pl, &b);
	pipeline_crossed(pl, cfg);
	output_flush(pl, cfg);
}

/* The head of @out as a frame of its own; false if a tag more does not fit in front. */
static bool copy_head(struct frame *to, const struct frame_out *out)
{
	const struct frame *f = out->f;
	uint16_t tail = f->hdr_len - out->skip;
	int shift = frame_out_shift(out);

	if (f->hdr_len + shift > (int)sizeof(to->buf))
		return false;
	memcpy(to, f, offsetof(struct frame, buf));
	to->hdr_len = (uint16_t)(f->hdr_len + shift);
	to->hdr = to->buf + sizeof(to->buf) - to->hdr_len;
	to->len = frame_out_len(out);
	memcpy(to->hdr, out->prefix, out->prefix_len);
	memcpy(to->hdr + out->prefix_len, f->hdr + out->skip, tail);
	if ((to->offload.flags & FRAME_NEEDS_CSUM) != 0)
		to->offload.csum_start = (uint16_t)(to->offload.csum_start + shift);
	return true;
}

void pipeline_cross(struct pipeline *pl, const struct snapshot *cfg, const struct frame_out *out,
		    const struct port_config *from)
{
	const struct port_config *to = snapshot_port(cfg, from->peer);
	uint16_t hops = out->f->hops;
	struct pipeline_level *level;
	struct frame *copy;

	if (to == NULL) {
		pipeline_drop_at(pl, from, DROP_PORT_UNATTACHED);
		return;
	}
	if (hops >= FRAME_HOPS_MAX) {
		pipeline_drop_at(pl, from, DROP_LOOP);
		return;
	}
	if (pl->crossings_left == 0) {
		pipeline_drop_at(pl, from, DROP_NO_MEMORY);
		return;
	}
	level = &pl->levels[hops];
	if (level->n == FRAME_BURST)
		run_level(pl, cfg, hops);
	copy = &level->frames[level->n];
	if (!copy_head(copy, out)) {
		pipeline_drop_at(pl, from, DROP_OVERSIZE);
		return;
	}
	pl->crossings_left--;
	level->n++;
	copy->hops = (uint8_t)(hops + 1);
	copy->in_port = from->peer;
	/* What a tunnel said was about the switch behind it. */
	copy->given_vid = VLAN_NONE;
	copy->no_learn = false;
	if (from->patch_stats != NULL) {
		struct port_queue_stats *tx = &from->patch_stats[2 * pl->worker + 1];

		stats_add(&tx->pkts, 1);
		stats_add(&tx->bytes, copy->len);
	}
	if (to->patch_stats != NULL) {
		struct port_queue_stats *rx = &to->patch_stats[2 * pl->worker];

		stats_add(&rx->pkts, 1);
		stats_add(&rx->bytes, copy->len);
	}
}
