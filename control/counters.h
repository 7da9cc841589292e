/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of a port, summed over its queues and the workers: what RPC, metrics and events tell. Workers write them
 * with plain stores, so each is read once, atomically. Control thread only.
 */
#ifndef CONTROL_COUNTERS_H
#define CONTROL_COUNTERS_H

#include "apply.h"
#include "drop.h"

struct counters_queue {
	uint64_t pkts, bytes, wakeups;
};

/** counters_queue_add() - Add one queue's to a sum */
void counters_queue_add(struct counters_queue *sum, const struct port_queue_stats *stats);

/** counters_port() - What came in and went out of a port, of patch ends too */
void counters_port(const struct live_port *live, struct counters_queue *rx,
		   struct counters_queue *tx);

/** counters_drops() - By enum drop_reason, over all workers; sums[DROP_NONE] is 0 */
void counters_drops(const struct live_port *live, uint64_t sums[DROP_N]);

/** counters_status() - What is behind a port, of patch ends and of ports that could not be opened too */
void counters_status(const struct live_port *live, struct port_status *status);

/**
 * counters_link_is_up() - Whether frames can flow: not shut, not down by itself for a while, and the peer's driver runs
 * @status: counters_status() of @live
 */
bool counters_link_is_up(const struct model_port *port, const struct live_port *live,
			 const struct port_status *status);

#endif
