/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: connections. What the methods do is in control_methods.c.
 *
 * A client may be anything. Its line is bounded, its answers wait in a bounded buffer, and the number of
 * clients is bounded; who exceeds a bound is disconnected.
 */
#include "control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/log.h"
#include "control_methods.h"
#include "machine.h"
#include "sock.h"

#define CLIENTS_MAX	 32
#define LINE_BYTES_MAX	 65536
#define UNREAD_BYTES_MAX (1024 * 1024)

struct client {
	struct control *control;
	struct bufferevent *stream;
	LIST_ENTRY(client) link;
};

struct control {
	struct control_target target;
	const char *path;
	int fd;
	struct event *accept_event;
	unsigned int n_clients;
	LIST_HEAD(client_list, client) clients;
};

static void client_free(struct client *client)
{
	LIST_REMOVE(client, link);
	client->control->n_clients--;
	bufferevent_free(client->stream);
	free(client);
}

char *control_answer(struct control *control, const char *line, size_t bytes)
{
	return control_methods_answer(&control->target, line, bytes);
}

/* Return: false when the client must go. */
static bool client_line(struct client *client, const char *line, size_t bytes)
{
	struct evbuffer *out = bufferevent_get_output(client->stream);
	char *answer = control_answer(client->control, line, bytes);
	bool kept;

	kept = answer && evbuffer_add(out, answer, strlen(answer)) == 0 &&
	       evbuffer_get_length(out) <= UNREAD_BYTES_MAX;
	free(answer);
	return kept;
}

static void client_readable(struct bufferevent *stream, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(stream);
	struct client *client = arg;
	size_t bytes;
	char *line;
	bool kept = true;

	while (kept && (line = evbuffer_readln(in, &bytes, EVBUFFER_EOL_LF))) {
		kept = client_line(client, line, bytes);
		free(line);
	}
	if (kept && evbuffer_get_length(in) < LINE_BYTES_MAX)
		return;
	log_warning("control client disconnected: %s",
		    kept ? "its line is too long" : "it does not read its answers");
	client_free(client);
}

static void client_event(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_free(arg);
}

static void client_accept(int listen_fd, short what, void *arg)
{
	struct control *control = arg;
	struct client *client;
	int fd = sock_accept(listen_fd);

	(void)what;
	if (fd < 0)
		return;
	client = control->n_clients < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	if (client)
		client->stream = bufferevent_socket_new(vm_events(control->target.vm), fd,
							BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->stream) {
		log_warning("control client refused: there are too many");
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	control->n_clients++;
	LIST_INSERT_HEAD(&control->clients, client, link);
	bufferevent_setcb(client->stream, client_readable, NULL, client_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, LINE_BYTES_MAX);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

struct control *control_open(struct vm *vm, const struct devices *devices, const char *path,
			     struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		err_set(err, ENOMEM, "no memory for the control socket");
		return NULL;
	}
	control_methods_init(&control->target, vm, devices);
	LIST_INIT(&control->clients);
	control->path = path;
	control->fd = sock_listen(path, err);
	if (control->fd < 0) {
		free(control);
		return NULL;
	}
	control->accept_event =
		event_new(vm_events(vm), control->fd, EV_READ | EV_PERSIST, client_accept, control);
	if (!control->accept_event || event_add(control->accept_event, NULL) < 0) {
		err_set(err, ENOMEM, "no memory for the control socket");
		control_free(control);
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	while (!LIST_EMPTY(&control->clients))
		client_free(LIST_FIRST(&control->clients));
	if (control->accept_event)
		event_free(control->accept_event);
	sock_unlisten(control->fd, control->path);
	free(control);
}
