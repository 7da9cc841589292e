/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
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

static int bytes_put(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, bytes, len);

		if (put < 0 && errno == EAGAIN) {
			struct pollfd poller = {.fd = fd, .events = POLLOUT};

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

/* Return: why it ended: 0 the user left, -ECONNRESET the VM has gone, -EINTR a signal, -EPIPE end of input. */
static int relay(int guest)
{
	struct pollfd pollers[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				    {.fd = guest, .events = POLLIN}};
	char buffer[4096];

	while (!jsonline_interrupted) {
		ssize_t got;

		if (poll(pollers, 2, 1000) < 0 && errno != EINTR)
			return -errno;
		if (pollers[1].revents & (POLLIN | POLLHUP | POLLERR)) {
			got = recv(guest, buffer, sizeof(buffer), 0);
			if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
				return -ECONNRESET;
			if (got > 0 && bytes_put(STDOUT_FILENO, buffer, (size_t)got) < 0)
				return -EPIPE;
		}
		if (pollers[0].revents & (POLLIN | POLLHUP)) {
			const char *leave;

			got = read(STDIN_FILENO, buffer, sizeof(buffer));
			if (got == 0)
				return -EPIPE;
			if (got < 0)
				continue;
			leave = memchr(buffer, KEY_LEAVE, (size_t)got);
			if (bytes_put(guest, buffer,
				      leave != NULL ? (size_t)(leave - buffer) : (size_t)got) < 0)
				return -ECONNRESET;
			if (leave != NULL)
				return 0;
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
	topo_free(&stored.topo);
	if (!node_is_running(lab, node)) {
		err_set(&err, ENOENT, "node \"%s/%s\" does not run (`netloom ps`)", lab, node);
		return cli_fail(-ENOENT, &err);
	}
	rc = jsonline_open(&line, rundir_node(lab, node, "console.sock").text, "the console", 1,
			   &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	cli_catch_interrupts();
	fprintf(stderr, "console of %s/%s; Ctrl-] leaves it, Enter shows the prompt\n", lab, node);
	tty_make_raw();
	rc = relay(line.fd);
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
