/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers that are whole, and answers that come over time. */
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/http_parts.h"

#define STREAM_CHUNK 65536

static void headers_add(struct MHD_Response *response, const char *type)
{
	/* clang-format off */
	static const char *const fixed[][2] = {
		{"Content-Security-Policy",
		 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
		 "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cache-Control", "no-store"},
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		MHD_add_response_header(response, fixed[i][0], fixed[i][1]);
	MHD_add_response_header(response, "Content-Type", type);
}

static void request_answer(struct http_request *request, unsigned int status,
			   struct MHD_Response *response, const char *type)
{
	if (request->answered) {
		MHD_destroy_response(response);
		return;
	}
	headers_add(response, type);
	request->answered = true;
	request->status = status;
	request->response = response;
	if (request->suspended) {
		request->suspended = false;
		LIST_REMOVE(request, next);
		MHD_resume_connection(request->connection);
		http_server_wake(request->server);
	}
}

void http_reply(struct http_request *request, unsigned int status, const char *type,
		const void *bytes, size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);

	if (response != NULL)
		request_answer(request, status, response, type);
}

void http_reply_text(struct http_request *request, unsigned int status, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	http_reply(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

void http_reply_static(struct http_request *request, const char *type, const void *bytes,
		       size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);

	if (response != NULL)
		request_answer(request, MHD_HTTP_OK, response, type);
}

/* ---- streams ------------------------------------------------------------------------------------------------------ */

static ssize_t stream_read(void *arg, uint64_t at, char *out, size_t room)
{
	struct http_stream *stream = arg;
	int got = evbuffer_remove(stream->waiting, out, room);

	(void)at;
	if (got > 0)
		return got;
	if (stream->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	stream->suspended = true;
	MHD_suspend_connection(stream->connection);
	return 0;
}

static void stream_free(void *arg)
{
	struct http_stream *stream = arg;

	LIST_REMOVE(stream, next);
	if (stream->watch != NULL)
		event_free(stream->watch);
	if (stream->watch_fd >= 0)
		close(stream->watch_fd);
	if (stream->on_close != NULL)
		stream->on_close(stream->arg);
	evbuffer_free(stream->waiting);
	free(stream);
}

static void stream_resume(struct http_stream *stream)
{
	if (stream->suspended) {
		stream->suspended = false;
		MHD_resume_connection(stream->connection);
	}
	http_server_wake(stream->server);
}

/* Something has happened on the connection: the client has gone, or it says what nobody asked for. */
static void stream_look(evutil_socket_t fd, short what, void *arg)
{
	struct pollfd look = {.fd = fd, .events = POLLRDHUP};
	struct http_stream *stream = arg;

	(void)what;
	if (stream->ended || poll(&look, 1, 0) <= 0)
		return;
	evbuffer_drain(stream->waiting, evbuffer_get_length(stream->waiting));
	stream->ended = true;
	stream_resume(stream);
}

/*
 * libmicrohttpd does not look at a connection that waits for us, so we do, on a descriptor of our own: it closes its own when it likes.
 * Edge-triggered: bytes that nobody reads must not wake us for ever.
 */
static void stream_watch(struct http_stream *stream)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(stream->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info != NULL)
		stream->watch_fd = fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0);
	if (stream->watch_fd >= 0)
		stream->watch = event_new(event_get_base(stream->server->timer), stream->watch_fd,
					  EV_READ | EV_ET | EV_PERSIST, stream_look, stream);
	if (stream->watch != NULL)
		event_add(stream->watch, NULL);
}

struct http_stream *http_reply_stream(struct http_request *request, const char *type,
				      void (*on_close)(void *arg), void *arg)
{
	struct http_stream *stream = calloc(1, sizeof(*stream));
	struct MHD_Response *response = NULL;

	if (stream != NULL)
		stream->waiting = evbuffer_new();
	if (stream != NULL && stream->waiting != NULL) {
		stream->server = request->server;
		stream->connection = request->connection;
		stream->watch_fd = -1;
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_CHUNK,
							     stream_read, stream, stream_free);
	}
	if (response == NULL) {
		if (stream != NULL && stream->waiting != NULL)
			evbuffer_free(stream->waiting);
		free(stream);
		http_reply_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
		return NULL;
	}
	stream->on_close = on_close;
	stream->arg = arg;
	LIST_INSERT_HEAD(&request->server->streams, stream, next);
	stream_watch(stream);
	request_answer(request, MHD_HTTP_OK, response, type);
	return stream;
}

bool http_stream_write(struct http_stream *stream, const void *bytes, size_t len)
{
	if (evbuffer_get_length(stream->waiting) + len > HTTP_STREAM_MAX ||
	    evbuffer_add(stream->waiting, bytes, len) != 0)
		return false;
	stream_resume(stream);
	return true;
}

size_t http_stream_waiting(const struct http_stream *stream)
{
	return evbuffer_get_length(stream->waiting);
}

void http_stream_end(struct http_stream *stream)
{
	stream->ended = true;
	stream_resume(stream);
}
