/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database: making it, and what readers do. The mechanism is explained in
 * fdb_table.h.
 */
#include "fdb_table.h"

#include <stdlib.h>
#include <sys/random.h>

#define CAPACITY_MAX (UINT32_C(16) << 20)

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

void fdb_prefetch(const struct fdb *fdb, uint64_t hash)
{
	__builtin_prefetch(bucket_first(fdb, hash));
}

uint64_t fdb_hash_prefetch(const struct fdb *fdb, uint32_t fid, uint64_t mac)
{
	uint64_t hash = fdb_hash(fdb, fid, mac);

	fdb_prefetch(fdb, hash);
	return hash;
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
	if (now_s == FDB_NO_REFRESH)
		return FDB_KNOWN;
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
	if (!fdb_memory_map(fdb))
		goto fail;
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
	fdb_memory_unmap(fdb);
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
