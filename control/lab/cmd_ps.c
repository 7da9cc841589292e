/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab/cli.h"
#include "lab/daemon.h"
#include "lab/node.h"
#include "lab/node_view.h"
#include "lab/rpc.h"
#include "lab/rundir.h"
#include "lab/stored.h"
#include "lab/term.h"
#include "lab/vmm.h"
#include "topo/span.h"

#define LAST_WORDS_LINES 3

static const char *record_vmm(const json_t *record, char *text, size_t size)
{
	const json_t *spec = json_object_get(record, "spec");
	const char *name = spec != NULL ? vmm_spec_name(spec) : "-";

	if (spec != NULL && strcmp(name, "qemu") == 0)
		snprintf(text, size, "qemu/%s", vmm_is_emulated(spec) ? "tcg" : "kvm");
	else
		snprintf(text, size, "%s", name);
	return text;
}

static json_t *vm_json(const char *lab, const char *node, const struct node_view *view)
{
	json_t *record = node_record_read(lab, node);
	char vmm[32];
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "lab", lab, "node", node,
				   "kind", "vm", "vmm", record_vmm(record, vmm, sizeof(vmm)),
				   "state", view->state, "detail", view->detail);

	json_decref(record);
	if (view->now.is_running) {
		json_object_set_new(object, "pid", json_integer(view->now.vmm.pid));
		json_object_set_new(object, "uptime_s",
				    json_integer((json_int_t)time(NULL) - view->now.started_at));
		json_object_set_new(object, "rss_bytes",
				    json_integer((json_int_t)view->memory.rss_bytes));
		json_object_set_new(object, "pss_bytes",
				    json_integer((json_int_t)view->memory.pss_bytes));
	} else if (view->end.is_known) {
		char *words = node_last_words(lab, node, LAST_WORDS_LINES);

		json_object_set_new(object, "exit_status", json_integer(view->end.status));
		json_object_set_new(object, "exit_signal", json_integer(view->end.signal));
		json_object_set_new(object, "ended_at", json_integer(view->end.at));
		json_object_set_new(object, "last_words", json_string(words != NULL ? words : ""));
		free(words);
	}
	return object;
}

static void vm_row(struct table *table, const char *lab, const char *node,
		   const struct node_view *view)
{
	json_t *record = node_record_read(lab, node);
	uint64_t bytes =
		view->memory.pss_bytes > 0 ? view->memory.pss_bytes : view->memory.rss_bytes;
	char text[64];

	table_add(table, "%s", lab);
	table_add(table, "%s", node);
	table_add(table, "%s", record_vmm(record, text, sizeof(text)));
	table_add_colour(table, view->colour, "%s", view->state);
	if (view->now.is_running) {
		table_add(table, "%s",
			  term_duration((int64_t)time(NULL) - view->now.started_at, text,
					sizeof(text)));
		table_add(table, "%s", term_bytes(bytes, text, sizeof(text)));
		table_add(table, "%d", (int)view->now.vmm.pid);
	} else {
		table_add(table, "-");
		table_add(table, "-");
		table_add(table, "-");
	}
	table_add(table, "%s", view->detail);
	json_decref(record);
}

/* What lives in netloomd: switches, TAPs. */
static void netloomd_row(struct table *table, const char *lab, const struct topo_node *node,
			 bool is_up)
{
	table_add(table, "%s", lab);
	table_add(table, "%s", node->name);
	table_add(table, "%s", node->kind == TOPO_TAP ? "tap" : "netloomd");
	table_add_colour(table, is_up ? TERM_GOOD : TERM_BAD, is_up ? "running" : "no netloomd");
	for (int i = 0; i < 4; i++)
		table_add(table, i < 3 ? "-" : "%s", "");
}

/* The last lines of the console of what died, below the table. */
static void obituary_print(const char *lab, const char *node, const struct node_view *view)
{
	char *words;

	if (strcmp(view->state, "dead") != 0)
		return;
	words = node_last_words(lab, node, LAST_WORDS_LINES);
	if (words != NULL && words[0] != '\0') {
		printf("\n%s/%s: %s; its last words:\n", lab, node, view->detail);
		for (char *line = strtok(words, "\n"); line != NULL; line = strtok(NULL, "\n"))
			printf("  | %s\n", line);
	}
	free(words);
}

struct ps {
	struct table table;
	json_t *list; /* NULL unless --json */
	bool daemon_is_up;
};

static void lab_show(struct ps *ps, const char *lab, bool obituaries)
{
	struct stored_lab stored;
	char **names;
	int n = rundir_nodes(lab, &names, NULL);
	bool known = stored_load(lab, &stored, NULL) == 0;

	for (size_t i = 0; known && !obituaries && i < stored.topo.n_nodes; i++) {
		const struct topo_node *node = &stored.topo.nodes[i];

		if (node->kind == TOPO_VM || !span_node_is_here(&stored.topo, node))
			continue;
		if (ps->list != NULL)
			json_array_append_new(
				ps->list,
				json_pack("{s:s, s:s, s:s, s:s}", "lab", lab, "node", node->name,
					  "kind", node->kind == TOPO_TAP ? "tap" : "switch",
					  "state", ps->daemon_is_up ? "running" : "no netloomd"));
		else
			netloomd_row(&ps->table, lab, node, ps->daemon_is_up);
	}
	for (int i = 0; i < n; i++) {
		struct node_view view;

		node_view_read(lab, names[i], &view);
		node_view_memory(&view);
		if (obituaries)
			obituary_print(lab, names[i], &view);
		else if (ps->list != NULL)
			json_array_append_new(ps->list, vm_json(lab, names[i], &view));
		else
			vm_row(&ps->table, lab, names[i], &view);
	}
	rundir_names_free(names, n > 0 ? n : 0);
	if (known)
		topo_free(&stored.topo);
}

int cmd_ps(const struct command *command, int argc, char **argv)
{
	static const char *const headings[] = {"LAB",	  "NODE", "VMM", "STATE", ">UPTIME",
					       ">MEMORY", ">PID", "",	 NULL};
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	struct err err = {.text = ""};
	struct ps ps = {.list = NULL};
	struct stored_lab stored;
	char **labs;
	int n;
	int rc;

	while (cli_option(command, argc, argv, "j", options) != -1)
		ps.list = ps.list == NULL ? json_array() : ps.list;
	if (argc - optind > 1)
		return cli_usage(command, "one lab at most");
	if (optind < argc && !stored_exists(argv[optind])) {
		rc = stored_load(argv[optind], &stored, &err);
		return cli_fail(rc, &err);
	}
	n = rundir_labs(&labs, &err);
	if (n < 0)
		return cli_fail(n, &err);
	ps.daemon_is_up = daemon_answers();
	table_init(&ps.table, headings);
	for (int i = 0; i < n; i++) {
		if (optind == argc || strcmp(labs[i], argv[optind]) == 0)
			lab_show(&ps, labs[i], false);
	}
	if (ps.list == NULL && n == 0)
		fputs("no lab is up (`netloom up FILE`)\n", stderr);
	else if (ps.list == NULL)
		table_print(&ps.table, stdout);
	for (int i = 0; i < n && ps.list == NULL; i++) {
		if (optind == argc || strcmp(labs[i], argv[optind]) == 0)
			lab_show(&ps, labs[i], true);
	}
	rundir_names_free(labs, n);
	return ps.list != NULL ? cli_print_json(ps.list) : CLI_OK;
}
