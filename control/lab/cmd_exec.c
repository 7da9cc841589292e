/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/agent.h"
#include "lab/cli.h"
#include "lab/node.h"
#include "lab/stored.h"

#define AGENT_TIMEOUT_MS 15000

/* Standard input to its end. */
static char *input_read(size_t *len, struct err *err)
{
	char *text = malloc(AGENT_INPUT_MAX + 1);

	*len = 0;
	while (text != NULL && *len <= AGENT_INPUT_MAX) {
		ssize_t got = read(STDIN_FILENO, text + *len, AGENT_INPUT_MAX + 1 - *len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return text;
		*len += (size_t)got;
	}
	free(text);
	err_set(err, EFBIG, "standard input is larger than %u MiB; copy it in parts",
		AGENT_INPUT_MAX >> 20);
	return NULL;
}

static int exec_failed(const struct err *err)
{
	fprintf(stderr, "netloom: %s\n", err->text);
	return CLI_EXEC_FAILED;
}

static int exec_in(const char *lab, const char *node, const char *const *argv, bool with_input,
		   int timeout_ms)
{
	struct topo_pairs env = {.n = 0};
	struct err err = {.text = ""};
	const struct topo_node *model;
	struct agent_result result;
	struct stored_lab stored;
	struct agent agent;
	char *input = NULL;
	size_t len = 0;
	int rc;

	rc = stored_load(lab, &stored, &err);
	if (rc < 0)
		return exec_failed(&err);
	model = stored_vm(&stored, node, &err);
	if (model != NULL && !node_is_running(lab, node))
		err_set(&err, ENOENT,
			"node \"%s/%s\" does not run (`netloom ps`, `netloom start %s/%s`)", lab,
			node, lab, node);
	else if (model != NULL)
		env = model->env;
	if (err.text[0] == '\0' && with_input)
		input = input_read(&len, &err);
	rc = err.text[0] != '\0' ? -1 : agent_open(&agent, lab, node, AGENT_TIMEOUT_MS, &err);
	if (rc == 0) {
		rc = agent_exec(&agent, argv, &env, input, len, timeout_ms, &result, &err);
		agent_close(&agent);
	}
	free(input);
	topo_free(&stored.topo);
	if (rc == -EINTR && err.text[0] == '\0')
		err_set(&err, EINTR, "interrupted");
	if (rc < 0)
		return exec_failed(&err);
	fwrite(result.out, 1, result.out_len, stdout);
	fflush(stdout);
	fwrite(result.errors, 1, result.errors_len, stderr);
	if (result.is_truncated)
		fputs("netloom: the output is cut: the agent keeps 16 MiB\n", stderr);
	rc = result.status;
	agent_result_free(&result);
	return rc;
}

int cmd_exec(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{"timeout", required_argument, NULL, 't'}, {"stdin", no_argument, NULL, 'i'}, {0}};
	char node[TOPO_NAME_MAX + 1];
	char lab[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};
	unsigned long timeout_s = 0;
	bool with_input = false;
	char *end;
	int first;
	int key;

	while ((key = cli_option(command, argc, argv, "+it:", options)) != -1) {
		if (key == 'i') {
			with_input = true;
			continue;
		}
		timeout_s = strtoul(optarg, &end, 10);
		if (*end != '\0' || timeout_s == 0 || timeout_s > 1000000)
			return cli_usage(command, "--timeout: \"%s\" is no number of seconds",
					 optarg);
	}
	if (optind == argc)
		return cli_usage(command, "which node?");
	if (cli_node_split(argv[optind], lab, node, NULL, &err) < 0)
		return cli_usage(command, "%s", err.text);
	first = optind + 1;
	if (first < argc && strcmp(argv[first], "--") == 0)
		first++;
	if (first >= argc)
		return cli_usage(command, "which command? netloom exec %s/%s -- ip address", lab,
				 node);
	cli_catch_interrupts();
	return exec_in(lab, node, (const char *const *)argv + first, with_input,
		       (int)timeout_s * 1000);
}
