/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Grouping and sending: see output.h. Runs on the worker that owns the pipeline.
 */
#include "output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "cycles.h"
#include "l4.h"
#include "offload.h"
#include "pipeline.h"
#include "probe/probe.h"

static_assert(OUTPUT_GROUPS_MAX < UINT8_MAX, "first_group[] holds an index + 1");

int output_init(struct output *output)
{
	memset(output, 0, sizeof(*output));
	output->scratch = offload_scratch_new();
	return output->scratch == NULL ? -ENOMEM : 0;
}

void output_fini(struct output *output)
{
	offload_scratch_free(output->scratch);
}

static void count_sent(struct pipeline *pl, struct port_queue_stats *stats, uint64_t pkts,
		       uint64_t bytes)
{
	if (pkts == 0)
		return;
	if (pl->shared_tx) {
		__atomic_fetch_add(&stats->pkts, pkts, __ATOMIC_RELAXED);
		__atomic_fetch_add(&stats->bytes, bytes, __ATOMIC_RELAXED);
	} else {
		stats_add(&stats->pkts, pkts);
		stats_add(&stats->bytes, bytes);
	}
}

static void look_out(struct pipeline *pl, const struct snapshot *cfg, uint16_t port, uint64_t tsc,
		     const struct frame_out *outs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		if (outs[i].drop == DROP_NONE)
			probe_look(pl, cfg, cfg->ports[port].watch[PROBE_OUT], port, PROBE_OUT,
				   DROP_NONE, tsc, &outs[i]);
	}
}

PIPELINE_TWICE void transmit_as(struct pipeline *pl, const struct snapshot *cfg,
				const struct output_group *group, struct frame_out *outs,
				uint16_t n, bool watched)
{
	const struct port_config *config = &cfg->ports[group->port];
	struct port *port = config->port;
	bool looks_out = watched && config->watch[PROBE_OUT] != 0;
	uint64_t pkts = 0, bytes = 0, tsc = 0;

	if (n == 0)
		return;
	if (watched)
		cycles_mark(CYCLES_OUTPUT);
	if (looks_out) /* before the peer can have answered */
		tsc = rte_rdtsc();
	if (port->ops->tx != NULL)
		port->ops->tx(port, group->queue, outs, n);
	for (uint16_t i = 0; i < n; i++) {
		if (__builtin_expect(port->ops->tx == NULL, 0))
			outs[i].drop = DROP_NOT_CONNECTED;
		if (outs[i].drop != DROP_NONE) {
			pipeline_drop_out(pl, cfg, config, &outs[i], outs[i].drop);
			continue;
		}
		pkts++;
		bytes += frame_out_len(&outs[i]);
		if (watched && pl->trace != NULL)
			trace_out(pl->trace, TRACE_SENT, &outs[i], group->port);
	}
	count_sent(pl, &port->txq[group->queue], pkts, bytes);
	if (watched)
		cycles_mark(CYCLES_SEND);
	if (looks_out)
		look_out(pl, cfg, group->port, tsc, outs, n);
}

static void transmit(struct pipeline *pl, const struct snapshot *cfg,
		     const struct output_group *group, struct frame_out *outs, uint16_t n)
{
	if (__builtin_expect(pl->is_watched, 0)) {
		if (!pipeline_is_dry(pl))
			transmit_as(pl, cfg, group, outs, n, true);
	} else {
		transmit_as(pl, cfg, group, outs, n, false);
	}
}

static void transmit_segments(struct pipeline *pl, const struct snapshot *cfg,
			      const struct output_group *group, const struct frame_out *out)
{
	struct offload_scratch *scratch = pl->output.scratch;
	enum drop_reason reason = offload_segment_start(scratch, out);
	struct frame_out *segments;
	uint16_t n;

	if (reason != DROP_NONE) {
		pipeline_drop_out(pl, cfg, &cfg->ports[group->port], out, reason);
		return;
	}
	while ((n = offload_segment_next(scratch, &segments)) > 0)
		transmit(pl, cfg, group, segments, n);
}

/* Send in order, completing in software what the receiver does not take. */
static void send_completed(struct pipeline *pl, const struct snapshot *cfg,
			   struct output_group *group)
{
	struct offload_scratch *scratch = pl->output.scratch;
	struct port *port = cfg->ports[group->port].port;
	uint32_t takes = atomic_load_explicit(&port->tx_offloads, memory_order_relaxed);
	uint16_t start = 0;

	for (uint16_t i = 0; i < group->n; i++) {
		struct frame_out *out = &group->outs[i];

		if (offload_is_taken(&out->f->offload, takes))
			continue;
		if (out->f->offload.gso == FRAME_GSO_NONE && offload_checksum(scratch, out))
			continue;
		transmit(pl, cfg, group, &group->outs[start], i - start);
		offload_scratch_reset(scratch);
		start = i;
		if (out->f->offload.gso == FRAME_GSO_NONE) {
			if (offload_checksum(scratch, out))
				continue;
			pipeline_drop_out(pl, cfg, &cfg->ports[group->port], out, DROP_NO_MEMORY);
		} else {
			transmit_segments(pl, cfg, group, out);
			offload_scratch_reset(scratch);
		}
		start = i + 1;
	}
	transmit(pl, cfg, group, &group->outs[start], group->n - start);
	offload_scratch_reset(scratch);
}

static void send_group(struct pipeline *pl, const struct snapshot *cfg, struct output_group *group)
{
	if (group->has_wishes)
		send_completed(pl, cfg, group);
	else
		transmit(pl, cfg, group, group->outs, group->n);
	group->n = 0;
	group->has_wishes = false;
}

void output_flush(struct pipeline *pl, const struct snapshot *cfg)
{
	struct output *output = &pl->output;

	for (uint16_t i = 0; i < output->n_groups; i++) {
		send_group(pl, cfg, &output->groups[i]);
		output->first_group[output->groups[i].port] = 0;
	}
	output->n_groups = 0;
	output->last = NULL;
}

static struct output_group *group_find(const struct output *output, uint16_t port, uint16_t queue)
{
	uint16_t i = output->first_group[port];

	while (i != 0 && output->groups[i - 1].queue != queue)
		i = output->groups[i - 1].next;
	return i == 0 ? NULL : (struct output_group *)&output->groups[i - 1];
}

static struct output_group *group_new(struct pipeline *pl, const struct snapshot *cfg,
				      uint16_t port, uint16_t queue)
{
	struct output *output = &pl->output;
	struct output_group *group;

	if (output->n_groups == OUTPUT_GROUPS_MAX)
		output_flush(pl, cfg);
	group = &output->groups[output->n_groups++];
	group->port = port;
	group->queue = queue;
	group->n = 0;
	group->has_wishes = false;
	group->plain_vid = VLAN_NONE;
	group->next = output->first_group[port];
	output->first_group[port] = (uint8_t)output->n_groups;
	return group;
}

struct frame_out *output_add(struct pipeline *pl, const struct snapshot *cfg, uint16_t port,
			     struct frame *f)
{
	uint16_t n_queues = cfg->ports[port].port->spec.n_queues;
	uint16_t queue = n_queues > 1 ? (uint16_t)(l4_flow_hash(f) % n_queues) : 0;
	struct output_group *group = group_find(&pl->output, port, queue);
	struct frame_out *out;

	if (group == NULL)
		group = group_new(pl, cfg, port, queue);
	else if (group->n == FRAME_BURST)
		send_group(pl, cfg, group);
	pl->output.last = n_queues > 1 ? NULL : group;
	out = &group->outs[group->n++];
	out->f = f;
	out->drop = DROP_NONE;
	group->has_wishes |= (f->offload.flags | f->offload.gso) != 0;
	return out;
}
