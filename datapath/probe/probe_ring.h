/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of records from one worker to the control thread: what captures, samples and live traces are made of.
 *
 * One writer, one reader, no locks. Full means that the record is lost and counted: the writer never waits, so nobody who
 * reads slowly slows the switch. Memory is bounded by the size given and is touched as it is used.
 */
#ifndef DATAPATH_PROBE_PROBE_RING_H
#define DATAPATH_PROBE_PROBE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "probe/point.h"

struct probe_record {
	uint32_t size;	   /* of the whole record; 0: the rest of the ring is skipped */
	uint32_t wire_len; /* of the frame */
	uint32_t cap_len;  /* bytes of it behind this header */
	uint32_t lost;	   /* frames that found no room since the record before */
	uint64_t tsc;
	uint64_t generation; /* of the snapshot in which @port is an index */
	uint16_t port;
	uint16_t vid;
	uint8_t point;	/* enum probe_point */
	uint8_t reason; /* enum drop_reason */
	uint8_t gso;	/* enum frame_gso: the frame will be cut later */
	bool inbound;	/* the port is where the frame came in */
	uint32_t extra; /* bytes of something else in front of the frame's (live traces) */
};

struct probe_ring {
	_Atomic uint64_t head; /* bytes written; the worker's */
	uint64_t n_lost;       /* of the worker: frames in all that found no room */
	uint64_t n_frames;     /* frames that matched */
	uint64_t n_seen;       /* frames that were looked at */
	uint32_t lost;	       /* since the last record */
	uint32_t skip;	       /* frames until the next sample */
	uint32_t random;
	uint64_t *port_lost;		    /* by port index: of n_lost */
	uint64_t *port_seen;		    /* by port index: of n_seen */
	_Alignas(64) _Atomic uint64_t tail; /* bytes read; control's */
	uint32_t size;			    /* power of two */
	uint8_t *bytes;
};

/**
 * probe_ring_new() - A ring of @size bytes, a power of two
 * Return: NULL without memory.
 */
struct probe_ring *probe_ring_new(uint32_t size);
void probe_ring_free(struct probe_ring *ring);

/**
 * probe_ring_put() - Write a record
 * @record:  all but size and lost; cap_len says how many bytes of the frame are wanted
 * @extra:   record->extra bytes, or NULL
 * @out:     the frame
 *
 * Context: the ring's worker.
 */
void probe_ring_put(struct probe_ring *ring, const struct probe_record *record, const void *extra,
		    const struct frame_out *out);

/**
 * probe_ring_peek() - The oldest record, with its bytes behind it
 * Return: valid until probe_ring_pop(), NULL when there is none. Context: the reader.
 */
const struct probe_record *probe_ring_peek(struct probe_ring *ring);
void probe_ring_pop(struct probe_ring *ring, const struct probe_record *record);

#endif
