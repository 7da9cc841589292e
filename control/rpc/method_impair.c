/* SPDX-License-Identifier: BSD-3-Clause */
/* port.impair: how links are, key by key: plugged or not, and their bad sides; and what they have done. */
#include <stdio.h>

#include "json_read.h"
#include "model_impair.h"
#include "rpc/methods.h"

/* One port's part of the request, merged into its object in @next. */
static void port_change(struct rpc_call *call, struct model *next, const json_t *item, size_t i)
{
	static const char *const keys[] = {"name", "admin", "in", "out", NULL};
	static const char *const states[] = {"up", "down", NULL};
	static const char *const sides[] = {"in", "out"};
	char name[MODEL_NAME_MAX] = "", what[MODEL_NAME_MAX + 16];
	json_t *was, *change, *merged;
	struct json_reader reader;
	struct model_port *port;
	int state;

	if (!json_reader_init(&reader, item, &call->problems, "ports[%zu]", i))
		return;
	json_read_keys(&reader, keys);
	if (!json_read_need(&reader, "name") ||
	    !json_read_name(&reader, "name", name, sizeof(name)))
		return;
	for (int k = 0; k < 2; k++) {
		const json_t *side = json_object_get(item, sides[k]);

		if (side != NULL && !json_is_object(side) && !json_is_null(side))
			problems_add(
				&call->problems, PROBLEM_PARAMS,
				"port \"%s\": \"%s\" must be an object, or null for a good link",
				name, sides[k]);
	}
	state = json_read_choice(&reader, "admin", states);
	port = model_port_find(next, name);
	if (port == NULL)
		problems_add(&call->problems, PROBLEM_STATE, "there is no port \"%s\"", name);
	if (call->problems.n > 0)
		return;
	if (state >= 0)
		port->admin_up = state == 0;
	snprintf(what, sizeof(what), "port \"%s\"", name);
	was = model_impair_print(port->impair);
	change = json_copy((json_t *)item);
	json_object_del(change, "name");
	json_object_del(change, "admin");
	merged = model_impair_merge(was, change);
	model_impair_parse(merged, what, port->impair, &call->problems);
	json_decref(was);
	json_decref(change);
	json_decref(merged);
}

void rpc_port_impair(struct rpc_call *call)
{
	static const char *const keys[] = {"ports", NULL};
	const json_t *list = json_object_get(call->params, "ports");
	struct json_reader reader;
	struct model *next;
	json_t *item;
	size_t i;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	if (!json_is_array(list) || json_array_size(list) > SNAPSHOT_PORTS_MAX)
		problems_add(&call->problems, PROBLEM_PARAMS,
			     "params: \"ports\" must be a list of {name, admin, in, out}");
	if (call->problems.n > 0)
		return;
	next = model_copy(apply_model(call->control->apply));
	json_array_foreach (list, i, item) {
		if (next != NULL)
			port_change(call, next, item, i);
	}
	rpc_change_end(call, next, false);
}

json_t *rpc_impair_stats(const struct live_port *live)
{
	static const char *const sides[] = {[IMPAIR_IN] = "in", [IMPAIR_OUT] = "out"};
	json_t *object = NULL;

	for (int i = 0; i < IMPAIR_DIRECTIONS; i++) {
		struct impair_stats stats;

		if (live->impair[i] == NULL)
			continue;
		impair_stats_get(live->impair[i], &stats);
		if (object == NULL)
			object = json_object();
		json_object_set_new(
			object, sides[i],
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				  "frames", (json_int_t)stats.frames, "lost",
				  (json_int_t)stats.lost, "queue_full",
				  (json_int_t)stats.queue_full, "memory_full",
				  (json_int_t)stats.memory_full, "duplicated",
				  (json_int_t)stats.duplicated, "reordered",
				  (json_int_t)stats.reordered, "corrupted",
				  (json_int_t)stats.corrupted, "held_frames",
				  (json_int_t)stats.held_frames, "held_bytes",
				  (json_int_t)stats.held_bytes, "left_frames",
				  (json_int_t)stats.left_frames, "left_bytes",
				  (json_int_t)stats.left_bytes));
	}
	return object;
}
