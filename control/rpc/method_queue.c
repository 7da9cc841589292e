/* SPDX-License-Identifier: BSD-3-Clause */
/* queue.pin: which worker polls a queue, or sends on what waits in an impaired direction, by hand. */
#include "datapath.h"
#include "json_read.h"
#include "rebalance.h"
#include "rpc/methods.h"

static const char *const directions[] = {[IMPAIR_IN] = "in", [IMPAIR_OUT] = "out", NULL};

/* The port, if it has that queue, or impaired direction (-1: it is about a queue). */
static const struct model_port *port_find(struct rpc_call *call, const char *name, uint32_t queue,
					  int direction)
{
	const struct model_port *port = model_port_find(apply_model(call->control->apply), name);
	const struct live_port *live;

	if (port == NULL) {
		problems_add(&call->problems, PROBLEM_STATE, "there is no port \"%s\"", name);
		return NULL;
	}
	live = apply_live(call->control->apply, port);
	if (direction >= 0) {
		if (live->impair[direction] == NULL)
			problems_add(&call->problems, PROBLEM_STATE,
				     "port \"%s\": its link is not impaired on the way %s", name,
				     directions[direction]);
	} else if (live->port == NULL || live->port->ops->rx == NULL)
		problems_add(&call->problems, PROBLEM_STATE,
			     "port \"%s\": it has no queue that a worker polls", name);
	else if (queue >= live->port->spec.n_queues)
		problems_add(&call->problems, PROBLEM_STATE,
			     "port \"%s\": it has queues 0 to %u, not %u", name,
			     live->port->spec.n_queues - 1u, queue);
	return call->problems.n == 0 ? port : NULL;
}

void rpc_queue_pin(struct rpc_call *call)
{
	static const char *const keys[] = {"port", "queue", "impaired", "worker", NULL};
	char name[MODEL_NAME_MAX] = "";
	uint32_t queue = 0, worker = 0, duty;
	int direction;
	const struct model_port *port;
	struct json_reader reader;
	struct err err = {.text = ""};
	bool releases = json_is_null(json_object_get(call->params, "worker"));

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	if (json_read_need(&reader, "port"))
		json_read_name(&reader, "port", name, sizeof(name));
	json_read_uint(&reader, "queue", 0, PORT_QUEUES_MAX - 1, &queue);
	direction = json_read_choice(&reader, "impaired", directions);
	if (direction >= 0 && json_object_get(call->params, "queue") != NULL)
		problems_add(&call->problems, PROBLEM_PARAMS,
			     "params: \"queue\" or \"impaired\", not both");
	if (json_read_need(&reader, "worker") && !releases)
		json_read_uint(&reader, "worker", 0, datapath_n_workers() - 1u, &worker);
	if (call->problems.n > 0)
		return;
	port = port_find(call, name, queue, direction);
	if (port == NULL)
		return;
	duty = direction >= 0 ? (uint32_t)SNAPSHOT_DIRECTION(direction) : queue;
	if (rebalance_pin(call->control->rebalance, port, (uint16_t)duty,
			  releases ? -1 : (int)worker, &err) != 0) {
		problems_add(&call->problems, PROBLEM_MACHINE, "%s", err.text);
		return;
	}
	call->result =
		json_pack("{s:i}", "worker", snapshot_doer(datapath_current(), port->index, duty));
}
