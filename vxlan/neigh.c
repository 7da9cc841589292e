/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See neigh.h. Entries in one array, an open-addressing index of at most half load beside it; readers touch one cache line
 * of the index and one entry as a rule.
 */
#include "neigh.h"

#include <stdlib.h>

struct neigh_table {
	size_t n;
	uint32_t mask;
	uint32_t *slots;	     /* entry + 1, 0: empty */
	uint32_t *seen_s, *probed_s; /* by entry; written by workers */
	struct neigh_entry entries[];
};

static inline uint32_t neigh_hash(uint32_t vni, const struct vxlan_ip *ip)
{
	uint64_t low, high;

	memcpy(&low, ip->b, 8);
	memcpy(&high, ip->b + 8, 8);
	low = (low ^ vni) * UINT64_C(0x9e3779b97f4a7c15);
	low = (low ^ low >> 29 ^ high) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(low >> 32);
}

/* The slot that holds the key, or the empty one where it belongs. */
static inline uint32_t neigh_slot(const struct neigh_table *table, uint32_t vni,
				  const struct vxlan_ip *ip)
{
	uint32_t i = neigh_hash(vni, ip) & table->mask;

	for (; table->slots[i] != 0; i = (i + 1) & table->mask) {
		const struct neigh_entry *entry = &table->entries[table->slots[i] - 1];

		if (entry->vni == vni && vxlan_ip_equal(&entry->ip, ip))
			break;
	}
	return i;
}

struct neigh_table *neigh_table_new(const struct neigh_entry *entries, size_t n)
{
	struct neigh_table *table;
	size_t size = 8;

	if (n > 16 << 20)
		return NULL;
	while (size < 2 * n)
		size *= 2;
	table = malloc(sizeof(*table) + n * sizeof(*entries));
	if (table == NULL)
		return NULL;
	table->n = 0;
	table->mask = (uint32_t)(size - 1);
	table->slots = calloc(size, sizeof(*table->slots));
	table->seen_s = calloc(n + 1, sizeof(*table->seen_s));
	table->probed_s = calloc(n + 1, sizeof(*table->probed_s));
	if (table->slots == NULL || table->seen_s == NULL || table->probed_s == NULL) {
		neigh_table_free(table);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t slot = neigh_slot(table, entries[i].vni, &entries[i].ip);

		if (table->slots[slot] == 0)
			table->slots[slot] = (uint32_t)++table->n;
		table->entries[table->slots[slot] - 1] = entries[i];
		table->seen_s[table->slots[slot] - 1] = entries[i].seen_s;
		table->probed_s[table->slots[slot] - 1] = entries[i].probed_s;
	}
	return table;
}

void neigh_table_free(struct neigh_table *table)
{
	if (table == NULL)
		return;
	free(table->slots);
	free(table->seen_s);
	free(table->probed_s);
	free(table);
}

const struct neigh_entry *neigh_table_find(const struct neigh_table *table, uint32_t vni,
					   const struct vxlan_ip *ip)
{
	uint32_t found = table->slots[neigh_slot(table, vni, ip)];

	return found != 0 ? &table->entries[found - 1] : NULL;
}

void neigh_table_refresh(const struct neigh_table *table, const struct neigh_entry *entry,
			 uint32_t now_s)
{
	uint32_t *seen_s = &table->seen_s[entry - table->entries];

	if (__atomic_load_n(seen_s, __ATOMIC_RELAXED) != now_s)
		__atomic_store_n(seen_s, now_s, __ATOMIC_RELAXED);
}

void neigh_table_probe(const struct neigh_table *table, const struct neigh_entry *entry,
		       uint32_t now_s)
{
	__atomic_store_n(&table->probed_s[entry - table->entries], now_s, __ATOMIC_RELAXED);
}

bool neigh_table_trusts(const struct neigh_table *table, const struct neigh_entry *entry,
			uint32_t now_s)
{
	uint32_t seen_s = neigh_table_seen(table, entry);

	return entry->is_static || ((int32_t)(now_s - seen_s) <= NEIGH_TRUST_S &&
				    neigh_table_probed(table, entry) <= seen_s);
}

uint32_t neigh_table_seen(const struct neigh_table *table, const struct neigh_entry *entry)
{
	return __atomic_load_n(&table->seen_s[entry - table->entries], __ATOMIC_RELAXED);
}

uint32_t neigh_table_probed(const struct neigh_table *table, const struct neigh_entry *entry)
{
	return __atomic_load_n(&table->probed_s[entry - table->entries], __ATOMIC_RELAXED);
}

const struct neigh_entry *neigh_table_at(const struct neigh_table *table, size_t i)
{
	return &table->entries[i];
}

size_t neigh_table_count(const struct neigh_table *table)
{
	return table->n;
}

size_t neigh_table_bytes(const struct neigh_table *table)
{
	return sizeof(*table) + table->n * sizeof(struct neigh_entry) +
	       2 * table->n * sizeof(*table->seen_s) +
	       ((size_t)table->mask + 1) * sizeof(*table->slots);
}
