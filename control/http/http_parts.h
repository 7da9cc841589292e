/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the HTTP server share. */
#ifndef CONTROL_HTTP_HTTP_PARTS_H
#define CONTROL_HTTP_HTTP_PARTS_H

#include <event2/buffer.h>
#include <microhttpd.h>
#include <sys/queue.h>

#include "http/http.h"

struct http_server {
	struct http_options options;
	struct MHD_Daemon *daemon;
	struct event *readable; /* libmicrohttpd's epoll descriptor */
	struct event *timer;	/* its timeouts, and work we have made for it */
	LIST_HEAD(, http_stream) streams;
	LIST_HEAD(, http_request)
	suspended; /* libmicrohttpd must not be stopped while there are any */
	unsigned int port;
	bool running; /* inside MHD_run(): do not enter it again */
	bool changed; /* connections came or went */
	bool closing;
	char url[128];
};

struct http_stream {
	struct http_server *server;
	struct MHD_Connection *connection;
	struct evbuffer *waiting;
	void (*on_close)(void *arg);
	void *arg;
	struct event *
		watch; /* for the client's end of it; NULL: it is found out when something is written */
	int watch_fd; /* our own descriptor of the connection */
	bool suspended;
	bool ended;
	LIST_ENTRY(http_stream) next;
};

struct http_request {
	struct http_server *server;
	struct MHD_Connection *connection;
	const char *method;
	char path[HTTP_PATH_MAX];
	char *body; /* HTTP_BODY_MAX + 1 bytes when there is one */
	size_t body_len;
	void *arg;
	struct MHD_Response *response; /* what http_reply() said, until it is queued */
	unsigned int status;
	bool refused;	/* answered before its body was read */
	bool too_large; /* the body; what still comes is thrown away */
	bool handled;	/* the handler knows it */
	bool answered;
	bool suspended;
	LIST_ENTRY(http_request) next;
};

/** http_server_wake() - Have MHD_run() called from the loop: we are perhaps inside of it */
void http_server_wake(struct http_server *server);

/** http_listen() - A socket that listens at "PORT", "ADDRESS:PORT" or "[ADDRESS6]:PORT". Return: it, or -errno. */
int http_listen(const char *text, struct err *err);

#endif
