/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fdb_table.h"

#define FID FDB_FID(3, 10)

static uint64_t station(uint32_t i)
{
	return UINT64_C(0x020000000000) + i;
}

static void lookup_finds_what_was_learned(void **state)
{
	struct fdb *fdb = fdb_new(100);
	uint8_t flags = 9;

	(void)state;
	assert_int_equal(fdb_lookup(fdb, FID, station(1), NULL), -1);
	assert_int_equal(fdb_learn(fdb, FID, station(1), 7, 0, 0, 5), FDB_ADDED);
	assert_int_equal(fdb_learn(fdb, FID, station(1), 7, 0, 0, 6), FDB_KNOWN);
	assert_int_equal(fdb_lookup(fdb, FID, station(1), &flags), 7);
	assert_int_equal(flags, 0);
	assert_int_equal(fdb_lookup(fdb, FID, 0, NULL), -1);
	assert_int_equal(fdb_lookup(fdb, 0, 0, NULL), -1);
	assert_int_equal(fdb_count(fdb), 1);
	assert_int_equal(fdb_count_on_port(fdb, 7), 1);
	fdb_free(fdb);
}

static void forwarding_domains_are_apart_in_all_of_their_24_bits(void **state)
{
	struct fdb *fdb = fdb_new(100);

	(void)state;
	for (uint16_t bit = 0; bit < 24; bit++)
		assert_int_equal(fdb_learn(fdb, UINT32_C(1) << bit, station(1), bit, 0, 0, 0),
				 FDB_ADDED);
	for (uint16_t bit = 0; bit < 24; bit++)
		assert_int_equal(fdb_lookup(fdb, UINT32_C(1) << bit, station(1), NULL), bit);
	assert_int_equal(fdb_lookup(fdb, 0, station(1), NULL), -1);
	fdb_free(fdb);
}

static void move_is_told_and_counted(void **state)
{
	struct fdb *fdb = fdb_new(100);

	(void)state;
	fdb_learn(fdb, FID, station(1), 7, 0, 0, 0);
	assert_int_equal(fdb_refresh(fdb, FID, station(1), 7, 0), FDB_KNOWN);
	assert_int_equal(fdb_refresh(fdb, FID, station(1), 8, 0), FDB_MOVED);
	assert_int_equal(fdb_lookup(fdb, FID, station(1), NULL),
			 7); /* readers tell, they do not write */
	assert_int_equal(fdb_learn(fdb, FID, station(1), 8, 0, 0, 0), FDB_MOVED);
	assert_int_equal(fdb_lookup(fdb, FID, station(1), NULL), 8);
	assert_int_equal(fdb_count_on_port(fdb, 7), 0);
	assert_int_equal(fdb_count_on_port(fdb, 8), 1);
	assert_int_equal(fdb_counters(fdb).moved, 1);
	fdb_free(fdb);
}

static void full_table_keeps_old_entries(void **state)
{
	struct fdb *fdb = fdb_new(8);

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(fdb_learn(fdb, FID, station(i), 1, 0, 0, 0), FDB_ADDED);
	assert_int_equal(fdb_learn(fdb, FID, station(8), 1, 0, 0, 0), FDB_FULL);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(fdb_lookup(fdb, FID, station(i), NULL), 1);
	assert_int_equal(fdb_lookup(fdb, FID, station(8), NULL), -1);
	assert_int_equal(fdb_counters(fdb).refused_full, 1);
	assert_true(fdb_delete(fdb, FID, station(3)));
	assert_int_equal(fdb_learn(fdb, FID, station(8), 1, 0, 0, 0), FDB_ADDED);
	fdb_free(fdb);
}

static void port_that_filled_the_table_leaves_room_for_others(void **state)
{
	struct fdb *fdb = fdb_new(1600);
	uint32_t i = 0;

	(void)state;
	while (fdb_learn(fdb, FID, station(i), 1, 0, 0, 0) == FDB_ADDED)
		i++;
	assert_int_equal(i, 1600);
	for (uint32_t k = 0; k < 20; k++)
		assert_int_equal(fdb_learn(fdb, FID, station(100000 + k), 2, 0, 0, 0), FDB_ADDED);
	assert_int_equal(fdb_learn(fdb, FID, station(i), 1, 0, 0, 0), FDB_FULL);
	fdb_free(fdb);
}

static void limit_of_a_port_holds_for_new_and_moved_stations(void **state)
{
	struct fdb *fdb = fdb_new(100);

	(void)state;
	assert_int_equal(fdb_learn(fdb, FID, station(1), 1, 0, 2, 0), FDB_ADDED);
	assert_int_equal(fdb_learn(fdb, FID, station(2), 1, 0, 2, 0), FDB_ADDED);
	assert_int_equal(fdb_learn(fdb, FID, station(3), 1, 0, 2, 0), FDB_PORT_FULL);
	assert_int_equal(fdb_learn(fdb, FID, station(3), 2, 0, 0, 0), FDB_ADDED);
	assert_int_equal(fdb_learn(fdb, FID, station(3), 1, 0, 2, 0), FDB_PORT_FULL);
	assert_int_equal(fdb_lookup(fdb, FID, station(3), NULL), 2);
	assert_int_equal(fdb_learn(fdb, FID, station(4), 1, FDB_STATIC, 2, 0),
			 FDB_ADDED); /* the user may */
	assert_int_equal(fdb_learn(fdb, FID, station(1), 1, 0, 2, 0), FDB_KNOWN);
	assert_int_equal(fdb_count_on_port(fdb, 1), 3);
	assert_int_equal(fdb_counters(fdb).refused_port_full, 2);
	fdb_free(fdb);
}

static void static_and_sticky_entries_do_not_move(void **state)
{
	struct fdb *fdb = fdb_new(100);
	uint8_t flags;

	(void)state;
	fdb_learn(fdb, FID, station(1), 1, FDB_STATIC, 0, 0);
	fdb_learn(fdb, FID, station(2), 1, FDB_STICKY, 0, 0);
	for (uint32_t i = 1; i <= 2; i++) {
		assert_int_equal(fdb_refresh(fdb, FID, station(i), 2, 0), FDB_REFUSED);
		assert_int_equal(fdb_learn(fdb, FID, station(i), 2, 0, 0, 0), FDB_REFUSED);
		assert_int_equal(fdb_lookup(fdb, FID, station(i), NULL), 1);
	}
	assert_int_equal(fdb_counters(fdb).refused_sticky, 2);
	assert_int_equal(fdb_learn(fdb, FID, station(2), 2, FDB_STATIC, 0, 0),
			 FDB_MOVED); /* the user may */
	assert_int_equal(fdb_lookup(fdb, FID, station(2), &flags), 2);
	assert_int_equal(flags, FDB_STATIC);
	assert_int_equal(fdb_learn(fdb, FID, station(1), 1, 0, 0, 0), FDB_KNOWN);
	fdb_lookup(fdb, FID, station(1), &flags);
	assert_int_equal(flags, FDB_STATIC); /* being heard does not make it less static */
	fdb_free(fdb);
}

static uint32_t ageing_10_s(uint32_t fid, void *arg)
{
	(void)arg;
	return fid == FID ? 10 : 0;
}

static void only_dynamic_entries_age_and_only_when_unheard(void **state)
{
	struct fdb *fdb = fdb_new(100);
	const size_t all = SIZE_MAX / 2;

	(void)state;
	fdb_learn(fdb, FID, station(1), 1, 0, 0, 100);
	fdb_learn(fdb, FID, station(2), 1, FDB_STATIC, 0, 100);
	fdb_learn(fdb, FID, station(3), 1, 0, 0, 100);
	fdb_learn(fdb, FID + 1, station(4), 1, 0, 0, 100); /* its switch never ages */
	fdb_learn(fdb, FID, station(5), 1, FDB_STICKY, 0, 100);
	assert_int_equal(fdb_age(fdb, 110, ageing_10_s, NULL, all), 0);
	assert_int_equal(fdb_refresh(fdb, FID, station(3), 1, 105), FDB_KNOWN);
	assert_int_equal(fdb_age(fdb, 111, ageing_10_s, NULL, all), 2);
	assert_int_equal(fdb_lookup(fdb, FID, station(1), NULL), -1);
	assert_int_equal(fdb_lookup(fdb, FID, station(3), NULL), 1);
	assert_int_equal(fdb_lookup(fdb, FID, station(5), NULL), -1);
	assert_int_equal(fdb_age(fdb, 116, ageing_10_s, NULL, all), 1);
	assert_int_equal(fdb_count(fdb), 2);
	assert_int_equal(fdb_counters(fdb).aged, 3);
	fdb_free(fdb);
}

static void clock_of_a_worker_that_is_ahead_ages_nothing(void **state)
{
	struct fdb *fdb = fdb_new(100);

	(void)state;
	fdb_learn(fdb, FID, station(1), 1, 0, 0, 100);
	fdb_refresh(fdb, FID, station(1), 1, 101);
	assert_int_equal(fdb_age(fdb, 100, ageing_10_s, NULL, SIZE_MAX / 2), 0);
	fdb_free(fdb);
}

static void ageing_in_small_budgets_gets_around(void **state)
{
	struct fdb *fdb = fdb_new(10000);
	size_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		fdb_learn(fdb, FID, station(i), 1, 0, 0, 0);
	for (int i = 0; i < 40000 / 100 && n < 10000; i++)
		n += fdb_age(fdb, 100, ageing_10_s, NULL, 100);
	assert_int_equal(n, 10000);
	assert_int_equal(fdb_count(fdb), 0);
	fdb_free(fdb);
}

static bool is_on_port(const struct fdb_entry *entry, void *arg)
{
	return entry->port == *(uint16_t *)arg;
}

static bool add_up(const struct fdb_entry *entry, void *arg)
{
	*(uint64_t *)arg += entry->mac - station(0);
	return true;
}

static void flush_and_walk_see_every_entry_once(void **state)
{
	struct fdb *fdb = fdb_new(5000);
	uint16_t port = 2;
	uint64_t sum = 0;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		fdb_learn(fdb, FID, station(i), i % 5, 0, 0, 0);
	fdb_walk(fdb, add_up, &sum);
	assert_int_equal(sum, UINT64_C(5000) * 4999 / 2);
	assert_int_equal(fdb_flush(fdb, is_on_port, &port), 1000);
	assert_int_equal(fdb_count(fdb), 4000);
	assert_int_equal(fdb_count_on_port(fdb, 2), 0);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(fdb_lookup(fdb, FID, station(i), NULL),
				 i % 5 == 2 ? -1 : (int)(i % 5));
	fdb_free(fdb);
}

static void million_entries_fit_and_are_all_found(void **state)
{
	const uint32_t n = 1 << 20;
	struct fdb *fdb = fdb_new(n);

	(void)state;
	assert_non_null(fdb);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(fdb_learn(fdb, FDB_FID(i % 4095, i % 4094 + 1), station(i),
					   i % 1000, 0, 0, 0),
				 FDB_ADDED);
	assert_int_equal(fdb_count(fdb), n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(fdb_lookup(fdb, FDB_FID(i % 4095, i % 4094 + 1), station(i), NULL),
				 i % 1000);
	assert_int_equal(fdb_bytes(fdb), 32 << 20);
	fdb_free(fdb);
}

static size_t n_resident(const struct fdb *fdb)
{
	static unsigned char pages[(64 << 20) / 4096];
	size_t n = fdb->bytes / 4096, resident = 0;

	assert_true(n <= sizeof(pages));
	assert_int_equal(mincore(fdb->buckets, fdb->bytes, pages), 0);
	for (size_t i = 0; i < n; i++)
		resident += pages[i] & 1;
	return resident;
}

/* Stations that come meanwhile stay, and none of those that come later waits for the kernel. */
static void memory_of_a_large_table_is_there_before_it_is_used(void **state)
{
	struct fdb *large = fdb_new(1 << 20), *small = fdb_new(131072);

	(void)state;
	assert_non_null(large);
	assert_non_null(small);
	assert_int_equal(n_resident(large), 0);
	fdb_touch_start(large);
	fdb_touch_start(small);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(fdb_learn(large, FID, station(i), i % 100, 0, 0, 0), FDB_ADDED);
	fdb_touch_wait(large);
	fdb_touch_wait(small);
	if (madvise(large->buckets, 4096, 23 /* MADV_POPULATE_WRITE */) == 0)
		assert_int_equal(n_resident(large), large->bytes / 4096);
	assert_int_equal(n_resident(small), 0);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(fdb_lookup(large, FID, station(i), NULL), i % 100);
	fdb_free(small);
	fdb_free(large);
	large = fdb_new(2 << 20);
	fdb_touch_start(large);
	fdb_free(large); /* whether it is done or not */
}

static void impossible_capacities_are_refused(void **state)
{
	(void)state;
	assert_null(fdb_new(0));
	assert_null(fdb_new((16 << 20) + 1));
	fdb_free(NULL);
}

/*
 * Readers against a writer that adds, moves and deletes the same few stations. The ports of station
 * i are i * 16 .. i * 16 + 15: any other port is somebody else's.
 */
#define STRESS_STATIONS 64 /* in a table that small, slots change hands all the time */
#define STRESS_NS	(2 * CLOCK_NS_PER_SECOND)

static struct {
	struct fdb *fdb;
	_Atomic bool stop;
	_Atomic uint64_t n_found, n_wrong, n_lost;
} stress;

static void *stress_reader(void *arg)
{
	uint64_t n_found = 0, n_wrong = 0, n_lost = 0;
	uint32_t random = (uint32_t)(uintptr_t)arg;

	while (!atomic_load_explicit(&stress.stop, memory_order_relaxed)) {
		uint32_t i;
		int port;

		random = random * 1664525 + 1013904223;
		i = (random >> 8) % STRESS_STATIONS;
		port = fdb_lookup(stress.fdb, FID, station(i), NULL);
		if (port >= 0) {
			n_found++;
			n_wrong += (uint32_t)port / 16 != i;
		}
		fdb_refresh(stress.fdb, FID, station(i), (uint16_t)(i * 16 + random % 16),
			    random >> 20);
		/* never deleted, but displaced at will: it must always be there */
		n_lost += fdb_lookup(stress.fdb, FID, station(5000 + i), NULL) != 5000;
	}
	atomic_fetch_add(&stress.n_found, n_found);
	atomic_fetch_add(&stress.n_wrong, n_wrong);
	atomic_fetch_add(&stress.n_lost, n_lost);
	return NULL;
}

static void no_reader_sees_a_port_that_is_not_the_stations(void **state)
{
	pthread_t readers[2];
	uint64_t end_ns = clock_now_ns() + STRESS_NS;
	uint32_t random = 4711;

	(void)state;
	stress.fdb = fdb_new(2 * STRESS_STATIONS);
	for (uint32_t i = 0; i < STRESS_STATIONS; i++)
		assert_int_equal(fdb_learn(stress.fdb, FID, station(5000 + i), 5000, 0, 0, 0),
				 FDB_ADDED);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, stress_reader, (void *)(i + 1)),
				 0);
	while (clock_now_ns() < end_ns) {
		for (int k = 0; k < 1000; k++) {
			uint32_t i;

			random = random * 1664525 + 1013904223;
			i = (random >> 8) % STRESS_STATIONS;
			if ((random >> 28) % 3 == 0)
				fdb_delete(stress.fdb, FID, station(i));
			else
				fdb_learn(stress.fdb, FID, station(i),
					  (uint16_t)(i * 16 + (random >> 4) % 16), 0, 0,
					  random >> 20);
		}
	}
	atomic_store(&stress.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	assert_true(stress.n_found > 1000);
	assert_int_equal(stress.n_wrong, 0);
	assert_int_equal(stress.n_lost, 0);
	fdb_free(stress.fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookup_finds_what_was_learned),
		cmocka_unit_test(forwarding_domains_are_apart_in_all_of_their_24_bits),
		cmocka_unit_test(move_is_told_and_counted),
		cmocka_unit_test(full_table_keeps_old_entries),
		cmocka_unit_test(port_that_filled_the_table_leaves_room_for_others),
		cmocka_unit_test(limit_of_a_port_holds_for_new_and_moved_stations),
		cmocka_unit_test(static_and_sticky_entries_do_not_move),
		cmocka_unit_test(only_dynamic_entries_age_and_only_when_unheard),
		cmocka_unit_test(clock_of_a_worker_that_is_ahead_ages_nothing),
		cmocka_unit_test(ageing_in_small_budgets_gets_around),
		cmocka_unit_test(flush_and_walk_see_every_entry_once),
		cmocka_unit_test(million_entries_fit_and_are_all_found),
		cmocka_unit_test(memory_of_a_large_table_is_there_before_it_is_used),
		cmocka_unit_test(impossible_capacities_are_refused),
		cmocka_unit_test(no_reader_sees_a_port_that_is_not_the_stations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
