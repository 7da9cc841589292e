/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probes: eyes at three points of a frame's way, per port. Captures, samples and live traces are probes.
 *
 *     in    before the pipeline, as the port received it
 *     out   behind it, as the port's peer gets it: tagged, cut and summed as need be
 *     drop  where it ends, with the reason; on the port that counts the drop
 *
 * A snapshot names the probes and says per port and point which of them look there (port_config.watch, a bit each). Whether
 * anybody looks is asked once for a burst (pipeline_begin()). A probe that looks filters, samples, and copies into a ring of its worker (probe_ring.h); control reads.
 */
#ifndef DATAPATH_PROBE_PROBE_H
#define DATAPATH_PROBE_PROBE_H

#include "probe/filter.h"
#include "probe/probe_ring.h"

#define PROBE_WORKERS_MAX 16

struct pipeline;
struct port_config;
struct snapshot;

struct probe {
	/* constant while a snapshot names it */
	const struct filter *filter; /* NULL: all frames */
	uint32_t snaplen;	     /* bytes kept of a frame */
	uint32_t sample;	     /* one frame of so many, at random; 1: all */
	bool trace; /* frames are traced on their way, see trace.h; at PROBE_IN only */
	_Atomic uint32_t traces_left;
	uint16_t n_rings;
	/* by worker; written by it, read by control */
	struct probe_ring *rings[PROBE_WORKERS_MAX];
};

/**
 * probe_new() - A probe with rings
 * @ring_bytes: of each, a power of two
 * Return: to be freed with probe_free() when no snapshot names it; NULL without memory.
 */
struct probe *probe_new(uint16_t n_workers, uint32_t ring_bytes);
void probe_free(struct probe *probe);

/** probe_next() - The oldest record of all rings. @ring: out, for probe_ring_pop(). Context: control. */
const struct probe_record *probe_next(struct probe *probe, struct probe_ring **ring);

/** probe_count() - Sums over the rings: frames looked at, matched, and lost for want of room */
void probe_count(const struct probe *probe, uint64_t *n_seen, uint64_t *n_frames, uint64_t *n_lost);

/**
 * probe_look() - Let probes look at a frame
 * @watch: which, a bit each
 * @port:  index of the port where it is
 * @tsc:   when it was there
 * @out:   the frame as it is there
 */
void probe_look(struct pipeline *pl, const struct snapshot *cfg, uint64_t watch, uint16_t port,
		enum probe_point point, enum drop_reason reason, uint64_t tsc,
		const struct frame_out *out);

#endif
