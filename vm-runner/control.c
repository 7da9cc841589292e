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
#include <sys/socket.h>
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
	struct bufferevent *stream; /* what we say */
	struct event *readable; /* what it says: not the stream's, which would lose descriptors */
	struct evbuffer *in;
	int attached; /* descriptor for its next line, or -1 */
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

static void client_attach(struct client *client, int fd)
{
	if (client->attached >= 0)
		close(client->attached);
	client->attached = fd;
}

/* Fine on one that is half made, but for its place in the list. */
static void client_fini(struct client *client)
{
	client_attach(client, -1);
	if (client->readable)
		event_free(client->readable);
	if (client->stream)
		bufferevent_free(client->stream);
	if (client->in)
		evbuffer_free(client->in);
	free(client);
}

static void client_free(struct client *client)
{
	LIST_REMOVE(client, link);
	client->control->n_clients--;
	client_fini(client);
}

char *control_answer(struct control *control, const char *line, size_t bytes)
{
	return control_methods_answer(&control->target, line, bytes);
}

/* Return: false when the client must go. */
static bool client_line(struct client *client, const char *line, size_t bytes)
{
	struct evbuffer *out = bufferevent_get_output(client->stream);
	struct control *control = client->control;
	char *answer;
	bool kept;

	control->target.attached = client->attached;
	client->attached = -1;
	answer = control_answer(control, line, bytes);
	client_attach(client, control->target.attached); /* unused */
	client_attach(client, -1);
	control->target.attached = -1;
	kept = answer && evbuffer_add(out, answer, strlen(answer)) == 0 &&
	       evbuffer_get_length(out) <= UNREAD_BYTES_MAX;
	free(answer);
	return kept;
}

/* Return: bytes that came, 0 at the end, or -errno. A descriptor among them is for the next line. */
static ssize_t client_receive(struct client *client, int fd)
{
	char bytes[4096];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	/* With room for one: the kernel discards others. */
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = CMSG_LEN(sizeof(int))};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	int attached;

	if (n < 0)
		return -errno;
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&attached, CMSG_DATA(cmsg), sizeof(attached));
		client_attach(client, attached);
	}
	return evbuffer_add(client->in, bytes, (size_t)n) ? -ENOMEM : n;
}

static void client_readable(int fd, short what, void *arg)
{
	struct client *client = arg;
	ssize_t n = client_receive(client, fd);
	size_t bytes;
	char *line;
	bool kept = true;

	(void)what;
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		client_free(client);
		return;
	}
	while (kept && (line = evbuffer_readln(client->in, &bytes, EVBUFFER_EOL_LF))) {
		kept = client_line(client, line, bytes);
		free(line);
	}
	if (kept && evbuffer_get_length(client->in) < LINE_BYTES_MAX)
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

/* Takes @fd over. Return: NULL without memory. */
static struct client *client_new(struct control *control, int fd)
{
	struct event_base *events = vm_events(control->target.vm);
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return NULL;
	}
	client->control = control;
	client->attached = -1;
	client->stream = bufferevent_socket_new(events, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->stream)
		close(fd);
	client->in = evbuffer_new();
	if (client->stream)
		client->readable =
			event_new(events, fd, EV_READ | EV_PERSIST, client_readable, client);
	if (!client->in || !client->readable || event_add(client->readable, NULL)) {
		client_fini(client);
		return NULL;
	}
	return client;
}

static void client_accept(int listen_fd, short what, void *arg)
{
	struct control *control = arg;
	struct client *client = NULL;
	int fd = sock_accept(listen_fd);

	(void)what;
	if (fd < 0)
		return;
	if (control->n_clients < CLIENTS_MAX)
		client = client_new(control, fd);
	else
		close(fd);
	if (!client) {
		log_warning("control client refused: there are too many, or there is no memory");
		return;
	}
	control->n_clients++;
	LIST_INSERT_HEAD(&control->clients, client, link);
	bufferevent_setcb(client->stream, NULL, NULL, client_event, client);
	bufferevent_enable(client->stream, EV_WRITE);
}

struct control *control_open(struct vm *vm, struct devices *devices, const char *path,
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
