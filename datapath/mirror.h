/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mirrors: copies of what goes in or out at some ports, to another port (IEEE 802.1Q calls none of it; vendors say SPAN).
 *
 * A copy is one more way out of the same frame: nothing is queued, the receiving port copies the bytes as it does for every frame. A
 * copy of what came in is as it came in; one of what goes out has the tags of that port. Mirrored is what the port
 * admits: what is refused can be captured (--drops). Copies are not mirrored again.
 */
#ifndef DATAPATH_MIRROR_H
#define DATAPATH_MIRROR_H

#include <stdint.h>

#include "frame.h"

#define MIRRORS_MAX 32 /* bits of port_config.mirror_in */

struct filter;
struct pipeline;
struct snapshot;

/* Constant while a snapshot names it, except for the counter. */
struct mirror {
	const struct filter *filter; /* NULL: all frames */
	uint16_t vid;		     /* only this VLAN, 0: all */
	uint32_t snaplen;	     /* bytes of a frame, 0: all */
	uint64_t n_copies[16];	     /* by worker, its own to write */
};

struct mirror_cuts;

/** mirror_cuts_new() - One worker's room for frames that are cut. Return: NULL without memory. */
struct mirror_cuts *mirror_cuts_new(void);
void mirror_cuts_free(struct mirror_cuts *cuts);

/**
 * mirror_frame() - Copy a frame to mirrors
 * @mirrors: which, a bit each
 * @out:     the frame as it is at the port that is mirrored
 *
 * May flush the output: what output_add() returned before is not to be used any more.
 */
void mirror_frame(struct pipeline *pl, const struct snapshot *cfg, uint32_t mirrors,
		  const struct frame_out *out);

#endif
