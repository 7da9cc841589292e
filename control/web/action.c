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

struct action {
	struct http_request *request; /* NULL when its client has gone */
	char output[OUTPUT_BYTES_MAX + 1];
	size_t len;
	char command[1024]; /* as one would type it */
};

bool page_word_is_good(const char *word, size_t max)
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

static void node_action(struct event_base *base, struct http_request *request, const char *what,
			const json_t *body)
{
	bool force = json_is_true(json_object_get(body, "force")) && strcmp(what, "start") != 0;
	const char *node = page_text_of(body, "node");
	const char *argv[] = {what, force ? "--force" : node, force ? node : NULL, NULL};

	if (!page_word_is_good(node, 2 * TOPO_NAME_MAX + 1))
		page_reply_error(request, 400, "\"node\" must be LAB/NODE");
	else
		command_start(base, request, argv);
}

static void link_action(struct event_base *base, struct http_request *request, const json_t *body)
{
	const json_t *words = json_object_get(body, "words"), *word;
	const char *argv[WORDS_MAX + 6] = {"link", "set", page_text_of(body, "target")};
	const char *direction = page_text_of(body, "direction");
	size_t i;

	if (!page_word_is_good(argv[2], 128)) {
		page_reply_error(request, 400, "\"target\" must be LAB/NODE:INTERFACE");
		return;
	}
	if (json_array_size(words) == 0 || json_array_size(words) > WORDS_MAX) {
		page_reply_error(request, 400, "\"words\" must be 1 to %d words", WORDS_MAX);
		return;
	}
	json_array_foreach (words, i, word) {
		argv[3 + i] = json_string_value(word);
		if (!page_word_is_good(argv[3 + i], WORD_MAX)) {
			page_reply_error(request, 400, "word %zu of \"words\" is none", i + 1);
			return;
		}
	}
	if (direction != NULL) {
		if (!page_word_is_good(direction, 8)) {
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
	const char *port = page_text_of(body, "port"), *admin = page_text_of(body, "admin");
	const char *argv[] = {"port", "set", port, "--admin", admin, NULL};

	if (!page_word_is_good(port, 63))
		page_reply_error(request, 400, "\"port\" must be the name of a port");
	else if (admin == NULL || (strcmp(admin, "up") != 0 && strcmp(admin, "down") != 0))
		page_reply_error(request, 400, "\"admin\" must be up or down");
	else
		command_start(base, request, argv);
}

void action_run(struct event_base *base, struct http_request *request)
{
	json_t *body = page_body_json(request);
	const char *what = page_text_of(body, "do");

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
