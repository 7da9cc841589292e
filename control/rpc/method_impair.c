/* SPDX-License-Identifier: BSD-3-Clause */
/* port.impair: the bad sides of a link, changed one by one; and what they have done. */
#include "json_read.h"
#include "model_impair.h"
#include "rpc/methods.h"

static void params_check(struct rpc_call *call)
{
	static const char *const sides[] = {"in", "out"};

	for (int i = 0; i < 2; i++) {
		const json_t *side = json_object_get(call->params, sides[i]);

		if (side != NULL && !json_is_object(side) && !json_is_null(side))
			problems_add(&call->problems, PROBLEM_PARAMS,
				     "params: \"%s\" must be an object, or null for a good link",
				     sides[i]);
	}
}

void rpc_port_impair(struct rpc_call *call)
{
	static const char *const keys[] = {"name", "in", "out", NULL};
	const struct model_port *before;
	struct model *next = NULL;
	struct model_port *port;
	char name[MODEL_NAME_MAX], what[MODEL_NAME_MAX + 16];
	json_t *was, *change, *merged;

	if (!rpc_params_name(call, keys, name))
		return;
	params_check(call);
	before = model_port_find(apply_model(call->control->apply), name);
	if (before == NULL)
		problems_add(&call->problems, PROBLEM_STATE, "there is no port \"%s\"", name);
	if (call->problems.n > 0)
		return;
	was = model_impair_print(before->impair);
	change = json_copy((json_t *)call->params);
	json_object_del(change, "name");
	merged = model_impair_merge(was, change);
	snprintf(what, sizeof(what), "port \"%s\"", name);
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL) {
		port = model_port_find(next, name);
		model_impair_parse(merged, what, port->impair, &call->problems);
	}
	json_decref(was);
	json_decref(change);
	json_decref(merged);
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
		json_object_set_new(object, sides[i],
				    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
					      "frames", (json_int_t)stats.frames, "lost",
					      (json_int_t)stats.lost, "queue_full",
					      (json_int_t)stats.queue_full, "memory_full",
					      (json_int_t)stats.memory_full, "duplicated",
					      (json_int_t)stats.duplicated, "reordered",
					      (json_int_t)stats.reordered, "corrupted",
					      (json_int_t)stats.corrupted, "held_frames",
					      (json_int_t)stats.held_frames, "held_bytes",
					      (json_int_t)stats.held_bytes));
	}
	return object;
}
