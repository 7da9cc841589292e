/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has which IP address, per VNI: what ARP and ND suppression answers from. Immutable like the VTEP table, but an
 * object of its own, since it changes far more often. Built by control from what the control plane announced or what was snooped.
 */
#ifndef VXLAN_NEIGH_H
#define VXLAN_NEIGH_H

#include <stddef.h>

#include "vxlan.h"

struct neigh_entry {
	uint32_t vni;
	struct vxlan_ip ip;
	uint8_t mac[6];
	bool is_router; /* ND: the R flag */
	bool is_static; /* said by the user or the control plane, not seen: also who probes for the address is answered */
	uint16_t
		port; /* index of the port the station is behind, UINT16_MAX if that is not known */
	/* CLOCK_MONOTONIC, as they were when the table was made: see neigh_table_seen(), neigh_table_probed() */
	uint32_t seen_s, probed_s;
};

#define NEIGH_TRUST_S 60

struct neigh_table;

/**
 * neigh_table_new() - Build a table
 * @entries: copied; of two for the same VNI and address the later one counts
 * @n:	     up to 16M
 *
 * Return: owned by the caller, NULL when memory does not suffice.
 */
struct neigh_table *neigh_table_new(const struct neigh_entry *entries, size_t n);
void neigh_table_free(struct neigh_table *table);

/** neigh_table_find() - Any thread, never blocks. Return: NULL if nobody is known to have the address */
const struct neigh_entry *neigh_table_find(const struct neigh_table *table, uint32_t vni,
					   const struct vxlan_ip *ip);

/**
 * neigh_table_refresh() - The station was heard to have this address
 * @entry: of this table
 *
 * All that ever changes in a table. Any thread, never blocks.
 */
void neigh_table_refresh(const struct neigh_table *table, const struct neigh_entry *entry,
			 uint32_t now_s);

/** neigh_table_probe() - Somebody asks the station itself whether it is still there. Any thread, never blocks. */
void neigh_table_probe(const struct neigh_table *table, const struct neigh_entry *entry,
		       uint32_t now_s);

/**
 * neigh_table_trusts() - Whether to speak for a station
 *
 * One that was only overheard must have been heard within NEIGH_TRUST_S, and since it was last probed: who re-resolves a neighbour has
 * found it silent (RFC 4861 §7.3.3), and must hear the truth. Any thread, never blocks.
 */
bool neigh_table_trusts(const struct neigh_table *table, const struct neigh_entry *entry,
			uint32_t now_s);

/** neigh_table_seen() - When it was heard last */
uint32_t neigh_table_seen(const struct neigh_table *table, const struct neigh_entry *entry);

/** neigh_table_probed() - When it was probed last */
uint32_t neigh_table_probed(const struct neigh_table *table, const struct neigh_entry *entry);

/** neigh_table_at() - Entry number @i, below neigh_table_count() */
const struct neigh_entry *neigh_table_at(const struct neigh_table *table, size_t i);

size_t neigh_table_count(const struct neigh_table *table);
size_t neigh_table_bytes(const struct neigh_table *table);

#endif
