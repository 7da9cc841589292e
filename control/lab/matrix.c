/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/matrix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/agent.h"
#include "lab/command.h"
#include "lab/jsonline.h"
#include "lab/term.h"
#include "topo/span.h"

#define PING_COUNT  3
#define PING_WAIT_S 2
#define AGENT_MS    20000
#define SCRIPT_MS   60000
#define ANSWER_MAX  65536
#define FAILURE_MAX 512

static enum reach *expected_at(const struct matrix *m, size_t from, size_t to)
{
	return &m->expected[from * m->n_hosts + to];
}

static enum matrix_found *found_at(const struct matrix *m, size_t from, size_t to)
{
	return &m->found[from * m->n_hosts + to];
}

/* One address per interface that has any: the first. */
static bool address_is_first(const struct topo_node *node, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (strcmp(node->addresses[i].ifname, node->addresses[at].ifname) == 0)
			return false;
	}
	return true;
}

int matrix_new(struct matrix *matrix, const struct topo *topo)
{
	size_t n = 0;

	memset(matrix, 0, sizeof(*matrix));
	matrix->topo = topo;
	for (size_t i = 0; i < topo->n_nodes; i++)
		n += topo->nodes[i].n_addresses;
	matrix->hosts = calloc(n + 1, sizeof(*matrix->hosts));
	matrix->failure = calloc(1, FAILURE_MAX);
	if (matrix->hosts == NULL || matrix->failure == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];

		if (node->kind == TOPO_VM && !node->has_agent)
			continue;
		for (size_t k = 0; k < node->n_addresses; k++) {
			if (!address_is_first(node, k))
				continue;
			matrix->hosts[matrix->n_hosts].node = node;
			matrix->hosts[matrix->n_hosts++].address = &node->addresses[k];
		}
	}
	n = matrix->n_hosts * matrix->n_hosts;
	matrix->expected = calloc(n + 1, sizeof(*matrix->expected));
	matrix->found = calloc(n + 1, sizeof(*matrix->found));
	if (matrix->expected == NULL || matrix->found == NULL)
		return -ENOMEM;
	for (size_t from = 0; from < matrix->n_hosts; from++) {
		for (size_t to = 0; to < matrix->n_hosts; to++)
			*expected_at(matrix, from, to) = reach_addresses(
				topo, matrix->hosts[from].node, matrix->hosts[from].address,
				matrix->hosts[to].node, matrix->hosts[to].address);
	}
	return 0;
}

/* Pairs of one node say nothing about the network; what is on another host is asked there. */
static bool pair_counts(const struct matrix *m, size_t from, size_t to)
{
	return span_node_is_here(m->topo, m->hosts[from].node) &&
	       m->hosts[from].node != m->hosts[to].node &&
	       m->hosts[from].address->family == m->hosts[to].address->family;
}

const char *matrix_script(struct arena *arena, const struct matrix *matrix, size_t from)
{
	const struct topo_address *own = matrix->hosts[from].address;
	const char *text = "";

	for (size_t to = 0; to < matrix->n_hosts; to++) {
		const struct topo_address *address = matrix->hosts[to].address;
		int len = (int)strcspn(address->text, "/");

		if (!pair_counts(matrix, from, to))
			continue;
		text = arena_printf(
			arena,
			"%s(ping -%d -c %d -i 0.3 -W %d -I %s %.*s >/dev/null 2>&1 && echo %zu "
			"yes || echo %zu no) &\n",
			text, own->family == AF_INET ? 4 : 6, PING_COUNT, PING_WAIT_S, own->ifname,
			len, address->text, to, to);
	}
	return arena_printf(arena, "%swait\n", text);
}

void matrix_result_parse(struct matrix *matrix, size_t from, const char *text)
{
	while (text != NULL && *text != '\0') {
		char *end;
		unsigned long to = strtoul(text, &end, 10);

		if (end != text && to < matrix->n_hosts) {
			if (strncmp(end, " yes", 4) == 0)
				*found_at(matrix, from, to) = MATRIX_ANSWERED;
			else if (strncmp(end, " no", 3) == 0)
				*found_at(matrix, from, to) = MATRIX_SILENT;
		}
		text = strchr(text, '\n');
		if (text != NULL)
			text++;
	}
}

static int row_of_guest(const struct matrix *matrix, size_t from, const char *script, int out,
			struct err *err)
{
	struct agent_result result;
	struct agent agent;
	int rc = agent_open(&agent, matrix->topo->name, matrix->hosts[from].node->name, AGENT_MS,
			    err);

	if (rc == 0)
		rc = agent_shell(&agent, script, NULL, SCRIPT_MS, &result, err);
	if (rc == 0 && write(out, result.out, result.out_len) < 0)
		_exit(1);
	return rc;
}

/* A TAP's kernel is ours: the same script, in its network namespace. */
static int row_of_tap(const struct matrix *matrix, size_t from, const char *script, int out,
		      struct err *err)
{
	const struct matrix_host *host = &matrix->hosts[from];
	const struct topo_nic *nic = topo_nic_find(host->node, host->address->ifname);
	const char *netns = topo_nic_netns(matrix->topo, host->node, nic);
	struct command_output output;
	char enter[PATH_MAX];
	const char *const argv[] = {"nsenter", enter, "sh", "-c", script, NULL};
	int rc;

	snprintf(enter, sizeof(enter), "--net=%s%s", netns[0] == '/' ? "" : "/run/netns/", netns);
	rc = command_run(netns[0] == '\0' ? argv + 2 : argv, SCRIPT_MS, &output, err);
	if (rc < 0)
		return rc;
	if (output.status != 0)
		rc = err_set(err, EIO, "%s: %.200s", host->node->name, output.text);
	else if (write(out, output.text, strlen(output.text)) < 0)
		_exit(1);
	command_output_free(&output);
	return rc;
}

/* In a child process: the agents are waited for at the same time. Prints the guest's answer, or `! reason`. */
static void row_child(const struct matrix *matrix, size_t from, int out)
{
	const char *need = "command -v ping >/dev/null || { echo there is no ping; exit 1; }\n";
	bool is_tap = matrix->hosts[from].node->kind == TOPO_TAP;
	struct arena arena = {.head = NULL};
	struct err err = {.text = ""};
	const char *script = arena_printf(&arena, "%s%s", is_tap ? need : "",
					  matrix_script(&arena, matrix, from));
	int rc = is_tap ? row_of_tap(matrix, from, script, out, &err)
			: row_of_guest(matrix, from, script, out, &err);

	if (rc < 0)
		dprintf(out, "! %s\n", err.text);
	_exit(0);
}

static void row_take(struct matrix *matrix, size_t from, int in)
{
	char *text = calloc(1, ANSWER_MAX + 1);
	size_t len = 0;
	ssize_t got;

	while (text != NULL && len < ANSWER_MAX &&
	       (got = read(in, text + len, ANSWER_MAX - len)) != 0) {
		if (got > 0)
			len += (size_t)got;
		else if (errno != EINTR || jsonline_interrupted)
			break;
	}
	if (text != NULL && text[0] == '!') {
		text[strcspn(text, "\n")] = '\0';
		if (matrix->failure[0] == '\0')
			snprintf(matrix->failure, FAILURE_MAX, "%s", text + 2);
	} else {
		matrix_result_parse(matrix, from, text);
	}
	free(text);
}

int matrix_measure(struct matrix *matrix, struct err *err)
{
	pid_t *children = calloc(matrix->n_hosts + 1, sizeof(*children));
	int *pipes = calloc(matrix->n_hosts + 1, sizeof(*pipes));
	int rc = 0;

	if (children == NULL || pipes == NULL) {
		free(children);
		free(pipes);
		return err_set(err, ENOMEM, "out of memory");
	}
	fflush(NULL);
	for (size_t i = 0; i < matrix->n_hosts; i++) {
		int ends[2];

		pipes[i] = -1;
		if (!span_node_is_here(matrix->topo, matrix->hosts[i].node))
			continue;
		if (pipe(ends) < 0) {
			rc = err_set(err, errno, "pipe: %m");
			break;
		}
		children[i] = fork();
		if (children[i] == 0)
			row_child(matrix, i, ends[1]);
		close(ends[1]);
		pipes[i] = ends[0];
		if (children[i] < 0)
			rc = err_set(err, errno, "fork: %m");
	}
	for (size_t i = 0; i < matrix->n_hosts; i++) {
		if (children[i] <= 0)
			continue;
		row_take(matrix, i, pipes[i]);
		close(pipes[i]);
		waitpid(children[i], NULL, 0);
	}
	free(children);
	free(pipes);
	return jsonline_interrupted ? -EINTR : rc;
}

static bool pair_is_right(const struct matrix *m, size_t from, size_t to)
{
	enum matrix_found found = *found_at(m, from, to);

	if (!pair_counts(m, from, to))
		return true;
	switch (*expected_at(m, from, to)) {
	case REACH_YES:
		return found == MATRIX_ANSWERED;
	case REACH_NO:
		return found == MATRIX_SILENT;
	default:
		return found != MATRIX_UNMEASURED;
	}
}

size_t matrix_n_wrong(const struct matrix *matrix)
{
	size_t n = 0;

	for (size_t from = 0; from < matrix->n_hosts; from++) {
		for (size_t to = 0; to < matrix->n_hosts; to++)
			n += !pair_is_right(matrix, from, to);
	}
	return n;
}

static const char *const found_words[] = {
	[MATRIX_UNMEASURED] = "?", [MATRIX_ANSWERED] = "yes", [MATRIX_SILENT] = "no"};
static const char *const reach_words[] = {
	[REACH_NO] = "no", [REACH_YES] = "yes", [REACH_UNKNOWN] = "?"};

static const char *host_name(const struct matrix *m, size_t i, char *text, size_t size)
{
	const struct matrix_host *host = &m->hosts[i];
	bool alone = true;

	for (size_t k = 0; k < m->n_hosts; k++)
		alone &= k == i || m->hosts[k].node != host->node;
	if (alone)
		snprintf(text, size, "%s", host->node->name);
	else
		snprintf(text, size, "%s:%s", host->node->name, host->address->ifname);
	return text;
}

void matrix_print(const struct matrix *matrix)
{
	const char **headings = calloc(matrix->n_hosts + 2, sizeof(*headings));
	struct arena arena = {.head = NULL};
	struct table table;
	char name[64];

	if (headings == NULL)
		return;
	headings[0] = "from \\ to";
	for (size_t i = 0; i < matrix->n_hosts; i++)
		headings[i + 1] =
			arena_printf(&arena, "%s", host_name(matrix, i, name, sizeof(name)));
	table_init(&table, headings);
	for (size_t from = 0; from < matrix->n_hosts; from++) {
		if (!span_node_is_here(matrix->topo, matrix->hosts[from].node))
			continue;
		table_add_colour(&table, TERM_BOLD, "%s",
				 host_name(matrix, from, name, sizeof(name)));
		for (size_t to = 0; to < matrix->n_hosts; to++) {
			const char *expected = reach_words[*expected_at(matrix, from, to)];
			const char *found = found_words[*found_at(matrix, from, to)];

			if (!pair_counts(matrix, from, to))
				table_add(&table, ".");
			else if (pair_is_right(matrix, from, to))
				table_add_colour(&table,
						 strcmp(found, "yes") == 0 ? TERM_GOOD : TERM_DIM,
						 "%s", found);
			else
				table_add_colour(&table, TERM_BAD, "%s, not %s!", found, expected);
		}
	}
	table_print(&table, stdout);
	free(headings);
	arena_free(&arena);
}

json_t *matrix_json(const struct matrix *matrix)
{
	json_t *pairs = json_array();

	for (size_t from = 0; from < matrix->n_hosts; from++) {
		for (size_t to = 0; to < matrix->n_hosts; to++) {
			char a[64];
			char b[64];

			if (!pair_counts(matrix, from, to))
				continue;
			json_array_append_new(
				pairs, json_pack("{s:s, s:s, s:s, s:s, s:b}", "from",
						 host_name(matrix, from, a, sizeof(a)), "to",
						 host_name(matrix, to, b, sizeof(b)), "expected",
						 reach_words[*expected_at(matrix, from, to)],
						 "found", found_words[*found_at(matrix, from, to)],
						 "right", pair_is_right(matrix, from, to)));
		}
	}
	return json_pack("{s:s, s:i, s:o}", "lab", matrix->topo->name, "wrong",
			 (int)matrix_n_wrong(matrix), "pairs", pairs);
}

void matrix_free(struct matrix *matrix)
{
	free(matrix->hosts);
	free(matrix->expected);
	free(matrix->found);
	free(matrix->failure);
	memset(matrix, 0, sizeof(*matrix));
}
