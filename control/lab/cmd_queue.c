/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom queue`: which of the switch's threads polls a port's queue, by hand. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/rpc.h"

/* Return: -1 if @text is no number that fits. */
static int number_of(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	return text[0] < '0' || text[0] > '9' || *end != '\0' || number > INT_MAX ? -1
										  : (int)number;
}

int cmd_queue(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"queue", required_argument, NULL, 'q'}, {0}};
	json_t *params, *result = NULL;
	struct err err = {.text = ""};
	int key, rc, queue = 0, worker = -1;
	bool pins, releases;

	while ((key = cli_option(command, argc, argv, "q:", options)) != -1) {
		queue = number_of(optarg);
		if (queue < 0)
			return cli_usage(command, "--queue takes a number");
	}
	argv += optind;
	argc -= optind;
	pins = argc == 3 && strcmp(argv[0], "pin") == 0;
	releases = argc == 2 && strcmp(argv[0], "release") == 0;
	if (!pins && !releases)
		return cli_usage(command, "`pin PORT WORKER` or `release PORT`, please");
	if (pins && (worker = number_of(argv[2])) < 0)
		return cli_usage(command, "\"%.40s\" is no number of a worker", argv[2]);
	params = json_pack("{s:s, s:i, s:o}", "port", argv[1], "queue", queue, "worker",
			   pins ? json_integer(worker) : json_null());
	rc = rpc_once("queue.pin", params, &result, &err);
	json_decref(result);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
