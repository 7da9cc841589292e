/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/datapath/frames.h"

static uint16_t no_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
		      uint16_t max)
{
	(void)port;
	(void)queue;
	(void)worker;
	(void)frames;
	(void)max;
	return 0;
}

static const struct port_ops ops = {.type = "none", .rx = no_rx};
static const struct port_ops ops_without_rx = {.type = "none"};
static struct port ports[20];

static struct snapshot *make(uint16_t n_workers)
{
	struct snapshot *s = snapshot_new(NULL, 20, 3, n_workers);

	assert_non_null(s);
	s->switches[0].used = s->switches[2].used = true;
	for (uint16_t i = 0; i < 20; i++) {
		const struct port_spec spec = {.n_queues = 1 + i % 4};

		port_init(&ports[i], i == 7 ? &ops_without_rx : &ops, &spec);
		if (i == 5)
			continue; /* a hole */
		frames_access_port(&s->ports[i], &ports[i], i % 3, 10);
	}
	s->ports[6].port = NULL;
	s->ports[6].is_patch = true;
	s->ports[9].role = PORT_DETACHED;
	assert_int_equal(snapshot_finish(s), 0);
	return s;
}

static void members_are_the_ports_of_each_switch(void **state)
{
	struct snapshot *s = make(1);
	static const uint16_t of_0[] = {0, 3, 6, 12, 15, 18};

	(void)state;
	assert_int_equal(s->switches[0].n_ports, 6);
	assert_memory_equal(s->switches[0].ports, of_0, sizeof(of_0));
	assert_int_equal(s->switches[1].n_ports, 0); /* not in use */
	assert_int_equal(s->switches[2].n_ports, 5);
	snapshot_free(s);
}

static void every_queue_is_polled_by_exactly_one_worker(void **state)
{
	(void)state;
	for (uint16_t n_workers = 1; n_workers <= PORT_WORKERS_MAX; n_workers++) {
		struct snapshot *s = make(n_workers);
		uint32_t polled[20][4] = {0};

		for (uint16_t w = 0; w < n_workers; w++)
			for (uint32_t i = 0; i < s->polls[w].n; i++)
				polled[s->polls[w].entries[i].port][s->polls[w].entries[i].queue]++;
		for (uint32_t i = 0; i < 20; i++)
			for (uint32_t q = 0; q < 4; q++)
				assert_int_equal(polled[i][q],
						 i != 5 && i != 6 && i != 7 && q < 1 + i % 4);
		snapshot_free(s);
	}
}

static void queues_of_like_ports_are_spread_evenly(void **state)
{
	struct snapshot *s = snapshot_new(NULL, 20, 1, 4);
	const struct port_spec spec = {.n_queues = 2};

	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		port_init(&ports[i], &ops, &spec);
		frames_access_port(&s->ports[i], &ports[i], 0, 10);
	}
	assert_int_equal(snapshot_finish(s), 0);
	for (uint16_t w = 0; w < 4; w++)
		assert_int_equal(s->polls[w].n, 10);
	snapshot_free(s);
}

static void queue_keeps_its_worker_when_other_ports_go(void **state)
{
	struct snapshot *before = make(3), *after = snapshot_new(NULL, 20, 3, 3);

	(void)state;
	after->switches[0].used = true;
	frames_access_port(&after->ports[19], &ports[19], 0, 10); /* all others are gone */
	assert_int_equal(snapshot_finish(after), 0);
	for (uint16_t w = 0; w < 3; w++) {
		for (uint32_t i = 0; i < after->polls[w].n; i++) {
			bool found = false;

			for (uint32_t k = 0; k < before->polls[w].n; k++)
				found |= before->polls[w].entries[k].port == 19 &&
					 before->polls[w].entries[k].queue ==
						 after->polls[w].entries[i].queue;
			assert_true(found);
		}
	}
	snapshot_free(before);
	snapshot_free(after);
}

/* Who polls a queue: a worker; -1: nobody. Fails if two do. */
static int poller_of(const struct snapshot *s, uint16_t port, uint16_t queue)
{
	int found = -1;

	for (uint16_t w = 0; w < s->n_workers; w++) {
		for (uint32_t i = 0; i < s->polls[w].n; i++) {
			if (s->polls[w].entries[i].port != port ||
			    s->polls[w].entries[i].queue != queue)
				continue;
			assert_int_equal(found, -1);
			found = w;
		}
	}
	return found;
}

static struct snapshot *make_with_moves(const uint16_t moves[20][4])
{
	struct snapshot *s = snapshot_new(NULL, 20, 1, 3);

	s->switches[0].used = true;
	for (uint16_t i = 0; i < 20; i++) {
		if (i % 7 == 3)
			continue; /* a hole */
		frames_access_port(&s->ports[i], &ports[i], 0, 10);
		for (uint16_t q = 0; q < 4; q++)
			snapshot_move(s, i, q, moves[i][q]);
	}
	assert_int_equal(snapshot_finish(s), 0);
	return s;
}

static void queue_that_changes_hands_is_polled_by_nobody_in_between(void **state)
{
	uint16_t before[20][4], after[20][4];
	struct snapshot *old, *next, interim;
	uint32_t n_moved = 0;

	(void)state;
	srandom(7);
	for (int i = 0; i < 20 * 4; i++) {
		before[i / 4][i % 4] = (uint16_t)(random() % 3);
		after[i / 4][i % 4] = (uint16_t)(random() % 3);
	}
	snapshot_free(make(3)); /* fills ports[] in */
	old = make_with_moves(before);
	next = make_with_moves(after);
	assert_true(snapshot_hold(next, old, &interim));
	for (uint16_t i = 0; i < 20; i++) {
		for (uint16_t q = 0; q < 4; q++) {
			int from = poller_of(old, i, q), to = poller_of(next, i, q);

			assert_int_equal(poller_of(&interim, i, q), from == to ? to : -1);
			if (to >= 0)
				assert_int_equal(to, after[i][q]);
			n_moved += from != to;
		}
	}
	assert_true(n_moved > 10);
	for (uint16_t w = 0; w < 3; w++) {
		for (uint32_t i = 0; i < next->polls[w].n; i++) {
			const struct poll_entry *entry = &next->polls[w].entries[i];

			assert_int_equal(entry->is_taken_over,
					 poller_of(old, entry->port, entry->queue) != w);
			n_moved -= entry->is_taken_over;
		}
	}
	assert_int_equal(n_moved, 0);
	snapshot_free(old);
	snapshot_free(next);
}

/* Who empties a direction: a worker; -1: nobody. Fails if two do. */
static int emptier_of(const struct snapshot *s, uint16_t port, uint32_t direction)
{
	int found = -1;

	for (uint16_t w = 0; w < s->n_workers; w++) {
		if (!snapshot_empties(s, port, direction, w))
			continue;
		assert_int_equal(found, -1);
		found = w;
	}
	return found;
}

/* The first 8 ports are impaired in both directions, the next 2 have got other memory for it. */
static struct snapshot *make_with_impairments(struct impair **states, uint16_t first_state)
{
	struct snapshot *s = snapshot_new(NULL, 20, 1, 3);

	s->impairs = calloc(10, sizeof(*s->impairs));
	for (uint16_t i = 0; i < 10; i++) {
		frames_access_port(&s->ports[i], &ports[i], 0, 10);
		s->ports[i].impair = &s->impairs[i];
		for (uint16_t d = 0; d < IMPAIR_DIRECTIONS; d++) {
			s->impairs[i].state[d] = states[i < 8 ? 2 * i + d : first_state + i];
			if (random() % 2 == 0)
				snapshot_move(s, i, SNAPSHOT_DIRECTION(d), random() % 3);
		}
	}
	assert_int_equal(snapshot_finish(s), 0);
	assert_int_equal(s->n_impaired, 10);
	return s;
}

static void direction_that_changes_hands_is_emptied_by_nobody_in_between(void **state)
{
	struct impair *states[32];
	struct snapshot *old, *next, interim;
	uint32_t n_moved = 0;

	(void)state;
	srandom(8);
	snapshot_free(make(3)); /* fills ports[] in */
	for (size_t i = 0; i < 32; i++)
		states[i] = (struct impair *)(i + 1); /* never looked into */
	old = make_with_impairments(states, 10);
	next = make_with_impairments(states, 14);
	assert_true(snapshot_hold(next, old, &interim));
	for (uint16_t i = 0; i < 10; i++) {
		for (uint32_t d = 0; d < IMPAIR_DIRECTIONS; d++) {
			int from = emptier_of(old, i, d), to = emptier_of(next, i, d);

			assert_true(from >= 0 && to >= 0);
			/* What is new to all is nobody's until then. */
			assert_int_equal(emptier_of(&interim, i, d),
					 from == to || i >= 8 ? to : -1);
			assert_int_equal(snapshot_doer(&interim, i, SNAPSHOT_DIRECTION(d)), to);
			n_moved += from != to && i < 8;
		}
	}
	assert_true(n_moved > 3);
	for (uint16_t w = 0; w < 3; w++) /* no queue has moved */
		assert_int_equal(interim.polls[w].n, next->polls[w].n);
	snapshot_free(old);
	snapshot_free(next);
}

static void direction_begins_where_the_first_queue_does(void **state)
{
	struct snapshot *s = make(3);

	(void)state;
	for (uint16_t i = 0; i < 20; i++)
		for (uint32_t d = 0; d < IMPAIR_DIRECTIONS; d++)
			assert_int_equal(emptier_of(s, i, d), i % 3);
	assert_int_equal(s->n_impaired, 0);
	snapshot_free(s);
}

static void nothing_is_held_when_no_queue_changes_hands(void **state)
{
	struct snapshot *old = make(3), *next, interim;
	static struct port another;
	const struct port_spec spec = {.n_queues = 1};

	(void)state;
	next = snapshot_new(NULL, 20, 3, 3);
	next->switches[0].used = true;
	port_init(&another, &ops, &spec);
	frames_access_port(&next->ports[2], &ports[2], 0, 10);
	frames_access_port(&next->ports[3], &another, 0, 10); /* another has the index now */
	snapshot_move(next, 3, 0, 1);
	assert_int_equal(snapshot_finish(next), 0);
	assert_false(snapshot_hold(next, old, &interim));
	snapshot_free(old);
	snapshot_free(next);
}

static void impossible_sizes_are_refused(void **state)
{
	(void)state;
	assert_null(snapshot_new(NULL, SNAPSHOT_PORTS_MAX + 1, 1, 1));
	assert_null(snapshot_new(NULL, 1, SNAPSHOT_SWITCHES_MAX + 1, 1));
	assert_null(snapshot_new(NULL, 1, 1, 0));
	assert_null(snapshot_new(NULL, 1, 1, PORT_WORKERS_MAX + 1));
	snapshot_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_the_ports_of_each_switch),
		cmocka_unit_test(every_queue_is_polled_by_exactly_one_worker),
		cmocka_unit_test(queues_of_like_ports_are_spread_evenly),
		cmocka_unit_test(queue_keeps_its_worker_when_other_ports_go),
		cmocka_unit_test(queue_that_changes_hands_is_polled_by_nobody_in_between),
		cmocka_unit_test(direction_that_changes_hands_is_emptied_by_nobody_in_between),
		cmocka_unit_test(direction_begins_where_the_first_queue_does),
		cmocka_unit_test(nothing_is_held_when_no_queue_changes_hands),
		cmocka_unit_test(impossible_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
