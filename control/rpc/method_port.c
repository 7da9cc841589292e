/* SPDX-License-Identifier: BSD-3-Clause */
/* port.set, port.admin, port.delete */
#include <string.h>

#include "json_read.h"
#include "model_parse.h"
#include "rpc/methods.h"

void rpc_port_set(struct rpc_call *call)
{
	const struct model_port *before;
	struct model_port port;
	struct model *next;

	model_port_parse(call->params, "params", &port, &call->problems);
	if (call->problems.n > 0)
		return;
	before = model_port_find(apply_model(call->control->apply), port.spec.name);
	if (before != NULL && strcmp(before->owner, port.owner) != 0) {
		problems_add(&call->problems, PROBLEM_STATE,
			     "port \"%s\": \"owner\": it belongs to \"%s\", not to \"%s\"",
			     port.spec.name, before->owner, port.owner);
		return;
	}
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL) {
		model_port_remove(next, port.spec.name);
		if (model_port_add(next, &port) != 0)
			problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
		model_stations_prune(next);
	}
	rpc_change_end(call, next, false);
}

static bool port_exists(struct rpc_call *call, const char *name)
{
	if (model_port_find(apply_model(call->control->apply), name) != NULL)
		return true;
	problems_add(&call->problems, PROBLEM_STATE, "there is no port \"%s\"", name);
	return false;
}

void rpc_port_admin(struct rpc_call *call)
{
	static const char *const keys[] = {"name", "admin", NULL};
	static const char *const states[] = {"up", "down", NULL};
	char name[MODEL_NAME_MAX];
	struct json_reader reader;
	struct model *next;
	int state = -1;

	json_reader_init(&reader, call->params, &call->problems, "params");
	if (json_read_need(&reader, "admin"))
		state = json_read_choice(&reader, "admin", states);
	if (!rpc_params_name(call, keys, name) || !port_exists(call, name))
		return;
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL)
		model_port_find(next, name)->admin_up = state == 0;
	rpc_change_end(call, next, false);
}

void rpc_port_delete(struct rpc_call *call)
{
	static const char *const keys[] = {"name", NULL};
	char name[MODEL_NAME_MAX];
	struct model *next;

	if (!rpc_params_name(call, keys, name) || !port_exists(call, name))
		return;
	for (size_t i = 0; i < apply_model(call->control->apply)->n_ports; i++) {
		const struct model_port *other = apply_model(call->control->apply)->ports[i];
		bool wired = other->attachment == MODEL_ON_WIRE && strcmp(other->target, name) == 0;

		if (wired || strcmp(other->patch_peer, name) == 0) {
			problems_add(&call->problems, PROBLEM_STATE,
				     "port \"%s\" is in use: it is the other end of \"%s\"; change "
				     "that one first, or both with \"apply\"",
				     name, other->spec.name);
			return;
		}
	}
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL) {
		model_port_remove(next, name);
		model_stations_prune(next);
	}
	rpc_change_end(call, next, false);
}
