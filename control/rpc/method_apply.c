/* SPDX-License-Identifier: BSD-3-Clause */
/* `apply`: an owner says everything it wants; what it no longer names goes. */
#include <stdio.h>
#include <string.h>

#include "json_read.h"
#include "model_check.h"
#include "model_parse.h"
#include "rpc/methods.h"

static void list_read(const struct json_reader *reader, const char *key)
{
	if (json_read_need(reader, key) && !json_is_array(json_object_get(reader->object, key)))
		problems_add(reader->problems, PROBLEM_PARAMS, "params: \"%s\" must be a list",
			     key);
}

/* What cannot be had is not read: its faults, and its places in sorted lists, would cost minutes. */
static void list_bound(const struct json_reader *reader, const char *key, size_t most)
{
	size_t n = json_array_size(json_object_get(reader->object, key));

	if (n > most)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "params: %zu %s, at most %zu are possible", n, key, most);
}

static void list_allow(const struct json_reader *reader, const char *key)
{
	if (json_read_has(reader, key))
		list_read(reader, key);
}

/* What an owner's mirrors name must be there when it says so; it may go later. */
static void eyes_refer(const struct model *model, const char *owner, struct problems *problems)
{
	char what[MODEL_NAME_MAX + 16];

	for (size_t i = 0; i < model->n_mirrors; i++) {
		const struct model_mirror *mirror = model->mirrors[i];

		snprintf(what, sizeof(what), "mirror \"%s\"", mirror->name);
		if (strcmp(mirror->owner, owner) == 0)
			model_eyes_refers(model, what, &mirror->of, mirror->to, problems);
	}
	for (size_t i = 0; i < model->n_sflows; i++) {
		const struct model_sflow *sflow = model->sflows[i];

		snprintf(what, sizeof(what), "sflow \"%s\"", sflow->name);
		if (strcmp(sflow->owner, owner) == 0)
			model_eyes_refers(model, what, &sflow->of, NULL, problems);
	}
}

void rpc_apply(struct rpc_call *call)
{
	static const char *const keys[] = {"owner",   "switches", "ports",   "vteps", "vnis",
					   "mirrors", "sflows",	  "dry_run", NULL};
	char owner[MODEL_NAME_MAX] = "";
	struct json_reader reader;
	struct model *next;
	bool dry_run = false;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	json_read_need(&reader, "owner");
	json_read_name(&reader, "owner", owner, sizeof(owner));
	json_read_bool(&reader, "dry_run", &dry_run);
	list_read(&reader, "switches");
	list_read(&reader, "ports");
	list_bound(&reader, "switches", SNAPSHOT_SWITCHES_MAX);
	list_bound(&reader, "ports", SNAPSHOT_PORTS_MAX);
	list_allow(&reader, "vteps");
	list_allow(&reader, "vnis");
	list_allow(&reader, "mirrors");
	list_allow(&reader, "sflows");
	list_bound(&reader, "mirrors", MODEL_MIRRORS_MAX);
	list_bound(&reader, "sflows", MODEL_SFLOWS_MAX);
	list_bound(&reader, "vteps", SNAPSHOT_PORTS_MAX);
	list_bound(&reader, "vnis", SNAPSHOT_PORTS_MAX);
	if (call->problems.n > 0)
		return;
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL) {
		model_owner_remove(next, owner);
		model_objects_parse(next, json_object_get(call->params, "switches"),
				    json_object_get(call->params, "ports"), owner, &call->problems);
		model_overlay_parse(next, json_object_get(call->params, "vteps"),
				    json_object_get(call->params, "vnis"), owner, &call->problems);
		model_overlay_derive(next, &call->problems);
		model_eyes_parse(next, json_object_get(call->params, "mirrors"),
				 json_object_get(call->params, "sflows"), owner, &call->problems);
		eyes_refer(next, owner, &call->problems);
		model_stations_prune(next);
		/* Objects that are wrong by themselves and lists that do not fit together: say both. */
		if (call->problems.n > 0)
			model_check(next, &call->problems);
	}
	rpc_change_end(call, next, dry_run);
}
