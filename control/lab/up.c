/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/up.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/agent.h"
#include "lab/boot.h"
#include "lab/daemon.h"
#include "lab/desired.h"
#include "lab/desired_impair.h"
#include "lab/file.h"
#include "lab/hotplug.h"
#include "lab/node.h"
#include "lab/nodeconf.h"
#include "lab/progress.h"
#include "lab/rpc.h"
#include "lab/rundir.h"
#include "lab/stored.h"
#include "lab/term.h"
#include "lab/underlay.h"
#include "topo/tree.h"

#define STOP_GRACE_MS	 10000
#define AGENT_TIMEOUT_MS 20000
#define EXEC_TIMEOUT_MS	 120000

static void timing_add(struct up *up, const char *step, uint64_t since_ns)
{
	if (up->n_timings == UP_TIMINGS_MAX)
		return;
	up->timings[up->n_timings].step = step;
	up->timings[up->n_timings++].seconds = (double)(clock_now_ns() - since_ns) / 1e9;
}

/* As the VMs run, whatever the new file says. */
static void guests_remember(const struct up *up, const struct topo *old)
{
	for (size_t i = 0; i < old->n_nodes; i++) {
		json_t *record = node_record_read(old->name, old->nodes[i].name);
		const json_t *spec = json_object_get(record, "spec");

		if (spec != NULL)
			desired_guests_set(up->old_apply, old->name, old->nodes[i].name, spec);
		json_decref(record);
	}
}

/* What is needed to put things back, read before anything changes. */
static void old_remember(struct up *up)
{
	struct stored_lab old;

	up->was_there = stored_exists(up->topo->name);
	if (!up->was_there)
		return;
	up->old_text = file_read(rundir_lab(up->topo->name, "lab.yaml").text, TREE_FILE_BYTES_MAX,
				 NULL, NULL);
	if (stored_load(up->topo->name, &old, NULL) == 0) {
		up->old_apply = desired_apply_params(&old.topo);
		guests_remember(up, &old.topo);
		topo_free(&old.topo);
	}
}

static int vms_stop(const struct up *up, struct err *err)
{
	for (size_t i = 0; i < up->plan->n_steps; i++) {
		const struct plan_step *step = &up->plan->steps[i];
		bool has_disk = json_object_get(step->spec, "disk") != NULL;
		int rc;

		if (step->action != PLAN_STOP && step->action != PLAN_RESTART)
			continue;
		rc = node_stop(up->topo->name, step->name, has_disk ? STOP_GRACE_MS : 0, err);
		if (rc == 0 && step->action == PLAN_STOP)
			rc = node_folder_remove(up->topo->name, step->name, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int vms_boot(struct up *up)
{
	struct boot boot = {.topo = up->topo, .timeout_s = up->timeout_s};
	struct progress progress;
	int rc;

	up->vms = calloc(up->plan->n_steps + 1, sizeof(*up->vms));
	if (up->vms == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < up->plan->n_steps; i++) {
		const struct plan_step *step = &up->plan->steps[i];

		if (step->action != PLAN_START && step->action != PLAN_RESTART)
			continue;
		up->vms[up->n_vms].node = step->node;
		up->vms[up->n_vms++].spec = step->spec;
	}
	if (up->n_vms == 0)
		return 0;
	progress_init(&progress, up->is_quiet);
	boot.vms = up->vms;
	boot.n_vms = up->n_vms;
	boot.progress = progress_boot;
	boot.ctx = &progress;
	rc = boot_run(&boot);
	progress_end(&progress, &boot);
	if (rc > 0)
		up->n_failed += (size_t)rc;
	return rc < 0 ? rc : 0;
}

static void exec_one(struct up *up, const struct topo_node *node, const char *script,
		     const char *what)
{
	struct err err = {.text = ""};
	struct agent_result result;
	struct agent agent;
	int rc = agent_open(&agent, up->topo->name, node->name, AGENT_TIMEOUT_MS, &err);

	if (rc == 0) {
		rc = agent_shell(&agent, script, &node->env, EXEC_TIMEOUT_MS, &result, &err);
		agent_close(&agent);
	}
	if (rc < 0) {
		fprintf(stderr, "%s: %s: %s\n", node->name, what, err.text);
		up->n_failed++;
		return;
	}
	if (result.status != 0) {
		if (isatty(STDERR_FILENO))
			term_clean(result.errors);
		fprintf(stderr, "%s: %s: exit status %d%s%s", node->name, what, result.status,
			result.errors[0] != '\0' ? ": " : "\n", result.errors);
		up->n_failed++;
	}
	agent_result_free(&result);
}

/* Cards of VMs that go on running; what fails is said, and tried again by the next `up`. */
static void vms_replug(struct up *up)
{
	for (size_t i = 0; i < up->plan->n_steps; i++) {
		struct plan_step *step = &up->plan->steps[i];
		struct err err = {.text = ""};

		if (step->action == PLAN_REPLUG && !jsonline_interrupted &&
		    hotplug_run(up->topo, step->node, step->spec, &err) < 0) {
			fprintf(stderr, "%s: %s\n", step->name, err.text);
			up->n_failed++;
			step->action = PLAN_KEEP;
		}
	}
}

/* Names of cards, MTUs and addresses in a guest that goes on running. */
static void guest_readdress(struct up *up, const struct topo_node *node)
{
	struct arena arena = {.head = NULL};
	size_t failed = up->n_failed;

	exec_one(up, node,
		 arena_printf(&arena, "%s%s", nodeconf_plug_script(&arena, node),
			      nodeconf_script(&arena, node)),
		 "cards and addresses");
	arena_free(&arena);
	if (up->n_failed == failed)
		node_net_record(up->topo->name, node, NULL);
}

/* `exec` of the nodes that were started, and new addresses for those that keep running. */
static int guests_configure(struct up *up)
{
	for (size_t i = 0; i < up->n_vms; i++) {
		const struct topo_node *node = up->vms[i].node;

		for (size_t k = 0; k < node->exec.n && up->vms[i].state == BOOT_UP; k++) {
			if (jsonline_interrupted)
				return -EINTR;
			exec_one(up, node, node->exec.items[k], node->exec.items[k]);
		}
	}
	for (size_t i = 0; i < up->plan->n_steps; i++) {
		const struct plan_step *step = &up->plan->steps[i];

		if (step->action != PLAN_READDRESS &&
		    (step->action != PLAN_REPLUG || !step->node->has_agent))
			continue;
		if (jsonline_interrupted)
			return -EINTR;
		guest_readdress(up, step->node);
	}
	return 0;
}

static void take_back(struct up *up)
{
	const char *lab = up->topo->name;
	struct err err = {.text = ""};

	jsonline_interrupted = 0; /* the way back must not be cut short by the same Ctrl-C */
	fprintf(stderr, "taking back what this `up` has started ...\n");
	for (size_t i = 0; i < up->n_vms; i++) {
		if (up->vms[i].started_ns == 0)
			continue;
		if (node_stop(lab, up->vms[i].node->name, 0, &err) == 0)
			node_folder_remove(lab, up->vms[i].node->name, &err);
	}
	if (daemon_answers())
		rpc_once("apply",
			 up->old_apply != NULL ? json_incref(up->old_apply) : desired_nothing(lab),
			 NULL, &err);
	if (up->was_there && up->old_text != NULL)
		file_write(rundir_lab(lab, "lab.yaml").text, up->old_text, strlen(up->old_text),
			   &err);
	else
		file_remove_tree(rundir_lab(lab, NULL).text, &err);
	daemon_release(&up->hold);
	daemon_stop_if_idle(NULL, &err);
	if (err.text[0] != '\0')
		fprintf(stderr, "netloom: %s\n", err.text);
}

int up_run(struct up *up, struct err *err)
{
	uint64_t at = clock_now_ns();
	int rc;

	old_remember(up);
	rc = up->hold >= 0 ? 0 : daemon_ensure(&up->started_daemon, &up->hold, err);
	if (rc == 0 && up->started_daemon)
		timing_add(up, "start netloomd", at);
	/* The file first: from here on `down` knows of the lab, whatever happens to us. */
	if (rc == 0)
		rc = stored_save(up->topo, up->file, up->base, err);
	at = clock_now_ns();
	if (rc == 0)
		rc = vms_stop(up, err);
	if (rc == 0 && plan_count(up->plan, PLAN_STOP) + plan_count(up->plan, PLAN_RESTART) > 0)
		timing_add(up, "stop VMs", at);
	at = clock_now_ns();
	if (rc == 0)
		rc = rpc_once("apply", json_incref(up->plan->apply), NULL, err);
	if (rc == 0) {
		daemon_release(&up->hold); /* with our ports in it nobody ends it */
		timing_add(up, "switches and ports", at);
		if (up->topo->n_hosts > 0)
			up->n_failed += underlay_report(up->topo->name);
	}
	at = clock_now_ns();
	if (rc == 0 && plan_count(up->plan, PLAN_REPLUG) > 0) {
		vms_replug(up);
		timing_add(up, "plug cards", at);
	}
	at = clock_now_ns();
	if (rc == 0)
		rc = vms_boot(up);
	if (rc == 0 && up->n_vms > 0)
		timing_add(up, "boot VMs", at);
	at = clock_now_ns();
	if (rc == 0)
		rc = guests_configure(up);
	if (rc == 0)
		timing_add(up, "configure guests", at);
	if (rc < 0)
		take_back(up);
	return rc;
}

void up_free(struct up *up)
{
	daemon_release(&up->hold);
	free(up->vms);
	free(up->old_text);
	json_decref(up->old_apply);
}
