/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom show workers`: how busy netloomd's workers are, and which queues each of them polls. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/show.h"
#include "lab/term.h"

#define POLLS_TEXT_MAX 100 /* of a row: the rest is counted. --json has all */

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is_of(const json_t *duty, json_int_t index)
{
	return json_object_get(duty, "worker") != NULL && number_of(duty, "worker") == index;
}

/* The queues of @port that worker @index polls, and what it sends on from its bad link, added to @polls. */
static void polls_add(json_t *polls, json_t *port, json_int_t index)
{
	const json_t *queue;
	json_t *direction;
	const char *name;
	size_t i;

	json_array_foreach (json_object_get(port, "rxq"), i, queue) {
		if (!is_of(queue, index))
			continue;
		json_array_append_new(polls, json_pack("{s:O, s:I, s:O}", "port",
						       json_object_get(port, "name"), "queue",
						       (json_int_t)i, "pinned",
						       json_object_get(queue, "pinned")));
	}
	json_object_foreach (json_object_get(port, "impaired"), name, direction) {
		if (!is_of(direction, index))
			continue;
		json_array_append_new(polls,
				      json_pack("{s:O, s:s, s:O}", "port",
						json_object_get(port, "name"), "impaired", name,
						"pinned", json_object_get(direction, "pinned")));
	}
}

int show_workers_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	json_t *status = NULL, *ports = NULL, *worker;
	size_t i, k;
	int rc;

	if (lab != NULL)
		return err_set(
			err, EINVAL,
			"a worker works for all labs: use `netloom show workers`, without \"%s\"",
			lab);
	rc = rpc_call(rpc, "status", NULL, &status, err);
	if (rc == 0)
		rc = rpc_call(rpc, "port.list", NULL, &ports, err);
	if (rc == 0) {
		*list = json_array();
		json_array_foreach (json_object_get(status, "workers"), i, worker) {
			json_t *polls = json_array(), *port;

			json_array_foreach (json_object_get(ports, "ports"), k, port)
				polls_add(polls, port, (json_int_t)i);
			json_object_set_new(worker, "worker", json_integer((json_int_t)i));
			json_object_set_new(worker, "polls", polls);
			json_array_append(*list, worker);
		}
	}
	json_decref(status);
	json_decref(ports);
	return rc;
}

/* "a, b queue 1 (pinned), c impaired in", cut where it gets long. */
static void polls_text(const json_t *polls, char *text, size_t size)
{
	const json_t *one;
	size_t i;

	text[0] = '\0';
	json_array_foreach (polls, i, one) {
		const char *name = json_string_value(json_object_get(one, "port"));
		size_t used = strlen(text);
		const char *impaired = json_string_value(json_object_get(one, "impaired"));
		char queue[24] = "";

		if (used > POLLS_TEXT_MAX) {
			snprintf(text + used, size - used, ", and %zu more",
				 json_array_size(polls) - i);
			return;
		}
		if (impaired != NULL)
			snprintf(queue, sizeof(queue), " impaired %.3s", impaired);
		else if (number_of(one, "queue") != 0)
			snprintf(queue, sizeof(queue), " queue %d", (int)number_of(one, "queue"));
		snprintf(text + used, size - used, "%s%.63s%s%s", i > 0 ? ", " : "",
			 name != NULL ? name : "?", queue,
			 json_is_true(json_object_get(one, "pinned")) ? " (pinned)" : "");
	}
}

void show_workers_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"WORKER",  "STATE",  ">BUSY", ">FRAMES",
					       ">QUEUES", ">TAKEN", "POLLS", NULL};
	char text[POLLS_TEXT_MAX + 160];
	const json_t *worker;
	struct table table;
	size_t i;

	(void)lab;
	table_init(&table, headings);
	json_array_foreach (list, i, worker) {
		const json_t *polls = json_object_get(worker, "polls");

		polls_text(polls, text, sizeof(text));
		table_add(&table, "%lld", (long long)number_of(worker, "worker"));
		table_add(&table, "%s",
			  json_is_true(json_object_get(worker, "asleep")) ? "asleep" : "awake");
		table_add(&table, "%lld %%", (long long)number_of(worker, "busy_percent"));
		table_add(&table, "%lld", (long long)number_of(worker, "frames"));
		table_add(&table, "%zu", json_array_size(polls));
		table_add(&table, "%lld", (long long)number_of(worker, "queues_taken"));
		table_add(&table, "%s", text);
	}
	table_print(&table, stdout);
}
