/* SPDX-License-Identifier: BSD-3-Clause */
#include "rpc/request.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "rpc/methods.h"

/*
 * A value costs a parser far more memory than its text: `[[],[],...]` of 16 MiB would become gigabytes. So the
 * values are counted before they are parsed. Enough for the largest lab many times over.
 */
#define VALUES_MAX 500000

static bool values_fit(const char *line, size_t length)
{
	size_t n = 0;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char c = line[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string && c == '\\')
			i++;
		else if (!in_string && (c == ',' || c == '[' || c == '{') && ++n > VALUES_MAX)
			return false;
	}
	return true;
}

static int dump(const char *text, size_t size, void *output)
{
	return evbuffer_add(output, text, size);
}

static void line_end(struct evbuffer *output)
{
	evbuffer_add(output, "\n", 1);
}

/* {"jsonrpc":"2.0","id":ID, -- the answer's text follows */
static void answer_begin(struct evbuffer *output, const json_t *id)
{
	evbuffer_add_printf(output, "{\"jsonrpc\":\"2.0\",\"id\":");
	if (id == NULL)
		evbuffer_add(output, "null", 4);
	else
		json_dump_callback(id, dump, output, JSON_ENCODE_ANY | JSON_COMPACT);
	evbuffer_add(output, ",", 1);
}

static void answer_error(struct evbuffer *output, const json_t *id, json_t *error)
{
	answer_begin(output, id);
	evbuffer_add_printf(output, "\"error\":");
	json_dump_callback(error, dump, output, JSON_COMPACT);
	evbuffer_add(output, "}", 1);
	line_end(output);
	json_decref(error);
}

void rpc_request_refuse(struct evbuffer *output, int code, const char *sentence)
{
	answer_error(output, NULL, json_pack("{s:i, s:s}", "code", code, "message", sentence));
}

void rpc_request_notify(struct evbuffer *output, const char *method, const json_t *params)
{
	json_t *note =
		json_pack("{s:s, s:s, s:O}", "jsonrpc", "2.0", "method", method, "params", params);

	json_dump_callback(note, dump, output, JSON_COMPACT);
	line_end(output);
	json_decref(note);
}

/* All sentences in data.errors, the first one in message. */
static json_t *problems_print(const struct problems *problems)
{
	unsigned int kept = problems_kept(problems);
	json_t *list = json_array(), *message;

	for (unsigned int i = 0; i < kept; i++)
		json_array_append_new(list, json_string(problems->text[i]));
	if (problems->n > 1)
		message = json_sprintf("%s (and %u more)", problems->text[0], problems->n - 1);
	else
		message = json_string(problems->text[0]);
	return json_pack("{s:i, s:o, s:{s:o}}", "code", problems->code, "message", message, "data",
			 "errors", list);
}

static void call_answer(struct rpc_call *call, const json_t *id, struct evbuffer *output)
{
	if (call->problems.n > 0) {
		answer_error(output, id, problems_print(&call->problems));
		return;
	}
	answer_begin(output, id);
	evbuffer_add_printf(output, "\"result\":");
	if (evbuffer_get_length(call->text) > 0)
		evbuffer_add_buffer(output, call->text);
	else if (call->result == NULL)
		evbuffer_add(output, "{}", 2);
	else
		json_dump_callback(call->result, dump, output, JSON_COMPACT);
	evbuffer_add(output, "}", 1);
	line_end(output);
}

static void request_call(struct control *control, struct rpc_client *client,
			 const struct rpc_method *method, const json_t *params, const json_t *id,
			 struct evbuffer *output)
{
	struct rpc_call call = {.control = control, .client = client, .params = params};

	problems_init(&call.problems);
	call.text = evbuffer_new();
	if (call.text == NULL)
		problems_add(&call.problems, PROBLEM_MACHINE, "out of memory");
	else
		method->handle(&call);
	if (id != NULL)
		call_answer(&call, id, output);
	json_decref(call.result);
	if (call.text != NULL)
		evbuffer_free(call.text);
}

/* JSON-RPC 2.0 §4: what must be true of a request before its method is looked at. Return: a sentence, or NULL. */
static const char *request_fault(const json_t *request)
{
	static const char *const known[] = {"jsonrpc", "method", "params", "id"};
	const char *version, *key;
	json_t *id, *value;

	if (json_is_array(request))
		return "batches are not accepted, send one request per line";
	if (!json_is_object(request))
		return "a request is a JSON object";
	version = json_string_value(json_object_get(request, "jsonrpc"));
	if (version == NULL || strcmp(version, "2.0") != 0)
		return "\"jsonrpc\" must be \"2.0\"";
	if (!json_is_string(json_object_get(request, "method")))
		return "\"method\" must be a string";
	id = json_object_get(request, "id");
	if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "\"id\" must be a string or a number";
	json_object_foreach ((json_t *)request, key, value) {
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found = found || strcmp(known[i], key) == 0;
		if (!found)
			return "a request has the keys jsonrpc, method, params and id only";
	}
	return NULL;
}

static json_t *unknown_method(const char *name)
{
	char text[96];

	snprintf(text, sizeof(text), "unknown method \"%.64s\"", name);
	problems_printable(text);
	return json_string(text);
}

void rpc_request_line(struct control *control, struct rpc_client *client, const char *line,
		      size_t length, struct evbuffer *output)
{
	const struct rpc_method *method;
	json_t *request, *params, *empty, *id;
	json_error_t error;
	const char *fault;

	if (length == 1 && line[0] == '\r')
		return;
	if (!values_fit(line, length)) {
		rpc_request_refuse(output, -32600, "the request has too many values");
		return;
	}
	request = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (request == NULL) {
		problems_printable(error.text); /* it may quote a part of the line */
		answer_error(output, NULL,
			     json_pack("{s:i, s:o}", "code", -32700, "message",
				       json_sprintf("not JSON: %s at byte %d", error.text,
						    error.position)));
		return;
	}
	fault = request_fault(request);
	id = json_object_get(request, "id");
	if (fault != NULL) {
		if (!json_is_string(id) && !json_is_number(id))
			id = NULL;
		answer_error(output, id, json_pack("{s:i, s:s}", "code", -32600, "message", fault));
		json_decref(request);
		return;
	}
	empty = json_object();
	params = json_object_get(request, "params");
	if (params == NULL)
		params = empty;
	method = rpc_method_find(json_string_value(json_object_get(request, "method")));
	if (method == NULL && id != NULL)
		answer_error(output, id,
			     json_pack("{s:i, s:o}", "code", -32601, "message",
				       unknown_method(json_string_value(
					       json_object_get(request, "method")))));
	else if (method != NULL && !json_is_object(params) && id != NULL)
		answer_error(output, id,
			     json_pack("{s:i, s:s}", "code", -32602, "message",
				       "\"params\" must be an object"));
	else if (method != NULL && json_is_object(params))
		request_call(control, client, method, params, id, output);
	json_decref(empty);
	json_decref(request);
}
