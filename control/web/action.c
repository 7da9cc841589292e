/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/term.h"
#include "web/child.h"
#include "web/page_parts.h"

#define ACTION_TIMEOUT_S 180 /* a guest in emulation boots for a minute */
#define WORDS_MAX	 32
#define WORD_MAX	 64
#define OUTPUT_BYTES_MAX 8192
#define CAPTURE_WAITING	 (1u << 20) /* not read by the browser yet; then netloom waits, and drops */
#define CAPTURE_COUNT	 100000

struct action {
	struct http_request *request; /* NULL when its client has gone */
	char output[OUTPUT_BYTES_MAX + 1];
	size_t len;
	char command[1024]; /* as one would type it */
};

/* What a netloom command line may be made of; never an option. */
static bool word_is_good(const char *word, size_t max)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "._:/%+,=@-";
	size_t len = word != NULL ? strlen(word) : 0;

	return len > 0 && len <= max && word[0] != '-' && strspn(word, good) == len;
}

static size_t action_output(const char *bytes, size_t len, void *arg)
{
	struct action *action = arg;
	size_t room = OUTPUT_BYTES_MAX - action->len;

	if (bytes == NULL)
		return len; /* what is too much is read and thrown away */
	room = room < len ? room : len;
	memcpy(action->output + action->len, bytes, room);
	action->len += room;
	action->output[action->len] = '\0';
	return len;
}

static json_t *text_json(const char *text)
{
	json_t *string = json_string(text);

	return string != NULL ? string : json_string("(not printable)");
}

static void action_end(int status, const char *errors, void *arg)
{
	struct action *action = arg;
	char text[OUTPUT_BYTES_MAX + 4096 + 2];

	snprintf(text, sizeof(text), "%s%s", action->output, errors);
	term_clean(text);
	if (action->request != NULL)
		page_reply_json(action->request, 200,
				json_pack("{s:b, s:i, s:s, s:o}", "ok", status == 0, "status",
					  status, "command", action->command, "text",
					  text_json(text)));
	free(action);
}

static void command_print(char *text, size_t size, const char *const *argv)
{
	size_t len = (size_t)snprintf(text, size, "netloom");

	for (; *argv != NULL && len < size; argv++)
		len += (size_t)snprintf(text + len, size - len, " %s", *argv);
}

static void command_start(struct event_base *base, struct http_request *request,
			  const char *const *argv)
{
	struct action *action = calloc(1, sizeof(*action));
	struct child_options options = {.argv = argv,
					.timeout_s = ACTION_TIMEOUT_S,
					.on_output = action_output,
					.on_end = action_end,
					.arg = action};
	struct err err = {.text = ""};

	if (action == NULL) {
		page_reply_error(request, 503, "out of memory");
		return;
	}
	action->request = request;
	command_print(action->command, sizeof(action->command), argv);
	if (child_start(base, &options, NULL, &err) < 0) {
		page_reply_error(request, 503, "%s", err.text);
		free(action);
		return;
	}
	http_set_arg(request, action);
}

void action_gone(struct http_request *request)
{
	struct action *action = http_arg(request);

	if (action != NULL)
		action->request = NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void node_action(struct event_base *base, struct http_request *request, const char *what,
			const json_t *body)
{
	bool force = json_is_true(json_object_get(body, "force")) && strcmp(what, "start") != 0;
	const char *node = text_of(body, "node");
	const char *argv[] = {what, force ? "--force" : node, force ? node : NULL, NULL};

	if (!word_is_good(node, 2 * TOPO_NAME_MAX + 1))
		page_reply_error(request, 400, "\"node\" must be LAB/NODE");
	else
		command_start(base, request, argv);
}

static void link_action(struct event_base *base, struct http_request *request, const json_t *body)
{
	const json_t *words = json_object_get(body, "words"), *word;
	const char *argv[WORDS_MAX + 6] = {"link", "set", text_of(body, "target")};
	const char *direction = text_of(body, "direction");
	size_t i;

	if (!word_is_good(argv[2], 128)) {
		page_reply_error(request, 400, "\"target\" must be LAB/NODE:INTERFACE");
		return;
	}
	if (json_array_size(words) == 0 || json_array_size(words) > WORDS_MAX) {
		page_reply_error(request, 400, "\"words\" must be 1 to %d words", WORDS_MAX);
		return;
	}
	json_array_foreach (words, i, word) {
		argv[3 + i] = json_string_value(word);
		if (!word_is_good(argv[3 + i], WORD_MAX)) {
			page_reply_error(request, 400, "word %zu of \"words\" is none", i + 1);
			return;
		}
	}
	if (direction != NULL) {
		if (!word_is_good(direction, 8)) {
			page_reply_error(request, 400, "\"direction\" must be in, out or both");
			return;
		}
		argv[3 + i] = "--direction";
		argv[4 + i] = direction;
	}
	command_start(base, request, argv);
}

static void admin_action(struct event_base *base, struct http_request *request, const json_t *body)
{
	const char *port = text_of(body, "port"), *admin = text_of(body, "admin");
	const char *argv[] = {"port", "set", port, "--admin", admin, NULL};

	if (!word_is_good(port, 63))
		page_reply_error(request, 400, "\"port\" must be the name of a port");
	else if (admin == NULL || (strcmp(admin, "up") != 0 && strcmp(admin, "down") != 0))
		page_reply_error(request, 400, "\"admin\" must be up or down");
	else
		command_start(base, request, argv);
}

void action_run(struct event_base *base, struct http_request *request)
{
	json_t *body = page_body_json(request);
	const char *what = text_of(body, "do");

	if (body == NULL)
		return;
	if (what != NULL && (strcmp(what, "start") == 0 || strcmp(what, "stop") == 0 ||
			     strcmp(what, "restart") == 0))
		node_action(base, request, what, body);
	else if (what != NULL && strcmp(what, "link") == 0)
		link_action(base, request, body);
	else if (what != NULL && strcmp(what, "admin") == 0)
		admin_action(base, request, body);
	else
		page_reply_error(request, 400,
				 "\"do\" must be start, stop, restart, link or admin");
	json_decref(body);
}

/* ---- captures ----------------------------------------------------------------------------------------------------- */

struct capture {
	struct http_stream *stream; /* NULL when the browser has gone */
	struct child *child;	    /* NULL when netloom has ended */
	struct event *retry;	    /* looks whether the browser has read */
};

static void capture_free(struct capture *capture)
{
	if (capture->stream != NULL || capture->child != NULL)
		return;
	event_free(capture->retry);
	free(capture);
}

static size_t capture_output(const char *bytes, size_t len, void *arg)
{
	static const struct timeval soon = {.tv_usec = 20000};
	struct capture *capture = arg;

	if (capture->stream == NULL)
		return len;
	if (bytes != NULL) {
		http_stream_write(capture->stream, bytes, len);
		return len;
	}
	if (http_stream_waiting(capture->stream) < CAPTURE_WAITING)
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

	(void)status;
	(void)errors;
	capture->child = NULL;
	if (capture->stream != NULL)
		http_stream_end(capture->stream);
	capture_free(capture);
}

static void capture_closed(void *arg)
{
	struct capture *capture = arg;

	capture->stream = NULL;
	if (capture->child != NULL)
		child_kill(capture->child);
	capture_free(capture);
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

	if (capture != NULL)
		capture->retry = event_new(base, -1, 0, capture_again, capture);
	if (capture == NULL || capture->retry == NULL) {
		free(capture);
		page_reply_error(request, 503, "out of memory");
		return;
	}
	if (child_start(base, &options, &capture->child, &err) < 0) {
		event_free(capture->retry);
		free(capture);
		page_reply_error(request, 503, "%s", err.text);
		return;
	}
	capture->stream =
		http_reply_stream(request, "application/octet-stream", capture_closed, capture);
	if (capture->stream == NULL)
		child_kill(capture->child);
}

void capture_run(struct event_base *base, struct http_request *request)
{
	json_t *body = page_body_json(request);
	json_int_t count = json_integer_value(json_object_get(body, "count"));
	const char *target = text_of(body, "target"), *filter = text_of(body, "filter");
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
	if (!word_is_good(target, 128))
		page_reply_error(request, 400, "\"target\" must be LAB/NODE:INTERFACE");
	else if (!filter_is_good(filter))
		page_reply_error(request, 400, "\"filter\" may have 1000 characters at most");
	else
		capture_start(base, request, argv);
	json_decref(body);
}
