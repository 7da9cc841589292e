/* SPDX-License-Identifier: BSD-3-Clause */
#include "rpc/server.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/unix_socket.h"
#include "control.h"
#include "rpc/request.h"

#define LINES_PER_TURN 64 /* then the loop sees to others */

struct rpc_client {
	struct rpc_server *server;
	struct bufferevent *bev;
	struct event *reaper; /* frees the client from the loop, never from inside a request */
	size_t scanned;	      /* bytes of the input known to hold no newline */
	size_t counted;	      /* bytes of the input that are in server->input_bytes */
	bool subscribed;
	bool doomed;			 /* close without further ado */
	bool closing;			 /* close when the output is written */
	bool end_daemon;		 /* ... and end, whatever becomes of the client */
	bool paused;			 /* until it has read its answers */
	bool eof;			 /* it sends no more; what it sent is still answered */
	const struct rpc_stream *stream; /* NULL: requests and answers */
	void *stream_arg;
	struct event *stream_timer;
	LIST_ENTRY(rpc_client) next;
};

struct rpc_server {
	struct control *control;
	struct evconnlistener *listener;
	struct event *retry; /* accept again after the process ran out of descriptors */
	size_t n_clients;
	size_t input_bytes;
	LIST_HEAD(rpc_client_list, rpc_client) clients;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static size_t output_bytes(const struct rpc_client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->bev));
}

static void client_free(struct rpc_client *client)
{
	client->server->input_bytes -= client->counted;
	client->server->n_clients--;
	LIST_REMOVE(client, next);
	if (client->stream != NULL)
		client->stream->free(client->stream_arg);
	if (client->stream_timer != NULL)
		event_free(client->stream_timer);
	if (client->reaper != NULL)
		event_free(client->reaper);
	bufferevent_free(client->bev);
	free(client);
}

static void client_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_free(arg);
}

static void client_doom(struct rpc_client *client, const char *why)
{
	if (client->doomed)
		return;
	client->doomed = true;
	if (why != NULL)
		log_warning("rpc: a client was dropped: %s", why);
	if (client->end_daemon)
		event_base_loopbreak(client->server->control->base);
	bufferevent_disable(client->bev, EV_READ | EV_WRITE);
	event_active(client->reaper, EV_TIMEOUT, 0);
}

static void client_close(struct rpc_client *client)
{
	client->closing = true;
	bufferevent_disable(client->bev, EV_READ);
	if (output_bytes(client) == 0)
		client_doom(client, NULL);
}

static const struct timeval stall = {.tv_sec = RPC_OUTPUT_STALL_S};

static void stream_pull(struct rpc_client *client)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);
	size_t waiting = evbuffer_get_length(output);

	if (client->doomed || client->closing || waiting > RPC_STREAM_OUTPUT_MAX / 2)
		return;
	if (client->stream->pull(client->stream_arg, output, RPC_STREAM_OUTPUT_MAX - waiting))
		return;
	/* The end must be read in time, or the place is given to others. */
	bufferevent_set_timeouts(client->bev, NULL, &stall);
	client_close(client);
}

static void stream_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stream_pull(arg);
}

int rpc_client_stream(struct rpc_client *client, const struct rpc_stream *stream, void *arg)
{
	static const struct timeval period = {.tv_usec = RPC_STREAM_PERIOD_MS * 1000};

	client->stream_timer =
		event_new(client->server->control->base, -1, EV_PERSIST, stream_tick, client);
	if (client->stream_timer == NULL || event_add(client->stream_timer, &period) != 0)
		return -ENOMEM;
	client->stream = stream;
	client->stream_arg = arg;
	bufferevent_set_timeouts(client->bev, NULL, NULL);
	if (client->eof) /* it has said so already */
		stream->end(arg);
	return 0;
}

static void client_count(struct rpc_client *client)
{
	struct rpc_server *server = client->server;

	server->input_bytes -= client->counted;
	client->counted = evbuffer_get_length(bufferevent_get_input(client->bev));
	server->input_bytes += client->counted;
}

/* The next whole line. Return: its length without the newline, or -1; *@skip is what to drain after it. */
static ssize_t line_find(struct rpc_client *client, struct evbuffer *input, size_t *skip)
{
	struct evbuffer_ptr from, at;
	size_t length = evbuffer_get_length(input);

	if (length == 0 || client->scanned >= length ||
	    evbuffer_ptr_set(input, &from, client->scanned, EVBUFFER_PTR_SET) != 0)
		return -1;
	at = evbuffer_search(input, "\n", 1, &from);
	if (at.pos < 0) {
		client->scanned = length;
		return -1;
	}
	*skip = (size_t)at.pos + 1;
	return at.pos;
}

static void client_work(struct rpc_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);
	struct evbuffer *output = bufferevent_get_output(client->bev);
	ssize_t length = -1;
	size_t skip;
	int turn;

	for (turn = 0; turn < LINES_PER_TURN && !client->doomed && !client->closing; turn++) {
		if (client->stream != NULL) {
			evbuffer_drain(input, evbuffer_get_length(input));
			client->scanned = 0;
			break;
		}
		if (output_bytes(client) > RPC_OUTPUT_PAUSE) {
			client->paused = true;
			bufferevent_disable(client->bev, EV_READ);
			break;
		}
		length = line_find(client, input, &skip);
		if (length < 0 || length > (ssize_t)RPC_LINE_MAX)
			break;
		if (length > 0)
			rpc_request_line(client->server->control, client,
					 (const char *)evbuffer_pullup(input, length),
					 (size_t)length, output);
		evbuffer_drain(input, skip);
		client->scanned = 0;
	}
	client_count(client);
	if (client->doomed)
		return;
	if (client->end_daemon) {
		client_close(client);
	} else if (length > (ssize_t)RPC_LINE_MAX ||
		   (length < 0 && client->scanned > RPC_LINE_MAX)) {
		log_warning("rpc: a client sent a line of more than %u bytes", RPC_LINE_MAX);
		rpc_request_refuse(output, -32600, "a request may have 16 MiB at most");
		client_close(client);
		evbuffer_drain(input, evbuffer_get_length(input));
		client_count(client);
	} else if (client->server->input_bytes > RPC_INPUT_TOTAL_MAX) {
		client_doom(client, "too many unfinished requests are in memory");
	} else if (client->eof && length < 0 && !client->paused) {
		client_close(client);
	} else if (turn == LINES_PER_TURN) {
		bufferevent_trigger(client->bev, EV_READ,
				    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	}
}

static void client_readable(struct bufferevent *bev, void *arg)
{
	struct rpc_client *client = arg;

	(void)bev;
	if (!client->doomed && !client->paused)
		client_work(client);
}

static void client_written(struct bufferevent *bev, void *arg)
{
	struct rpc_client *client = arg;

	if (client->doomed)
		return;
	if (client->closing) {
		client_doom(client, NULL);
	} else if (client->stream != NULL) {
		stream_pull(client);
	} else if (client->paused) {
		client->paused = false;
		if (!client->eof)
			bufferevent_enable(bev, EV_READ);
		client_work(client);
	}
}

static void client_event(struct bufferevent *bev, short what, void *arg)
{
	struct rpc_client *client = arg;

	(void)bev;
	if (client->doomed)
		return;
	if ((what & BEV_EVENT_TIMEOUT) != 0) {
		client_doom(client, "it does not read its answers");
	} else if ((what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_READING) != 0) {
		client->eof = true; /* perhaps only of its sending side */
		if (client->stream != NULL) {
			client->stream->end(client->stream_arg);
			return;
		}
		if (!client->paused && !client->closing)
			client_work(client);
	} else {
		client_doom(client, NULL);
	}
}

static struct rpc_client *client_new(struct rpc_server *server, evutil_socket_t fd)
{
	struct rpc_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->server = server;
	client->reaper = event_new(server->control->base, -1, 0, client_reap, client);
	client->bev = bufferevent_socket_new(server->control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->reaper == NULL || client->bev == NULL) {
		if (client->reaper != NULL)
			event_free(client->reaper);
		if (client->bev != NULL)
			bufferevent_free(client->bev);
		free(client);
		return NULL;
	}
	LIST_INSERT_HEAD(&server->clients, client, next);
	server->n_clients++;
	bufferevent_setcb(client->bev, client_readable, client_written, client_event, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, RPC_LINE_MAX + 2);
	bufferevent_set_timeouts(client->bev, NULL, &stall);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	return client;
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		     int len, void *arg)
{
	struct rpc_server *server = arg;
	struct rpc_client *client;
	bool full = server->n_clients >= RPC_CLIENTS_MAX;

	(void)listener;
	(void)address;
	(void)len;
	/* A few places beyond the limit, only to say that there is none. */
	if (server->n_clients >= RPC_CLIENTS_MAX + 8) {
		close(fd);
		return;
	}
	client = client_new(server, fd);
	if (client == NULL) {
		close(fd);
		return;
	}
	if (full) {
		rpc_request_refuse(bufferevent_get_output(client->bev), 2,
				   "too many connections, try again later");
		client_close(client);
	}
}

static void accept_failed(struct evconnlistener *listener, void *arg)
{
	static const struct timeval second = {.tv_sec = 1};
	struct rpc_server *server = arg;

	log_error("rpc: cannot accept a connection: %s", strerror(errno));
	evconnlistener_disable(listener);
	event_add(server->retry, &second);
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct rpc_server *server = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(server->listener);
}

int rpc_server_new(struct control *control, const char *path, struct rpc_server **out,
		   struct err *err)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	int fd;

	if (server == NULL)
		return err_set(err, ENOMEM, "out of memory");
	server->control = control;
	LIST_INIT(&server->clients);
	fd = unix_socket_listen(path, err);
	if (fd < 0) {
		free(server);
		return fd;
	}
	strcpy(server->path, path); /* it fits: a socket listens there */
	server->retry = event_new(control->base, -1, 0, accept_again, server);
	server->listener = evconnlistener_new(control->base, accepted, server,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (server->retry == NULL || server->listener == NULL) {
		if (server->retry != NULL)
			event_free(server->retry);
		unlink(path);
		close(fd);
		free(server);
		return err_set(err, ENOMEM, "out of memory");
	}
	evconnlistener_set_error_cb(server->listener, accept_failed);
	*out = server;
	return 0;
}

void rpc_server_free(struct rpc_server *server)
{
	if (server == NULL)
		return;
	while (!LIST_EMPTY(&server->clients))
		client_free(LIST_FIRST(&server->clients));
	unlink(server->path);
	event_free(server->retry);
	evconnlistener_free(server->listener);
	free(server);
}

void rpc_server_event(struct rpc_server *server, const json_t *params)
{
	struct rpc_client *client;

	if (server == NULL)
		return;
	LIST_FOREACH (client, &server->clients, next) {
		/* cppcheck-suppress uninitvar; it does not know LIST_FOREACH */
		if (!client->subscribed || client->doomed || client->closing ||
		    client->stream != NULL)
			continue;
		if (output_bytes(client) > RPC_OUTPUT_EVENTS_MAX)
			client_doom(client, "it subscribed to events and does not read them");
		else
			rpc_request_notify(bufferevent_get_output(client->bev), "event", params);
	}
}

bool rpc_server_is_heard(const struct rpc_server *server)
{
	const struct rpc_client *client;

	if (server == NULL)
		return false;
	LIST_FOREACH (client, &server->clients, next) {
		if (client->subscribed && !client->doomed && !client->closing)
			return true;
	}
	return false;
}

bool rpc_server_room(const struct rpc_server *server, size_t bytes)
{
	const struct rpc_client *client;
	size_t used = bytes;

	LIST_FOREACH (client, &server->clients, next)
		used += output_bytes(client);
	return used <= RPC_OUTPUT_TOTAL_MAX;
}

void rpc_client_subscribe(struct rpc_client *client)
{
	client->subscribed = true;
}

void rpc_client_end_daemon(struct rpc_client *client)
{
	client->end_daemon = true;
}
