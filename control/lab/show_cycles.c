/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `netloom show cycles`: what netloomd's workers spend their time on, over one second. netloomd counts for a while after each
 * request: two of them, subtracted.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "lab/show.h"
#include "lab/term.h"

#define LOOK_MS 1000
#define FOR_MS	(3 * LOOK_MS) /* longer than we need, if we are late */

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static json_t *stages_between(const json_t *stages, const json_t *before, const json_t *after,
			      json_int_t *sum)
{
	json_t *list = json_array();
	const json_t *stage;
	size_t i;

	json_array_foreach (stages, i, stage) {
		const char *name = json_string_value(json_object_get(stage, "name"));
		json_int_t cycles;

		if (name == NULL)
			continue;
		cycles = number_of(json_object_get(after, "cycles"), name) -
			 number_of(json_object_get(before, "cycles"), name);
		*sum += cycles;
		json_array_append_new(list,
				      json_pack("{s:s, s:I, s:O}", "stage", name, "cycles", cycles,
						"sentence", json_object_get(stage, "sentence")));
	}
	return list;
}

/* What a frame costs, and not waiting for one. */
static bool is_busy(const char *stage)
{
	return strcmp(stage, "idle") != 0 && strcmp(stage, "away") != 0 &&
	       strcmp(stage, "counting") != 0;
}

static void add_ratios(json_t *worker, json_int_t sum)
{
	json_int_t frames = number_of(worker, "frames"), busy = 0;
	json_t *stage;
	size_t i;

	json_array_foreach (json_object_get(worker, "stages"), i, stage) {
		json_int_t cycles = number_of(stage, "cycles");

		if (is_busy(json_string_value(json_object_get(stage, "stage"))))
			busy += cycles;
		if (sum > 0)
			json_object_set_new(stage, "share",
					    json_real((double)cycles / (double)sum));
		if (frames > 0)
			json_object_set_new(stage, "per_frame",
					    json_real((double)cycles / (double)frames));
	}
	json_object_set_new(worker, "busy_cycles", json_integer(busy));
	if (frames > 0)
		json_object_set_new(worker, "busy_per_frame",
				    json_real((double)busy / (double)frames));
}

static json_t *worker_between(size_t index, const json_t *before, const json_t *after,
			      const json_t *result)
{
	json_int_t sum = 0;
	json_t *stages = stages_between(json_object_get(result, "stages"), before, after, &sum);
	json_int_t tsc_hz = number_of(result, "tsc_hz");
	json_t *worker = json_pack(
		"{s:I, s:I, s:I, s:I, s:f, s:o}", "worker", (json_int_t)index, "frames",
		number_of(after, "frames") - number_of(before, "frames"), "bursts",
		number_of(after, "bursts") - number_of(before, "bursts"), "cycles", sum, "awake_s",
		tsc_hz > 0 ? (double)sum / (double)tsc_hz : 0.0, "stages", stages);

	add_ratios(worker, sum);
	return worker;
}

int show_cycles_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	json_t *before = NULL, *after = NULL;
	const json_t *worker;
	size_t i;
	int rc;

	if (lab != NULL)
		return err_set(
			err, EINVAL,
			"a worker works for all labs: use `netloom show cycles`, without \"%s\"",
			lab);
	rc = rpc_call(rpc, "cycles", json_pack("{s:i}", "for_ms", FOR_MS), &before, err);
	if (rc < 0)
		return rc;
	poll(NULL, 0, LOOK_MS);
	rc = rpc_call(rpc, "cycles", json_pack("{s:i}", "for_ms", 1), &after, err);
	if (rc == 0) {
		*list = json_array();
		json_array_foreach (json_object_get(after, "counted"), i, worker)
			json_array_append_new(
				*list,
				worker_between(
					i, json_array_get(json_object_get(before, "counted"), i),
					worker, after));
	}
	json_decref(before);
	json_decref(after);
	return rc;
}

static void print_stages(struct table *table, const json_t *worker)
{
	bool has_frames = json_object_get(worker, "busy_per_frame") != NULL;
	const json_t *stage;
	size_t i;

	json_array_foreach (json_object_get(worker, "stages"), i, stage) {
		if (number_of(stage, "cycles") == 0)
			continue;
		table_add(table, "%lld", (long long)number_of(worker, "worker"));
		table_add(table, "%s", json_string_value(json_object_get(stage, "stage")));
		table_add(table, "%.1f %%", 100 * json_real_value(json_object_get(stage, "share")));
		if (has_frames)
			table_add(table, "%.1f",
				  json_real_value(json_object_get(stage, "per_frame")));
		else
			table_add(table, "-");
		table_add(table, "%s", json_string_value(json_object_get(stage, "sentence")));
	}
}

static void print_summary(const json_t *worker)
{
	double awake_s = json_real_value(json_object_get(worker, "awake_s"));
	json_int_t frames = number_of(worker, "frames"), bursts = number_of(worker, "bursts");

	printf("worker %lld: awake for %.2f s", (long long)number_of(worker, "worker"), awake_s);
	if (frames > 0 && bursts > 0 && awake_s > 0)
		printf(", %.3f million frames a second in bursts of %.1f; busy %.0f %%, %.1f "
		       "cycles a "
		       "frame",
		       (double)frames / awake_s / 1e6, (double)frames / (double)bursts,
		       100 * (double)number_of(worker, "busy_cycles") /
			       (double)number_of(worker, "cycles"),
		       json_real_value(json_object_get(worker, "busy_per_frame")));
	putchar('\n');
}

void show_cycles_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"WORKER",	"STAGE",      ">OF ITS TIME",
					       ">CYCLES/FRAME", "WHAT IT IS", NULL};
	const json_t *worker;
	struct table table;
	size_t i;

	(void)lab;
	table_init(&table, headings);
	json_array_foreach (list, i, worker)
		print_stages(&table, worker);
	table_print(&table, stdout);
	putchar('\n');
	json_array_foreach (list, i, worker)
		print_summary(worker);
}
