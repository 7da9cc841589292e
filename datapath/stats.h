/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters with one writer and readers elsewhere: u64 without locked instructions, whole on the
 * machines we run on.
 */
#ifndef DATAPATH_STATS_H
#define DATAPATH_STATS_H

#include <stdint.h>

/** stats_add() - Count; the counter's only writer calls it */
static inline void stats_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/** stats_read() - Any thread */
static inline uint64_t stats_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
