/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database as an open hash table of cache-line buckets.
 *
 * Theory of operation
 *   A station has two candidate buckets of four slots, chosen by a keyed hash. At most a bit more than half of the slots are
 *   used, so nearly all stations are in their first bucket: a lookup is one cache line, which a burst prefetches.
 *   When both buckets are full a third station is moved from its first to its second bucket; readers look in that order,
 *   and the copy is made before the original goes, so nobody misses it.
 *
 *   A slot is two words. `key` is the address and the low 16 bits of the fid. `value` is all the rest, and a
 *   version that grows each time the slot is given to another station:
 *
 *	version:16 | age:20 | fid_high:8 | unused:1 | valid:1 | flags:2 | port:16
 *
 *   The writer changes owner in three steps: value = (version + 1, invalid); key; value = (version + 1, valid, ...).
 *   A reader takes value, key, value. If both values have the same version, the key between them was the
 *   owner at that time, so the port is the station's own. It retries only when the writer made progress.
 *   The port of the same station moves by compare-and-swap, because readers refresh the age in the same word.
 *
 * Threads: one writer (control); readers anywhere.
 */
#include "fdb.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#define CAPACITY_MAX	 (UINT32_C(16) << 20)
#define SLOTS_PER_BUCKET 4
#define BUCKETS_PER_CHUNK                                                                          \
	64 /* a chunk is what one 4 KiB page holds: empty ones are skipped by walks */
#define SLOTS_PER_CHUNK (BUCKETS_PER_CHUNK * SLOTS_PER_BUCKET)
#define HUGE_THRESHOLD	16384 /* entries from which large pages pay */

#define VALUE_PORT	  UINT64_C(0xffff)
#define VALUE_FLAGS_SHIFT 16
#define VALUE_FLAGS	  (UINT64_C(3) << VALUE_FLAGS_SHIFT)
#define VALUE_VALID	  (UINT64_C(1) << 18)
#define VALUE_FID_SHIFT	  20
#define VALUE_FID	  (UINT64_C(0xff) << VALUE_FID_SHIFT)
#define VALUE_AGE_SHIFT	  28
#define VALUE_AGE_MASK	  UINT32_C(0xfffff)
#define VALUE_AGE	  ((uint64_t)VALUE_AGE_MASK << VALUE_AGE_SHIFT)
#define VALUE_VERSION	  (UINT64_C(0xffff) << 48)
#define VALUE_VERSION_ONE (UINT64_C(1) << 48)

struct slot {
	_Atomic uint64_t key;
	_Atomic uint64_t value;
};

struct bucket {
	struct slot slots[SLOTS_PER_BUCKET];
} __attribute__((aligned(64)));

struct fdb {
	/* constant after fdb_new() */
	struct bucket *buckets;
	uint64_t mask; /* number of buckets - 1 */
	uint64_t seed[2];
	size_t bytes;
	uint32_t capacity;
	uint32_t reserve;

	/* writer only */
	uint32_t count;
	bool huge; /* large pages were asked for */
	size_t age_cursor;
	struct fdb_counters counters;
	uint16_t *chunk_used; /* entries per chunk */
	uint32_t *n_learned;  /* per port */
	uint32_t *n_static;
};

struct key {
	uint64_t word;
	uint64_t want; /* value bits that must match */
};

static inline struct key key_make(uint32_t fid, uint64_t mac)
{
	return (struct key){
		.word = mac << 16 | (fid & 0xffff),
		.want = VALUE_VALID | (uint64_t)((fid >> 16) & 0xff) << VALUE_FID_SHIFT,
	};
}

static inline uint16_t value_port(uint64_t value)
{
	return (uint16_t)(value & VALUE_PORT);
}

static inline uint8_t value_flags(uint64_t value)
{
	return (uint8_t)((value & VALUE_FLAGS) >> VALUE_FLAGS_SHIFT);
}

static inline uint64_t value_make(const struct key *key, uint16_t port, uint8_t flags,
				  uint32_t now_s)
{
	return key->want | port | (uint64_t)(flags & 3) << VALUE_FLAGS_SHIFT |
	       (uint64_t)(now_s & VALUE_AGE_MASK) << VALUE_AGE_SHIFT;
}

/* Seconds since the entry was seen. A reader's clock may be a little ahead of the caller's: that is 0. */
static uint32_t value_age(uint64_t value, uint32_t now_s)
{
	uint32_t seen_s = (uint32_t)((value & VALUE_AGE) >> VALUE_AGE_SHIFT);
	uint32_t age_s = (now_s - seen_s) & VALUE_AGE_MASK;

	return age_s > VALUE_AGE_MASK / 2 ? 0 : age_s;
}

uint64_t fdb_hash(const struct fdb *fdb, uint32_t fid, uint64_t mac)
{
	uint64_t x = (mac << 16 | (fid & 0xffff)) ^ fdb->seed[0];

	x ^= (uint64_t)(fid >> 16) * UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	x *= fdb->seed[1];
	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 32;
}

static inline struct bucket *bucket_first(const struct fdb *fdb, uint64_t hash)
{
	return &fdb->buckets[hash & fdb->mask];
}

static inline struct bucket *bucket_second(const struct fdb *fdb, uint64_t hash)
{
	return &fdb->buckets[(hash ^ (hash >> 32 | 1)) & fdb->mask];
}

void fdb_prefetch(const struct fdb *fdb, uint64_t hash)
{
	__builtin_prefetch(bucket_first(fdb, hash));
}

/* Reader's view of a slot: its value if it belongs to @key, else 0. */
static inline uint64_t slot_read(const struct slot *slot, const struct key *key)
{
	uint64_t before, after;

	if (atomic_load_explicit(&slot->key, memory_order_relaxed) != key->word)
		return 0;
	do {
		before = atomic_load_explicit(&slot->value, memory_order_acquire);
		if (atomic_load_explicit(&slot->key, memory_order_acquire) != key->word)
			return 0;
		after = atomic_load_explicit(&slot->value, memory_order_relaxed);
	} while (((before ^ after) & VALUE_VERSION) != 0);
	return (after & (VALUE_VALID | VALUE_FID)) == key->want ? after : 0;
}

static inline struct slot *bucket_find(struct bucket *bucket, const struct key *key,
				       uint64_t *value)
{
	for (int i = 0; i < SLOTS_PER_BUCKET; i++) {
		*value = slot_read(&bucket->slots[i], key);
		if (*value != 0)
			return &bucket->slots[i];
	}
	return NULL;
}

static inline struct slot *slot_find(const struct fdb *fdb, uint64_t hash, const struct key *key,
				     uint64_t *value)
{
	struct slot *slot = bucket_find(bucket_first(fdb, hash), key, value);

	return slot != NULL ? slot : bucket_find(bucket_second(fdb, hash), key, value);
}

int fdb_lookup_hashed(const struct fdb *fdb, uint64_t hash, uint32_t fid, uint64_t mac,
		      uint8_t *flags)
{
	struct key key = key_make(fid, mac);
	uint64_t value;

	if (slot_find(fdb, hash, &key, &value) == NULL)
		return -1;
	if (flags != NULL)
		*flags = value_flags(value);
	return value_port(value);
}

int fdb_lookup(const struct fdb *fdb, uint32_t fid, uint64_t mac, uint8_t *flags)
{
	return fdb_lookup_hashed(fdb, fdb_hash(fdb, fid, mac), fid, mac, flags);
}

enum fdb_change fdb_refresh_hashed(struct fdb *fdb, uint64_t hash, uint32_t fid, uint64_t mac,
				   uint16_t port, uint32_t now_s)
{
	struct key key = key_make(fid, mac);
	uint64_t value, fresh;
	struct slot *slot = slot_find(fdb, hash, &key, &value);

	if (slot == NULL)
		return FDB_ADDED;
	if (value_port(value) != port)
		return value_flags(value) != 0 ? FDB_REFUSED : FDB_MOVED;
	fresh = (value & ~VALUE_AGE) | (uint64_t)(now_s & VALUE_AGE_MASK) << VALUE_AGE_SHIFT;
	if (fresh !=
	    value) /* whoever was faster wrote the same second, or the slot is another's by now */
		atomic_compare_exchange_strong_explicit(&slot->value, &value, fresh,
							memory_order_relaxed, memory_order_relaxed);
	return FDB_KNOWN;
}

enum fdb_change fdb_refresh(struct fdb *fdb, uint32_t fid, uint64_t mac, uint16_t port,
			    uint32_t now_s)
{
	return fdb_refresh_hashed(fdb, fdb_hash(fdb, fid, mac), fid, mac, port, now_s);
}

/* ---- writer ---- */

static bool slot_is_free(const struct slot *slot)
{
	return (atomic_load_explicit(&slot->value, memory_order_relaxed) & VALUE_VALID) == 0;
}

static size_t slot_chunk(const struct fdb *fdb, const struct slot *slot)
{
	return (size_t)(slot - fdb->buckets[0].slots) / SLOTS_PER_CHUNK;
}

/* Give the slot to another station, or to none (@value 0). @value comes without a version. */
static void slot_assign(struct fdb *fdb, struct slot *slot, uint64_t key, uint64_t value)
{
	uint64_t version = atomic_load_explicit(&slot->value, memory_order_relaxed);

	version = (version + VALUE_VERSION_ONE) & VALUE_VERSION;
	atomic_store_explicit(&slot->value, version, memory_order_relaxed);
	atomic_store_explicit(&slot->key, key, memory_order_release);
	if (value != 0)
		atomic_store_explicit(&slot->value, version | value, memory_order_release);
	fdb->chunk_used[slot_chunk(fdb, slot)] += value != 0 ? 1 : -1;
}

/* Change what belongs to the same station; readers may refresh its age meanwhile. */
static void slot_update(struct slot *slot, uint64_t value)
{
	uint64_t old = atomic_load_explicit(&slot->value, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&slot->value, &old,
						      (old & VALUE_VERSION) | value,
						      memory_order_release, memory_order_relaxed))
		;
}

static void slot_entry(const struct slot *slot, uint32_t now_s, struct fdb_entry *entry)
{
	uint64_t key = atomic_load_explicit(&slot->key, memory_order_relaxed);
	uint64_t value = atomic_load_explicit(&slot->value, memory_order_relaxed);

	entry->mac = key >> 16;
	entry->fid = (uint32_t)((value & VALUE_FID) >> VALUE_FID_SHIFT) << 16 | (key & 0xffff);
	entry->port = value_port(value);
	entry->flags = value_flags(value);
	entry->age_s = value_age(value, now_s);
}

static struct slot *bucket_free_slot(struct bucket *bucket)
{
	for (int i = 0; i < SLOTS_PER_BUCKET; i++)
		if (slot_is_free(&bucket->slots[i]))
			return &bucket->slots[i];
	return NULL;
}

/* Make room in a full bucket by sending one of its stations to its second bucket. */
static struct slot *bucket_displace(struct fdb *fdb, struct bucket *bucket)
{
	for (int i = 0; i < SLOTS_PER_BUCKET; i++) {
		struct slot *slot = &bucket->slots[i];
		struct fdb_entry entry;
		struct slot *room;
		uint64_t hash;

		slot_entry(slot, 0, &entry);
		hash = fdb_hash(fdb, entry.fid, entry.mac);
		if (bucket_first(fdb, hash) != bucket)
			continue; /* it is in its second already: readers could miss it on the way back */
		room = bucket_free_slot(bucket_second(fdb, hash));
		if (room == NULL)
			continue;
		slot_assign(fdb, room, atomic_load_explicit(&slot->key, memory_order_relaxed),
			    atomic_load_explicit(&slot->value, memory_order_relaxed) &
				    ~VALUE_VERSION);
		slot_assign(fdb, slot, 0, 0);
		return slot;
	}
	return NULL;
}

static struct slot *slot_for_insert(struct fdb *fdb, uint64_t hash)
{
	struct bucket *first = bucket_first(fdb, hash), *second = bucket_second(fdb, hash);
	struct slot *slot = bucket_free_slot(first);

	if (slot == NULL)
		slot = bucket_free_slot(second);
	if (slot == NULL)
		slot = bucket_displace(fdb, first);
	if (slot == NULL)
		slot = bucket_displace(fdb, second);
	return slot;
}

static uint32_t *port_counter(struct fdb *fdb, uint16_t port, uint8_t flags)
{
	return (flags & FDB_STATIC) != 0 ? &fdb->n_static[port] : &fdb->n_learned[port];
}

/* Whether the table has room for one more entry of this port; see the head of fdb.h about the reserve. */
static bool has_room(const struct fdb *fdb, uint16_t port, uint8_t flags)
{
	uint32_t left = fdb->capacity + fdb->reserve - fdb->count;

	if (fdb->count < fdb->capacity)
		return true;
	return left > 0 && ((flags & FDB_STATIC) != 0 || fdb->n_learned[port] < left / 2);
}

/* A large table is worth large pages, a small one is not worth 2 MiB for each station. Best effort. */
static void use_huge_pages(struct fdb *fdb)
{
	fdb->huge = true;
	madvise(fdb->buckets, fdb->bytes, MADV_HUGEPAGE);
#ifdef MADV_COLLAPSE
	madvise(fdb->buckets, fdb->bytes, MADV_COLLAPSE);
#endif
}

static enum fdb_change learn_known(struct fdb *fdb, struct slot *slot, uint64_t value,
				   const struct key *key, uint8_t flags, uint32_t now_s)
{
	uint16_t port = value_port(value);
	uint8_t old = value_flags(value);

	if ((flags & FDB_STATIC) == 0)
		flags |= old;
	if (flags != old) {
		(*port_counter(fdb, port, old))--;
		(*port_counter(fdb, port, flags))++;
	}
	slot_update(slot, value_make(key, port, flags, now_s));
	return FDB_KNOWN;
}

static enum fdb_change learn_moved(struct fdb *fdb, struct slot *slot, uint64_t value,
				   const struct key *key, uint16_t port, uint8_t flags,
				   uint32_t limit, uint32_t now_s)
{
	uint8_t old = value_flags(value);

	if ((flags & FDB_STATIC) == 0) {
		if (old != 0) {
			fdb->counters.refused_sticky++;
			return FDB_REFUSED;
		}
		if (limit != 0 && fdb->n_learned[port] >= limit) {
			fdb->counters.refused_port_full++;
			return FDB_PORT_FULL;
		}
	}
	(*port_counter(fdb, value_port(value), old))--;
	(*port_counter(fdb, port, flags))++;
	slot_update(slot, value_make(key, port, flags, now_s));
	fdb->counters.moved++;
	return FDB_MOVED;
}

enum fdb_change fdb_learn(struct fdb *fdb, uint32_t fid, uint64_t mac, uint16_t port, uint8_t flags,
			  uint32_t limit, uint32_t now_s)
{
	struct key key = key_make(fid, mac);
	uint64_t hash = fdb_hash(fdb, fid, mac), value;
	struct slot *slot = slot_find(fdb, hash, &key, &value);

	if (slot != NULL && value_port(value) == port)
		return learn_known(fdb, slot, value, &key, flags, now_s);
	if (slot != NULL)
		return learn_moved(fdb, slot, value, &key, port, flags, limit, now_s);
	if ((flags & FDB_STATIC) == 0 && limit != 0 && fdb->n_learned[port] >= limit) {
		fdb->counters.refused_port_full++;
		return FDB_PORT_FULL;
	}
	slot = has_room(fdb, port, flags) ? slot_for_insert(fdb, hash) : NULL;
	if (slot == NULL) {
		fdb->counters.refused_full++;
		return FDB_FULL;
	}
	slot_assign(fdb, slot, key.word, value_make(&key, port, flags, now_s));
	(*port_counter(fdb, port, flags))++;
	fdb->count++;
	fdb->counters.learned++;
	if (fdb->count >= HUGE_THRESHOLD && !fdb->huge)
		use_huge_pages(fdb);
	return FDB_ADDED;
}

static void slot_delete(struct fdb *fdb, struct slot *slot)
{
	uint64_t value = atomic_load_explicit(&slot->value, memory_order_relaxed);

	(*port_counter(fdb, value_port(value), value_flags(value)))--;
	fdb->count--;
	slot_assign(fdb, slot, 0, 0);
}

bool fdb_delete(struct fdb *fdb, uint32_t fid, uint64_t mac)
{
	struct key key = key_make(fid, mac);
	uint64_t value;
	struct slot *slot = slot_find(fdb, fdb_hash(fdb, fid, mac), &key, &value);

	if (slot == NULL)
		return false;
	slot_delete(fdb, slot);
	return true;
}

static size_t n_slots(const struct fdb *fdb)
{
	return (fdb->mask + 1) * SLOTS_PER_BUCKET;
}

/* The next used slot at or after *@index, or NULL at the end; *@index is left on it. Skips empty chunks. */
static struct slot *next_used(const struct fdb *fdb, size_t *index, size_t end)
{
	while (*index < end) {
		struct slot *slot = &fdb->buckets[0].slots[0] + *index;

		if (fdb->chunk_used[*index / SLOTS_PER_CHUNK] == 0) {
			*index = (*index / SLOTS_PER_CHUNK + 1) * SLOTS_PER_CHUNK;
			continue;
		}
		if (!slot_is_free(slot))
			return slot;
		(*index)++;
	}
	*index = end;
	return NULL;
}

static uint32_t clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

size_t fdb_flush(struct fdb *fdb, bool (*match)(const struct fdb_entry *entry, void *arg),
		 void *arg)
{
	uint32_t now_s = clock_s();
	struct fdb_entry entry;
	struct slot *slot;
	size_t n = 0;

	for (size_t i = 0; (slot = next_used(fdb, &i, n_slots(fdb))) != NULL; i++) {
		slot_entry(slot, now_s, &entry);
		if (!match(&entry, arg))
			continue;
		slot_delete(fdb, slot);
		n++;
	}
	return n;
}

size_t fdb_age(struct fdb *fdb, uint32_t now_s, uint32_t (*ageing_s)(uint32_t fid, void *arg),
	       void *arg, size_t budget)
{
	size_t i = fdb->age_cursor, end = i + budget, n = 0;
	struct slot *slot;

	if (end > n_slots(fdb))
		end = n_slots(fdb);
	for (; (slot = next_used(fdb, &i, end)) != NULL; i++) {
		struct fdb_entry entry;
		uint32_t limit_s;

		slot_entry(slot, now_s, &entry);
		if ((entry.flags & FDB_STATIC) != 0)
			continue;
		limit_s = ageing_s(entry.fid, arg);
		if (limit_s > FDB_AGEING_MAX_S)
			limit_s = FDB_AGEING_MAX_S;
		if (limit_s == 0 || entry.age_s <= limit_s)
			continue;
		slot_delete(fdb, slot);
		fdb->counters.aged++;
		n++;
	}
	fdb->age_cursor = i >= n_slots(fdb) ? 0 : i;
	return n;
}

void fdb_walk(const struct fdb *fdb, bool (*visit)(const struct fdb_entry *entry, void *arg),
	      void *arg)
{
	uint32_t now_s = clock_s();
	struct fdb_entry entry;
	struct slot *slot;

	for (size_t i = 0; (slot = next_used(fdb, &i, n_slots(fdb))) != NULL; i++) {
		slot_entry(slot, now_s, &entry);
		if (!visit(&entry, arg))
			return;
	}
}

struct fdb *fdb_new(uint32_t capacity)
{
	uint64_t n_buckets = BUCKETS_PER_CHUNK;
	struct fdb *fdb;

	if (capacity == 0 || capacity > CAPACITY_MAX)
		return NULL;
	while (n_buckets * SLOTS_PER_BUCKET < (uint64_t)capacity * 2)
		n_buckets *= 2;
	fdb = calloc(1, sizeof(*fdb));
	if (fdb == NULL)
		return NULL;
	fdb->capacity = capacity;
	fdb->reserve = capacity / 16;
	fdb->mask = n_buckets - 1;
	fdb->bytes = n_buckets * sizeof(struct bucket);
	if (getrandom(fdb->seed, sizeof(fdb->seed), 0) != sizeof(fdb->seed))
		goto fail;
	fdb->seed[1] |= 1;
	fdb->buckets = mmap(NULL, fdb->bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fdb->buckets == MAP_FAILED) {
		fdb->buckets = NULL;
		goto fail;
	}
	madvise(fdb->buckets, fdb->bytes, MADV_NOHUGEPAGE);
	fdb->chunk_used = calloc(n_buckets / BUCKETS_PER_CHUNK, sizeof(*fdb->chunk_used));
	fdb->n_learned = calloc(UINT16_MAX + 1, sizeof(*fdb->n_learned));
	fdb->n_static = calloc(UINT16_MAX + 1, sizeof(*fdb->n_static));
	if (fdb->chunk_used == NULL || fdb->n_learned == NULL || fdb->n_static == NULL)
		goto fail;
	return fdb;
fail:
	fdb_free(fdb);
	return NULL;
}

void fdb_free(struct fdb *fdb)
{
	if (fdb == NULL)
		return;
	if (fdb->buckets != NULL)
		munmap(fdb->buckets, fdb->bytes);
	free(fdb->chunk_used);
	free(fdb->n_learned);
	free(fdb->n_static);
	free(fdb);
}

uint32_t fdb_count(const struct fdb *fdb)
{
	return fdb->count;
}

uint32_t fdb_count_on_port(const struct fdb *fdb, uint16_t port)
{
	return fdb->n_learned[port] + fdb->n_static[port];
}

uint32_t fdb_capacity(const struct fdb *fdb)
{
	return fdb->capacity;
}

size_t fdb_bytes(const struct fdb *fdb)
{
	return fdb->bytes;
}

struct fdb_counters fdb_counters(const struct fdb *fdb)
{
	return fdb->counters;
}
