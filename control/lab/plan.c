/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/daemon.h"
#include "lab/desired.h"
#include "lab/desired_impair.h"
#include "lab/hotplug.h"
#include "lab/node.h"
#include "lab/proc.h"
#include "lab/rpc.h"
#include "lab/rundir.h"
#include "topo/span.h"

/* "memory 128 -> 256, nics": numbers and words are shown, larger things named. */
static void spec_difference(const json_t *old, const json_t *new, char *why, size_t size)
{
	json_t *merged = json_copy((json_t *)old);
	const char *key;
	json_t *value;

	why[0] = '\0';
	json_object_update(merged, (json_t *)new);
	json_object_foreach (merged, key, value) {
		const json_t *before = json_object_get(old, key);
		const json_t *after = json_object_get(new, key);
		size_t used = strlen(why);

		if (json_equal(before, after))
			continue;
		if (json_is_integer(before) && json_is_integer(after))
			snprintf(why + used, size - used, "%s%s %lld -> %lld", used ? ", " : "",
				 key, (long long)json_integer_value(before),
				 (long long)json_integer_value(after));
		else
			snprintf(why + used, size - used, "%s%s", used ? ", " : "", key);
	}
	json_decref(merged);
}

enum plan_action plan_action_of(const json_t *record, bool is_running, const json_t *spec,
				const json_t *net, char *why, size_t why_size)
{
	const json_t *old_spec = json_object_get(record, "spec");

	why[0] = '\0';
	if (record == NULL || old_spec == NULL)
		return PLAN_START;
	if (!is_running) {
		snprintf(why, why_size, "it does not run any more");
		return PLAN_START;
	}
	if (!json_equal(old_spec, spec)) {
		if (hotplug_is_enough(old_spec, spec, why, why_size))
			return PLAN_REPLUG;
		spec_difference(old_spec, spec, why, why_size);
		return PLAN_RESTART;
	}
	if (!json_equal(json_object_get(record, "net"), net)) {
		snprintf(why, why_size, "addresses");
		return PLAN_READDRESS;
	}
	return PLAN_KEEP;
}

static bool is_vm_here(const struct topo *topo, const struct topo_node *node)
{
	return node->kind == TOPO_VM && span_node_is_here(topo, node);
}

static bool image_is_needed(const struct topo *topo)
{
	for (size_t i = 0; i < topo->n_nodes; i++) {
		if (is_vm_here(topo, &topo->nodes[i]) &&
		    (topo->nodes[i].kernel == NULL || topo->nodes[i].initrd == NULL))
			return true;
	}
	return false;
}

static int plan_vms(const struct topo *topo, const char *base, struct plan *plan, struct err *err)
{
	struct vmm_image image = {.kernel = ""};
	int rc = image_is_needed(topo) ? vmm_image_default(&image, err) : 0;

	for (size_t i = 0; i < topo->n_nodes && rc == 0; i++) {
		const struct topo_node *node = &topo->nodes[i];
		struct plan_step *step = &plan->steps[plan->n_steps];
		json_t *record;
		json_t *net;

		if (!is_vm_here(topo, node))
			continue;
		step->spec = vmm_spec(topo, node, base, &image, &plan->kvm, err);
		if (step->spec == NULL)
			return -EINVAL;
		step->node = node;
		desired_guests_set(plan->apply, topo->name, node->name, step->spec);
		snprintf(step->name, sizeof(step->name), "%s", node->name);
		record = node_record_read(topo->name, node->name);
		net = node_net(node);
		step->action = plan_action_of(record, node_is_running(topo->name, node->name),
					      step->spec, net, step->why, sizeof(step->why));
		json_decref(record);
		json_decref(net);
		plan->n_steps++;
	}
	return rc;
}

static void plan_leavers(const struct topo *topo, char **names, int n, struct plan *plan)
{
	for (int i = 0; i < n; i++) {
		const struct topo_node *node = topo_node_find(topo, names[i]);
		struct plan_step *step;

		if (node != NULL && is_vm_here(topo, node))
			continue;
		step = &plan->steps[plan->n_steps++];
		step->action = PLAN_STOP;
		snprintf(step->name, sizeof(step->name), "%s", names[i]);
		snprintf(step->why, sizeof(step->why), "no longer in the file");
	}
}

/* Without a daemon everything is new. */
static json_t *changes_all(const json_t *apply)
{
	static const char *const keys[][2] = {{"switches", "switch"},
					      {"ports", "port"},
					      {"vteps", "vtep"},
					      {"vnis", "vni"},
					      {"mirrors", "mirror"}};
	json_t *changes = json_array();
	const json_t *object;
	size_t i;

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		json_array_foreach (json_object_get(apply, keys[k][0]), i, object) {
			const json_t *vni = json_object_get(object, "vni");
			json_t *name =
				vni != NULL
					? json_sprintf("%lld", (long long)json_integer_value(vni))
					: json_incref(json_object_get(object, "name"));

			json_array_append_new(changes, json_pack("{s:s, s:s, s:o, s:s}", "op",
								 "add", "object", keys[k][1],
								 "name", name, "detail", ""));
		}
	}
	return changes;
}

static int plan_switches(struct plan *plan, struct err *err)
{
	json_t *result = NULL;
	json_t *params;
	int rc;

	if (!daemon_answers()) {
		plan->changes = changes_all(plan->apply);
		return 0;
	}
	params = json_copy(plan->apply);
	json_object_set_new(params, "dry_run", json_true());
	rc = rpc_once("apply", params, &result, err);
	if (rc < 0 && !daemon_answers()) {
		/* The last `down` of others has just ended it. */
		plan->changes = changes_all(plan->apply);
		if (err != NULL)
			err->text[0] = '\0';
		return 0;
	}
	if (rc == 0)
		plan->changes = json_incref(json_object_get(result, "changes"));
	json_decref(result);
	if (rc == 0 && plan->changes == NULL)
		plan->changes = json_array();
	return rc;
}

int plan_make(const struct topo *topo, const char *base, struct plan *plan, struct err *err)
{
	char **names = NULL;
	int n = rundir_nodes(topo->name, &names, NULL);
	int rc;

	memset(plan, 0, sizeof(*plan));
	if (n < 0)
		n = 0;
	plan->steps = calloc(topo->n_nodes + (size_t)n + 1, sizeof(*plan->steps));
	plan->apply = desired_apply_params(topo);
	if (plan->steps == NULL || plan->apply == NULL) {
		rundir_names_free(names, n);
		return err_set(err, ENOMEM, "out of memory");
	}
	vmm_kvm_check(&plan->kvm);
	rc = rundir_sockets_check(topo, err);
	if (rc == 0)
		rc = plan_vms(topo, base, plan, err);
	if (rc == 0)
		plan_leavers(topo, names, n, plan);
	if (rc == 0)
		rc = plan_switches(plan, err);
	rundir_names_free(names, n);
	return rc;
}

size_t plan_count(const struct plan *plan, enum plan_action action)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_steps; i++)
		n += plan->steps[i].action == action;
	return n;
}

bool plan_is_empty(const struct plan *plan)
{
	return plan_count(plan, PLAN_KEEP) == plan->n_steps && json_array_size(plan->changes) == 0;
}

int plan_memory_check(const struct plan *plan, struct err *err)
{
	uint64_t total = 0;
	uint64_t available = proc_memory_available(&total);
	uint64_t needed = 0;

	for (size_t i = 0; i < plan->n_steps; i++) {
		if (plan->steps[i].action == PLAN_START)
			needed += plan->steps[i].node->memory_mib;
	}
	if (available == 0 || needed <= available)
		return 0;
	return err_set(
		err, ENOMEM,
		"the VMs to start have %llu MiB of memory together and this machine has %llu MiB "
		"left of %llu; give them less `memory`, or use --force",
		(unsigned long long)needed, (unsigned long long)available,
		(unsigned long long)total);
}

json_t *plan_json(const struct plan *plan)
{
	static const char *const words[] = {
		[PLAN_KEEP] = "keep",		[PLAN_START] = "start",
		[PLAN_RESTART] = "restart",	[PLAN_REPLUG] = "replug",
		[PLAN_READDRESS] = "readdress", [PLAN_STOP] = "stop"};
	json_t *vms = json_array();

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *step = &plan->steps[i];

		json_array_append_new(
			vms, json_pack("{s:s, s:s, s:s, s:s*}", "action", words[step->action],
				       "node", step->name, "why", step->why, "vmm",
				       step->spec ? vmm_spec_name(step->spec) : NULL));
	}
	return json_pack("{s:o, s:O}", "vms", vms, "switching", plan->changes);
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		json_decref(plan->steps[i].spec);
	free(plan->steps);
	json_decref(plan->apply);
	json_decref(plan->changes);
	memset(plan, 0, sizeof(*plan));
}
