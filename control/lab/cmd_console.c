/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "lab/cli.h"
#include "lab/jsonline.h"
#include "lab/node.h"
#include "lab/rundir.h"
#include "lab/stored.h"

#define KEY_LEAVE 0x1d /* Ctrl-] */

static struct termios tty_before;
static int tty_is_raw;

static void tty_restore(void)
{
	if (tty_is_raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &tty_before);
	tty_is_raw = 0;
}

static void tty_make_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &tty_before) < 0)
		return; /* no terminal: a script feeds us */
	raw = tty_before;
	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	tty_is_raw = 1;
}

/* To the user's terminal, or whatever reads us. */
static int bytes_show(const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = write(STDOUT_FILENO, bytes, len);

		if (put < 0 && errno == EAGAIN) {
			struct pollfd poller = {.fd = STDOUT_FILENO, .events = POLLOUT};

			poll(&poller, 1, 200);
		} else if (put < 0 && errno != EINTR) {
			return -errno;
		} else if (put > 0) {
			bytes += put;
			len -= (size_t)put;
		}
		if (jsonline_interrupted)
			return -EINTR;
	}
	return 0;
}

/* What was typed and the guest has not taken yet. */
struct typed {
	char bytes[4096];
	size_t len;
};

/* Return: 0, -ECONNRESET when the guest has gone. */
static int typed_send(struct typed *typed, int guest)
{
	ssize_t put = send(guest, typed->bytes, typed->len, MSG_NOSIGNAL);

	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	typed->len -= (size_t)put;
	memmove(typed->bytes, typed->bytes + put, typed->len);
	return 0;
}

/*
 * Reads also while the guest takes nothing: the leave key must work then. What finds no room is dropped, as a
 * serial line would. Return: 0, 1 the user leaves, -EPIPE end of input.
 */
static int typed_read(struct typed *typed)
{
	char buffer[1024];
	ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
	const char *leave;
	size_t len;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (got == 0)
		return -EPIPE;
	leave = memchr(buffer, KEY_LEAVE, (size_t)got);
	len = leave != NULL ? (size_t)(leave - buffer) : (size_t)got;
	if (len > sizeof(typed->bytes) - typed->len)
		len = sizeof(typed->bytes) - typed->len;
	memcpy(typed->bytes + typed->len, buffer, len);
	typed->len += len;
	return leave != NULL;
}

/* Return: why it ended: 0 the user left, -ECONNRESET the VM has gone, -EINTR a signal, -EPIPE end of input. */
static int relay(int guest, bool is_terminal)
{
	struct typed typed = {.len = 0};
	char buffer[4096];

	while (!jsonline_interrupted) {
		/* A script that feeds us waits for the guest; a user's keys are always looked at. */
		bool reads = is_terminal || typed.len == 0;
		struct pollfd pollers[2] = {
			{.fd = reads ? STDIN_FILENO : -1, .events = POLLIN},
			{.fd = guest, .events = (short)(POLLIN | (typed.len > 0 ? POLLOUT : 0))}};
		int rc = 0;

		if (poll(pollers, 2, 1000) < 0 && errno != EINTR)
			return -errno;
		if (jsonline_interrupted)
			break;
		if (pollers[0].revents & (POLLIN | POLLHUP | POLLERR)) {
			rc = typed_read(&typed);
			if (rc != 0) {
				/* What was typed before it still goes out, when the guest takes it. */
				if (typed.len > 0 && typed_send(&typed, guest) < 0)
					return -ECONNRESET;
				return rc < 0 ? rc : 0;
			}
		}
		if (typed.len > 0 && typed_send(&typed, guest) < 0)
			return -ECONNRESET;
		if (pollers[1].revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t got = recv(guest, buffer, sizeof(buffer), 0);

			if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
				return -ECONNRESET;
			if (got > 0 && bytes_show(buffer, (size_t)got) < 0)
				return -EPIPE;
		}
	}
	return -EINTR;
}

int cmd_console(const struct command *command, int argc, char **argv)
{
	char node[TOPO_NAME_MAX + 1];
	char lab[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};
	struct stored_lab stored;
	struct jsonline line;
	int rc;

	while (cli_option(command, argc, argv, "", NULL) != -1)
		;
	if (argc - optind != 1)
		return cli_usage(command, "one node, please");
	if (cli_node_split(argv[optind], lab, node, NULL, &err) < 0)
		return cli_usage(command, "%s", err.text);
	rc = stored_load(lab, &stored, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	if (stored_vm(&stored, node, &err) == NULL)
		rc = -ENOENT;
	else if (!node_is_running(lab, node))
		rc = err_set(&err, ENOENT, "node \"%s/%s\" does not run (`netloom ps`)", lab, node);
	topo_free(&stored.topo);
	if (rc < 0)
		return cli_fail(rc, &err);
	rc = jsonline_open(&line, rundir_node(lab, node, "console.sock").text, "the console", 1,
			   &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	cli_catch_interrupts();
	fprintf(stderr, "console of %s/%s; Ctrl-] leaves it, Enter shows the prompt\n", lab, node);
	/* Whoever reads us may go: that must end in tty_restore(), not in a signal. */
	signal(SIGPIPE, SIG_IGN);
	tty_make_raw();
	rc = relay(line.fd, isatty(STDIN_FILENO));
	tty_restore();
	jsonline_close(&line);
	if (rc == -ECONNRESET) {
		fprintf(stderr, "\nthe VM has closed its console (or somebody else has it)\n");
		return CLI_FAILED;
	}
	if (rc == -EINTR)
		return CLI_INTERRUPTED;
	fputc('\n', stderr);
	return CLI_OK;
}
