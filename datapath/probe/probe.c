/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See probe.h. Looking is done by the worker that has the frame; the rest is control's.
 */
#include "probe/probe.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline.h"

struct probe *probe_new(uint16_t n_workers, uint32_t ring_bytes)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (probe == NULL)
		return NULL;
	probe->snaplen = FRAME_LEN_MAX;
	probe->sample = 1;
	for (uint16_t i = 0; i < n_workers && i < PROBE_WORKERS_MAX; i++) {
		probe->rings[i] = probe_ring_new(ring_bytes);
		if (probe->rings[i] == NULL) {
			probe_free(probe);
			return NULL;
		}
		probe->n_rings++;
	}
	return probe;
}

void probe_free(struct probe *probe)
{
	if (probe == NULL)
		return;
	for (uint16_t i = 0; i < probe->n_rings; i++)
		probe_ring_free(probe->rings[i]);
	free(probe);
}

const struct probe_record *probe_next(struct probe *probe, struct probe_ring **ring)
{
	const struct probe_record *oldest = NULL;

	for (uint16_t i = 0; i < probe->n_rings; i++) {
		const struct probe_record *record = probe_ring_peek(probe->rings[i]);

		if (record != NULL && (oldest == NULL || record->tsc < oldest->tsc)) {
			oldest = record;
			*ring = probe->rings[i];
		}
	}
	return oldest;
}

void probe_count(const struct probe *probe, uint64_t *n_seen, uint64_t *n_frames, uint64_t *n_lost)
{
	*n_seen = *n_frames = *n_lost = 0;
	for (uint16_t i = 0; i < probe->n_rings; i++) {
		*n_seen += stats_read(&probe->rings[i]->n_seen);
		*n_frames += stats_read(&probe->rings[i]->n_frames);
		*n_lost += stats_read(&probe->rings[i]->n_lost);
	}
}

static uint32_t random_next(struct probe_ring *ring)
{
	uint32_t x = ring->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	ring->random = x;
	return x;
}

/* sFlow v5 §3.1: every frame has the same chance, on average one of n; the skip is uniform within 1..2n-1. */
static bool is_sampled(struct probe_ring *ring, uint32_t n)
{
	if (n == 1)
		return true;
	if (ring->skip == 0)
		ring->skip = 1 + random_next(ring) % (2 * n - 1);
	return --ring->skip == 0;
}

static void keep(const struct snapshot *cfg, const struct probe *probe, struct probe_ring *ring,
		 uint16_t port, enum probe_point point, enum drop_reason reason, uint64_t tsc,
		 const struct frame_out *out)
{
	const struct frame *f = out->f;
	uint32_t len = frame_out_len(out);
	const struct probe_record record = {
		.wire_len = len,
		.cap_len = len < probe->snaplen ? len : probe->snaplen,
		.generation = cfg->generation,
		.tsc = tsc,
		.port = port,
		.vid = point == PROBE_IN ? 0 : f->vid,
		.point = (uint8_t)point,
		.reason = (uint8_t)reason,
		.gso = f->offload.gso,
		.inbound = point == PROBE_IN || (point == PROBE_DROP && port == f->in_port),
	};

	probe_ring_put(ring, &record, NULL, out);
}

void probe_look(struct pipeline *pl, const struct snapshot *cfg, uint64_t watch, uint16_t port,
		enum probe_point point, enum drop_reason reason, uint64_t tsc,
		const struct frame_out *out)
{
	for (; watch != 0; watch &= watch - 1) {
		const struct probe *probe = cfg->probes[__builtin_ctzll(watch)];
		struct probe_ring *ring = probe->rings[pl->worker];

		if (probe->trace)
			continue;
		stats_add(&ring->n_seen, 1);
		stats_add(&ring->port_seen[port], 1);
		if (is_sampled(ring, probe->sample) &&
		    filter_match(probe->filter, pl->filter_scratch, out))
			keep(cfg, probe, ring, port, point, reason, tsc, out);
	}
}
