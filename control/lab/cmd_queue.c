/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom queue`: which of the switch's threads polls a port's queue, or sends on what waits in its bad link, by hand. */
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
	static const struct option options[] = {{"queue", required_argument, NULL, 'q'},
						{"impaired", required_argument, NULL, 'i'},
						{0}};
	json_t *params, *result = NULL;
	struct err err = {.text = ""};
	int key, rc, queue = -1, worker = -1;
	const char *impaired = NULL;
	bool pins, releases;

	while ((key = cli_option(command, argc, argv, "q:i:", options)) != -1) {
		if (key == 'i')
			impaired = optarg;
		else if ((queue = number_of(optarg)) < 0)
			return cli_usage(command, "--queue takes a number");
	}
	if (impaired != NULL && queue >= 0)
		return cli_usage(command, "--queue or --impaired, not both");
	argv += optind;
	argc -= optind;
	pins = argc == 3 && strcmp(argv[0], "pin") == 0;
	releases = argc == 2 && strcmp(argv[0], "release") == 0;
	if (!pins && !releases)
		return cli_usage(command, "`pin PORT WORKER` or `release PORT`, please");
	if (pins && (worker = number_of(argv[2])) < 0)
		return cli_usage(command, "\"%.40s\" is no number of a worker", argv[2]);
	params = json_pack("{s:s, s:o}", "port", argv[1], "worker",
			   pins ? json_integer(worker) : json_null());
	if (impaired != NULL)
		json_object_set_new(params, "impaired", json_string(impaired));
	else
		json_object_set_new(params, "queue", json_integer(queue < 0 ? 0 : queue));
	rc = rpc_once("queue.pin", params, &result, &err);
	json_decref(result);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
