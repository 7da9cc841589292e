/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walks over the forwarding database: ageing, flushing, listing. Control thread only; see
 * fdb_table.h.
 *
 * A walk skips chunks without entries: with a few stations in a table for a million it touches a
 * few pages.
 */
#include "fdb_table.h"

#include <time.h>

static size_t n_slots(const struct fdb *fdb)
{
	return (fdb->mask + 1) * SLOTS_PER_BUCKET;
}

/*
 * The next used slot at or after *@index, or NULL at the end; *@index is left on it. Skips empty
 * chunks.
 */
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
