/* SPDX-License-Identifier: BSD-3-Clause */
/* Which queue is moved when a worker is busy, and that nothing moves for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "balance.h"

static struct balance_queue on(uint16_t worker, uint64_t load)
{
	static uint16_t next;

	return (struct balance_queue){.duty = next++, .worker = worker, .load = load};
}

static void busy_worker_gives_to_the_one_with_most_room(void **state)
{
	const uint32_t busy[] = {300, 1000, 100};
	const struct balance_queue queues[] = {on(0, 9), on(1, 500), on(1, 400), on(2, 9)};
	struct balance_move move;

	(void)state;
	assert_true(balance_choose(busy, 3, queues, 4, &move));
	assert_int_equal(move.to, 2);
	assert_int_equal(move.queue, 2); /* leaves 556 here and 544 there */
}

static void nobody_moves_while_no_worker_is_busy(void **state)
{
	const uint32_t busy[] = {799, 0};
	const struct balance_queue queues[] = {on(0, 50), on(0, 50)};
	struct balance_move move;

	(void)state;
	assert_false(balance_choose(busy, 2, queues, 2, &move));
}

static void queue_that_is_the_whole_load_stays(void **state)
{
	const uint32_t busy[] = {1000, 0};
	const struct balance_queue queues[] = {on(0, 1000), on(0, 0), on(0, 1)};
	struct balance_move move;

	(void)state;
	assert_false(balance_choose(busy, 2, queues, 3, &move));
}

static void all_stay_when_all_are_busy(void **state)
{
	const uint32_t busy[] = {1000, 930};
	const struct balance_queue queues[] = {on(0, 5), on(0, 5), on(1, 5), on(1, 5)};
	struct balance_move move;

	(void)state;
	assert_false(balance_choose(busy, 2, queues, 4, &move));
}

static void fixed_queues_stay(void **state)
{
	const uint32_t busy[] = {1000, 0};
	struct balance_queue queues[] = {on(0, 5), on(0, 4)};
	struct balance_move move;

	(void)state;
	queues[0].is_fixed = queues[1].is_fixed = true;
	assert_false(balance_choose(busy, 2, queues, 2, &move));
	queues[1].is_fixed = false;
	assert_true(balance_choose(busy, 2, queues, 2, &move));
	assert_int_equal(move.queue, 1);
}

static void worker_without_traffic_of_its_own_moves_nothing(void **state)
{
	const uint32_t busy[] = {900, 0}; /* with what waits in impaired links, say */
	const struct balance_queue queues[] = {on(0, 0), on(1, 7)};
	struct balance_move move;

	(void)state;
	assert_false(balance_choose(busy, 2, queues, 2, &move));
	assert_false(balance_choose(busy, 2, queues, 0, &move));
}

static void frame_counts_as_much_as_a_kib(void **state)
{
	(void)state;
	assert_int_equal(balance_load(2, 100), 2148);
}

#define WORKERS 4
#define QUEUES	24

/* Demands that stay the same: the moves end, and none of them made the busiest busier. */
static void constant_demand_comes_to_rest(void **state)
{
	struct balance_queue queues[QUEUES];
	struct balance_move move;
	uint32_t demand[QUEUES], busy[WORKERS];

	(void)state;
	srandom(4);
	for (int round = 0; round < 2000; round++) {
		int moves = 0;

		for (int i = 0; i < QUEUES; i++) {
			demand[i] = (uint32_t)random() % (round % 2 != 0 ? 300 : 1500);
			queues[i] = on((uint16_t)(random() % WORKERS), 0);
		}
		for (;; moves++) {
			assert_true(moves < 3 * QUEUES);
			for (int w = 0; w < WORKERS; w++)
				busy[w] = 0;
			for (int i = 0; i < QUEUES; i++)
				busy[queues[i].worker] += demand[i];
			/* A worker that cannot keep up serves each queue its part. */
			for (int i = 0; i < QUEUES; i++)
				queues[i].load = busy[queues[i].worker] <= 1000
							 ? demand[i]
							 : (uint64_t)demand[i] * 1000 /
								   busy[queues[i].worker];
			for (int w = 0; w < WORKERS; w++)
				busy[w] = busy[w] > 1000 ? 1000 : busy[w];
			if (!balance_choose(busy, WORKERS, queues, QUEUES, &move))
				break;
			assert_int_not_equal(queues[move.queue].worker, move.to);
			queues[move.queue].worker = move.to;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_worker_gives_to_the_one_with_most_room),
		cmocka_unit_test(nobody_moves_while_no_worker_is_busy),
		cmocka_unit_test(queue_that_is_the_whole_load_stays),
		cmocka_unit_test(all_stay_when_all_are_busy),
		cmocka_unit_test(fixed_queues_stay),
		cmocka_unit_test(worker_without_traffic_of_its_own_moves_nothing),
		cmocka_unit_test(frame_counts_as_much_as_a_kib),
		cmocka_unit_test(constant_demand_comes_to_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
