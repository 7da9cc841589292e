/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database's writer: learning, moving, deleting. Control thread only; see
 * fdb_table.h.
 */
#include "fdb_table.h"

#include <stddef.h>

/* Change what belongs to the same station; readers may refresh its age meanwhile. */
static void slot_update(struct slot *slot, uint64_t value)
{
	uint64_t old = atomic_load_explicit(&slot->value, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&slot->value, &old,
						      (old & VALUE_VERSION) | value,
						      memory_order_release, memory_order_relaxed))
		;
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
			/* it is in its second already: readers could miss it on the way back */
			continue;
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

/*
 * Whether the table has room for one more entry of this port; see the head of fdb.h about the
 * reserve.
 */
static bool has_room(const struct fdb *fdb, uint16_t port, uint8_t flags)
{
	uint32_t left = fdb->capacity + fdb->reserve - fdb->count;

	if (fdb->count < fdb->capacity)
		return true;
	return left > 0 && ((flags & FDB_STATIC) != 0 || fdb->n_learned[port] < left / 2);
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
	return FDB_ADDED;
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
