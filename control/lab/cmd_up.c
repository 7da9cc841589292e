/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/boot.h"
#include "lab/cli.h"
#include "lab/daemon.h"
#include "lab/plan.h"
#include "lab/rundir.h"
#include "lab/stored.h"
#include "lab/term.h"
#include "lab/underlay.h"
#include "lab/up.h"
#include "topo/diag.h"
#include "topo/host.h"

struct up_options {
	bool is_dry;
	bool json;
	bool is_quiet;
	bool force;
	unsigned int timeout_s;
	const char *host; /* --host, or NULL */
};

static void plan_step_print(const struct plan_step *step)
{
	static const char *const words[] = {[PLAN_START] = "start",
					    [PLAN_RESTART] = "restart",
					    [PLAN_REPLUG] = "change",
					    [PLAN_READDRESS] = "change",
					    [PLAN_STOP] = "stop"};
	static const enum term_colour colours[] = {[PLAN_START] = TERM_GOOD,
						   [PLAN_RESTART] = TERM_WARN,
						   [PLAN_REPLUG] = TERM_WARN,
						   [PLAN_READDRESS] = TERM_WARN,
						   [PLAN_STOP] = TERM_BAD};

	if (step->action == PLAN_KEEP)
		return;
	printf("  %s%-8s%s VM %s", term_paint(stdout, colours[step->action]), words[step->action],
	       term_paint(stdout, TERM_PLAIN), step->name);
	if (step->action == PLAN_START || step->action == PLAN_RESTART)
		printf(" in %s%s, %u MiB, %u CPU", vmm_spec_name(step->spec),
		       vmm_is_emulated(step->spec) ? " (emulated)" : "", step->node->memory_mib,
		       step->node->cpus);
	if (step->why[0] != '\0')
		printf(": %s", step->why);
	if (step->action == PLAN_RESTART)
		printf(" (this cannot change while it runs)");
	putchar('\n');
}

static void plan_print(const struct topo *topo, const struct plan *plan)
{
	const json_t *change;
	size_t i;

	if (plan_is_empty(plan)) {
		printf("lab %s is as the file says: nothing to do\n", topo->name);
		return;
	}
	if (topo->self >= 0)
		printf("lab %s, host %s:\n", topo->name, topo->hosts[topo->self].name);
	else
		printf("lab %s:\n", topo->name);
	json_array_foreach (plan->changes, i, change) {
		const char *detail = json_string_value(json_object_get(change, "detail"));

		printf("  %-8s %s %s%s%s\n", json_string_value(json_object_get(change, "op")),
		       json_string_value(json_object_get(change, "object")),
		       json_string_value(json_object_get(change, "name")),
		       detail != NULL && detail[0] != '\0' ? ": " : "",
		       detail != NULL ? detail : "");
	}
	for (i = 0; i < plan->n_steps; i++)
		plan_step_print(&plan->steps[i]);
	if (plan_count(plan, PLAN_KEEP) > 0)
		printf("  %zu VM%s untouched\n", plan_count(plan, PLAN_KEEP),
		       plan_count(plan, PLAN_KEEP) == 1 ? " is" : "s are");
	if (!plan->kvm.works && plan->n_steps > 0)
		printf("  (no KVM for vm-runner: %s)\n", plan->kvm.text);
	if (json_array_size(plan->changes) > 0 && daemon_left_state())
		printf("  (netloomd has ended; what it had comes back when `up` starts it)\n");
	fflush(stdout);
}

static const char *const boot_words[] = {[BOOT_WAITING] = "waiting",
					 [BOOT_STARTED] = "started",
					 [BOOT_UP] = "up",
					 [BOOT_FAILED] = "failed"};

static json_t *result_json(const struct up *up, double total_s)
{
	json_t *steps = json_array();
	json_t *vms = json_array();

	for (size_t i = 0; i < up->n_timings; i++)
		json_array_append_new(steps, json_pack("{s:s, s:f}", "step", up->timings[i].step,
						       "seconds", up->timings[i].seconds));
	for (size_t i = 0; i < up->n_vms; i++) {
		const struct boot_vm *vm = &up->vms[i];
		double seconds =
			vm->state == BOOT_UP ? (double)(vm->up_ns - vm->started_ns) / 1e9 : 0;

		json_array_append_new(vms, json_pack("{s:s, s:s, s:s, s:f, s:s}", "node",
						     vm->node->name, "state", boot_words[vm->state],
						     "vmm", vmm_spec_name(vm->spec), "seconds",
						     seconds, "failure", vm->failure));
	}
	return json_pack("{s:s, s:O*, s:o, s:o, s:f, s:i}", "lab", up->topo->name, "changes",
			 up->plan->changes, "steps", steps, "vms", vms, "seconds", total_s,
			 "failed", (int)up->n_failed);
}

static void result_print(const struct up *up, double total_s)
{
	static const char *const headings[] = {"STEP", ">SECONDS", NULL};
	bool asks_vteps = up->n_vms == 0 && up->topo->n_hosts > 0;
	struct table table;

	table_init(&table, headings);
	for (size_t i = 0; i < up->n_timings; i++) {
		table_add(&table, "%s", up->timings[i].step);
		table_add(&table, "%.2f", up->timings[i].seconds);
	}
	table_add(&table, "total");
	table_add(&table, "%.2f", total_s);
	table_print(&table, stdout);
	if (up->n_failed > 0)
		printf("%slab %s is up, with %zu failure%s%s; `netloom ps`, `netloom %s "
		       "%s%s`; the next `up` tries again\n",
		       term_paint(stdout, TERM_BAD), up->topo->name, up->n_failed,
		       up->n_failed == 1 ? "" : "s", term_paint(stdout, TERM_PLAIN),
		       asks_vteps ? "show vteps" : "log", up->topo->name,
		       asks_vteps ? "" : "/NODE");
	else
		printf("%slab %s is up%s; `netloom test %s` measures who reaches whom\n",
		       term_paint(stdout, TERM_GOOD), up->topo->name,
		       term_paint(stdout, TERM_PLAIN), up->topo->name);
}

static int up_locked(const struct topo *topo, const char *file, const struct up_options *options,
		     struct err *err)
{
	uint64_t begin = clock_now_ns();
	struct plan plan;
	struct up up = {.hold = -1,
			.topo = topo,
			.file = file,
			.plan = &plan,
			.timeout_s = options->timeout_s,
			.is_quiet = options->is_quiet || options->json};
	char base[4096];
	int status = CLI_OK;
	int rc;

	stored_base(file, base, sizeof(base));
	up.base = base;
	memset(&plan, 0, sizeof(plan));
	/* What one that was killed had is there again once it runs: the plan is what is left to do then. */
	if (!options->is_dry && stored_exists(topo->name) && daemon_left_state()) {
		rc = daemon_ensure(&up.started_daemon, &up.hold, err);
		if (rc < 0)
			return rc;
		daemon_release(&up.hold); /* the lab's ports are in it: nobody ends it */
		if (up.started_daemon && !up.is_quiet)
			printf("netloomd had ended; it runs again, with what it had\n");
	}
	rc = plan_make(topo, base, &plan, err);
	if (rc == 0 && !options->force)
		rc = plan_memory_check(&plan, err);
	if (rc == 0 && !options->json && !options->is_quiet)
		plan_print(topo, &plan);
	if (rc == 0 && options->is_dry) {
		if (options->json)
			status = cli_print_json(plan_json(&plan));
	} else if (rc == 0 && plan_is_empty(&plan) && stored_exists(topo->name)) {
		rc = stored_save(topo, file, base, err); /* comments and labels may differ */
		if (rc == 0 && topo->n_hosts > 0)
			up.n_failed = underlay_report(topo->name);
		if (rc == 0 && options->json)
			cli_print_json(result_json(&up, 0));
		status = up.n_failed > 0 ? CLI_FAILED : CLI_OK;
	} else if (rc == 0) {
		rc = up_run(&up, err);
		if (rc == 0) {
			double total = (double)(clock_now_ns() - begin) / 1e9;

			if (options->json)
				cli_print_json(result_json(&up, total));
			else if (!options->is_quiet)
				result_print(&up, total);
			status = up.n_failed > 0 ? CLI_FAILED : CLI_OK;
		}
	}
	up_free(&up);
	plan_free(&plan);
	return rc < 0 ? rc : status;
}

/* A run directory is of one host: what runs in it as another is not changed into this one. */
static int host_is_same(const struct topo *topo, struct err *err)
{
	struct stored_lab stored;
	int rc = 0;

	if (!stored_exists(topo->name) || stored_load(topo->name, &stored, NULL) < 0)
		return 0;
	if (stored.topo.self >= 0 && topo->self >= 0 &&
	    strcmp(stored.topo.hosts[stored.topo.self].name, topo->hosts[topo->self].name) != 0)
		rc = err_set(
			err, EEXIST,
			"lab \"%s\" is up here as host \"%s\"; `netloom down %s` first, or set "
			"NETLOOM_RUNDIR to another folder for another host",
			topo->name, stored.topo.hosts[stored.topo.self].name, topo->name);
	topo_free(&stored.topo);
	return rc;
}

static int up_file(const char *file, const struct up_options *options)
{
	struct diag_list *diags = calloc(1, sizeof(*diags));
	struct err err = {.text = ""};
	struct topo topo;
	int lock;
	int rc;

	if (diags == NULL)
		return CLI_FAILED;
	diag_init(diags, file);
	rc = topo_load(&topo, file, diags);
	diag_print(diags, stderr);
	free(diags);
	if (rc < 0) {
		topo_free(&topo);
		return CLI_INVALID;
	}
	rc = host_select(&topo, options->host, &err);
	if (rc < 0) {
		cli_fail(rc, &err);
		topo_free(&topo);
		return CLI_USAGE;
	}
	rc = host_is_same(&topo, &err);
	if (rc < 0) {
		topo_free(&topo);
		return cli_fail(rc, &err);
	}
	cli_catch_interrupts();
	rc = rundir_make(&err);
	lock = rc < 0 ? rc : rundir_lab_lock(topo.name, &err);
	rc = lock;
	if (lock >= 0) {
		rc = up_locked(&topo, file, options, &err);
		rundir_lab_unlock(topo.name, lock, !stored_exists(topo.name));
		rundir_tidy();
	}
	topo_free(&topo);
	return rc < 0 ? cli_fail(rc, &err) : rc;
}

int cmd_up(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"dry-run", no_argument, NULL, 'n'},
						{"json", no_argument, NULL, 'j'},
						{"quiet", no_argument, NULL, 'q'},
						{"force", no_argument, NULL, 'f'},
						{"host", required_argument, NULL, 'H'},
						{"timeout", required_argument, NULL, 't'},
						{0}};
	struct up_options up_options = {.timeout_s = 120};
	char *end;
	int key;

	while ((key = cli_option(command, argc, argv, "njqft:", options)) != -1) {
		switch (key) {
		case 'n':
			up_options.is_dry = true;
			break;
		case 'j':
			up_options.json = true;
			break;
		case 'q':
			up_options.is_quiet = true;
			break;
		case 'f':
			up_options.force = true;
			break;
		case 'H':
			up_options.host = optarg;
			break;
		default:
			errno = 0;
			up_options.timeout_s = (unsigned int)strtoul(optarg, &end, 10);
			if (errno != 0 || *end != '\0' || up_options.timeout_s == 0 ||
			    up_options.timeout_s > 86400)
				return cli_usage(command,
						 "--timeout: \"%s\" is no number of seconds",
						 optarg);
		}
	}
	if (argc - optind != 1)
		return cli_usage(command, "one lab file, please");
	return up_file(argv[optind], &up_options);
}
