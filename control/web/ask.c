/* SPDX-License-Identifier: BSD-3-Clause */
/* One object closely, for the page's panel. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lab/cli.h"
#include "lab/node.h"
#include "lab/node_view.h"
#include "lab/vmm.h"
#include "web/view.h"

#define STATIONS_MAX 200

/* The one of a list whose @key is @name; borrowed. */
static json_t *list_find(const json_t *list, const char *key, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *own = json_string_value(json_object_get(item, key));

		if (own != NULL && strcmp(own, name) == 0)
			return item;
	}
	return NULL;
}

/* Steals @params. */
static json_t *list_fetch(struct rpc *rpc, const char *method, json_t *params, const char *key,
			  struct err *err)
{
	json_t *result = NULL, *list;

	if (rpc_call(rpc, method, params, &result, err) < 0)
		return NULL;
	list = json_incref(json_object_get(result, key));
	json_decref(result);
	return list;
}

static json_t *port_ask(struct rpc *rpc, const char *name, struct err *err)
{
	json_t *ports = list_fetch(rpc, "port.list", NULL, "ports", err), *port, *drops, *item;
	json_t *answer = NULL;
	size_t i;

	port = list_find(ports, "name", name);
	if (port == NULL) {
		err_set(err, ENOENT, "there is no port \"%.80s\" any more", name);
	} else {
		drops = list_fetch(rpc, "drops", NULL, "drops", err);
		answer = json_pack(
			"{s:O, s:[], s:o*}", "port", port, "drops", "stations",
			list_fetch(rpc, "fdb.list",
				   json_pack("{s:s, s:i}", "port", name, "limit", STATIONS_MAX),
				   "entries", NULL));
		json_array_foreach (drops, i, item) {
			if (strcmp(json_string_value(json_object_get(item, "port")), name) == 0)
				json_array_append(json_object_get(answer, "drops"), item);
		}
		json_decref(drops);
	}
	json_decref(ports);
	return answer;
}

static json_t *switch_ask(struct rpc *rpc, const char *name, struct err *err)
{
	json_t *switches = list_fetch(rpc, "switch.list", NULL, "switches", err);
	json_t *found = list_find(switches, "name", name), *answer = NULL;

	if (found == NULL)
		err_set(err, ENOENT, "there is no switch \"%.80s\" any more", name);
	else
		answer = json_pack(
			"{s:O, s:o*}", "switch", found, "stations",
			list_fetch(rpc, "fdb.list",
				   json_pack("{s:s, s:i}", "switch", name, "limit", STATIONS_MAX),
				   "entries", NULL));
	json_decref(switches);
	return answer;
}

static json_t *node_ask(const char *name, struct err *err)
{
	char lab[TOPO_NAME_MAX + 1], node[TOPO_NAME_MAX + 1];
	struct node_view view;
	json_t *record, *spec, *answer;

	if (cli_node_split(name, lab, node, NULL, err) < 0)
		return NULL;
	record = node_record_read(lab, node);
	if (record == NULL) {
		err_set(err, ENOENT, "there is no node \"%s/%s\" any more", lab, node);
		return NULL;
	}
	node_view_read(lab, node, &view);
	node_view_memory(&view);
	spec = json_object_get(record, "spec");
	answer = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:O*, s:O*}", "state", view.state,
			   "detail", view.detail, "vmm", spec != NULL ? vmm_spec_name(spec) : "",
			   "emulated", spec != NULL && vmm_is_emulated(spec), "pid",
			   (json_int_t)view.now.vmm.pid, "uptime_s",
			   view.now.is_running && view.now.started_at > 0
				   ? (json_int_t)time(NULL) - (json_int_t)view.now.started_at
				   : (json_int_t)0,
			   "memory_bytes",
			   (json_int_t)(view.memory.pss_bytes > 0 ? view.memory.pss_bytes
								  : view.memory.rss_bytes),
			   "nics", json_object_get(spec, "nics"), "net",
			   json_object_get(record, "net"));
	json_decref(record);
	return answer;
}

int view_ask(const char *kind, const char *name, json_t **answer, struct err *err)
{
	struct rpc rpc;
	int rc;

	if (strcmp(kind, "node") == 0) {
		*answer = node_ask(name, err);
		return *answer != NULL ? 0 : -ENOENT;
	}
	if (strcmp(kind, "port") != 0 && strcmp(kind, "switch") != 0)
		return err_set(err, EINVAL, "\"%.20s\" is none of port, switch and node", kind);
	rc = rpc_open(&rpc, err);
	if (rc < 0)
		return rc;
	*answer =
		strcmp(kind, "port") == 0 ? port_ask(&rpc, name, err) : switch_ask(&rpc, name, err);
	rpc_close(&rpc);
	return *answer != NULL ? 0 : -ENOENT;
}
