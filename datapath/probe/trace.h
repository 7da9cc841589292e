/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a frame, step by step: recorded by the pipeline itself while it works on that frame.
 *
 * A pipeline with a `trace` writes down after each stage what the stage decided, and every drop, way out and patch link. One
 * frame (with the copies it floods into) is on its way while that is so. Two users, one mechanism:
 *
 *     live       a worker's pipeline, for frames that a probe picks out; the frame goes its way
 *     dry run    a pipeline of control's own: the same stages on the same snapshot, but nothing is counted, learned,
 *                refreshed or sent
 *
 * So what is predicted and what is observed cannot disagree, and both are put into words by the same code of control's.
 */
#ifndef DATAPATH_PROBE_TRACE_H
#define DATAPATH_PROBE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "drop.h"

#define TRACE_EVENTS_MAX 192

enum trace_kind {
	TRACE_STAGE,  /* a stage let the frame pass; the fields say what it decided */
	TRACE_DROP,   /* @port counts it as @reason */
	TRACE_OUT,    /* output decided to send on @port, with @tag */
	TRACE_SENT,   /* @port's peer has it (live only) */
	TRACE_CROSS,  /* over a patch link to @port */
	TRACE_SKIP,   /* a flood leaves @port out, for @reason */
	TRACE_MIRROR, /* a copy for a mirror, to @port */
};

struct trace_event {
	uint8_t kind;	/* enum trace_kind */
	uint8_t stage;	/* index in stages[] */
	uint8_t reason; /* enum drop_reason */
	uint8_t hops;
	uint8_t n_tags;
	uint8_t strip;
	uint8_t verdict;   /* enum frame_verdict */
	uint8_t source;	   /* enum fdb_change: what learn found */
	uint16_t in_port;  /* where this pass began */
	uint16_t port;	   /* which one the event is about */
	uint16_t out_port; /* with verdict FRAME_TO_PORT */
	uint16_t vid;
	uint16_t prio;
	uint16_t ethertype;
	uint32_t tag; /* TPID and TCI: on the way out, or as a dropped frame had it; 0: none */
	uint32_t len;
};

struct trace {
	bool dry;	 /* nothing may change but this record */
	uint16_t n;	 /* events */
	uint16_t n_more; /* that found no room */
	uint8_t source;	 /* set by learn for its own event */
	struct trace_event events[TRACE_EVENTS_MAX];
};

struct burst;
struct frame;
struct frame_out;

/** trace_stage() - A stage has worked on the burst */
void trace_stage(struct trace *trace, unsigned int stage, const struct burst *b);

/** trace_frame() - Something else happened to a frame. @port: index */
void trace_frame(struct trace *trace, enum trace_kind kind, const struct frame *f, uint16_t port,
		 enum drop_reason reason);

/** trace_out() - A frame is to leave on @port, as @out says */
void trace_out(struct trace *trace, enum trace_kind kind, const struct frame_out *out,
	       uint16_t port);

#endif
