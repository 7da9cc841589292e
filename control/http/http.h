/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small HTTP server inside a libevent loop: libmicrohttpd without threads of its own.
 *
 * What every page of netloom needs and no handler should have to think of is here: which Host and Origin are let in
 * (DNS rebinding, requests of other sites), how long a path, a header and a body may be, what a reader that does not
 * read costs, and the security headers of every answer. A handler answers at once or later (http_reply()), or with a
 * stream that it feeds (http_stream_*). Everything runs on the thread of the event loop.
 */
#ifndef CONTROL_HTTP_HTTP_H
#define CONTROL_HTTP_HTTP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_PATH_MAX	     256
#define HTTP_BODY_MAX	     (64u << 10)
#define HTTP_STREAM_MAX	     (8u << 20) /* unread bytes of one stream */
#define HTTP_IDLE_S	     30 /* a client that sends or reads nothing for so long is dropped */

struct http_server;
struct http_request;
struct http_stream;

struct http_options {
	const char *
		listen; /* PORT, ADDRESS:PORT or [ADDRESS6]:PORT; loopback without ADDRESS; port 0: any */
	const char *const
		*hosts; /* further names that a Host header may have; NULL-terminated, or NULL */
	/*
	 * Answers @request, now or later; it stays valid until it has been answered. Called for every request that
	 * passed the checks.
	 */
	void (*handle)(struct http_request *request, void *arg);
	/* A request that has not been answered has lost its client: forget it. May be NULL. */
	void (*gone)(struct http_request *request, void *arg);
	void *arg;
};

/**
 * http_server_new() - Listen
 * @base: event loop, borrowed; it also runs the timeouts
 * Return: 0, or -errno with a sentence that names the address.
 */
int http_server_new(struct event_base *base, const struct http_options *options,
		    struct http_server **out, struct err *err);

/** http_server_free() - Drop all clients and close */
void http_server_free(struct http_server *server);

/** http_server_url() - "http://127.0.0.1:9177", with the port that was really taken; borrowed */
const char *http_server_url(const struct http_server *server);

/** http_method() - "GET" */
const char *http_method(const struct http_request *request);

/** http_path() - As sent, decoded, without the query */
const char *http_path(const struct http_request *request);

/** http_query() - A value of the query string, decoded, or NULL; borrowed */
const char *http_query(const struct http_request *request, const char *key);

/** http_header() - A header of the request, or NULL; borrowed */
const char *http_header(const struct http_request *request, const char *name);

/** http_body() - The body, NUL-terminated; borrowed */
const char *http_body(const struct http_request *request, size_t *len);

/** http_set_arg() - The handler's own word on a request that it answers later */
void http_set_arg(struct http_request *request, void *arg);
void *http_arg(const struct http_request *request);

/**
 * http_reply() - Answer, once
 * @type:  content type
 * @bytes: copied
 */
void http_reply(struct http_request *request, unsigned int status, const char *type,
		const void *bytes, size_t len);

/** http_reply_text() - A sentence as plain text */
void http_reply_text(struct http_request *request, unsigned int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** http_reply_static() - Answer with bytes that outlive the server */
void http_reply_static(struct http_request *request, const char *type, const void *bytes,
		       size_t len);

/**
 * http_reply_stream() - Answer with bytes that come over time
 * @on_close: called once, when the client has gone or the stream has ended; not from within this function
 *
 * Return: NULL without memory (the request has been answered then).
 */
struct http_stream *http_reply_stream(struct http_request *request, const char *type,
				      void (*on_close)(void *arg), void *arg);

/**
 * http_stream_write() - Send, or queue while the client does not read
 * Return: false when more than HTTP_STREAM_MAX would be waiting; nothing was taken.
 */
bool http_stream_write(struct http_stream *stream, const void *bytes, size_t len);

/** http_stream_waiting() - Bytes that the client has not read yet */
size_t http_stream_waiting(const struct http_stream *stream);

/** http_stream_end() - No more comes; what waits is still sent. @stream is gone after its on_close(). */
void http_stream_end(struct http_stream *stream);

#endif
