/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/event_source.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "lab/node_view.h"
#include "lab/rundir.h"

#define LOOK_NS	   (500 * CLOCK_NS_PER_MS)
#define CONNECT_NS (1000 * CLOCK_NS_PER_MS)

/* Names of a lab start with "LAB/". */
static bool is_of_lab(const struct event_source *source, const char *name)
{
	size_t len;

	if (source->lab == NULL || name == NULL)
		return true;
	len = strlen(source->lab);
	return strncmp(name, source->lab, len) == 0 && name[len] == '/';
}

static json_t *event_stamp(json_t *event)
{
	struct timespec now;
	struct tm tm;
	char text[32], time[48];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(time, sizeof(time), "%s.%03ldZ", text, now.tv_nsec / 1000000);
	json_object_set_new(event, "time", json_string(time));
	return event;
}

/* Steals @event. */
static void event_put(struct event_source *source, json_t *event)
{
	if (event != NULL)
		json_array_append_new(source->waiting, event_stamp(event));
}

static void node_look(struct event_source *source, const char *lab, const char *node, json_t *seen)
{
	char name[2 * TOPO_NAME_MAX + 2];
	struct node_view view;
	const char *before;

	snprintf(name, sizeof(name), "%s/%s", lab, node);
	node_view_read(lab, node, &view);
	before = json_string_value(json_object_get(source->nodes, name));
	json_object_set_new(seen, name, json_string(view.state));
	if (before == NULL || strcmp(before, view.state) != 0)
		event_put(source, json_pack("{s:s, s:s, s:s, s:s}", "kind", "node", "node", name,
					    "state", view.state, "detail", view.detail));
}

static void nodes_look(struct event_source *source)
{
	json_t *seen = json_object(), *value;
	const char *name;
	char **labs, **nodes;
	int n_labs = rundir_labs(&labs, NULL), n_nodes;

	for (int i = 0; i < n_labs; i++) {
		if (source->lab != NULL && strcmp(labs[i], source->lab) != 0)
			continue;
		n_nodes = rundir_nodes(labs[i], &nodes, NULL);
		for (int k = 0; k < n_nodes; k++)
			node_look(source, labs[i], nodes[k], seen);
		rundir_names_free(nodes, n_nodes > 0 ? n_nodes : 0);
	}
	rundir_names_free(labs, n_labs > 0 ? n_labs : 0);
	json_object_foreach (source->nodes, name, value) {
		if (json_object_get(seen, name) == NULL)
			event_put(source, json_pack("{s:s, s:s, s:s, s:s}", "kind", "node", "node",
						    name, "state", "gone", "detail", ""));
	}
	json_decref(source->nodes);
	source->nodes = seen;
	source->look_ns = clock_now_ns() + LOOK_NS;
}

static int daemon_connect(struct event_source *source, struct err *err)
{
	int rc = rpc_open(&source->rpc, err);

	if (rc < 0)
		return rc;
	rc = rpc_call(&source->rpc, "events", NULL, NULL, err);
	if (rc < 0)
		rpc_close(&source->rpc);
	source->is_connected = rc == 0;
	return rc;
}

static void daemon_retry(struct event_source *source)
{
	if (clock_now_ns() < source->connect_ns)
		return;
	source->connect_ns = clock_now_ns() + CONNECT_NS;
	if (daemon_connect(source, NULL) == 0)
		event_put(source, json_pack("{s:s, s:s}", "kind", "netloomd", "state", "running"));
}

/* Waits for netloomd's next line, at most @ms. */
static int daemon_read(struct event_source *source, int ms)
{
	struct pollfd poller = {.fd = source->rpc.line.fd, .events = POLLIN};
	const char *name;
	json_t *line, *event;
	int rc;

	if (source->rpc.line.len == source->rpc.line.scanned && poll(&poller, 1, ms) <= 0)
		return jsonline_interrupted ? -EINTR : 0;
	rc = jsonline_receive(&source->rpc.line, 0, &line, NULL);
	if (rc == -EINTR || rc == -ETIMEDOUT)
		return rc == -EINTR ? rc : 0;
	if (rc < 0) {
		rpc_close(&source->rpc);
		source->is_connected = false;
		source->connect_ns = clock_now_ns() + CONNECT_NS;
		event_put(source, json_pack("{s:s, s:s}", "kind", "netloomd", "state", "gone"));
		return 0;
	}
	event = json_object_get(line, "params");
	name = json_string_value(json_object_get(event, "port"));
	if (name == NULL)
		name = json_string_value(json_object_get(event, "switch"));
	if (name == NULL)
		name = json_string_value(json_object_get(event, "name"));
	if (json_is_object(event) && is_of_lab(source, name))
		event_put(source, json_incref(event));
	json_decref(line);
	return 0;
}

int event_source_open(struct event_source *source, const char *lab, struct err *err)
{
	int rc;

	memset(source, 0, sizeof(*source));
	source->lab = lab;
	rc = daemon_connect(source, err);
	if (rc < 0)
		return rc;
	source->nodes = json_object();
	source->waiting = json_array();
	return 0;
}

void event_source_close(struct event_source *source)
{
	if (source->is_connected)
		rpc_close(&source->rpc);
	json_decref(source->nodes);
	json_decref(source->waiting);
	memset(source, 0, sizeof(*source));
}

int event_source_next(struct event_source *source, int timeout_ms, json_t **event)
{
	uint64_t end_ns = clock_now_ns() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS;
	int rc = 0;

	*event = NULL;
	for (;;) {
		uint64_t now = clock_now_ns(), until;

		if (now >= source->look_ns)
			nodes_look(source);
		if (!source->is_connected)
			daemon_retry(source);
		if (json_array_size(source->waiting) > 0) {
			*event = json_incref(json_array_get(source->waiting, 0));
			json_array_remove(source->waiting, 0);
			return 0;
		}
		if (rc < 0 || now >= end_ns)
			return rc;
		until = source->look_ns < end_ns ? source->look_ns : end_ns;
		now = clock_now_ns();
		if (source->is_connected) {
			rc = daemon_read(source,
					 until > now ? (int)((until - now) / CLOCK_NS_PER_MS) + 1
						     : 0);
		} else {
			poll(NULL, 0, 100);
			rc = jsonline_interrupted ? -EINTR : 0;
		}
	}
}
