/* SPDX-License-Identifier: BSD-3-Clause */
/* mirror.*, sflow.* */
#include <stdio.h>
#include <string.h>

#include "eyes/eyes.h"
#include "eyes/mirrors.h"
#include "eyes/sflow.h"
#include "rpc/methods.h"

/* Whether a mirror or an agent may be set: what it names is there, and @before (NULL: none) has the same owner. */
static bool set_ok(struct rpc_call *call, const char *what, const struct model_eyes_of *of,
		   const char *to, const char *before, const char *owner)
{
	model_eyes_refers(apply_model(call->control->apply), what, of, to, &call->problems);
	return call->problems.n == 0 && (before == NULL || rpc_owner_ok(call, what, before, owner));
}

void rpc_mirror_set(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	const struct model_mirror *before;
	char what[MODEL_NAME_MAX + 16];
	struct model_mirror mirror;
	struct model *next;

	model_mirror_parse(call->params, "params", &mirror, &call->problems);
	if (call->problems.n > 0)
		return;
	snprintf(what, sizeof(what), "mirror \"%s\"", mirror.name);
	before = model_mirror_find(model, mirror.name);
	if (!set_ok(call, what, &mirror.of, mirror.to, before != NULL ? before->owner : NULL,
		    mirror.owner))
		return;
	next = model_copy(model);
	if (next != NULL) {
		model_mirror_remove(next, mirror.name);
		if (model_mirror_add(next, &mirror) != 0)
			problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
	}
	rpc_change_end(call, next, false);
}

void rpc_mirror_delete(struct rpc_call *call)
{
	static const char *const keys[] = {"name", NULL};
	char name[MODEL_NAME_MAX];
	struct model *next;

	if (!rpc_params_name(call, keys, name))
		return;
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL && model_mirror_remove(next, name) != 0)
		problems_add(&call->problems, PROBLEM_STATE, "there is no mirror \"%s\"", name);
	rpc_change_end(call, next, false);
}

void rpc_mirror_list(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	json_t *list;

	if (!rpc_params_none(call))
		return;
	list = json_array();
	for (size_t i = 0; i < model->n_mirrors; i++) {
		const struct model_mirror *mirror = model->mirrors[i];
		const struct model_port *to = model_port_find(model, mirror->to);
		json_t *object = model_mirror_print(mirror);
		const char *detail = "";

		if (to == NULL)
			detail = "the port it leads to is gone";
		else if (apply_live(call->control->apply, to)->port == NULL)
			detail = "the port it leads to could not be opened";
		json_object_set_new(object, "copies",
				    json_integer((json_int_t)mirrors_copies(
					    eyes_mirrors(call->control->eyes), mirror)));
		json_object_set_new(object, "detail", json_string(detail));
		json_array_append_new(list, object);
	}
	call->result = json_pack("{s:o}", "mirrors", list);
}

void rpc_sflow_set(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	const struct model_sflow *before;
	char what[MODEL_NAME_MAX + 16];
	struct model_sflow sflow;
	struct model *next;

	model_sflow_parse(call->params, "params", &sflow, &call->problems);
	if (call->problems.n > 0)
		return;
	snprintf(what, sizeof(what), "sflow \"%s\"", sflow.name);
	before = model_sflow_find(model, sflow.name);
	if (!set_ok(call, what, &sflow.of, NULL, before != NULL ? before->owner : NULL,
		    sflow.owner))
		return;
	next = model_copy(model);
	if (next != NULL) {
		model_sflow_remove(next, sflow.name);
		if (model_sflow_add(next, &sflow) != 0)
			problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
	}
	rpc_change_end(call, next, false);
}

void rpc_sflow_delete(struct rpc_call *call)
{
	static const char *const keys[] = {"name", NULL};
	char name[MODEL_NAME_MAX];
	struct model *next;

	if (!rpc_params_name(call, keys, name))
		return;
	next = model_copy(apply_model(call->control->apply));
	if (next != NULL && model_sflow_remove(next, name) != 0)
		problems_add(&call->problems, PROBLEM_STATE, "there is no sFlow agent \"%s\"",
			     name);
	rpc_change_end(call, next, false);
}

void rpc_sflow_list(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	json_t *list;

	if (!rpc_params_none(call))
		return;
	list = json_array();
	for (size_t i = 0; i < model->n_sflows; i++) {
		json_t *object = model_sflow_print(model->sflows[i]);

		sflows_status(eyes_sflows(call->control->eyes), model->sflows[i]->name, object);
		json_array_append_new(list, object);
	}
	call->result = json_pack("{s:o}", "sflows", list);
}
