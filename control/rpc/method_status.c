/* SPDX-License-Identifier: BSD-3-Clause */
/* status, stop, events */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath.h"
#include "page_child.h"
#include "rebalance.h"
#include "rpc/methods.h"
#include "rpc/server.h"
#include "watch.h"

static json_t *workers_print(const struct rebalance *rebalance)
{
	json_t *list = json_array();

	for (uint16_t i = 0; i < datapath_n_workers(); i++) {
		struct datapath_worker_stats stats;

		datapath_worker_stats(i, &stats);
		json_array_append_new(
			list,
			json_pack("{s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				  "cpu_ns", (json_int_t)stats.cpu_ns, "busy_ns",
				  (json_int_t)stats.busy_ns, "busy_percent",
				  (json_int_t)(rebalance_busy(rebalance, i) / 10), "asleep",
				  stats.asleep, "polls", (json_int_t)stats.polls, "idle_polls",
				  (json_int_t)stats.idle_polls, "bursts", (json_int_t)stats.bursts,
				  "frames", (json_int_t)stats.frames, "sleeps",
				  (json_int_t)stats.sleeps, "learn_ring_full",
				  (json_int_t)stats.learn_ring_full, "queues_taken",
				  (json_int_t)rebalance_taken(rebalance, i)));
	}
	return list;
}

static json_t *fdb_print(void)
{
	const struct fdb *fdb = datapath_fdb();
	struct fdb_counters counters = fdb_counters(fdb);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "entries",
			 (json_int_t)fdb_count(fdb), "capacity", (json_int_t)fdb_capacity(fdb),
			 "bytes", (json_int_t)fdb_bytes(fdb), "learned",
			 (json_int_t)counters.learned, "moved", (json_int_t)counters.moved, "aged",
			 (json_int_t)counters.aged, "refused",
			 (json_int_t)(counters.refused_full + counters.refused_port_full +
				      counters.refused_sticky));
}

static void owner_add(json_t *owners, const char *owner)
{
	if (owner[0] != '\0')
		json_object_set_new(owners, owner, json_true());
}

static json_t *owners_print(const struct model *model)
{
	json_t *set = json_object(), *list = json_array(), *value;
	const char *owner;

	for (size_t i = 0; i < model->n_switches; i++)
		owner_add(set, model->switches[i]->owner);
	for (size_t i = 0; i < model->n_ports; i++)
		owner_add(set, model->ports[i]->owner);
	json_object_foreach (set, owner, value) {
		json_array_append_new(list, json_string(owner));
	}
	json_decref(set);
	return list;
}

void rpc_status(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	const char *page = page_child_url(call->control->page);

	if (!rpc_params_none(call))
		return;
	call->result = json_pack(
		"{s:s, s:i, s:I, s:b, s:o, s:o, s:I, s:I, s:I, s:o, s:s?}", "version",
		NETLOOM_VERSION, "pid", (int)getpid(), "uptime_s",
		(json_int_t)((clock_now_ns() - call->control->started_ns) / CLOCK_NS_PER_SECOND),
		"hugepages", datapath_hugepages(), "workers",
		workers_print(call->control->rebalance), "fdb", fdb_print(), "n_switches",
		(json_int_t)model->n_switches, "n_ports", (json_int_t)model->n_ports, "generation",
		(json_int_t)apply_generation(call->control->apply), "owners", owners_print(model),
		"web", page[0] != '\0' ? page : NULL);
}

void rpc_stop(struct rpc_call *call)
{
	if (!rpc_params_none(call))
		return;
	log_info("ending: a client asked for it");
	if (call->client != NULL)
		rpc_client_end_daemon(call->client);
}

void rpc_events(struct rpc_call *call)
{
	if (!rpc_params_none(call) || call->client == NULL)
		return;
	rpc_client_subscribe(call->client);
	if (call->control->watch != NULL)
		watch_start(call->control->watch);
}
