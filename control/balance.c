/* SPDX-License-Identifier: BSD-3-Clause */
#include "balance.h"

#define BYTES_PER_FRAME 1024 /* whose copy costs as much as all the rest that is done for a frame */

uint64_t balance_load(uint64_t pkts, uint64_t bytes)
{
	return pkts * BYTES_PER_FRAME + bytes;
}

static uint16_t find(const uint32_t *busy, uint16_t n, bool busiest)
{
	uint16_t found = 0;

	for (uint16_t i = 1; i < n; i++)
		if (busiest ? busy[i] > busy[found] : busy[i] < busy[found])
			found = i;
	return found;
}

bool balance_choose(const uint32_t *busy, uint16_t n_workers, const struct balance_queue *queues,
		    size_t n_queues, struct balance_move *move)
{
	uint16_t from = find(busy, n_workers, true), to = find(busy, n_workers, false);
	uint64_t total = 0, best;
	bool found = false;

	if (busy[from] < BALANCE_BUSY)
		return false;
	best = busy[from] - BALANCE_GAIN;
	for (size_t i = 0; i < n_queues; i++)
		total += queues[i].worker == from ? queues[i].load : 0;
	for (size_t i = 0; i < n_queues; i++) {
		const struct balance_queue *queue = &queues[i];
		uint64_t part, after;

		if (queue->worker != from || queue->is_fixed || queue->load == 0)
			continue;
		part = (uint64_t)((double)busy[from] * (double)queue->load / (double)total);
		after = busy[from] - part;
		if (busy[to] + part > after)
			after = busy[to] + part;
		if (after > best || (found && after == best))
			continue;
		best = after;
		*move = (struct balance_move){.queue = i, .to = to};
		found = true;
	}
	return found;
}
