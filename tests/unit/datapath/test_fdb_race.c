/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The FDB's readers beside its writer: what a reader gets is the station's own, and a station that stays is found. The stations share
 * buckets, so that slots change hands all the time and stations are sent to their second bucket while they are looked up.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fdb_table.h"

#ifdef __SANITIZE_THREAD__
#define CYCLES 20000
#else
#define CYCLES 1000000
#endif
#define READERS	 2
#define BUCKETS	 64 /* the fewest that a table has */
#define FID	 FDB_FID(3, 7)
#define N_COMING 6 /* stations that come and go: more than a bucket has slots */
#define N_STAYS	 3

static struct fdb *fdb;
static uint64_t coming[N_COMING], stays[N_STAYS]; /* all of one bucket */
static _Atomic bool stop;
static _Atomic uint32_t n_wrong, n_missed, n_found;

static uint64_t station(uint32_t i)
{
	return UINT64_C(0x020000000000) + i;
}

/* The next station from *@i on whose first bucket is that of station 1. */
static uint64_t neighbour(uint32_t *i)
{
	uint64_t bucket = fdb_hash(fdb, FID, station(1)) % BUCKETS;

	while (fdb_hash(fdb, FID, station(++*i)) % BUCKETS != bucket)
		;
	return station(*i);
}

static void *reader(void *unused)
{
	uint32_t now_s = 1;

	(void)unused;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		for (int i = 0; i < N_COMING; i++) {
			int port = fdb_lookup(fdb, FID, coming[i], NULL);

			if (port >= 0)
				atomic_fetch_add_explicit(&n_found, 1, memory_order_relaxed);
			if (port >= 0 && port != 100 + i)
				atomic_fetch_add_explicit(&n_wrong, 1, memory_order_relaxed);
		}
		for (int i = 0; i < N_STAYS; i++) {
			int port = fdb_lookup(fdb, FID, stays[i], NULL);

			if (port < 0)
				atomic_fetch_add_explicit(&n_missed, 1, memory_order_relaxed);
			else if (port != 200 + i && port != 300 + i)
				atomic_fetch_add_explicit(&n_wrong, 1, memory_order_relaxed);
			fdb_refresh(fdb, FID, stays[i], (uint16_t)(200 + i), now_s++);
		}
	}
	return NULL;
}

static void each_reader_gets_the_stations_own_port(void **state)
{
	pthread_t threads[READERS];

	(void)state;
	for (int i = 0; i < N_STAYS; i++)
		assert_int_equal(fdb_learn(fdb, FID, stays[i], (uint16_t)(200 + i), 0, 0, 0),
				 FDB_ADDED);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
	for (uint32_t cycle = 0; cycle < CYCLES; cycle++) {
		uint32_t i = cycle * 5 / 3 % N_COMING, moves = cycle % N_STAYS;

		if (!fdb_delete(fdb, FID, coming[i]))
			fdb_learn(fdb, FID, coming[i], (uint16_t)(100 + i), 0, 0, cycle);
		if (cycle % 7 == 0)
			fdb_learn(fdb, FID, stays[moves],
				  (uint16_t)((cycle % 2 != 0 ? 200 : 300) + moves), 0, 0, cycle);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&n_wrong), 0);
	assert_int_equal(atomic_load(&n_missed), 0);
	assert_true(atomic_load(&n_found) > 0);
}

static int start(void **state)
{
	uint32_t i = 0;

	(void)state;
	fdb = fdb_new(64);
	for (int k = 0; k < N_COMING; k++)
		coming[k] = neighbour(&i);
	for (int k = 0; k < N_STAYS; k++)
		stays[k] = neighbour(&i);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fdb_free(fdb);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reader_gets_the_stations_own_port),
	};

	return cmocka_run_group_tests(tests, start, end);
}
