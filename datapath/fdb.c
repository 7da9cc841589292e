/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database: making it, and what readers do. The mechanism is explained in
 * fdb_table.h.
 */
#include "fdb_table.h"

#include <stdlib.h>
#include <sys/random.h>

#define CAPACITY_MAX (UINT32_C(16) << 20)

int fdb_lookup(const struct fdb *fdb, uint32_t fid, uint64_t mac, uint8_t *flags)
{
	return fdb_lookup_hashed(fdb, fdb_hash(fdb, fid, mac), fid, mac, flags);
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
