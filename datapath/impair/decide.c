/* SPDX-License-Identifier: BSD-3-Clause */
#include "impair/decide.h"

#include <string.h>

#include "base/clock.h"
#include "impair/random.h"

static void reseed(struct impair_state *state, uint64_t seed)
{
	uint64_t source = seed ^ state->salt;

	state->seed = seed;
	state->in_burst = false;
	for (int i = 0; i < N_STREAMS; i++)
		state->streams[i] = random_next(&source);
}

void impair_state_init(struct impair_state *state, uint64_t salt, uint64_t *turns)
{
	memset(state, 0, sizeof(*state));
	state->salt = salt;
	state->turns = turns;
	reseed(state, 0);
}

bool impair_is_set(const struct impair_params *p)
{
	return p->delay_ns != 0 || p->loss_ppm != 0 || p->burst_enter_ppm != 0 ||
	       p->gap_loss_ppm != 0 || p->rate_bps != 0 || p->duplicate_ppm != 0 ||
	       p->corrupt_ppm != 0;
}

static bool is_lost(struct impair_state *s, const struct impair_params *p)
{
	uint64_t *burst = &s->streams[STREAM_BURST];
	bool lost = random_chance(&s->streams[STREAM_LOSS], p->loss_ppm);

	if (p->burst_enter_ppm == 0 && p->gap_loss_ppm == 0)
		return lost;
	/* Gilbert 1960, Elliott 1963: loss by the state, then the state's next step. */
	lost = random_chance(burst, s->in_burst ? p->burst_loss_ppm : p->gap_loss_ppm) || lost;
	if (random_chance(burst, s->in_burst ? p->burst_leave_ppm : p->burst_enter_ppm))
		s->in_burst = !s->in_burst;
	return lost;
}

static uint64_t queue_bytes(const struct impair_params *p)
{
	uint64_t bytes = p->rate_bps / 8 * (IMPAIR_QUEUE_NS / CLOCK_NS_PER_MS) / 1000;

	if (p->queue_bytes != 0)
		return p->queue_bytes;
	return bytes > IMPAIR_QUEUE_BYTES_MIN ? bytes : IMPAIR_QUEUE_BYTES_MIN;
}

static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t divisor)
{
	return (uint64_t)((unsigned __int128)a * b / divisor);
}

/* Wait for the turn. Return: false when the queue has no room. */
static bool take_turn(struct impair_state *s, const struct impair_params *p, uint32_t len,
		      uint64_t now_ns, uint64_t *sent_ns)
{
	uint32_t most = p->queue_frames != 0 ? p->queue_frames : IMPAIR_QUEUE_DEFAULT;
	unsigned __int128 bits_ns;

	if (s->free_at_ns < now_ns) {
		s->free_at_ns = now_ns;
		s->free_at_rest = 0;
	}
	while (s->n_turns > 0 && s->turns[s->first_turn] <= now_ns) {
		s->first_turn = (s->first_turn + 1) % IMPAIR_QUEUE_MAX;
		s->n_turns--;
	}
	/* The oldest of the turns is being sent; the others wait. */
	if (s->n_turns > 0 &&
	    (s->n_turns > most || s->n_turns == IMPAIR_QUEUE_MAX ||
	     mul_div(s->free_at_ns - now_ns, p->rate_bps, 8 * CLOCK_NS_PER_SECOND) + len >
		     queue_bytes(p)))
		return false;
	bits_ns = (unsigned __int128)len * 8 * CLOCK_NS_PER_SECOND + s->free_at_rest;
	s->free_at_ns += (uint64_t)(bits_ns / p->rate_bps);
	s->free_at_rest = (uint64_t)(bits_ns % p->rate_bps);
	s->turns[(s->first_turn + s->n_turns++) % IMPAIR_QUEUE_MAX] = s->free_at_ns;
	*sent_ns = s->free_at_ns;
	return true;
}

static uint64_t travel_ns(struct impair_state *s, const struct impair_params *p)
{
	uint64_t *stream = &s->streams[STREAM_DELAY];
	double deviation;

	if (p->jitter_ns == 0)
		return p->delay_ns;
	deviation = p->distribution == IMPAIR_UNIFORM  ? random_uniform(stream)
		    : p->distribution == IMPAIR_NORMAL ? random_normal(stream)
						       : random_pareto(stream);
	deviation = (double)p->delay_ns + deviation * (double)p->jitter_ns;
	return deviation > 0 ? (uint64_t)deviation : 0;
}

static void copy_decide(struct impair_state *s, const struct impair_params *p, uint32_t len,
			uint64_t now_ns, struct impair_copy *copy)
{
	uint64_t sent_ns = now_ns;

	memset(copy, 0, sizeof(*copy));
	if (random_chance(&s->streams[STREAM_CORRUPT], p->corrupt_ppm) && len > 0) {
		copy->is_corrupt = true;
		copy->bit = random_below(&s->streams[STREAM_CORRUPT], len * 8);
	}
	if (p->rate_bps != 0 && !take_turn(s, p, len, now_ns, &sent_ns)) {
		copy->drop = DROP_IMPAIR_QUEUE;
		return;
	}
	if (random_chance(&s->streams[STREAM_REORDER], p->reorder_ppm)) {
		copy->is_reordered = true;
		copy->due_ns = sent_ns;
		return;
	}
	copy->due_ns = sent_ns + travel_ns(s, p);
	if (p->may_overtake)
		return;
	if (copy->due_ns < s->last_due_ns)
		copy->due_ns = s->last_due_ns;
	s->last_due_ns = copy->due_ns;
}

/* What waits keeps its time, but new frames need not wait for frames of a slower past. */
static void change_notice(struct impair_state *s, const struct impair_params *p)
{
	if (p->seed != s->seed)
		reseed(s, p->seed);
	if (p->rate_bps != s->rate_bps) {
		s->free_at_ns = 0;
		s->n_turns = 0;
	}
	if (p->rate_bps != s->rate_bps || p->delay_ns != s->delay_ns ||
	    p->jitter_ns != s->jitter_ns)
		s->last_due_ns = 0;
	s->rate_bps = p->rate_bps;
	s->delay_ns = p->delay_ns;
	s->jitter_ns = p->jitter_ns;
}

unsigned int impair_decide(struct impair_state *s, const struct impair_params *p, uint32_t len,
			   uint64_t now_ns, struct impair_copy copies[2])
{
	unsigned int n;

	change_notice(s, p);
	if (is_lost(s, p))
		return 0;
	n = random_chance(&s->streams[STREAM_DUPLICATE], p->duplicate_ppm) ? 2 : 1;
	for (unsigned int i = 0; i < n; i++)
		copy_decide(s, p, len, now_ns, &copies[i]);
	return n;
}
