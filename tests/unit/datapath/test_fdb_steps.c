/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A slot of the FDB that changes hands while it is read, in every order that the reader's loads and the writer's stores can have.
 *
 * The writer's stores are those that slot_assign() makes on a copy of the slot; they are then made one by one between the loads of
 * slot_read(), at all places. What the CPU may do to the order besides is not tried here: see datapath/ORDERINGS.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void before_load(void);
static void store_note(_Atomic uint64_t *object, uint64_t value);

static inline uint64_t real_load(const _Atomic uint64_t *object)
{
	return atomic_load(object);
}

static inline void real_store(_Atomic uint64_t *object, uint64_t value)
{
	atomic_store(object, value);
}

/* For the functions of the header: a load lets the other side go on first, a store is noted. */
#undef atomic_load_explicit
#undef atomic_store_explicit
#define atomic_load_explicit(object, order)	    (before_load(), real_load(object))
#define atomic_store_explicit(object, value, order) store_note(object, value)

#include "fdb_table.h"

#define STORES_MAX 4
#define LOADS_MAX  8

static struct slot slot; /* that is read */
static struct {
	bool is_key;
	uint64_t value;
} stores[STORES_MAX];
static int n_stores, n_made;   /* noted; made in the slot */
static int places[STORES_MAX]; /* each is made before this load */
static int n_loads;

static void store_make(void)
{
	real_store(stores[n_made].is_key ? &slot.key : &slot.value, stores[n_made].value);
	n_made++;
}

static void before_load(void)
{
	while (n_made < n_stores && places[n_made] <= n_loads)
		store_make();
	n_loads++;
	assert_true(n_loads < 1000);
}

static void store_note(_Atomic uint64_t *object, uint64_t value)
{
	static const struct slot *copy;

	if (n_stores == 0)
		copy = (const struct slot *)((const char *)object - offsetof(struct slot, value));
	assert_true(n_stores < STORES_MAX);
	stores[n_stores].is_key = object == &copy->key;
	stores[n_stores++].value = value;
}

/* Note the stores that give @from to another owner, or to nobody. */
static void assign_note(const struct slot *from, const struct key *key, uint64_t value)
{
	static uint16_t chunk_used[1];
	static struct bucket bucket;
	static struct fdb fdb = {.buckets = &bucket, .chunk_used = chunk_used};

	n_stores = n_made = 0;
	bucket.slots[0] = *from;
	slot_assign(&fdb, &bucket.slots[0], key != NULL ? key->word : 0, value);
}

/* Read the slot with the stores at all places. @own: the only port that it may find */
static void read_in_all_orders(const struct slot *from, const struct key *key, int own)
{
	bool seen[2] = {false, false};

	for (int n = 0; n < LOADS_MAX * LOADS_MAX * LOADS_MAX; n++) {
		uint64_t value;

		places[0] = n % LOADS_MAX;
		places[1] = n / LOADS_MAX % LOADS_MAX;
		places[2] = n / LOADS_MAX / LOADS_MAX;
		if (places[1] < places[0] || places[2] < places[1])
			continue;
		slot = *from;
		n_made = n_loads = 0;
		value = slot_read(&slot, key);
		seen[value != 0] = true;
		if (value != 0)
			assert_int_equal(value_port(value), own);
		while (n_made < n_stores)
			store_make();
	}
	assert_true(seen[0] && seen[1]);
}

static void reader_never_gets_the_port_of_another_station(void **state)
{
	const struct key old = key_make(FDB_FID(1, 10), 0x020000000001);
	const struct key next = key_make(FDB_FID(1, 20), 0x020000000002);
	struct slot from;

	(void)state;
	real_store(&from.key, old.word);
	real_store(&from.value, value_make(&old, 11, 0, 5) | 7 * VALUE_VERSION_ONE);
	assign_note(&from, &next, value_make(&next, 22, 0, 6));
	assert_int_equal(n_stores, 3);
	read_in_all_orders(&from, &old, 11);
	read_in_all_orders(&from, &next, 22);

	assign_note(&from, NULL, 0);
	assert_int_equal(n_stores, 2);
	places[2] = 0;
	read_in_all_orders(&from, &old, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_never_gets_the_port_of_another_station),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
