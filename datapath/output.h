/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames on their way out, grouped by port and tx queue so that a port is called once per burst.
 *
 * A group keeps the order in which frames were added. It is sent when it is full, when groups run
 * out, or by output_flush(). One worker owns it.
 */
#ifndef DATAPATH_OUTPUT_H
#define DATAPATH_OUTPUT_H

#include <stdbool.h>
#include <string.h>

#include "frame.h"
#include "snapshot.h"

#define OUTPUT_GROUPS_MAX   32
#define OUTPUT_TAGGED_BYTES 16 /* of a prefix: what vlan_egress() may write */

struct pipeline;
struct offload_scratch;

struct output_group {
	uint16_t port;
	uint16_t queue;
	uint16_t n;
	bool has_wishes; /* some of the frames have offload flags or are to be cut */
	uint16_t next;	 /* group + 1 of the same port's next queue, 0: none */
	/* frames up to plain_len that admit found untagged in plain_vid leave as they came, on this one queue; 0: not known */
	uint16_t plain_vid;
	uint32_t plain_len;
	struct frame_out outs[FRAME_BURST];
};

struct output {
	uint16_t n_groups;
	uint8_t first_group[SNAPSHOT_PORTS_MAX]; /* + 1, 0: none */
	struct offload_scratch *scratch;
	struct output_group *last; /* of output_add(), NULL if a frame's flow counts there */
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

/**
 * output_repeat() - As output_add(), for a frame that leaves just as the one before it
 * Return: false if there is no room next to that: use output_add().
 */
static inline bool output_repeat(struct output *output, struct frame *f)
{
	struct output_group *group = output->last;
	const struct frame_out *before;
	struct frame_out *out;

	if (group == NULL || group->n == 0 || group->n == FRAME_BURST)
		return false;
	before = &group->outs[group->n - 1];
	out = &group->outs[group->n++];
	out->f = f;
	out->drop = DROP_NONE;
	out->prefix_len = before->prefix_len;
	out->skip = before->skip;
	memcpy(out->prefix, before->prefix, OUTPUT_TAGGED_BYTES);
	group->has_wishes |= (f->offload.flags | f->offload.gso) != 0;
	return true;
}

/**
 * output_repeat_all() - output_repeat() for all of them, or for none
 * @frames: have no offload wishes
 */
static inline bool output_repeat_all(struct output *output, struct frame *const *frames, uint16_t n)
{
	struct output_group *group = output->last;
	struct frame_out *outs;

	if (group == NULL || group->n == 0 || group->n + n > FRAME_BURST)
		return false;
	outs = &group->outs[group->n - 1];
	for (uint16_t i = 1; i <= n; i++) {
		outs[i].f = frames[i - 1];
		outs[i].drop = DROP_NONE;
		outs[i].prefix_len = outs[0].prefix_len;
		outs[i].skip = outs[0].skip;
	}
	if (outs[0].prefix_len != 0)
		for (uint16_t i = 1; i <= n; i++)
			memcpy(outs[i].prefix, outs[0].prefix, OUTPUT_TAGGED_BYTES);
	group->n = (uint16_t)(group->n + n);
	return true;
}

/** output_plain() - What output_add_plain() may do from now on, where the frame before went: see struct output_group */
static inline void output_plain(struct output *output, uint16_t vid, uint32_t len)
{
	if (output->last == NULL)
		return;
	output->last->plain_vid = vid;
	output->last->plain_len = len;
}

/**
 * output_add_plain() - As output_add(), for an untagged frame without offload wishes that leaves untagged
 * Return: false if that is not known to be right, or there is no room: use output_add().
 */
static inline bool output_add_plain(struct output *output, uint16_t port, struct frame *f)
{
	unsigned int first = output->first_group[port];
	struct output_group *group;
	struct frame_out *out;

	if (first == 0)
		return false;
	group = &output->groups[first - 1];
	if (group->plain_vid != f->vid || f->len > group->plain_len || group->n == FRAME_BURST)
		return false;
	out = &group->outs[group->n++];
	frame_out_init(out, f);
	return true;
}

/** output_flush() - Send all groups */
void output_flush(struct pipeline *pl, const struct snapshot *cfg);

#endif
