/* SPDX-License-Identifier: BSD-3-Clause */
/* fdb.list, fdb.set, fdb.delete, fdb.flush */
#include <stdlib.h>
#include <string.h>

#include "datapath.h"
#include "json_read.h"
#include "model_parse.h"
#include "model_print.h"
#include "rpc/methods.h"
#include "rpc/server.h"

#define LIST_LIMIT 1000000u
/* Bytes of an entry's text: three names, and what is around them. */
#define ENTRY_TEXT_MAX (3 * MODEL_NAME_MAX + 144)

/* Which entries are meant; SNAPSHOT_NONE and 0 mean any. */
struct filter {
	uint16_t sw, port;
	uint32_t vid;
};

static bool filter_match(const struct filter *filter, const struct fdb_entry *entry)
{
	return (filter->sw == SNAPSHOT_NONE || filter->sw == entry->fid >> 12) &&
	       (filter->port == SNAPSHOT_NONE || filter->port == entry->port) &&
	       (filter->vid == 0 || filter->vid == (entry->fid & 0xfff));
}

/* {switch?, port?, vlan?} and @keys more. Return: false with the problem noted. */
static bool filter_read(struct rpc_call *call, const char *const keys[], struct filter *filter,
			uint32_t *limit)
{
	const struct model *model = apply_model(call->control->apply);
	char name[MODEL_NAME_MAX];
	struct json_reader reader;

	*filter = (struct filter){.sw = SNAPSHOT_NONE, .port = SNAPSHOT_NONE};
	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	json_read_uint(&reader, "vlan", 1, VLAN_VID_MAX, &filter->vid);
	if (limit != NULL)
		json_read_uint(&reader, "limit", 1, LIST_LIMIT, limit);
	if (json_read_name(&reader, "switch", name, sizeof(name))) {
		const struct model_switch *sw = model_switch_find(model, name);

		if (sw == NULL)
			problems_add(&call->problems, PROBLEM_STATE, "there is no switch \"%s\"",
				     name);
		else
			filter->sw = sw->index;
	}
	if (json_read_name(&reader, "port", name, sizeof(name))) {
		const struct model_port *port = model_port_find(model, name);

		if (port == NULL)
			problems_add(&call->problems, PROBLEM_STATE, "there is no port \"%s\"",
				     name);
		else
			filter->port = port->index;
	}
	return call->problems.n == 0;
}

struct list_context {
	struct filter filter;
	const char *switches[SNAPSHOT_SWITCHES_MAX + 1], *ports[SNAPSHOT_PORTS_MAX];
	bool is_tunnel[SNAPSHOT_PORTS_MAX];
	struct evbuffer *text;
	uint32_t n, limit;
	bool truncated, no_memory;
};

/*
 * A million entries are written as text at once: as a tree of JSON values they would take a gigabyte.
 * Names need no escaping: json_name_ok() saw them.
 */
static bool list_entry(const struct fdb_entry *entry, void *arg)
{
	static const char *const flags[] = {
		[0] = "",
		[FDB_STATIC] = "\"static\"",
		[FDB_STICKY] = "\"sticky\"",
		[FDB_STATIC | FDB_STICKY] = "\"static\",\"sticky\"",
	};
	struct list_context *list = arg;
	const char *sw = list->switches[entry->fid >> 12 & 0xfff];
	const char *port = entry->port < SNAPSHOT_PORTS_MAX ? list->ports[entry->port] : NULL;
	bool is_tunnel = port != NULL && list->is_tunnel[entry->port];
	char mac[18];

	if (!filter_match(&list->filter, entry) || sw == NULL || port == NULL)
		return true;
	if (list->n == list->limit) {
		list->truncated = true;
		return false;
	}
	model_mac_print(entry->mac, mac);
	if (evbuffer_add_printf(list->text,
				"%s{\"switch\":\"%s\",\"vlan\":%u,\"mac\":\"%s\",\"port\":\"%s\","
				"%s%.*s%s\"age_s\":%u,\"flags\":[%s]}",
				list->n == 0 ? "" : ",", sw, entry->fid & 0xfff, mac, port,
				is_tunnel ? "\"vtep\":\"" : "",
				is_tunnel ? (int)(strlen(port) - strlen(sw) - 1) : 0, port,
				is_tunnel ? "\"," : "", entry->age_s,
				flags[entry->flags & (FDB_STATIC | FDB_STICKY)]) < 0) {
		list->no_memory = true;
		return false;
	}
	list->n++;
	return true;
}

void rpc_fdb_list(struct rpc_call *call)
{
	static const char *const keys[] = {"switch", "port", "vlan", "limit", NULL};
	const struct model *model = apply_model(call->control->apply);
	uint32_t entries = fdb_count(datapath_fdb());
	struct list_context *list = calloc(1, sizeof(*list));

	if (list == NULL) {
		problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
		return;
	}
	list->limit = LIST_LIMIT;
	list->text = call->text;
	if (!filter_read(call, keys, &list->filter, &list->limit))
		goto out;
	if (entries > list->limit)
		entries = list->limit;
	if (call->control->rpc != NULL &&
	    !rpc_server_room(call->control->rpc, (size_t)entries * ENTRY_TEXT_MAX)) {
		problems_add(
			&call->problems, PROBLEM_MACHINE,
			"too many answers wait to be read, try again later or with a \"limit\"");
		goto out;
	}
	for (size_t i = 0; i < model->n_switches; i++)
		list->switches[model->switches[i]->index] = model->switches[i]->name;
	for (size_t i = 0; i < model->n_ports; i++) {
		uint16_t index = model->ports[i]->index;

		list->ports[index] = model->ports[i]->spec.name;
		/* its name is VTEP:SWITCH, see model_tunnel_name() */
		list->is_tunnel[index] = strcmp(model->ports[i]->spec.type, MODEL_TYPE_VXLAN) == 0;
	}
	evbuffer_add_printf(call->text, "{\"entries\":[");
	fdb_walk(datapath_fdb(), list_entry, list);
	evbuffer_add_printf(call->text, "],\"truncated\":%s}", list->truncated ? "true" : "false");
	if (list->no_memory)
		problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
out:
	free(list);
}

void rpc_fdb_set(struct rpc_call *call)
{
	struct model_station station;
	struct model *next;

	model_station_parse(call->params, "params", &station, &call->problems);
	if (call->problems.n > 0)
		return;
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL && model_station_set(next, &station) != 0)
		problems_add(&call->problems, PROBLEM_STATE,
			     "at most %d static entries are possible", MODEL_STATIONS_MAX);
	rpc_change_end(call, next, false);
	json_decref(call->result);
	call->result = NULL;
}

void rpc_fdb_delete(struct rpc_call *call)
{
	static const char *const keys[] = {"switch", "vlan", "mac", NULL};
	const struct model *model = apply_model(call->control->apply);
	const struct model_switch *sw;
	char name[MODEL_NAME_MAX] = "", text[18] = "";
	struct json_reader reader;
	uint32_t vid = 0;
	uint64_t mac = 0;
	struct model *next;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	for (int i = 0; i < 3; i++)
		json_read_need(&reader, keys[i]);
	json_read_name(&reader, "switch", name, sizeof(name));
	json_read_uint(&reader, "vlan", 1, VLAN_VID_MAX, &vid);
	if (json_read_string(&reader, "mac", text, sizeof(text)) && !model_mac_parse(text, &mac))
		problems_add(&call->problems, PROBLEM_PARAMS,
			     "params: \"mac\": \"%s\" is no unicast address", text);
	if (call->problems.n > 0)
		return;
	sw = model_switch_find(model, name);
	if (sw == NULL) {
		problems_add(&call->problems, PROBLEM_STATE, "there is no switch \"%s\"", name);
	} else if (model_station_find(model, name, (uint16_t)vid, mac) != NULL) {
		next = model_copy(model);
		if (next != NULL)
			model_station_remove(next, name, (uint16_t)vid, mac);
		rpc_change_end(call, next, false);
		json_decref(call->result);
		call->result = NULL;
	} else if (!fdb_delete(datapath_fdb(), FDB_FID(sw->index, vid), mac)) {
		problems_add(&call->problems, PROBLEM_STATE,
			     "switch \"%s\" knows no station %s in VLAN %u", name, text, vid);
	}
}

static bool flush_match(const struct fdb_entry *entry, void *arg)
{
	return (entry->flags & (FDB_STATIC | FDB_STICKY)) == 0 && filter_match(arg, entry);
}

void rpc_fdb_flush(struct rpc_call *call)
{
	static const char *const keys[] = {"switch", "port", "vlan", NULL};
	struct filter filter;

	if (!filter_read(call, keys, &filter, NULL))
		return;
	call->result = json_pack("{s:I}", "removed",
				 (json_int_t)fdb_flush(datapath_fdb(), flush_match, &filter));
}
