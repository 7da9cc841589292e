/* SPDX-License-Identifier: BSD-3-Clause */
/* switch.list, switch.set, switch.delete */
#include <string.h>

#include "datapath.h"
#include "json_read.h"
#include "model_parse.h"
#include "model_print.h"
#include "rpc/methods.h"

static bool count_entry(const struct fdb_entry *entry, void *arg)
{
	uint32_t *counts = arg;

	if (entry->fid >> 12 < SNAPSHOT_SWITCHES_MAX)
		counts[entry->fid >> 12]++;
	return true;
}

void rpc_switch_list(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	uint32_t entries[SNAPSHOT_SWITCHES_MAX] = {0};
	uint32_t members[SNAPSHOT_SWITCHES_MAX] = {0};
	json_t *list;

	if (!rpc_params_none(call))
		return;
	fdb_walk(datapath_fdb(), count_entry, entries);
	for (size_t i = 0; i < model->n_ports; i++) {
		if (model->ports[i]->attachment == MODEL_ON_SWITCH)
			members[model_switch_find(model, model->ports[i]->target)->index]++;
	}
	list = json_array();
	for (size_t i = 0; i < model->n_switches; i++) {
		uint16_t index = model->switches[i]->index;
		json_t *sw = model_switch_print(model->switches[i]);

		json_object_set_new(sw, "index", json_integer(index));
		json_object_set_new(sw, "n_ports", json_integer(members[index]));
		json_object_set_new(sw, "fdb_entries", json_integer(entries[index]));
		json_array_append_new(list, sw);
	}
	call->result = json_pack("{s:o}", "switches", list);
}

void rpc_switch_set(struct rpc_call *call)
{
	const struct model_switch *before;
	struct model_switch sw;
	struct model *next;

	model_switch_parse(call->params, "params", &sw, &call->problems);
	if (call->problems.n > 0)
		return;
	before = model_switch_find(apply_model(call->control->apply), sw.name);
	if (before != NULL && strcmp(before->owner, sw.owner) != 0) {
		problems_add(&call->problems, PROBLEM_STATE,
			     "switch \"%s\": \"owner\": it belongs to \"%s\", not to \"%s\"",
			     sw.name, before->owner, sw.owner);
		return;
	}
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL) {
		model_switch_remove(next, sw.name);
		if (model_switch_add(next, &sw) != 0)
			problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
	}
	rpc_change_end(call, next, false);
}

void rpc_switch_delete(struct rpc_call *call)
{
	static const char *const keys[] = {"name", NULL};
	const struct model *model = apply_model(call->control->apply);
	char name[MODEL_NAME_MAX];
	struct model *next;

	if (!rpc_params_name(call, keys, name))
		return;
	if (model_switch_find(model, name) == NULL) {
		problems_add(&call->problems, PROBLEM_STATE, "there is no switch \"%s\"", name);
		return;
	}
	for (size_t i = 0; i < model->n_ports; i++) {
		if (model->ports[i]->attachment == MODEL_ON_SWITCH &&
		    strcmp(model->ports[i]->target, name) == 0) {
			problems_add(&call->problems, PROBLEM_STATE,
				     "switch \"%s\" is in use: port \"%s\" is attached to it", name,
				     model->ports[i]->spec.name);
			return;
		}
	}
	next = model_copy(model);
	if (next != NULL) {
		model_switch_remove(next, name);
		model_stations_prune(next);
	}
	rpc_change_end(call, next, false);
}
