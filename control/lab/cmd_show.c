/* SPDX-License-Identifier: BSD-3-Clause */
/* What netloomd says of itself, as tables. The tables themselves are in show.c. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/cli.h"
#include "lab/jsonline.h"
#include "lab/rpc.h"
#include "lab/show.h"
#include "lab/stored.h"
#include "topo/suggest.h"

#define WATCH_MS 1000

static const struct show_subject subjects[] = {
	{"ports", show_ports_fetch, show_ports_print},
	{"fdb", show_fdb_fetch, show_fdb_print},
	{"switches", show_switches_fetch, show_switches_print},
	{"links", show_links_fetch, show_links_print},
	{"drops", show_drops_fetch, show_drops_print},
	{"uplinks", show_uplinks_fetch, show_uplinks_print},
	{"vteps", show_vteps_fetch, show_vteps_print},
	{"vnis", show_vnis_fetch, show_vnis_print},
	{"mirrors", show_mirrors_fetch, show_mirrors_print},
	{"sflows", show_sflows_fetch, show_sflows_print},
	{"cycles", show_cycles_fetch, show_cycles_print},
	{"workers", show_workers_fetch, show_workers_print},
	{"neighbours", show_neighbours_fetch, show_neighbours_print},
};
#define N_SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static int show_once(struct rpc *rpc, const struct show_subject *subject, const char *lab,
		     bool json, struct err *err)
{
	json_t *list = NULL;
	int rc = subject->fetch(rpc, lab, &list, err);

	if (rc < 0)
		return rc;
	if (json)
		return cli_print_json(list);
	subject->print(list, lab);
	json_decref(list);
	return 0;
}

static int show_run(const struct show_subject *subject, const char *lab, bool json, bool watch)
{
	struct err err = {.text = ""};
	struct rpc rpc;
	int rc = rpc_open(&rpc, &err);

	if (rc < 0)
		return cli_fail(rc, &err);
	if (watch)
		cli_catch_interrupts();
	do {
		if (watch && isatty(STDOUT_FILENO))
			fputs("\033[H\033[J", stdout);
		rc = show_once(&rpc, subject, lab, json, &err);
		fflush(stdout);
		if (watch && !isatty(STDOUT_FILENO))
			putchar('\n');
		if (watch)
			poll(NULL, 0, WATCH_MS);
	} while (rc == 0 && watch && !jsonline_interrupted && !ferror(stdout));
	rpc_close(&rpc);
	if (watch && jsonline_interrupted)
		return CLI_OK;
	return rc < 0 ? cli_fail(rc, &err) : rc;
}

static const struct show_subject *subject_find(const char *name)
{
	for (size_t i = 0; i < N_SUBJECTS; i++) {
		if (strcmp(subjects[i].name, name) == 0)
			return &subjects[i];
	}
	return NULL;
}

int cmd_show(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, {"watch", no_argument, NULL, 'w'}, {0}};
	const struct show_subject *subject;
	struct err err = {.text = ""};
	struct stored_lab stored;
	const char *lab = NULL;
	bool watch = false;
	bool json = false;
	int key;

	while ((key = cli_option(command, argc, argv, "jw", options)) != -1) {
		json |= key == 'j';
		watch |= key == 'w';
	}
	if (optind == argc || argc - optind > 2)
		return cli_usage(command, "what is to be shown?");
	subject = subject_find(argv[optind]);
	if (subject == NULL) {
		const char *names[N_SUBJECTS];
		const char *meant;

		for (size_t i = 0; i < N_SUBJECTS; i++)
			names[i] = subjects[i].name;
		meant = suggest_word(argv[optind], names, N_SUBJECTS);
		return cli_usage(command, "\"%.40s\" cannot be shown%s%s%s", argv[optind],
				 meant != NULL ? "; did you mean \"" : "",
				 meant != NULL ? meant : "", meant != NULL ? "\"?" : "");
	}
	if (optind + 1 < argc) {
		int rc;

		lab = argv[optind + 1];
		rc = stored_load(lab, &stored, &err);
		if (rc < 0)
			return cli_fail(rc, &err);
		topo_free(&stored.topo);
	}
	return show_run(subject, lab, json, watch);
}
