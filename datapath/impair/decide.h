/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens to a frame on an impaired link, and when it arrives. Pure: time and randomness come from the caller.
 *
 * The order is that of a cable behind a port: lost or not; twice or once; then each copy waits for its turn at the rate
 * and travels for the delay. A frame that is lost takes no time on the link.
 */
#ifndef DATAPATH_IMPAIR_DECIDE_H
#define DATAPATH_IMPAIR_DECIDE_H

#include "impair/impair.h"

enum {
	STREAM_LOSS,
	STREAM_BURST,
	STREAM_DUPLICATE,
	STREAM_CORRUPT,
	STREAM_REORDER,
	STREAM_DELAY,
	N_STREAMS
};

/* What a direction remembers from frame to frame. */
struct impair_state {
	uint64_t salt;
	uint64_t seed; /* that the streams were made from */
	uint64_t streams[N_STREAMS];
	bool in_burst;
	uint64_t free_at_ns;   /* the last bit so far has been sent by then */
	uint64_t free_at_rest; /* what the division by the rate left, in 1/rate ns */
	uint64_t last_due_ns;  /* of the frames that keep the order */
	uint64_t rate_bps, delay_ns,
		jitter_ns; /* of the last frame: a change begins anew, as with another cable */
	/* when the frames that wait for their turn will have been sent, oldest first: a ring */
	uint64_t *turns; /* [IMPAIR_QUEUE_MAX], borrowed */
	uint32_t first_turn, n_turns;
};

struct impair_copy {
	enum drop_reason drop; /* DROP_NONE: it is due at due_ns */
	uint64_t due_ns;
	bool is_reordered;
	bool is_corrupt;
	uint32_t bit; /* that is flipped, from the frame's first */
};

/** impair_state_init() - @turns: room for IMPAIR_QUEUE_MAX, borrowed */
void impair_state_init(struct impair_state *state, uint64_t salt, uint64_t *turns);

/**
 * impair_decide() - The fate of the next frame
 * @len:    bytes
 * @copies: out: one or two, in the order in which they are sent
 *
 * Return: how many copies there are; 0 when the frame is lost.
 */
unsigned int impair_decide(struct impair_state *state, const struct impair_params *params,
			   uint32_t len, uint64_t now_ns, struct impair_copy copies[2]);

#endif
