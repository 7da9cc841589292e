/* SPDX-License-Identifier: BSD-3-Clause */
#include "web/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "lab/node_view.h"
#include "lab/rundir.h"
#include "web/drawing.h"

char *view_line(const json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t len = text != NULL ? strlen(text) : 0;
	char *line = text != NULL ? realloc(text, len + 2) : NULL;

	if (line == NULL) {
		free(text);
		return NULL;
	}
	strcpy(line + len, "\n");
	return line;
}

static void daemon_forget(struct view *view)
{
	if (view->is_connected)
		rpc_close(&view->rpc);
	view->is_connected = false;
	json_decref(view->status);
	json_decref(view->ports);
	json_decref(view->switches);
	view->status = NULL;
	view->ports = NULL;
	view->switches = NULL;
}

void view_forget(struct view *view)
{
	daemon_forget(view);
	json_decref(view->labs);
	free(view->topology);
	memset(view, 0, sizeof(*view));
}

static int list_take(struct view *view, const char *method, json_t **kept)
{
	json_t *result = NULL;
	int rc = rpc_call(&view->rpc, method, NULL, &result, NULL);

	if (rc < 0)
		return rc;
	json_decref(*kept);
	*kept = result;
	return 0;
}

static void daemon_look(struct view *view)
{
	if (!view->is_connected)
		view->is_connected = rpc_open(&view->rpc, NULL) == 0;
	if (!view->is_connected || list_take(view, "status", &view->status) < 0 ||
	    list_take(view, "port.list", &view->ports) < 0 ||
	    list_take(view, "switch.list", &view->switches) < 0)
		daemon_forget(view);
}

/* What would change if a lab was brought up anew: its file's time and place. */
static json_t *labs_look(const char *lab)
{
	json_t *labs = json_object();
	char **names;
	int n = rundir_labs(&names, NULL);

	for (int i = 0; i < n; i++) {
		struct stat st;

		if ((lab == NULL || strcmp(names[i], lab) == 0) &&
		    stat(rundir_lab(names[i], "lab.yaml").text, &st) == 0)
			json_object_set_new(labs, names[i],
					    json_sprintf("%lld.%09ld", (long long)st.st_mtim.tv_sec,
							 st.st_mtim.tv_nsec));
	}
	rundir_names_free(names, n > 0 ? n : 0);
	return labs;
}

void view_look(struct view *view, const char *lab)
{
	json_t *labs = labs_look(lab);
	json_int_t generation;
	json_t *drawing;
	char *line;

	daemon_look(view);
	generation = json_integer_value(json_object_get(view->status, "generation"));
	if (view->topology != NULL && generation == view->generation &&
	    json_equal(labs, view->labs)) {
		json_decref(labs);
		return;
	}
	json_decref(view->labs);
	view->labs = labs;
	view->generation = generation;
	drawing = drawing_make(labs, lab, json_object_get(view->ports, "ports"),
			       json_object_get(view->switches, "switches"));
	line = view_line(drawing);
	json_decref(drawing);
	/* Most changes of netloomd's configuration are none of the drawing. */
	if (line != NULL && view->topology != NULL && strcmp(line, view->topology) == 0) {
		free(line);
		return;
	}
	free(view->topology);
	view->topology = line;
	view->topology_is_new = true;
}

const char *view_topology(struct view *view, bool *is_new)
{
	*is_new = view->topology_is_new;
	view->topology_is_new = false;
	return view->topology;
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL && strcmp(value, text) == 0;
}

/* [flags, rx packets, rx bytes, tx packets, tx bytes, drops]; flags: 1 link, 2 admin, 4 connected, 8 impaired */
static json_t *port_row(const json_t *port)
{
	const json_t *rx = json_object_get(port, "rx"), *tx = json_object_get(port, "tx");
	json_int_t drops = 0;
	int flags = 0;
	json_t *value;
	const char *key;

	json_object_foreach (json_object_get(port, "drops"), key, value)
		drops += json_integer_value(value);
	flags |= is_text(port, "link", "up") ? 1 : 0;
	flags |= is_text(port, "admin", "down") ? 0 : 2;
	flags |= json_is_true(json_object_get(port, "connected")) ? 4 : 0;
	flags |= json_object_get(port, "impair") != NULL ? 8 : 0;
	return json_pack("[i, I, I, I, I, I]", flags, number(rx, "pkts"), number(rx, "bytes"),
			 number(tx, "pkts"), number(tx, "bytes"), drops);
}

static json_t *nodes_state(const struct view *view)
{
	json_t *nodes = json_object(), *value;
	const char *lab;

	json_object_foreach (view->labs, lab, value) {
		char **names;
		int n = rundir_nodes(lab, &names, NULL);

		for (int i = 0; i < n; i++) {
			char name[2 * TOPO_NAME_MAX + 2];
			struct node_view node;

			snprintf(name, sizeof(name), "%s/%s", lab, names[i]);
			node_view_read(lab, names[i], &node);
			json_object_set_new(nodes, name,
					    json_pack("[s, s, I]", node.state, node.detail,
						      (json_int_t)node.now.started_at));
		}
		rundir_names_free(names, n > 0 ? n : 0);
	}
	return nodes;
}

char *view_state(const struct view *view)
{
	json_t *ports = json_object(), *workers = json_array(), *state;
	const json_t *item;
	char *line;
	size_t i;

	json_array_foreach (json_object_get(view->ports, "ports"), i, item)
		json_object_set_new(ports, json_string_value(json_object_get(item, "name")),
				    port_row(item));
	json_array_foreach (json_object_get(view->status, "workers"), i, item)
		json_array_append_new(workers,
				      json_pack("[I, I, b]", number(item, "cpu_ns"),
						number(item, "frames"),
						json_is_true(json_object_get(item, "asleep"))));
	state = json_pack("{s:s, s:I, s:b, s:o, s:o, s:o}", "type", "state", "t",
			  (json_int_t)(clock_now_ns() / CLOCK_NS_PER_MS), "daemon",
			  view->status != NULL, "ports", ports, "nodes", nodes_state(view),
			  "workers", workers);
	if (view->status != NULL) {
		json_object_set(state, "fdb", json_object_get(view->status, "fdb"));
		json_object_set(state, "version", json_object_get(view->status, "version"));
		json_object_set(state, "uptime_s", json_object_get(view->status, "uptime_s"));
	}
	line = view_line(state);
	json_decref(state);
	return line;
}
