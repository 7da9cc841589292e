/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database: (switch, VLAN, MAC) -> port. IEEE 802.1Q-2018 §8.8.
 *
 * One writer, the control thread, fed by the workers through a learn ring; any number of lock-free
 * readers. One table serves all switches: a forwarding domain id (fid) is 24 bits, `switch index <<
 * 12 | VLAN id`, so nothing has to be allocated for a VLAN. Readers may refresh the age of an
 * entry; everything else is the writer's.
 *
 * Memory is one mapping made at fdb_new() (16 bytes a slot, twice the capacity), touched as it is
 * used, or at once by fdb_touch_start().
 *
 * A sixteenth more than the capacity is kept for ports that have few entries: a port with random
 * source addresses may fill the table, and the others still learn.
 */
#ifndef DATAPATH_FDB_H
#define DATAPATH_FDB_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fdb;

#define FDB_FID(sw, vid) ((uint32_t)(sw) << 12 | (vid))

enum {
	FDB_STATIC = 1, /* set by the user: never ages, moves only by the user */
	FDB_STICKY = 2	/* learned once, then fixed to its port */
};

#define FDB_AGEING_MAX_S 500000
#define FDB_NO_REFRESH	 UINT32_MAX /* as now_s of fdb_refresh(): only look */

enum fdb_change { FDB_KNOWN, FDB_ADDED, FDB_MOVED, FDB_FULL, FDB_PORT_FULL, FDB_REFUSED };

struct fdb_entry {
	uint64_t mac; /* 48 bits, network order read as a big-endian number */
	uint32_t fid;
	uint16_t port;
	uint8_t flags;
	uint32_t age_s; /* since it was last seen */
};

/** Totals since the table was made, writer's side. */
struct fdb_counters {
	uint64_t learned, moved, aged, refused_full, refused_port_full, refused_sticky;
};

/** fdb_mac() - Six bytes as the number fdb uses */
static inline uint64_t fdb_mac(const uint8_t mac[6])
{
	uint32_t high;
	uint16_t low;

	memcpy(&high, mac, sizeof(high));
	memcpy(&low, mac + sizeof(high), sizeof(low));
	return (uint64_t)be32toh(high) << 16 | be16toh(low);
}

/**
 * fdb_new() - Make a table
 * @capacity: entries it can hold, 1..16M
 * Return: owned by the caller, NULL when memory does not suffice.
 */
struct fdb *fdb_new(uint32_t capacity);
void fdb_free(struct fdb *fdb);

/**
 * fdb_touch_start() - Have all memory of a large table ready soon
 *
 * A thread of its own does it, beside readers and writer. A table of 131,072 stations or less is left as it is. Whoever made the table
 * calls it, once. Without threads or memory to be had nothing happens.
 */
void fdb_touch_start(struct fdb *fdb);

/** fdb_touch_wait() - Until it is; fine if it was not started. fdb_free() need not be preceded by it. */
void fdb_touch_wait(struct fdb *fdb);

/**
 * fdb_lookup() - Where is a station?
 * @flags: out, may be NULL
 * Return: port index, or -1. Context: any thread, never blocks.
 */
int fdb_lookup(const struct fdb *fdb, uint32_t fid, uint64_t mac, uint8_t *flags);

/**
 * fdb_refresh() - A frame came from @mac on @port: note the time if the entry says so already
 * Return: FDB_KNOWN: nothing else to do. FDB_ADDED or FDB_MOVED: the writer must be told.
 *         FDB_REFUSED: the entry is static or sticky elsewhere. Context: any thread, never blocks.
 */
enum fdb_change fdb_refresh(struct fdb *fdb, uint32_t fid, uint64_t mac, uint16_t port,
			    uint32_t now_s);

/**
 * fdb_learn() - Remember that a station was seen behind a port (writer only)
 * @flags: FDB_STATIC: set by the user, overrides what was learned and is not limited; FDB_STICKY; 0
 * @limit: entries the port may have learned at most, 0: no limit
 * Return: what changed. FDB_FULL and FDB_PORT_FULL leave the table as it was.
 */
enum fdb_change fdb_learn(struct fdb *fdb, uint32_t fid, uint64_t mac, uint16_t port, uint8_t flags,
			  uint32_t limit, uint32_t now_s);

/** fdb_delete() - Forget one entry (writer only). Return: true if it was there. */
bool fdb_delete(struct fdb *fdb, uint32_t fid, uint64_t mac);

/** fdb_flush() - Forget all entries for which @match says true (writer only). Return: how many. */
size_t fdb_flush(struct fdb *fdb, bool (*match)(const struct fdb_entry *entry, void *arg),
		 void *arg);

/**
 * fdb_age() - Forget dynamic entries that were not seen for the ageing time (writer only)
 * @ageing_s: ageing time of a fid's switch, 0: never; called per candidate; at most
 *            FDB_AGEING_MAX_S counts
 * @budget:   slots to look at in this call; the walk goes on where it stopped
 */
size_t fdb_age(struct fdb *fdb, uint32_t now_s, uint32_t (*ageing_s)(uint32_t fid, void *arg),
	       void *arg, size_t budget);

/** fdb_walk() - Visit entries (writer thread). Return: false from @visit ends it. */
void fdb_walk(const struct fdb *fdb, bool (*visit)(const struct fdb_entry *entry, void *arg),
	      void *arg);

uint32_t fdb_count(const struct fdb *fdb);
uint32_t fdb_count_on_port(const struct fdb *fdb, uint16_t port);
uint32_t fdb_capacity(const struct fdb *fdb);
size_t fdb_bytes(const struct fdb *fdb); /* mapped */
struct fdb_counters fdb_counters(const struct fdb *fdb);

#endif
