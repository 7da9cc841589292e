/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst's way through the stages. Read pipeline.c for the list.
 *
 * A struct pipeline is one worker's private state. It needs no EAL and no threads: tests and
 * benchmarks run it on frames of their own.
 */
#ifndef DATAPATH_PIPELINE_H
#define DATAPATH_PIPELINE_H

#include "fdb_table.h"
#include "frame.h"
#include "learn.h"
#include "output.h"
#include "probe/trace.h"
#include "snapshot.h"

#define PIPELINE_CROSSINGS_MAX                                                                     \
	16384 /* over patch links, per received burst: bounds what a loop can cost */
#define PIPELINE_RECENT_MAX 64

struct burst {
	const struct snapshot *cfg;
	uint16_t n;
	/*
	 * Set by parse: all frames are one run and nobody has to look at each of them (no offloads; nor mirrors and traces). Stages then decide
	 * for the first alone: its fields from `vid` to `strip` stand for all until forward spreads them, or burst_differ().
	 */
	bool is_alike;
	/*
	 * Set by parse: not that, but all came in by one port, untagged, from one station to one station each, without offloads, and
	 * nobody has to look at each of them. So admit decides for the first alone, as above; learn, forward and output have loops in which
	 * no branch depends on which station it is, and leave what is not most frequent to the functions that decide for any frame.
	 */
	bool is_plain;
	uint32_t longest; /* of them, frame.len */
	struct frame *frames[FRAME_BURST];
	uint64_t dst_hash[FRAME_BURST + 1]; /* of the FDB, by run (learn, for forward) */
};

/* Frames that crossed a patch link and wait for their next pass. */
struct pipeline_level {
	uint16_t n;
	struct frame frames[FRAME_BURST];
};

struct filter_scratch;

struct pipeline {
	uint16_t worker;
	bool shared_tx; /* other workers send on the same tx queues: count atomically */
	uint32_t now_s; /* CLOCK_MONOTONIC, for ages; the worker keeps it */
	uint64_t now_tsc;
	struct learn_queue *learn; /* shared */
	uint64_t n_learn_refused;
	struct {
		uint64_t key;
		uint64_t tsc;
		uint16_t port;
	} recent[PIPELINE_RECENT_MAX]; /* handed to the writer a moment ago: not again */
	uint32_t crossings_left;
	bool is_watched;     /* somebody looks at what is on its way: by pipeline_begin() */
	struct trace *trace; /* a frame that is traced is on its way, else NULL */
	struct trace live;   /* for live traces */
	struct mirror_cuts *mirror_cuts;
	struct filter_scratch *filter_scratch; /* of the probes' filters */
	struct output output;
	struct pipeline_impair *impair; /* what waits in impaired links: pipeline_impair.h */
	struct pipeline_level levels[FRAME_HOPS_MAX];
};

/* Removes from the burst what it drops. */
typedef void (*stage_run)(struct pipeline *pl, struct burst *b);

struct stage {
	const char *name;
	stage_run run;	       /* while nobody looks; NULL: there is nothing to do then */
	stage_run run_watched; /* while somebody looks, at any port */
};

/*
 * In front of an inline body that is compiled twice, with a constant `watched`: for bursts that somebody may look at, and for those
 * that nobody looks at, where no question is left.
 */
#define PIPELINE_TWICE static inline __attribute__((always_inline))

/* In the order of a frame's way; ends with a NULL name. */
extern const struct stage stages[];

void stage_parse(struct pipeline *pl, struct burst *b);
void stage_parse_watched(struct pipeline *pl, struct burst *b);
void stage_admit(struct pipeline *pl, struct burst *b);
void stage_mirror(struct pipeline *pl, struct burst *b);
void stage_learn(struct pipeline *pl, struct burst *b);
void stage_learn_watched(struct pipeline *pl, struct burst *b);
void stage_forward(struct pipeline *pl, struct burst *b);
void stage_output(struct pipeline *pl, struct burst *b);
void stage_output_watched(struct pipeline *pl, struct burst *b);

/**
 * pipeline_new() - State of one worker
 * @worker:    its index
 * @n_workers: of all
 * @learn:     where new stations go, borrowed
 * Return: NULL when memory does not suffice.
 */
struct pipeline *pipeline_new(uint16_t worker, uint16_t n_workers, struct learn_queue *learn);
void pipeline_free(struct pipeline *pl);

/**
 * pipeline_run() - Take received frames all the way
 * @frames: as from rx(), in_port set; may be changed
 *
 * All output is done when it returns: the frames may be released.
 */
void pipeline_run(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
		  uint16_t n);

/**
 * pipeline_cross() - A frame leaves by a patch end: queue it for a pass at the other end
 * @out:  the frame and its tags on this link
 * @from: the patch end it leaves by, with is_patch set
 */
void pipeline_cross(struct pipeline *pl, const struct snapshot *cfg, const struct frame_out *out,
		    const struct port_config *from);

/** pipeline_resume() - Like pipeline_run(), for frames that have crossed frames[].hops patch links before */
void pipeline_resume(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
		     uint16_t n);

/** pipeline_begin() - Before the first pipeline_cross() or output_add() of a burst: bound loops, see whether somebody looks */
void pipeline_begin(struct pipeline *pl, const struct snapshot *cfg);

/** pipeline_crossed() - Take all that pipeline_cross() has queued all the way */
void pipeline_crossed(struct pipeline *pl, const struct snapshot *cfg);

/** pipeline_is_dry() - Whether this is a dry run: nothing may be counted, learned or sent */
static inline bool pipeline_is_dry(const struct pipeline *pl)
{
	return pl->trace != NULL && pl->trace->dry;
}

/**
 * pipeline_drop_out() - A frame ends here: count it on a port, and show it to who looks at drops
 * @port: has I/O or is a patch end
 * @out:  the frame as it was to leave
 */
void pipeline_drop_out(struct pipeline *pl, const struct snapshot *cfg,
		       const struct port_config *port, const struct frame_out *out,
		       enum drop_reason reason);

/** pipeline_drop_at() - The same for a frame as it came in */
void pipeline_drop_at(struct pipeline *pl, const struct snapshot *cfg,
		      const struct port_config *port, struct frame *f, enum drop_reason reason);

/** pipeline_drop() - The same, on the port where it came in */
static inline void pipeline_drop(struct pipeline *pl, const struct burst *b, struct frame *f,
				 enum drop_reason reason)
{
	pipeline_drop_at(pl, b->cfg, &b->cfg->ports[f->in_port], f, reason);
}

/** frame_as_admitted() - What admit decided for the first frame is for this one */
static inline void frame_as_admitted(struct frame *f, const struct frame *first)
{
	f->vid = first->vid;
	f->prio = first->prio;
	f->strip = first->strip;
}

/** burst_spread() - What was decided for the first frame is for all */
static inline void burst_spread(struct burst *b)
{
	const struct frame *first = b->frames[0];

	for (uint16_t i = 1; i < b->n; i++) {
		struct frame *f = b->frames[i];

		frame_as_admitted(f, first);
		f->out_port = first->out_port;
		f->verdict = first->verdict;
	}
}

/** burst_differ() - From here on each frame is looked at */
static inline void burst_differ(struct burst *b)
{
	burst_spread(b);
	b->is_alike = b->is_plain = false;
}

/** burst_l3_longest() - pipeline_l3_len() of the longest frame; is_alike */
static inline uint32_t burst_l3_longest(const struct burst *b)
{
	uint32_t overhead = 14 + 4 * (uint32_t)b->frames[0]->n_tags;

	return b->longest > overhead ? b->longest - overhead : 0;
}

/**
 * pipeline_l3_len() - Bytes that count against an MTU: without Ethernet header and tags, per
 * segment for GSO
 */
static inline uint32_t pipeline_l3_len(const struct frame *f)
{
	uint32_t overhead = 14 + 4 * (uint32_t)f->n_tags, len = f->len;

	if (f->offload.gso != FRAME_GSO_NONE)
		len = (uint32_t)f->offload.gso_hdr_len + f->offload.gso_size;
	return len > overhead ? len - overhead : 0;
}

#endif
