/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames on their way out, grouped by port and tx queue so that a port is called once per burst.
 *
 * A group keeps the order in which frames were added. It is sent when it is full, when groups run
 * out, or by output_flush(). One worker owns it.
 */
#ifndef DATAPATH_OUTPUT_H
#define DATAPATH_OUTPUT_H

#include "frame.h"
#include "snapshot.h"

#define OUTPUT_GROUPS_MAX 32

struct pipeline;
struct offload_scratch;

struct output_group {
	uint16_t port;
	uint16_t queue;
	uint16_t n;
	uint16_t next; /* group + 1 of the same port's next queue, 0: none */
	struct frame_out outs[FRAME_BURST];
};

struct output {
	uint16_t n_groups;
	uint8_t first_group[SNAPSHOT_PORTS_MAX]; /* + 1, 0: none */
	struct offload_scratch *scratch;
	struct output_group groups[OUTPUT_GROUPS_MAX];
};

/** output_init() - Return: 0 or -ENOMEM */
int output_init(struct output *output);
void output_fini(struct output *output);

/**
 * output_add() - Make room for one frame towards a port
 * @port: index of a port with I/O
 * Return: the place, with f set; the caller writes prefix, prefix_len and skip.
 */
struct frame_out *output_add(struct pipeline *pl, const struct snapshot *cfg, uint16_t port,
			     struct frame *f);

/** output_flush() - Send all groups */
void output_flush(struct pipeline *pl, const struct snapshot *cfg);

#endif
