/* SPDX-License-Identifier: BSD-3-Clause */
/* neigh.list: who has which address in which VNI */
#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "model_print.h"
#include "overlay.h"
#include "rpc/methods.h"

struct list {
	const struct model *model;
	const struct model_port **ports; /* by index */
	uint32_t vni;			 /* 0: all */
	json_t *entries;
};

static void entry_add(const struct overlay_neigh_info *info, void *arg)
{
	struct list *list = arg;
	const struct model_port *port =
		info->port < SNAPSHOT_PORTS_MAX ? list->ports[info->port] : NULL;
	char ip[46], mac[18];
	json_t *entry;

	if (list->vni != 0 && list->vni != info->vni)
		return;
	model_ip_print(&info->ip, ip);
	model_mac_print(fdb_mac(info->mac), mac);
	entry = json_pack("{s:I, s:s, s:s, s:b, s:b, s:b, s:b, s:I}", "vni", (json_int_t)info->vni,
			  "ip", ip, "mac", mac, "static", info->is_static, "router",
			  info->is_router, "contested", info->contested, "answered", info->answered,
			  "age_s", (json_int_t)info->age_s);
	if (port != NULL) {
		const char *name = port->spec.name;

		json_object_set_new(entry, "port", json_string(name));
		if (strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0) /* its name is VTEP:SWITCH */
			json_object_set_new(
				entry, "vtep",
				json_stringn(name, strlen(name) - strlen(port->target) - 1));
	}
	json_array_append_new(list->entries, entry);
}

void rpc_neigh_list(struct rpc_call *call)
{
	static const char *const keys[] = {"vni", NULL};
	const struct overlay_neigh *neigh = overlay_neighbours(call->control->overlay);
	struct list list = {.model = apply_model(call->control->apply)};
	struct json_reader reader;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	json_read_uint(&reader, "vni", 1, VXLAN_VNI_MAX, &list.vni);
	if (call->problems.n > 0)
		return;
	list.ports = calloc(SNAPSHOT_PORTS_MAX, sizeof(*list.ports));
	list.entries = json_array();
	if (list.ports == NULL || list.entries == NULL) {
		problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
	} else {
		for (size_t i = 0; i < list.model->n_ports; i++)
			list.ports[list.model->ports[i]->index] = list.model->ports[i];
		overlay_neigh_walk(neigh, entry_add, &list);
		call->result = json_pack("{s:O, s:I}", "neighbours", list.entries, "refused",
					 (json_int_t)overlay_neigh_refused(neigh));
	}
	json_decref(list.entries);
	free(list.ports);
}
