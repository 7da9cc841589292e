/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's console in the browser: what it prints is a stream, what is typed comes in requests of its own. Each guest has one
 * console, so a second browser is told so. A browser that does not read does not stop the guest: what is more than
 * WAITING_MAX is thrown away, as a serial line would.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/base64.h"
#include "lab/cli.h"
#include "lab/jsonline.h"
#include "lab/node.h"
#include "lab/rundir.h"
#include "web/page_parts.h"

#define WAITING_MAX  (1u << 20)
#define CONSOLES_MAX 16
#define HEARTBEAT_S  2 /* finds out that the browser has gone */

struct console {
	char name[2 * TOPO_NAME_MAX + 2];
	struct jsonline line; /* of which only the socket is used */
	struct event *readable, *heartbeat;
	struct http_stream *stream;
	LIST_ENTRY(console) next;
};

static LIST_HEAD(, console) consoles = LIST_HEAD_INITIALIZER(consoles);
static unsigned int n_consoles;

static struct console *console_find(const char *name)
{
	struct console *console;

	LIST_FOREACH (console, &consoles, next) {
		if (strcmp(console->name, name) == 0)
			return console;
	}
	return NULL;
}

static void console_free(struct console *console)
{
	LIST_REMOVE(console, next);
	n_consoles--;
	if (console->readable != NULL)
		event_free(console->readable);
	if (console->heartbeat != NULL)
		event_free(console->heartbeat);
	jsonline_close(&console->line);
	free(console);
}

static void stream_closed(void *arg)
{
	struct console *console = arg;

	console->stream = NULL;
	console_free(console);
}

static void guest_says(evutil_socket_t fd, short what, void *arg)
{
	static const char head[] = "{\"data\":\"", tail[] = "\"}\n";
	struct console *console = arg;
	char buffer[4096];
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
	char *text;

	(void)what;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		event_del(console->readable);
		event_del(console->heartbeat);
		http_stream_end(console->stream);
		return;
	}
	if (http_stream_waiting(console->stream) > WAITING_MAX)
		return;
	text = base64_encode(buffer, (size_t)got);
	if (text == NULL)
		return;
	http_stream_write(console->stream, head, strlen(head));
	http_stream_write(console->stream, text, strlen(text));
	http_stream_write(console->stream, tail, strlen(tail));
	free(text);
}

static void heart_beats(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval period = {.tv_sec = HEARTBEAT_S};
	struct console *console = arg;

	(void)fd;
	(void)what;
	if (http_stream_waiting(console->stream) < WAITING_MAX)
		http_stream_write(console->stream, "\n", 1);
	event_add(console->heartbeat, &period);
}

static int console_connect(struct console *console, const char *lab, const char *node,
			   struct err *err)
{
	if (!node_is_running(lab, node))
		return err_set(err, ENOENT, "%s does not run; start it first", console->name);
	return jsonline_open(&console->line, rundir_node(lab, node, "console.sock").text,
			     "the console", 1, err);
}

void console_open(struct event_base *base, struct http_request *request)
{
	const char *name = http_query(request, "node");
	char lab[TOPO_NAME_MAX + 1], node[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};
	struct console *console;

	if (name == NULL || cli_node_split(name, lab, node, NULL, &err) < 0) {
		page_reply_error(request, 400, "node must be LAB/NODE");
		return;
	}
	if (console_find(name) != NULL || n_consoles >= CONSOLES_MAX) {
		page_reply_error(request, 409, "%s",
				 n_consoles >= CONSOLES_MAX
					 ? "too many consoles are open; close one"
					 : "another window has this console; close it there");
		return;
	}
	console = calloc(1, sizeof(*console));
	if (console == NULL) {
		page_reply_error(request, 503, "out of memory");
		return;
	}
	LIST_INSERT_HEAD(&consoles, console, next);
	n_consoles++;
	console->line.fd = -1;
	snprintf(console->name, sizeof(console->name), "%s/%s", lab, node);
	if (console_connect(console, lab, node, &err) < 0) {
		page_reply_error(request, 409, "%s", err.text);
		console_free(console);
		return;
	}
	console->readable =
		event_new(base, console->line.fd, EV_READ | EV_PERSIST, guest_says, console);
	console->heartbeat = event_new(base, -1, 0, heart_beats, console);
	if (console->readable != NULL && console->heartbeat != NULL)
		console->stream =
			http_reply_stream(request, "application/x-ndjson", stream_closed, console);
	if (console->stream == NULL || event_add(console->readable, NULL) != 0) {
		page_reply_error(request, 503, "out of memory");
		if (console->stream == NULL)
			console_free(console);
		return;
	}
	heart_beats(-1, 0, console);
}

void console_type(struct http_request *request)
{
	const char *name = http_query(request, "node");
	struct console *console = name != NULL ? console_find(name) : NULL;
	const char *bytes;
	size_t len;
	ssize_t put;

	if (console == NULL) {
		page_reply_error(request, 409, "this console is not open");
		return;
	}
	bytes = http_body(request, &len);
	put = len > 0 ? send(console->line.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	if (put < 0 && errno != EAGAIN && errno != EINTR)
		page_reply_error(request, 409, "the guest has closed its console");
	else
		page_reply_json(request, 200,
				json_pack("{s:I}", "taken", (json_int_t)(put > 0 ? put : 0)));
}

void console_close_all(void)
{
	while (!LIST_EMPTY(&consoles))
		console_free(LIST_FIRST(&consoles));
}
