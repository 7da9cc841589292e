/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/cli.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/jsonline.h"
#include "topo/value.h"

static void command_help_print(const struct command *command)
{
	printf("netloom %s - %s\n\nUsage: netloom %s %s\n\n%s", command->name, command->summary,
	       command->name, command->arguments, command->help);
}

int cli_option(const struct command *command, int argc, char **argv, const char *short_options,
	       const struct option *long_options)
{
	struct option all[24] = {{"help", no_argument, NULL, 'h'}};
	char short_all[64];
	size_t n = 1;
	int key;

	for (; long_options != NULL && long_options->name != NULL && n < 23; long_options++)
		all[n++] = *long_options;
	snprintf(short_all, sizeof(short_all), "%sh", short_options);
	key = getopt_long(argc, argv, short_all, all, NULL);
	if (key == 'h') {
		command_help_print(command);
		exit(CLI_OK);
	}
	if (key == '?') {
		fprintf(stderr, "Usage: netloom %s %s\n`netloom %s --help` explains it.\n",
			command->name, command->arguments, command->name);
		exit(CLI_USAGE);
	}
	return key;
}

int cli_usage(const struct command *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "netloom %s: ", command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nUsage: netloom %s %s\n`netloom %s --help` explains it.\n", command->name,
		command->arguments, command->name);
	return CLI_USAGE;
}

int cli_fail(int rc, const struct err *err)
{
	if (rc == -EINTR && (err == NULL || err->text[0] == '\0')) {
		fputs("netloom: interrupted\n", stderr);
		return CLI_INTERRUPTED;
	}
	fprintf(stderr, "netloom: %s\n",
		err != NULL && err->text[0] != '\0' ? err->text : strerror(-rc));
	if (rc == -EINTR)
		return CLI_INTERRUPTED;
	return rc == -ENOENT || rc == -ECONNREFUSED ? CLI_ABSENT : CLI_FAILED;
}

int cli_print_json(struct json_t *object)
{
	int rc = json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	putchar('\n');
	json_decref(object);
	return rc < 0 || fflush(stdout) != 0 ? CLI_FAILED : CLI_OK;
}

static void interrupt_note(int signal)
{
	(void)signal;
	jsonline_interrupted = 1;
}

void cli_catch_interrupts(void)
{
	struct sigaction action = {.sa_handler = interrupt_note};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int cli_node_split(const char *text, char lab[TOPO_NAME_MAX + 1], char node[TOPO_NAME_MAX + 1],
		   char ifname[TOPO_IFNAME_MAX + 1], struct err *err)
{
	const char *slash = strchr(text, '/');
	const char *colon = slash != NULL ? strchr(slash, ':') : NULL;
	const char *end = colon != NULL ? colon : text + strlen(text);
	const char *shape = ifname != NULL ? "LAB/NODE:INTERFACE, like campus/h1:eth1"
					   : "LAB/NODE, like campus/h1";

	if (slash == NULL || slash - text > TOPO_NAME_MAX || end - slash - 1 > TOPO_NAME_MAX ||
	    (colon != NULL) != (ifname != NULL))
		return err_set(err, EINVAL, "\"%.80s\" is not %s", text, shape);
	snprintf(lab, TOPO_NAME_MAX + 1, "%.*s", (int)(slash - text), text);
	snprintf(node, TOPO_NAME_MAX + 1, "%.*s", (int)(end - slash - 1), slash + 1);
	if (!value_is_name(lab, TOPO_NAME_MAX) || !value_is_name(node, TOPO_NAME_MAX))
		return err_set(err, EINVAL, "\"%.80s\" is not %s", text, shape);
	if (ifname == NULL)
		return 0;
	if (!value_is_name(colon + 1, TOPO_IFNAME_MAX))
		return err_set(err, EINVAL, "\"%.80s\" is not %s", text, shape);
	snprintf(ifname, TOPO_IFNAME_MAX + 1, "%s", colon + 1);
	return 0;
}
