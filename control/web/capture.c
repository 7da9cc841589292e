/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures for the browser: `netloom capture`, whose output becomes an answer. The answer begins with its first bytes, so that what
 * netloom refuses (a filter, a name, too many captures) is told as a refusal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/term.h"
#include "web/child.h"
#include "web/page_parts.h"

#define CAPTURE_WAITING (1u << 20) /* not read by the browser yet; then netloom waits, and drops */
#define CAPTURE_COUNT	100000

struct capture {
	struct http_request *request; /* not answered yet; NULL: answered, or gone */
	struct http_stream *stream;   /* NULL: not yet, or not any more */
	struct child *child;	      /* NULL when netloom has ended */
	struct event *retry;	      /* looks whether the browser has read */
};

static void capture_free(struct capture *capture)
{
	if (capture->request != NULL || capture->stream != NULL || capture->child != NULL)
		return;
	event_free(capture->retry);
	free(capture);
}

static void capture_closed(void *arg)
{
	struct capture *capture = arg;

	capture->stream = NULL;
	if (capture->child != NULL)
		child_kill(capture->child);
	capture_free(capture);
}

/* netloom captures: the answer begins. */
static void capture_answer(struct capture *capture)
{
	struct http_request *request = capture->request;

	if (request == NULL)
		return;
	capture->request = NULL;
	capture->stream =
		http_reply_stream(request, "application/octet-stream", capture_closed, capture);
	if (capture->stream == NULL)
		child_kill(capture->child);
}

static size_t capture_output(const char *bytes, size_t len, void *arg)
{
	static const struct timeval soon = {.tv_usec = 20000};
	struct capture *capture = arg;

	if (bytes != NULL) {
		capture_answer(capture);
		if (capture->stream != NULL)
			http_stream_write(capture->stream, bytes, len);
		return len;
	}
	if (capture->stream == NULL || http_stream_waiting(capture->stream) < CAPTURE_WAITING)
		return len;
	event_add(capture->retry, &soon);
	return 0;
}

static void capture_again(evutil_socket_t fd, short what, void *arg)
{
	struct capture *capture = arg;

	(void)fd;
	(void)what;
	if (capture->child != NULL)
		child_resume(capture->child);
}

static void capture_end(int status, const char *errors, void *arg)
{
	struct capture *capture = arg;
	struct http_request *request = capture->request;
	char text[512];

	(void)status;
	capture->child = NULL;
	capture->request = NULL;
	if (request != NULL) {
		snprintf(text, sizeof(text), "%s", errors);
		term_clean(text);
		text[strcspn(text, "\n")] = '\0';
		page_reply_error(request, 400, "%s",
				 text[0] != '\0' ? text : "netloom capture ended at once");
	}
	if (capture->stream != NULL)
		http_stream_end(capture->stream);
	capture_free(capture);
}

void capture_gone(struct http_request *request)
{
	struct capture *capture = http_arg(request);

	if (capture == NULL)
		return;
	capture->request = NULL;
	child_kill(capture->child);
}

static bool filter_is_good(const char *filter)
{
	return filter == NULL || strlen(filter) <= 1000;
}

static void capture_start(struct event_base *base, struct http_request *request,
			  const char *const *argv)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	struct child_options options = {
		.argv = argv, .on_output = capture_output, .on_end = capture_end, .arg = capture};
	struct err err = {.text = ""};

	if (capture == NULL) {
		page_reply_error(request, 503, "out of memory");
		return;
	}
	capture->retry = event_new(base, -1, 0, capture_again, capture);
	if (capture->retry == NULL)
		err_set(&err, ENOMEM, "out of memory");
	else if (child_start(base, &options, &capture->child, &err) == 0)
		capture->request = request;
	if (capture->request != NULL) {
		http_set_arg(request, capture);
		return;
	}
	page_reply_error(request, 503, "%s", err.text);
	if (capture->retry != NULL)
		event_free(capture->retry);
	free(capture);
}

void capture_run(struct event_base *base, struct http_request *request)
{
	json_t *body = page_body_json(request);
	json_int_t count = json_integer_value(json_object_get(body, "count"));
	const char *target = page_text_of(body, "target"), *filter = page_text_of(body, "filter");
	char count_text[24];
	const char *argv[] = {"capture",
			      target,
			      "-w",
			      "-",
			      "--count",
			      count_text,
			      filter != NULL ? "--filter" : NULL,
			      filter,
			      NULL};

	if (body == NULL)
		return;
	if (filter != NULL && filter[0] == '\0')
		argv[6] = NULL;
	if (count <= 0 || count > CAPTURE_COUNT)
		count = CAPTURE_COUNT;
	snprintf(count_text, sizeof(count_text), "%d", (int)count);
	if (!page_word_is_good(target, 128))
		page_reply_error(request, 400, "\"target\" must be LAB/NODE:INTERFACE");
	else if (!filter_is_good(filter))
		page_reply_error(request, 400, "\"filter\" may have 1000 characters at most");
	else
		capture_start(base, request, argv);
	json_decref(body);
}
