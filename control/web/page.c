/* SPDX-License-Identifier: BSD-3-Clause */
#include "web/page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "http/check.h"
#include "http/http.h"
#include "web/child.h"
#include "web/feed.h"
#include "web/files.h"
#include "web/page_parts.h"

#define EVENTS_KEPT 200
#define STREAMS_MAX 32
#define STREAM_WAITING                                                                             \
	(1u << 20) /* a reader that is so far behind is told the next state, not each */

struct listener {
	struct page *page;
	struct http_stream *stream;
	LIST_ENTRY(listener) next;
};

struct page {
	struct event_base *base;
	struct http_server *http;
	struct feed *feed;
	LIST_HEAD(, listener) listeners;
	unsigned int n_listeners;
	char *topology, *state; /* the last lines, for who comes next; NULL: none yet */
	char *events[EVENTS_KEPT];
	size_t n_events; /* ever */
	char token[PAGE_TOKEN_CHARS + 1];
	char url[256];
};

/* ---- answers ------------------------------------------------------------------------------------------------------ */

void page_reply_json(struct http_request *request, unsigned int status, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	if (text == NULL) {
		http_reply_text(request, 503, "out of memory\n");
		return;
	}
	http_reply(request, status, "application/json", text, strlen(text));
	free(text);
}

void page_reply_error(struct http_request *request, unsigned int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	page_reply_json(request, status, json_pack("{s:o}", "error", json_vsprintf(format, args)));
	va_end(args);
}

json_t *page_body_json(struct http_request *request)
{
	json_error_t error;
	const char *bytes;
	json_t *body;
	size_t len;

	bytes = http_body(request, &len);
	body = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(body))
		return body;
	json_decref(body);
	page_reply_error(request, 400, "the body must be a JSON object");
	return NULL;
}

const char *page_text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* ---- the stream --------------------------------------------------------------------------------------------------- */

static void listener_closed(void *arg)
{
	struct listener *listener = arg;
	struct page *page = listener->page;

	LIST_REMOVE(listener, next);
	page->n_listeners--;
	free(listener);
	if (page->n_listeners == 0 && page->feed != NULL)
		feed_want(page->feed, false);
}

static void line_send(struct listener *listener, const char *text)
{
	if (text != NULL && !http_stream_write(listener->stream, text, strlen(text)))
		http_stream_end(listener->stream);
}

static void stream_open(struct page *page, struct http_request *request)
{
	struct listener *listener;
	size_t from = page->n_events > EVENTS_KEPT ? page->n_events - EVENTS_KEPT : 0;

	if (page->n_listeners >= STREAMS_MAX) {
		page_reply_error(request, 503, "%d pages are open already; close one", STREAMS_MAX);
		return;
	}
	listener = calloc(1, sizeof(*listener));
	if (listener == NULL) {
		page_reply_error(request, 503, "out of memory");
		return;
	}
	listener->page = page;
	LIST_INSERT_HEAD(&page->listeners, listener, next);
	page->n_listeners++;
	listener->stream =
		http_reply_stream(request, "application/x-ndjson", listener_closed, listener);
	if (listener->stream == NULL) {
		listener_closed(listener);
		return;
	}
	line_send(listener, page->topology);
	line_send(listener, page->state);
	for (size_t i = from; i < page->n_events; i++)
		line_send(listener, page->events[i % EVENTS_KEPT]);
	feed_want(page->feed, true);
}

static void line_keep(char **kept, const char *text)
{
	free(*kept);
	*kept = strdup(text);
}

static void feed_line(enum feed_kind kind, const char *text, void *arg)
{
	struct page *page = arg;
	struct listener *listener, *next;

	if (kind == FEED_EVENT)
		line_keep(&page->events[page->n_events++ % EVENTS_KEPT], text);
	else
		line_keep(kind == FEED_TOPOLOGY ? &page->topology : &page->state, text);
	for (listener = LIST_FIRST(&page->listeners); listener != NULL; listener = next) {
		next = LIST_NEXT(listener, next);
		if (kind != FEED_STATE || http_stream_waiting(listener->stream) < STREAM_WAITING)
			line_send(listener, text);
	}
}

static void feed_answer(void *who, const char *text, const char *sentence, void *arg)
{
	struct http_request **request = who; /* a place of its own: the request may be gone */

	(void)arg;
	if (*request != NULL && text != NULL)
		http_reply(*request, 200, "application/json", text, strlen(text));
	else if (*request != NULL)
		page_reply_error(*request, 404, "%s", sentence);
	free(request);
}

static void detail(struct page *page, struct http_request *request)
{
	const char *kind = http_query(request, "kind"), *name = http_query(request, "name");
	struct http_request **place = malloc(sizeof(*place));

	if (kind == NULL || name == NULL || place == NULL) {
		page_reply_error(request, 400, "kind and name are needed");
		free(place);
		return;
	}
	*place = request;
	if (!feed_ask(page->feed, kind, name, place)) {
		page_reply_error(
			request, 400,
			"no such kind, a name that is too long, or too many questions at once");
		free(place);
		return;
	}
	http_set_arg(request, place);
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

/* What http_arg() of an unanswered request is depends on its path. */
static void request_gone(struct http_request *request, void *arg)
{
	struct http_request **place = http_arg(request);

	(void)arg;
	if (strcmp(http_path(request), "/api/detail") == 0 && place != NULL)
		*place = NULL;
	else if (strcmp(http_path(request), "/api/capture") == 0)
		capture_gone(request);
	else
		action_gone(request);
}

static bool token_is_there(const struct page *page, struct http_request *request)
{
	static const char scheme[] = "Bearer ";
	const char *given = http_header(request, "Authorization");

	return given != NULL && strncmp(given, scheme, strlen(scheme)) == 0 &&
	       http_token_equal(given + strlen(scheme), page->token);
}

static void api(struct page *page, struct http_request *request)
{
	const char *path = http_path(request) + strlen("/api/");
	bool is_get = strcmp(http_method(request), "GET") == 0;
	bool is_post = strcmp(http_method(request), "POST") == 0;

	if (!token_is_there(page, request))
		page_reply_error(request, 401,
				 "the token is missing or old; open the address that "
				 "`netloom web` has printed");
	else if (is_get && strcmp(path, "stream") == 0)
		stream_open(page, request);
	else if (is_get && strcmp(path, "detail") == 0)
		detail(page, request);
	else if (is_get && strcmp(path, "console") == 0)
		console_open(page->base, request);
	else if (is_post && strcmp(path, "console") == 0)
		console_type(request);
	else if (is_post && strcmp(path, "action") == 0)
		action_run(page->base, request);
	else if (is_post && strcmp(path, "capture") == 0)
		capture_run(page->base, request);
	else
		page_reply_error(request, 404, "there is no such call");
}

static void answer(struct http_request *request, void *arg)
{
	const struct web_file *file;
	struct page *page = arg;

	if (strncmp(http_path(request), "/api/", 5) == 0) {
		api(page, request);
		return;
	}
	file = web_file_find(http_path(request));
	if (strcmp(http_method(request), "GET") != 0 && strcmp(http_method(request), "HEAD") != 0)
		http_reply_text(request, 405, "only GET\n");
	else if (file == NULL)
		http_reply_text(request, 404, "not here; the page is at /\n");
	else
		http_reply_static(request, file->type, file->bytes, file->len);
}

static int token_make(char token[PAGE_TOKEN_CHARS + 1], struct err *err)
{
	unsigned char bytes[PAGE_TOKEN_CHARS / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set(err, errno, "no random numbers: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int page_new(struct event_base *base, const struct page_options *options, struct page **out,
	     struct err *err)
{
	struct page *page = calloc(1, sizeof(*page));
	struct http_options http = {.listen = options->listen,
				    .hosts = options->hosts,
				    .handle = answer,
				    .gone = request_gone,
				    .arg = page};
	struct feed_options feed = {
		.lab = options->lab, .on_line = feed_line, .on_answer = feed_answer, .arg = page};
	int rc;

	if (page == NULL)
		return err_set(err, ENOMEM, "out of memory");
	page->base = base;
	LIST_INIT(&page->listeners);
	rc = token_make(page->token, err);
	if (rc == 0)
		rc = http_server_new(base, &http, &page->http, err);
	if (rc == 0)
		rc = feed_new(base, &feed, &page->feed, err);
	if (rc < 0) {
		page_free(page);
		return rc;
	}
	snprintf(page->url, sizeof(page->url), "%s/#token=%s", http_server_url(page->http),
		 page->token);
	*out = page;
	return 0;
}

void page_free(struct page *page)
{
	if (page == NULL)
		return;
	http_server_free(page->http);
	console_close_all();
	child_kill_all();
	feed_free(page->feed);
	free(page->topology);
	free(page->state);
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(page->events[i]);
	free(page);
}

const char *page_url(const struct page *page)
{
	return page->url;
}
