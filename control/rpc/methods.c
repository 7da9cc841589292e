/* SPDX-License-Identifier: BSD-3-Clause */
#include "rpc/methods.h"

#include <string.h>

#include "json_read.h"

/* clang-format off */
const struct rpc_method rpc_methods[] = {
	{"status", rpc_status},
	{"apply", rpc_apply},
	{"switch.list", rpc_switch_list},
	{"switch.set", rpc_switch_set},
	{"switch.delete", rpc_switch_delete},
	{"port.list", rpc_port_list},
	{"port.set", rpc_port_set},
	{"port.admin", rpc_port_admin},
	{"port.impair", rpc_port_impair},
	{"port.delete", rpc_port_delete},
	{"fdb.list", rpc_fdb_list},
	{"fdb.set", rpc_fdb_set},
	{"fdb.delete", rpc_fdb_delete},
	{"fdb.flush", rpc_fdb_flush},
	{"uplink.list", rpc_uplink_list},
	{"uplink.set", rpc_uplink_set},
	{"uplink.delete", rpc_uplink_delete},
	{"vtep.list", rpc_vtep_list},
	{"vtep.set", rpc_vtep_set},
	{"vtep.delete", rpc_vtep_delete},
	{"vni.list", rpc_vni_list},
	{"vni.set", rpc_vni_set},
	{"vni.delete", rpc_vni_delete},
	{"neigh.list", rpc_neigh_list},
	{"queue.pin", rpc_queue_pin},
	{"drops", rpc_drops},
	{"cycles", rpc_cycles},
	{"absences", rpc_absences},
	{"capture", rpc_capture},
	{"capture.list", rpc_capture_list},
	{"trace", rpc_trace},
	{"mirror.list", rpc_mirror_list},
	{"mirror.set", rpc_mirror_set},
	{"mirror.delete", rpc_mirror_delete},
	{"sflow.list", rpc_sflow_list},
	{"sflow.set", rpc_sflow_set},
	{"sflow.delete", rpc_sflow_delete},
	{"trace.live", rpc_trace_live},
	{"stop", rpc_stop},
	{"events", rpc_events},
	{NULL, NULL},
};
/* clang-format on */

const struct rpc_method *rpc_method_find(const char *name)
{
	for (const struct rpc_method *method = rpc_methods; method->name != NULL; method++) {
		if (strcmp(method->name, name) == 0)
			return method;
	}
	return NULL;
}

void rpc_change_end(struct rpc_call *call, struct model *next, bool dry_run)
{
	json_t *changes;

	if (next == NULL)
		problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
	if (call->problems.n > 0) {
		model_free(next);
		return;
	}
	changes = control_change(call->control, next, dry_run, &call->problems);
	if (changes != NULL)
		call->result = json_pack("{s:o}", "changes", changes);
}

bool rpc_params_name(struct rpc_call *call, const char *const keys[], char name[MODEL_NAME_MAX])
{
	struct json_reader reader;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	if (!json_read_need(&reader, "name") ||
	    !json_read_name(&reader, "name", name, MODEL_NAME_MAX))
		return false;
	return call->problems.n == 0;
}

bool rpc_params_none(struct rpc_call *call)
{
	struct json_reader reader;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, NULL);
	return call->problems.n == 0;
}

bool rpc_owner_ok(struct rpc_call *call, const char *what, const char *theirs, const char *owner)
{
	if (strcmp(theirs, owner) == 0)
		return true;
	problems_add(&call->problems, PROBLEM_STATE,
		     "%s: \"owner\": it belongs to \"%s\", not to \"%s\"", what, theirs, owner);
	return false;
}

json_t *rpc_drops_print(const uint64_t drops[DROP_N])
{
	json_t *object = json_object();

	for (int reason = DROP_NONE + 1; reason < DROP_N; reason++) {
		if (drops[reason] > 0)
			json_object_set_new(object, drop_name((enum drop_reason)reason),
					    json_integer((json_int_t)drops[reason]));
	}
	return object;
}
