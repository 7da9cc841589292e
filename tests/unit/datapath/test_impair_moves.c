/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wire that is a bad cable at both ends, while who polls it and who sends on what waits changes all the time, among three workers.
 *
 *    port 0 --> waits on the way in: lost, doubled --> waits on the way out: lost, doubled --> port 1
 *
 * What comes out must be, frame by frame and in order, what the seeds say: the same as without any move. The queue's, the way in's and the way
 * out's worker change independently of each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "datapath.h"
#include "impair/decide.h"
#include "unit/datapath/frames.h"

#define WORKERS 3
#ifdef __SANITIZE_THREAD__
#define FRAMES 20000
#else
#define FRAMES 300000
#endif
#define OUTCOMES_MAX (2 * FRAMES)
#define WAITING_MAX  1500u
#define FRAMES_MOVE  200u /* at most, between two snapshots: so there are FRAMES / 200 of them */
#define LEN	     60
#define WAIT_NS	     (100 * CLOCK_NS_PER_SECOND)
#define PORT_FROM    0
#define PORT_TO	     1

static struct port ports[2];
static struct impair *in, *out;
static _Atomic uint32_t available; /* frames that port 0 may receive */
static uint32_t taken;		   /* whoever polls, plain on purpose */
/* of whoever sends to port 1, plain on purpose: only the owner of the way out does, and they change through grace periods */
static uint32_t outcomes[OUTCOMES_MAX], expected[OUTCOMES_MAX];
static _Atomic uint32_t n_outcomes; /* one more than there is room for: too many came */

static const struct impair_params params_in = {
	.delay_ns = 150000, .loss_ppm = 150000, .duplicate_ppm = 100000, .seed = 7};
static const struct impair_params params_out = {
	.delay_ns = 100000, .loss_ppm = 100000, .duplicate_ppm = 50000, .seed = 9};

static uint16_t rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
		   uint16_t max)
{
	uint32_t n = port == &ports[PORT_FROM] ? atomic_load(&available) - taken : 0;

	(void)queue;
	(void)worker;
	n = n < max ? n : max;
	for (uint32_t i = 0; i < n; i++) {
		struct frame *f = &frames[i];
		uint32_t number = taken + i;

		memset(f, 0, offsetof(struct frame, buf));
		f->hdr = f->buf + FRAME_HDR_ROOM;
		frames_make(f->hdr, 1, 2, LEN, 0);
		memcpy(f->hdr + 14, &number, sizeof(number));
		f->hdr_len = f->len = LEN;
	}
	if (n > 0)
		taken += n;
	return (uint16_t)n;
}

static void rx_release(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
}

static void tx(struct port *port, uint16_t queue, struct frame_out *frames, uint16_t n)
{
	uint8_t bytes[LEN];

	(void)port;
	(void)queue;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t at = atomic_load_explicit(&n_outcomes, memory_order_relaxed);

		frames[i].drop = DROP_NONE;
		if (at < OUTCOMES_MAX) {
			frame_out_copy(&frames[i], bytes, sizeof(bytes));
			memcpy(&outcomes[at], bytes + 14, sizeof(outcomes[at]));
		}
		atomic_store_explicit(&n_outcomes, at + (at <= OUTCOMES_MAX), memory_order_relaxed);
	}
}

static int rx_fd(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
	return -1;
}

static bool rx_arm(struct port *port, uint16_t queue, bool armed)
{
	(void)queue;
	return armed && port == &ports[PORT_FROM] && atomic_load(&available) != taken;
}

static const struct port_ops ops = {.type = "cable",
				    .rx = rx,
				    .rx_release = rx_release,
				    .tx = tx,
				    .rx_fd = rx_fd,
				    .rx_arm = rx_arm};

static uint16_t pick(uint16_t n)
{
	return (uint16_t)(random() % n);
}

static void publish(void)
{
	struct snapshot *s = snapshot_new(datapath_fdb(), 2, 0, WORKERS);

	assert_non_null(s);
	s->impairs = calloc(2, sizeof(*s->impairs));
	for (uint16_t i = 0; i < 2; i++) {
		frames_access_port(&s->ports[i], &ports[i], SNAPSHOT_NONE, 1);
		s->ports[i].role = PORT_WIRE;
		s->ports[i].peer = 1 - i;
		s->ports[i].impair = &s->impairs[i];
		snapshot_move(s, i, 0, pick(WORKERS));
	}
	s->impairs[PORT_FROM].state[IMPAIR_IN] = in;
	s->impairs[PORT_FROM].params[IMPAIR_IN] = params_in;
	s->impairs[PORT_TO].state[IMPAIR_OUT] = out;
	s->impairs[PORT_TO].params[IMPAIR_OUT] = params_out;
	snapshot_move(s, PORT_FROM, SNAPSHOT_DIRECTION(IMPAIR_IN), pick(WORKERS));
	snapshot_move(s, PORT_TO, SNAPSHOT_DIRECTION(IMPAIR_OUT), pick(WORKERS));
	assert_int_equal(snapshot_finish(s), 0);
	datapath_publish(s);
}

/* What becomes of frames @from when they pass a direction. Return: how many come out, in @to. */
static uint32_t outcome(uint64_t salt, const struct impair_params *params, const uint32_t *from,
			uint32_t n, uint32_t *to)
{
	static uint64_t turns[IMPAIR_QUEUE_MAX];
	struct impair_state state;
	struct impair_copy copies[2];
	uint32_t n_out = 0;

	impair_state_init(&state, salt, turns);
	for (uint32_t i = 0; i < n; i++)
		for (unsigned int k = impair_decide(&state, params, LEN, i, copies); k > 0; k--) {
			assert_true(n_out < OUTCOMES_MAX);
			to[n_out++] = from[i];
		}
	return n_out;
}

static uint64_t n_waiting(void)
{
	struct impair_stats stats;

	impair_stats_get(in, &stats);
	return atomic_load(&available) - stats.frames + stats.held_frames;
}

/* Whoever is to send on what has just entered has to find it, and without another snapshot to remind them. */
static bool everything_leaves(uint64_t end_ns)
{
	struct impair_stats first, second;

	do {
		impair_stats_get(out, &second);
		impair_stats_get(in, &first);
		if (first.frames == atomic_load(&available) && first.held_frames == 0 &&
		    second.frames == first.left_frames && second.held_frames == 0)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
	} while (clock_now_ns() < end_ns);
	return false;
}

static void what_comes_out_is_what_the_seeds_say_however_often_it_moves(void **state)
{
	static uint32_t numbers[FRAMES], between[OUTCOMES_MAX];
	const struct timespec pause = {.tv_nsec = 100000};
	uint64_t end_ns = clock_now_ns() + WAIT_NS;
	uint32_t n;

	(void)state;
	for (uint32_t i = 0; i < FRAMES; i++)
		numbers[i] = i;
	n = outcome(3, &params_in, numbers, FRAMES, between);
	n = outcome(4, &params_out, between, n, expected);
	while (atomic_load(&n_outcomes) < n && clock_now_ns() < end_ns) {
		uint32_t left = FRAMES - atomic_load(&available);

		if (n_waiting() < WAITING_MAX)
			atomic_fetch_add(&available, left < FRAMES_MOVE ? left : FRAMES_MOVE);
		publish();
		if (pick(4) == 0)
			nanosleep(&pause, NULL); /* workers fall asleep */
		if (pick(8) == 0)
			assert_true(everything_leaves(end_ns));
	}
	datapath_stop(); /* nothing is on its way any more, so none may follow */
	assert_int_equal(atomic_load(&n_outcomes), n);
	assert_memory_equal(outcomes, expected, n * sizeof(outcomes[0]));
}

static int start(void **state)
{
	const struct datapath_options options = {
		.n_workers = WORKERS, .fdb_capacity = 1024, .idle_us = 20};
	const struct port_spec spec = {.n_queues = 1, .type = "cable"};
	struct err err = {""};

	(void)state;
	srandom(5);
	for (int i = 0; i < 2; i++)
		port_init(&ports[i], &ops, &spec);
	in = impair_new(3);
	out = impair_new(4);
	if (in == NULL || out == NULL || datapath_start(&options, &err) != 0)
		return -1;
	publish();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	datapath_fini();
	impair_free(in);
	impair_free(out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_out_is_what_the_seeds_say_however_often_it_moves),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
