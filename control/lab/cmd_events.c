/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab/cli.h"
#include "lab/event_source.h"
#include "lab/jsonline.h"
#include "lab/stored.h"

int cmd_events(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"count", required_argument, NULL, 'n'}, {0}};
	unsigned long left = 0; /* 0: without end */
	struct event_source source;
	struct err err = {.text = ""};
	struct stored_lab stored;
	const char *lab = NULL;
	json_t *event;
	char *end;
	int rc;

	while (cli_option(command, argc, argv, "n:", options) != -1) {
		left = strtoul(optarg, &end, 10);
		if (optarg[0] < '0' || optarg[0] > '9' || *end != '\0' || left == 0)
			return cli_usage(command, "--count: \"%s\" is no number of events", optarg);
	}
	if (argc - optind > 1)
		return cli_usage(command, "one lab at most");
	if (optind < argc) {
		lab = argv[optind];
		rc = stored_load(lab, &stored, &err);
		if (rc < 0)
			return cli_fail(rc, &err);
		topo_free(&stored.topo);
	}
	cli_catch_interrupts();
	rc = event_source_open(&source, lab, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	while (rc == 0) {
		rc = event_source_next(&source, 1000, &event);
		if (event == NULL)
			continue;
		if (json_dumpf(event, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF ||
		    fflush(stdout) != 0)
			rc = -EPIPE;
		json_decref(event);
		if (left > 0 && --left == 0)
			break;
	}
	event_source_close(&source);
	return rc == 0 || rc == -EINTR ? CLI_OK : CLI_FAILED;
}
