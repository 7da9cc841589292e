/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/http.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "http/check.h"
#include "http/http_parts.h"

#define CONNECTION_BYTES 32768 /* libmicrohttpd's, for the headers of a request and of its answer */

void http_server_wake(struct http_server *server)
{
	static const struct timeval now = {.tv_sec = 0};

	event_add(server->timer, &now);
}

static void server_run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG ms;
	struct timeval later;

	if (server->running)
		return;
	server->running = true;
	MHD_run(server->daemon);
	server->running = false;
	if (server->changed) {
		/* With no room for more it stops listening, and looks whether to go on only when it is run again. */
		server->changed = false;
		http_server_wake(server);
		return;
	}
	if (MHD_get_timeout(server->daemon, &ms) != MHD_YES)
		return;
	later.tv_sec = (time_t)(ms / 1000);
	later.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	event_add(server->timer, &later);
}

static void server_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	server_run(arg);
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

const char *http_method(const struct http_request *request)
{
	return request->method;
}

const char *http_path(const struct http_request *request)
{
	return request->path;
}

const char *http_query(const struct http_request *request, const char *key)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, key);
}

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_body(const struct http_request *request, size_t *len)
{
	*len = request->body_len;
	return request->body != NULL ? request->body : "";
}

void http_set_arg(struct http_request *request, void *arg)
{
	request->arg = arg;
}

void *http_arg(const struct http_request *request)
{
	return request->arg;
}

static void request_refuse(struct http_request *request, unsigned int status, const char *sentence)
{
	request->refused = true;
	http_reply_text(request, status, "%s\n", sentence);
}

/* What can be said before the body has come. */
static void request_check(struct http_request *request, const char *path)
{
	const char *length = http_header(request, "Content-Length");
	const char *host = http_header(request, "Host");
	const char *site = http_header(request, "Sec-Fetch-Site");

	if (!http_host_is_ours(host, request->server->port, request->server->options.hosts))
		request_refuse(request, MHD_HTTP_MISDIRECTED_REQUEST,
			       "the Host header names another server; use the address that was "
			       "printed at the start");
	else if (!http_origin_is_ours(http_header(request, "Origin"), host) ||
		 (site != NULL && strcmp(site, "cross-site") == 0))
		request_refuse(request, MHD_HTTP_FORBIDDEN,
			       "requests of other web sites are not answered");
	else if (strlen(path) >= HTTP_PATH_MAX)
		request_refuse(request, MHD_HTTP_URI_TOO_LONG, "the path is too long");
	else if (length != NULL && strtoull(length, NULL, 10) > HTTP_BODY_MAX)
		request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE,
			       "a request may have 64 KiB at most");
	else
		snprintf(request->path, sizeof(request->path), "%s", path);
}

static void body_add(struct http_request *request, const char *bytes, size_t len)
{
	if (request->body == NULL)
		request->body = malloc(HTTP_BODY_MAX + 1);
	if (request->body == NULL || request->body_len + len > HTTP_BODY_MAX) {
		request->too_large = true;
		return;
	}
	memcpy(request->body + request->body_len, bytes, len);
	request->body_len += len;
	request->body[request->body_len] = '\0';
}

static void connection_changed(void *arg, struct MHD_Connection *connection, void **context,
			       enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = arg;

	(void)connection;
	(void)context;
	(void)what;
	server->changed = true;
}

static enum MHD_Result request_queue(struct http_request *request)
{
	struct MHD_Response *response = request->response;
	enum MHD_Result rc;

	request->response = NULL;
	rc = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return rc;
}

/* Called again and again: once for the headers, for each piece of the body, at its end, and after a resume. */
static enum MHD_Result request_step(void *arg, struct MHD_Connection *connection, const char *path,
				    const char *method, const char *version, const char *bytes,
				    size_t *len, void **own)
{
	struct http_server *server = arg;
	struct http_request *request = *own;

	(void)version;
	if (request == NULL) {
		request = calloc(1, sizeof(*request));
		if (request == NULL)
			return MHD_NO;
		*own = request;
		request->server = server;
		request->connection = connection;
		request->method = method;
		request_check(request, path);
		return request->refused ? request_queue(request) : MHD_YES;
	}
	if (*len > 0) {
		if (!request->too_large)
			body_add(request, bytes, *len);
		*len = 0;
		return MHD_YES;
	}
	if (request->too_large && !request->answered)
		request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE,
			       "a request may have 64 KiB at most");
	if (!request->handled && !request->answered) {
		request->handled = true;
		if (server->closing)
			http_reply_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "ending\n");
		else
			server->options.handle(request, server->options.arg);
	}
	if (request->response != NULL)
		return request_queue(request);
	if (!request->answered) {
		request->suspended = true;
		LIST_INSERT_HEAD(&server->suspended, request, next);
		MHD_suspend_connection(connection);
	}
	return MHD_YES;
}

static void request_done(void *arg, struct MHD_Connection *connection, void **own,
			 enum MHD_RequestTerminationCode code)
{
	struct http_server *server = arg;
	struct http_request *request = *own;

	(void)connection;
	(void)code;
	if (request == NULL)
		return;
	if (request->handled && !request->answered && server->options.gone != NULL)
		server->options.gone(request, server->options.arg);
	if (request->response != NULL)
		MHD_destroy_response(request->response);
	free(request->body);
	free(request);
	*own = NULL;
}

/* ---- listening ---------------------------------------------------------------------------------------------------- */

static void url_make(struct http_server *server, int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[64] = "", port[8] = "";

	getsockname(fd, (struct sockaddr *)&address, &len);
	getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	server->port = (unsigned int)strtoul(port, NULL, 10);
	snprintf(server->url, sizeof(server->url),
		 address.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

static void mhd_log(void *arg, const char *format, va_list args)
{
	char text[256];

	(void)arg;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

int http_server_new(struct event_base *base, const struct http_options *options,
		    struct http_server **out, struct err *err)
{
	struct http_server *server = calloc(1, sizeof(*server));
	const union MHD_DaemonInfo *info;
	int fd;

	if (server == NULL)
		return err_set(err, ENOMEM, "out of memory");
	server->options = *options;
	fd = http_listen(options->listen, err);
	if (fd < 0) {
		free(server);
		return fd;
	}
	url_make(server, fd);
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		request_step, server, MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, request_done, server,
		MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
	if (server->daemon == NULL) {
		close(fd);
		free(server);
		return err_set(err, EIO, "cannot start an HTTP server at %s", options->listen);
	}
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->timer = event_new(base, -1, 0, server_due, server);
	if (info != NULL)
		server->readable =
			event_new(base, info->epoll_fd, EV_READ | EV_PERSIST, server_due, server);
	if (server->timer == NULL || server->readable == NULL ||
	    event_add(server->readable, NULL) != 0) {
		http_server_free(server);
		return err_set(err, ENOMEM, "out of memory");
	}
	*out = server;
	return 0;
}

void http_server_free(struct http_server *server)
{
	struct http_stream *stream;

	if (server == NULL)
		return;
	server->closing = true;
	LIST_FOREACH (stream, &server->streams, next)
		http_stream_end(stream);
	while (!LIST_EMPTY(&server->suspended))
		http_reply_text(LIST_FIRST(&server->suspended), MHD_HTTP_SERVICE_UNAVAILABLE,
				"ending\n");
	MHD_run(server->daemon);
	MHD_stop_daemon(server->daemon);
	if (server->readable != NULL)
		event_free(server->readable);
	if (server->timer != NULL)
		event_free(server->timer);
	free(server);
}

const char *http_server_url(const struct http_server *server)
{
	return server->url;
}
