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
 *
 * Whether somebody looks (captures, mirrors, traces, cycles) is asked once for a burst, in pipeline_begin(): what asks further is in
 * functions of its own.
 */
#include "pipeline.h"
#include "pipeline_impair.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "cycles.h"
#include "probe/probe.h"

const struct stage stages[] = {
	{"parse", stage_parse, stage_parse_watched},	/* headers, offload wishes, runts */
	{"admit", stage_admit, stage_admit},		/* port state, MTU, addresses, VLAN */
	{"mirror", NULL, stage_mirror},			/* copies of what came in */
	{"learn", stage_learn, stage_learn_watched},	/* source address -> FDB */
	{"forward", stage_forward, stage_forward},	/* FDB, flood, wire */
	{"output", stage_output, stage_output_watched}, /* tag, cross patch links, offloads, send */
	{NULL, NULL, NULL},
};

struct pipeline *pipeline_new(uint16_t worker, uint16_t n_workers, struct learn_queue *learn)
{
	struct pipeline *pl = calloc(1, sizeof(*pl));

	if (pl == NULL)
		return NULL;
	pl->filter_scratch = filter_scratch_new();
	pl->mirror_cuts = mirror_cuts_new();
	if (pl->filter_scratch == NULL || pl->mirror_cuts == NULL ||
	    output_init(&pl->output) != 0) {
		filter_scratch_free(pl->filter_scratch);
		mirror_cuts_free(pl->mirror_cuts);
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
	filter_scratch_free(pl->filter_scratch);
	mirror_cuts_free(pl->mirror_cuts);
	free(pl);
}

void pipeline_begin(struct pipeline *pl, const struct snapshot *cfg)
{
	pl->crossings_left = PIPELINE_CROSSINGS_MAX;
	pl->is_watched = cfg->is_watched | (pl->trace != NULL) | cycles_is_on();
}

static void look_in(struct pipeline *pl, const struct burst *b)
{
	uint64_t tsc = 0;

	if (b->cfg->watched_in == 0)
		return;
	for (uint16_t i = 0; i < b->n && !pipeline_is_dry(pl); i++) {
		uint16_t port = b->frames[i]->in_port;
		uint64_t watch = b->cfg->ports[port].watch[PROBE_IN];
		struct frame_out out;

		if (watch == 0)
			continue;
		frame_out_init(&out, b->frames[i]);
		if (tsc == 0)
			tsc = rte_rdtsc();
		probe_look(pl, b->cfg, watch, port, PROBE_IN, DROP_NONE, tsc, &out);
	}
}

static void run_watched(struct pipeline *pl, struct burst *b)
{
	look_in(pl, b);
	for (const struct stage *stage = stages; stage->name != NULL && b->n > 0; stage++) {
		stage->run_watched(pl, b);
		cycles_mark(CYCLES_PARSE + (unsigned int)(stage - stages));
		if (pl->trace != NULL)
			trace_stage(pl->trace, (unsigned int)(stage - stages), b);
	}
}

static void run_stages(struct pipeline *pl, struct burst *b)
{
	if (__builtin_expect(pl->is_watched, 0)) {
		run_watched(pl, b);
		return;
	}
#pragma GCC unroll 8 /* the table's entries become direct calls */
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]) - 1; i++) {
		if (b->n == 0)
			return;
		if (stages[i].run != NULL)
			stages[i].run(pl, b);
	}
}

/* Run what waits at a level; it is empty afterwards. */
static void run_level(struct pipeline *pl, const struct snapshot *cfg, uint16_t hops)
{
	struct pipeline_level *level = &pl->levels[hops];
	struct burst b;

	b.cfg = cfg;
	b.n = level->n;
	for (uint16_t i = 0; i < level->n; i++)
		b.frames[i] = &level->frames[i];
	run_stages(pl, &b);
	if (hops + 1 < FRAME_HOPS_MAX && pl->levels[hops + 1].n > 0)
		run_level(pl, cfg, hops + 1);
	output_flush(pl, cfg); /* it points into this level */
	level->n = 0;
}

void pipeline_crossed(struct pipeline *pl, const struct snapshot *cfg)
{
	for (uint16_t hops = 0; hops < FRAME_HOPS_MAX; hops++) {
		if (pl->levels[hops].n > 0)
			run_level(pl, cfg, hops);
	}
}

/* @is_resumed: the frames have crossed links already */
static void run_burst(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
		      uint16_t n, bool is_resumed)
{
	struct burst b; /* 800 bytes: what parse sets is not set to zero first */

	b.cfg = cfg;
	b.n = n;
	for (uint16_t i = 0; i < n; i++) {
		if (!is_resumed)
			frames[i].hops = 0;
		b.frames[i] = &frames[i];
	}
	run_stages(pl, &b);
	if (is_resumed)
		pipeline_crossed(pl, cfg);
	else if (pl->levels[0].n > 0)
		run_level(pl, cfg, 0);
	output_flush(pl, cfg);
}

/* The probe that wants this frame traced, or NULL. */
static struct probe *trace_wanted(struct pipeline *pl, const struct snapshot *cfg, struct frame *f)
{
	uint64_t watch = cfg->ports[f->in_port].watch[PROBE_IN] & cfg->traces;
	struct frame_out out;

	frame_out_init(&out, f);
	for (; watch != 0; watch &= watch - 1) {
		struct probe *probe = cfg->probes[__builtin_ctzll(watch)];
		uint32_t left = atomic_load_explicit(&probe->traces_left, memory_order_relaxed);

		if (left == 0 || !filter_match(probe->filter, pl->filter_scratch, &out))
			continue;
		while (left > 0 &&
		       !atomic_compare_exchange_weak(&probe->traces_left, &left, left - 1))
			;
		if (left > 0)
			return probe;
	}
	return NULL;
}

static void run_traced(struct pipeline *pl, const struct snapshot *cfg, struct frame *f,
		       const struct probe *probe, bool is_resumed)
{
	struct trace *trace = &pl->live;
	struct frame_out out = {.f = f};
	struct probe_record record = {
		.wire_len = f->len,
		.cap_len = f->len < probe->snaplen ? f->len : probe->snaplen,
		.generation = cfg->generation,
		.tsc = pl->now_tsc,
		.port = f->in_port,
		.point = PROBE_IN,
	};

	trace->n = trace->n_more = 0;
	trace->source = 0;
	pl->trace = trace;
	run_burst(pl, cfg, f, 1, is_resumed);
	pl->trace = NULL;
	record.extra =
		(uint32_t)(offsetof(struct trace, events) + trace->n * sizeof(trace->events[0]));
	probe_ring_put(probe->rings[pl->worker], &record, trace, &out);
}

/* Frames to be traced go through one by one, in their order among the others. */
static void run_with_traces(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
			    uint16_t n, bool is_resumed)
{
	uint16_t start = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct probe *probe = trace_wanted(pl, cfg, &frames[i]);

		if (probe == NULL)
			continue;
		if (i > start)
			run_burst(pl, cfg, &frames[start], i - start, is_resumed);
		run_traced(pl, cfg, &frames[i], probe, is_resumed);
		start = i + 1;
	}
	if (n > start)
		run_burst(pl, cfg, &frames[start], n - start, is_resumed);
}

static void run(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames, uint16_t n,
		bool is_resumed)
{
	pipeline_begin(pl, cfg);
	if (__builtin_expect(pl->is_watched, 0) && cfg->traces != 0 && pl->trace == NULL)
		run_with_traces(pl, cfg, frames, n, is_resumed);
	else
		run_burst(pl, cfg, frames, n, is_resumed);
}

void pipeline_run(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames, uint16_t n)
{
	run(pl, cfg, frames, n, false);
}

void pipeline_resume(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
		     uint16_t n)
{
	run(pl, cfg, frames, n, true);
}

void pipeline_drop_out(struct pipeline *pl, const struct snapshot *cfg,
		       const struct port_config *port, const struct frame_out *out,
		       enum drop_reason reason)
{
	uint16_t index = (uint16_t)(port - cfg->ports);

	if (pl->trace != NULL) {
		trace_frame(pl->trace, TRACE_DROP, out->f, index, reason);
		if (pl->trace->dry)
			return;
	}
	if (port->port != NULL)
		port_drop(port->port, pl->worker, reason, 1);
	else if (port->patch_drops != NULL)
		stats_add(&port->patch_drops[pl->worker].by_reason[reason], 1);
	if (__builtin_expect(port->watch[PROBE_DROP] != 0, 0))
		probe_look(pl, cfg, port->watch[PROBE_DROP], index, PROBE_DROP, reason, rte_rdtsc(),
			   out);
}

void pipeline_drop_at(struct pipeline *pl, const struct snapshot *cfg,
		      const struct port_config *port, struct frame *f, enum drop_reason reason)
{
	struct frame_out out;

	frame_out_init(&out, f);
	pipeline_drop_out(pl, cfg, port, &out, reason);
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

static void look_cross(struct pipeline *pl, const struct snapshot *cfg, const struct frame_out *out,
		       const struct port_config *from)
{
	if (pl->trace != NULL)
		trace_out(pl->trace, TRACE_CROSS, out, from->peer);
	if (from->watch[PROBE_OUT] != 0 && !pipeline_is_dry(pl))
		probe_look(pl, cfg, from->watch[PROBE_OUT], (uint16_t)(from - cfg->ports),
			   PROBE_OUT, DROP_NONE, rte_rdtsc(), out);
}

void pipeline_cross(struct pipeline *pl, const struct snapshot *cfg, const struct frame_out *out,
		    const struct port_config *from)
{
	const struct port_config *to = snapshot_port(cfg, from->peer);
	uint16_t hops = out->f->hops;
	struct pipeline_level *level;
	struct frame *copy;

	if (to == NULL) {
		pipeline_drop_out(pl, cfg, from, out, DROP_PORT_UNATTACHED);
		return;
	}
	if (hops >= FRAME_HOPS_MAX) {
		pipeline_drop_out(pl, cfg, from, out, DROP_LOOP);
		return;
	}
	if (pl->crossings_left == 0) {
		pipeline_drop_out(pl, cfg, from, out, DROP_NO_MEMORY);
		return;
	}
	level = &pl->levels[hops];
	if (level->n == FRAME_BURST)
		run_level(pl, cfg, hops);
	copy = &level->frames[level->n];
	if (!copy_head(copy, out)) {
		pipeline_drop_out(pl, cfg, from, out, DROP_OVERSIZE);
		return;
	}
	pl->crossings_left--;
	level->n++;
	copy->hops = (uint8_t)(hops + 1);
	copy->in_port = from->peer;
	/* What a tunnel said was about the switch behind it. */
	copy->given_vid = VLAN_NONE;
	copy->no_learn = false;
	if (__builtin_expect(pl->is_watched, 0)) {
		look_cross(pl, cfg, out, from);
		if (pipeline_is_dry(pl))
			return;
	}
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
