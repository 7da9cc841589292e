/* SPDX-License-Identifier: BSD-3-Clause */
/* uplink.*, vtep.*, vni.*: the overlay */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cables.h"
#include "json_read.h"
#include "model_parse.h"
#include "overlay.h"
#include "rpc/methods.h"
#include "shortcuts.h"

static bool is_uplink(const struct model_port *port)
{
	return port != NULL && strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0;
}

/* An uplink is a port; these methods spare the user its type. */
void rpc_uplink_set(struct rpc_call *call)
{
	const json_t *params = call->params;
	const char *name = json_string_value(json_object_get(params, "name"));
	const struct model_port *there =
		name != NULL ? model_port_find(apply_model(call->control->apply), name) : NULL;
	json_t *port = json_is_object(params) ? json_copy((json_t *)params) : NULL;

	if (port == NULL) {
		problems_add(&call->problems, PROBLEM_PARAMS, "params must be an object");
		return;
	}
	if (there != NULL && !is_uplink(there))
		problems_add(&call->problems, PROBLEM_STATE,
			     "port \"%s\" is of type %s, not an uplink", name, there->spec.type);
	else if (json_object_get(port, "type") != NULL)
		problems_add(&call->problems, PROBLEM_PARAMS, "params: unknown key \"type\"");
	if (call->problems.n == 0) {
		json_object_set_new(port, "type", json_string(MODEL_TYPE_UPLINK));
		call->params = port;
		rpc_port_set(call);
		call->params = params;
	}
	json_decref(port);
}

/* What goes through the kernel by itself, of an uplink that may have it so. */
static void shortcut_tell(struct rpc_call *call, json_t *uplink)
{
	const struct model_port *port =
		model_port_find(apply_model(call->control->apply),
				json_string_value(json_object_get(uplink, "name")));

	if (port != NULL && port->uplink.config.shortcut && call->control->shortcuts != NULL)
		json_object_set_new(uplink, "shortcuts",
				    shortcuts_print(call->control->shortcuts, port->index));
}

void rpc_uplink_list(struct rpc_call *call)
{
	json_t *list, *item, *uplinks = json_array();
	size_t i;

	rpc_port_list(call);
	json_array_foreach (json_object_get(call->result, "ports"), i, item) {
		const char *type = json_string_value(json_object_get(item, "type"));

		if (type == NULL || strcmp(type, MODEL_TYPE_UPLINK) != 0)
			continue;
		shortcut_tell(call, item);
		json_array_append(uplinks, item);
	}
	if (call->problems.n > 0) {
		json_decref(uplinks);
		return;
	}
	list = call->result;
	call->result = json_pack("{s:o}", "uplinks", uplinks);
	json_decref(list);
}

void rpc_uplink_delete(struct rpc_call *call)
{
	const char *name = json_string_value(json_object_get(call->params, "name"));
	const struct model *model = apply_model(call->control->apply);
	const struct model_port *port = name != NULL ? model_port_find(model, name) : NULL;

	if (name != NULL && !is_uplink(port)) {
		problems_add(&call->problems, PROBLEM_STATE, "there is no uplink \"%.63s\"", name);
		return;
	}
	for (size_t i = 0; port != NULL && i < model->n_vteps; i++) {
		if (strcmp(model->vteps[i]->uplink, name) == 0) {
			problems_add(&call->problems, PROBLEM_STATE,
				     "uplink \"%s\" is in use: vtep \"%s\" is reached through it",
				     name, model->vteps[i]->name);
			return;
		}
	}
	rpc_port_delete(call);
}

void rpc_vtep_set(struct rpc_call *call)
{
	char what[MODEL_NAME_MAX + 16];
	const struct model_vtep *before;
	struct model_vtep vtep;
	struct model *next;

	model_vtep_parse(call->params, "params", &vtep, &call->problems);
	if (call->problems.n > 0)
		return;
	before = model_vtep_find(apply_model(call->control->apply), vtep.name);
	snprintf(what, sizeof(what), "vtep \"%s\"", vtep.name);
	if (before != NULL && !rpc_owner_ok(call, what, before->owner, vtep.owner))
		return;
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL) {
		model_vtep_remove(next, vtep.name);
		if (model_vtep_add(next, &vtep) != 0)
			problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
	}
	rpc_change_end(call, next, false);
}

void rpc_vtep_delete(struct rpc_call *call)
{
	static const char *const keys[] = {"name", NULL};
	const struct model *model = apply_model(call->control->apply);
	char name[MODEL_NAME_MAX];
	struct model *next;

	if (!rpc_params_name(call, keys, name))
		return;
	if (model_vtep_find(model, name) == NULL) {
		problems_add(&call->problems, PROBLEM_STATE, "there is no vtep \"%s\"", name);
		return;
	}
	for (size_t i = 0; i < model->n_vnis; i++) {
		for (uint16_t j = 0; j < model->vnis[i]->n_vteps; j++) {
			if (strcmp(model->vnis[i]->vteps[j], name) != 0)
				continue;
			problems_add(&call->problems, PROBLEM_STATE,
				     "vtep \"%s\" is in use: it takes part in VNI %s", name,
				     model->vnis[i]->name);
			return;
		}
	}
	next = model_copy(model);
	if (next != NULL)
		model_vtep_remove(next, name);
	rpc_change_end(call, next, false);
}

/* What went through the tunnels of a VTEP, on all switches, and what was refused from it. */
static void traffic_print(struct rpc_call *call, const struct model *model,
			  const struct model_vtep *of, json_t *vtep)
{
	const char *name = of->name;
	const struct overlay_vtep_counters *refused =
		overlay_vtep_drops(call->control->overlay, name);
	uint64_t rx_pkts = 0, rx_bytes = 0, tx_pkts = 0, tx_bytes = 0, outer, drops[DROP_N] = {0};
	char tunnel[PORT_NAME_MAX];

	for (size_t i = 0; i < model->n_switches; i++) {
		const struct model_port *port =
			model_tunnel_name(name, model->switches[i]->name, tunnel)
				? model_port_find(model, tunnel)
				: NULL;
		const struct port *live =
			port != NULL && strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0
				? apply_live(call->control->apply, port)->port
				: NULL;

		if (live == NULL)
			continue;
		rx_pkts += stats_read(&live->rxq[0].pkts) + stats_read(&live->kernel_rx.pkts);
		rx_bytes += stats_read(&live->rxq[0].bytes) + stats_read(&live->kernel_rx.bytes);
		tx_pkts += stats_read(&live->txq[0].pkts) + stats_read(&live->kernel_tx.pkts);
		tx_bytes += stats_read(&live->txq[0].bytes) + stats_read(&live->kernel_tx.bytes);
		for (uint16_t w = 0; w < PORT_WORKERS_MAX; w++) {
			for (int d = DROP_NONE + 1; d < DROP_N; d++)
				drops[d] += stats_read(&live->drops[w].by_reason[d]);
		}
	}
	outer = tx_pkts * vxlan_outer_len(of->remote.is_v6); /* as they were sent */
	tx_bytes = tx_bytes > outer ? tx_bytes - outer : 0;
	for (int d = DROP_NONE + 1; d < DROP_N && refused != NULL; d++)
		drops[d] += stats_read(&refused->rx_drops[d]);
	json_object_update_new(vtep,
			       json_pack("{s:{s:I,s:I}, s:{s:I,s:I}, s:o}", "rx", "pkts",
					 (json_int_t)rx_pkts, "bytes", (json_int_t)rx_bytes, "tx",
					 "pkts", (json_int_t)tx_pkts, "bytes", (json_int_t)tx_bytes,
					 "drops", rpc_drops_print(drops)));
}

void rpc_vtep_list(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	json_t *list;

	if (!rpc_params_none(call))
		return;
	list = json_array();
	for (size_t i = 0; i < model->n_vteps; i++) {
		const struct overlay_way *way =
			overlay_way(call->control->overlay, model->vteps[i]->name);
		json_t *vtep = model_vtep_print(model->vteps[i]);

		json_object_set_new(vtep, "usable", json_boolean(way->usable));
		json_object_set_new(vtep, "next_hops", json_integer(way->n_nexthops));
		json_object_set_new(vtep, "resolved", json_integer(way->n_resolved));
		json_object_set_new(vtep, "mtu", json_integer(way->mtu));
		json_object_set_new(vtep, "detail", json_string(way->detail));
		traffic_print(call, model, model->vteps[i], vtep);
		json_array_append_new(list, vtep);
	}
	call->result = json_pack("{s:o}", "vteps", list);
}

static void vni_replace(struct rpc_call *call, const struct model_vni *vni)
{
	struct model *next = model_copy(apply_model(call->control->apply));

	if (next != NULL) {
		model_vni_remove(next, vni->name);
		if (model_vni_add(next, vni) != 0)
			problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
		model_overlay_derive(next, &call->problems);
		model_stations_prune(next);
	}
	rpc_change_end(call, next, false);
}

void rpc_vni_set(struct rpc_call *call)
{
	char what[MODEL_NAME_MAX + 16];
	const struct model_vni *before;
	struct model_vni *vni = model_vni_parse(call->params, "params", &call->problems);

	if (vni == NULL)
		return;
	snprintf(what, sizeof(what), "vni \"%s\"", vni->name);
	before = model_vni_find(apply_model(call->control->apply), vni->name);
	if (call->problems.n == 0 &&
	    (before == NULL || rpc_owner_ok(call, what, before->owner, vni->owner)))
		vni_replace(call, vni);
	free(vni);
}

void rpc_vni_delete(struct rpc_call *call)
{
	static const char *const keys[] = {"vni", NULL};
	const struct model *model = apply_model(call->control->apply);
	struct json_reader reader;
	uint32_t number = 0;
	char name[MODEL_NAME_MAX];
	struct model *next;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	if (json_read_need(&reader, "vni"))
		json_read_uint(&reader, "vni", 1, VXLAN_VNI_MAX, &number);
	if (call->problems.n > 0)
		return;
	snprintf(name, sizeof(name), "%u", number);
	if (model_vni_find(model, name) == NULL) {
		problems_add(&call->problems, PROBLEM_STATE, "there is no VNI %s", name);
		return;
	}
	next = model_copy(model);
	if (next != NULL) {
		model_vni_remove(next, name);
		model_overlay_derive(next, &call->problems);
		model_stations_prune(next);
	}
	rpc_change_end(call, next, false);
}

static json_t *counters_print(const struct overlay_counters *counters)
{
	static const struct overlay_counters none;
	const struct overlay_counters *c = counters != NULL ? counters : &none;
	uint64_t drops[DROP_N];
#define COUNTER(field) (json_int_t) __atomic_load_n(&c->field, __ATOMIC_RELAXED)

	for (int d = 0; d < DROP_N; d++)
		drops[d] = stats_read(&c->drops[d]);
	return json_pack("{s:{s:I,s:I}, s:{s:I,s:I}, s:I, s:I, s:I, s:I, s:I, s:o}", "rx", "pkts",
			 COUNTER(rx_pkts), "bytes", COUNTER(rx_bytes), "tx", "pkts",
			 COUNTER(tx_pkts), "bytes", COUNTER(tx_bytes), "rx_drops",
			 COUNTER(rx_drops), "tx_drops", COUNTER(tx_drops), "suppressed",
			 COUNTER(suppressed), "too_big_answers", COUNTER(too_big_answers),
			 "announced", COUNTER(announced), "drops", rpc_drops_print(drops));
#undef COUNTER
}

static void state_print(const struct overlay_vni_state *state, json_t *vni)
{
	json_object_set_new(vni, "state", json_string(overlay_vni_word(state->state)));
	json_object_set_new(vni, "detail", json_string(state->detail));
	json_object_set_new(vni, "inner_mtu", json_integer(state->inner_mtu));
}

/* The session that watches over a cable. */
static void cable_print(const struct cable *cable, json_t *vni)
{
	static const char *const states[] = {[BFD_ADMIN_DOWN] = "admin-down",
					     [BFD_DOWN] = "down",
					     [BFD_INIT] = "init",
					     [BFD_UP] = "up"};
	const struct bfd_session *session;
	char why[160];

	if (cable == NULL)
		return;
	session = &cable->session;
	cable_explain(cable, why, sizeof(why));
	json_object_set_new(
		vni, "cable",
		json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I}",
			  "carrier", cable_word(cable), "detail", why, "session",
			  states[session->state], "remote_session", states[session->remote_state],
			  "diagnostic", session->diag, "remote_diagnostic", session->remote_diag,
			  "discriminator", (json_int_t)session->discr, "remote_discriminator",
			  (json_int_t)session->remote_discr, "interval_ms",
			  bfd_session_interval_us(session) / 1000.0, "detection_ms",
			  session->detection_us / 1000.0, "sent", (json_int_t)cable->sent,
			  "received", (json_int_t)cable->received, "refused",
			  (json_int_t)cable->refused, "changes", (json_int_t)cable->changes));
}

void rpc_vni_list(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	json_t *list;

	if (!rpc_params_none(call))
		return;
	list = json_array();
	for (size_t i = 0; i < model->n_vnis; i++) {
		json_t *vni = model_vni_print(model->vnis[i]);
		json_t *counters = counters_print(
			overlay_vni_counters(call->control->overlay, model->vnis[i]->vni));

		json_object_update(vni, counters);
		json_decref(counters);
		state_print(overlay_vni_state(call->control->overlay, model->vnis[i]->vni), vni);
		cable_print(cables_find(call->control->cables, model->vnis[i]->vni), vni);
		json_array_append_new(list, vni);
	}
	call->result = json_pack("{s:o}", "vnis", list);
}
