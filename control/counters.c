/* SPDX-License-Identifier: BSD-3-Clause */
#include "counters.h"

#include <stdio.h>
#include <string.h>

#include "stats.h"

void counters_queue_add(struct counters_queue *sum, const struct port_queue_stats *stats)
{
	sum->pkts += stats_read(&stats->pkts);
	sum->bytes += stats_read(&stats->bytes);
	sum->wakeups += stats_read(&stats->wakeups);
}

void counters_port(const struct live_port *live, struct counters_queue *rx,
		   struct counters_queue *tx)
{
	memset(rx, 0, sizeof(*rx));
	memset(tx, 0, sizeof(*tx));
	for (uint16_t i = 0; live->port != NULL && i < live->port->spec.n_queues; i++) {
		counters_queue_add(rx, &live->port->rxq[i]);
		counters_queue_add(tx, &live->port->txq[i]);
	}
	if (live->port != NULL) {
		counters_queue_add(rx, &live->port->kernel_rx);
		counters_queue_add(tx, &live->port->kernel_tx);
		return;
	}
	if (live->patch_stats == NULL)
		return;
	for (int worker = 0; worker < PORT_WORKERS_MAX; worker++) {
		counters_queue_add(rx, &live->patch_stats[2 * worker]);
		counters_queue_add(tx, &live->patch_stats[2 * worker + 1]);
	}
}

void counters_drops(const struct live_port *live, uint64_t sums[DROP_N])
{
	const struct port_drops *drops = live->port != NULL ? live->port->drops : live->patch_drops;

	memset(sums, 0, DROP_N * sizeof(sums[0]));
	for (int worker = 0; drops != NULL && worker < PORT_WORKERS_MAX; worker++) {
		for (int reason = 1; reason < DROP_N; reason++)
			sums[reason] += stats_read(&drops[worker].by_reason[reason]);
	}
}

void counters_status(const struct live_port *live, struct port_status *status)
{
	memset(status, 0, sizeof(*status));
	if (live->port != NULL) {
		live->port->ops->status(live->port, status);
	} else if (live->patch_drops != NULL) {
		status->connected = true;
		status->running = true;
		status->n_queues = 1;
	} else {
		snprintf(status->detail, sizeof(status->detail), "%s", live->error);
	}
	status->detail[sizeof(status->detail) - 1] = '\0';
}

bool counters_link_is_up(const struct model_port *port, const struct live_port *live,
			 const struct port_status *status)
{
	return port->admin_up && !live->is_flapped && status->running;
}
