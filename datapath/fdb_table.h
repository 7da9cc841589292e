/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database inside: an open hash table of cache-line buckets. For fdb*.c, and for stages that look up burst by burst.
 *
 * Theory of operation
 *   A station has two candidate buckets of four slots, chosen by a keyed hash. At most a bit more
 *   than half of the slots are used, so nearly all stations are in their first bucket: a lookup is
 *   one cache line, which a burst prefetches. When both buckets are full a third station is moved
 *   from its first to its second bucket; readers look in that order, and the copy is made before
 *   the original goes, so nobody misses it.
 *
 *   A slot is two words. `key` is the address and the low 16 bits of the fid. `value` is all the
 *   rest, and a version that grows each time the slot is given to another station:
 *
 *	version:16 | age:20 | fid_high:8 | unused:1 | valid:1 | flags:2 | port:16
 *
 *   The writer changes owner in three steps: value = (version + 1, invalid); key; value = (version
 *   + 1, valid, ...). A reader takes value, key, value. If both values are valid and have the same
 *   version, the key between them was the owner at that time, so the port is the station's own. The
 *   version alone is not enough: between the first step and the second the old key stands with the
 *   new version. A reader retries only when the writer made progress. The port of the same station
 *   moves by compare-and-swap, because readers refresh the age in the same word.
 *
 * Threads: the writer (control) for what is marked so; readers anywhere.
 */
#ifndef DATAPATH_FDB_TABLE_H
#define DATAPATH_FDB_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "fdb.h"

#define SLOTS_PER_BUCKET 4
#define BUCKETS_PER_CHUNK                                                                          \
	64 /* a chunk is what one 4 KiB page holds: empty ones are skipped by walks */
#define SLOTS_PER_CHUNK (BUCKETS_PER_CHUNK * SLOTS_PER_BUCKET)

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
	size_t bytes;  /* of buckets */
	void *mapping; /* has room to align buckets to large pages */
	size_t mapping_bytes;
	uint32_t capacity;
	uint32_t reserve;

	/* writer only */
	uint32_t count;
	size_t age_cursor;
	struct fdb_counters counters;
	uint16_t *chunk_used; /* entries per chunk */
	uint32_t *n_learned;  /* per port */
	uint32_t *n_static;

	/* fdb_memory.c's */
	pthread_t toucher;
	bool is_touched; /* by that thread; whoever made the table */
	_Atomic bool stop_touching;
};

/** fdb_memory_map() - Reserve the buckets, all free. Return: false if there is no address space. */
bool fdb_memory_map(struct fdb *fdb);
void fdb_memory_unmap(struct fdb *fdb);

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

/* The word of the address at @mac, two bytes more can be read; @fid_word: that of the address 0. */
static inline uint64_t key_word_at(const uint8_t *mac, uint64_t fid_word)
{
	uint64_t bytes;

	memcpy(&bytes, mac, sizeof(bytes));
	return (be64toh(bytes) & ~UINT64_C(0xffff)) | fid_word;
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

static inline struct bucket *bucket_first(const struct fdb *fdb, uint64_t hash)
{
	return &fdb->buckets[hash & fdb->mask];
}

static inline struct bucket *bucket_second(const struct fdb *fdb, uint64_t hash)
{
	return &fdb->buckets[(hash ^ (hash >> 32 | 1)) & fdb->mask];
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
	} while (((before ^ after) & (VALUE_VERSION | VALUE_VALID)) != 0);
	return (after & (VALUE_VALID | VALUE_FID)) == key->want ? after : 0;
}

/*
 * Which of the bucket's slots it is cannot be predicted: one branch for all four. At most one slot has the key and is valid, but a
 * slot that is changing hands, or one of another fid, may have the same word: then the next is read.
 */
static inline struct slot *bucket_find(struct bucket *bucket, const struct key *key,
				       uint64_t *value)
{
	unsigned int found = 0;

	for (int i = 0; i < SLOTS_PER_BUCKET; i++)
		found |= (unsigned int)(atomic_load_explicit(&bucket->slots[i].key,
							     memory_order_relaxed) == key->word)
			 << i;
	while (found != 0) {
		struct slot *slot = &bucket->slots[__builtin_ctz(found)];

		*value = slot_read(slot, key);
		if (*value != 0)
			return slot;
		found &= found - 1;
	}
	*value = 0;
	return NULL;
}

/* Which slot it is, if it is one of these and no other has the same word: no branch at all. What it says is to be checked by slot_read(). */
static inline const struct slot *bucket_guess(const struct bucket *bucket, uint64_t word)
{
	unsigned int at = 0;

#pragma GCC unroll 4
	for (unsigned int i = 1; i < SLOTS_PER_BUCKET; i++)
		at += i *
		      (atomic_load_explicit(&bucket->slots[i].key, memory_order_relaxed) == word);
	return &bucket->slots[at % SLOTS_PER_BUCKET];
}

/*
 * The value of a slot, whole and the station's own, or 0. As slot_read() without a branch: it does not try again
 * if the value changes meanwhile, and it is not said whether the value belongs to the right fid.
 */
static inline uint64_t slot_glance(const struct slot *slot, uint64_t word)
{
	uint64_t before = atomic_load_explicit(&slot->value, memory_order_acquire);
	uint64_t key = atomic_load_explicit(&slot->key, memory_order_acquire);
	uint64_t after = atomic_load_explicit(&slot->value, memory_order_relaxed);

	return ((before ^ after) | (key ^ word)) == 0 ? before : 0;
}

static inline struct slot *slot_find(const struct fdb *fdb, uint64_t hash, const struct key *key,
				     uint64_t *value)
{
	struct slot *slot = bucket_find(bucket_first(fdb, hash), key, value);

	return slot != NULL ? slot : bucket_find(bucket_second(fdb, hash), key, value);
}

/* What readers do: hash and prefetch a burst's addresses, then look them up, so that the cache misses overlap. */

/* Of a key's word. */
static inline uint64_t word_hash(const struct fdb *fdb, uint32_t fid, uint64_t word)
{
	uint64_t x = word ^ fdb->seed[0];

	x ^= (uint64_t)(fid >> 16) * UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	x *= fdb->seed[1];
	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 32;
}

/** fdb_hash() - Where to look. @mac: as from fdb_mac() */
static inline uint64_t fdb_hash(const struct fdb *fdb, uint32_t fid, uint64_t mac)
{
	return word_hash(fdb, fid, key_make(fid, mac).word);
}

/** fdb_hash_prefetch() - fdb_hash(), and have the bucket fetched */
static inline uint64_t fdb_hash_prefetch(const struct fdb *fdb, uint32_t fid, uint64_t mac)
{
	uint64_t hash = fdb_hash(fdb, fid, mac);

	__builtin_prefetch(bucket_first(fdb, hash));
	return hash;
}

/** fdb_lookup_hashed() - fdb_lookup() with a hash that is known */
static inline int fdb_lookup_hashed(const struct fdb *fdb, uint64_t hash, uint32_t fid,
				    uint64_t mac, uint8_t *flags)
{
	struct key key = key_make(fid, mac);
	uint64_t value;

	if (slot_find(fdb, hash, &key, &value) == NULL)
		return -1;
	if (flags != NULL)
		*flags = value_flags(value);
	return value_port(value);
}

/** fdb_refresh_hashed() - fdb_refresh() with a hash that is known */
static inline enum fdb_change fdb_refresh_hashed(struct fdb *fdb, uint64_t hash, uint32_t fid,
						 uint64_t mac, uint16_t port, uint32_t now_s)
{
	struct key key = key_make(fid, mac);
	uint64_t value, fresh;
	struct slot *slot = slot_find(fdb, hash, &key, &value);

	if (slot == NULL)
		return FDB_ADDED;
	if (value_port(value) != port)
		return value_flags(value) != 0 ? FDB_REFUSED : FDB_MOVED;
	if (now_s == FDB_NO_REFRESH)
		return FDB_KNOWN;
	fresh = (value & ~VALUE_AGE) | (uint64_t)(now_s & VALUE_AGE_MASK) << VALUE_AGE_SHIFT;
	if (fresh !=
	    value) /* whoever was faster wrote the same second, or the slot is another's by now */
		atomic_compare_exchange_strong_explicit(&slot->value, &value, fresh,
							memory_order_relaxed, memory_order_relaxed);
	return FDB_KNOWN;
}

/* What follows is for the writer. */

static inline bool slot_is_free(const struct slot *slot)
{
	return (atomic_load_explicit(&slot->value, memory_order_relaxed) & VALUE_VALID) == 0;
}

static inline size_t slot_chunk(const struct fdb *fdb, const struct slot *slot)
{
	return (size_t)(slot - fdb->buckets[0].slots) / SLOTS_PER_CHUNK;
}

/* Give the slot to another station, or to none (@value 0). @value comes without a version. */
static inline void slot_assign(struct fdb *fdb, struct slot *slot, uint64_t key, uint64_t value)
{
	uint64_t version = atomic_load_explicit(&slot->value, memory_order_relaxed);

	version = (version + VALUE_VERSION_ONE) & VALUE_VERSION;
	atomic_store_explicit(&slot->value, version, memory_order_relaxed);
	atomic_store_explicit(&slot->key, key, memory_order_release);
	if (value != 0)
		atomic_store_explicit(&slot->value, version | value, memory_order_release);
	fdb->chunk_used[slot_chunk(fdb, slot)] += value != 0 ? 1 : -1;
}

/*
 * Seconds since the entry was seen. A reader's clock may be a little ahead of the caller's: that is
 * 0.
 */
static inline uint32_t value_age(uint64_t value, uint32_t now_s)
{
	uint32_t seen_s = (uint32_t)((value & VALUE_AGE) >> VALUE_AGE_SHIFT);
	uint32_t age_s = (now_s - seen_s) & VALUE_AGE_MASK;

	return age_s > VALUE_AGE_MASK / 2 ? 0 : age_s;
}

static inline void slot_entry(const struct slot *slot, uint32_t now_s, struct fdb_entry *entry)
{
	uint64_t key = atomic_load_explicit(&slot->key, memory_order_relaxed);
	uint64_t value = atomic_load_explicit(&slot->value, memory_order_relaxed);

	entry->mac = key >> 16;
	entry->fid = (uint32_t)((value & VALUE_FID) >> VALUE_FID_SHIFT) << 16 | (key & 0xffff);
	entry->port = value_port(value);
	entry->flags = value_flags(value);
	entry->age_s = value_age(value, now_s);
}

static inline uint32_t *port_counter(struct fdb *fdb, uint16_t port, uint8_t flags)
{
	return (flags & FDB_STATIC) != 0 ? &fdb->n_static[port] : &fdb->n_learned[port];
}

static inline void slot_delete(struct fdb *fdb, struct slot *slot)
{
	uint64_t value = atomic_load_explicit(&slot->value, memory_order_relaxed);

	(*port_counter(fdb, value_port(value), value_flags(value)))--;
	fdb->count--;
	slot_assign(fdb, slot, 0, 0);
}

#endif
