/* SPDX-License-Identifier: BSD-3-Clause */
/* trace: what would become of a frame; trace.live: what becomes of the next ones */
#include <stdlib.h>
#include <string.h>

#include "datapath.h"
#include "eyes/trace_dry.h"
#include "eyes/trace_live.h"
#include "eyes/trace_words.h"
#include "json_read.h"
#include "rpc/methods.h"
#include "rpc/request.h"
#include "rpc/server.h"

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Return: bytes written, or 0 when the text is no frame. */
static uint32_t hex_read(const char *text, uint8_t *bytes)
{
	size_t len = strlen(text);

	if (len == 0 || len % 2 != 0 || len / 2 > FRAME_LEN_MAX)
		return 0;
	for (size_t i = 0; i < len; i += 2) {
		int high = nibble(text[i]), low = nibble(text[i + 1]);

		if (high < 0 || low < 0)
			return 0;
		bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	return (uint32_t)(len / 2);
}

void rpc_trace(struct rpc_call *call)
{
	static const char *const keys[] = {"port", "frame", NULL};
	static uint8_t bytes[FRAME_LEN_MAX];
	const json_t *frame = json_object_get(call->params, "frame");
	const struct apply *apply = call->control->apply;
	const struct model_port *port = NULL;
	char name[MODEL_NAME_MAX] = "";
	static struct trace trace;
	struct json_reader reader;
	uint32_t len = 0;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	if (json_read_need(&reader, "port") &&
	    json_read_name(&reader, "port", name, sizeof(name))) {
		port = model_port_find(apply_model(apply), name);
		if (port == NULL)
			problems_add(&call->problems, PROBLEM_STATE, "there is no port \"%s\"",
				     name);
	}
	if (json_read_need(&reader, "frame")) {
		len = json_is_string(frame) ? hex_read(json_string_value(frame), bytes) : 0;
		if (len == 0)
			problems_add(&call->problems, PROBLEM_PARAMS,
				     "params: \"frame\" must be 1 to %d bytes in hexadecimal",
				     FRAME_LEN_MAX);
	}
	if (call->problems.n > 0)
		return;
	if (strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0 ||
	    strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0) {
		problems_add(&call->problems, PROBLEM_STATE,
			     "port \"%s\": what comes in from other hosts has a VNI, which a frame "
			     "alone "
			     "does not say; use trace.live",
			     name);
		return;
	}
	if (snapshot_port(datapath_current(), port->index) == NULL) {
		problems_add(&call->problems, PROBLEM_STATE,
			     "port \"%s\" could not be opened: `port.list` has the reason", name);
		return;
	}
	if (trace_dry(datapath_current(), port->index, bytes, len, &trace) != 0) {
		problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
		return;
	}
	call->result = trace_words(&trace, bytes, len, len, port->index, apply);
}

static bool live_pull(void *arg, struct evbuffer *output, size_t room)
{
	size_t before = evbuffer_get_length(output);
	json_t *words = NULL;

	while (evbuffer_get_length(output) - before < room &&
	       (words = trace_live_next(arg)) != NULL) {
		rpc_request_notify(output, "trace", words);
		json_decref(words);
	}
	return !trace_live_is_over(arg);
}

static void live_ended(void *arg)
{
	trace_live_end(arg);
}

static void live_gone(void *arg)
{
	trace_live_close(arg);
}

static const struct rpc_stream live_stream = {
	.pull = live_pull,
	.end = live_ended,
	.free = live_gone,
};

void rpc_trace_live(struct rpc_call *call)
{
	static const char *const keys[] = {"targets", "filter", "count", NULL};
	struct trace_live_spec spec = {.count = 1};
	struct trace_live *live = NULL;
	struct err err = {.text = ""};
	struct json_reader reader;

	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	rpc_targets_read(&reader, &spec.select);
	json_read_string(&reader, "filter", spec.filter, sizeof(spec.filter));
	json_read_uint(&reader, "count", 1, TRACE_LIVE_COUNT_MAX, &spec.count);
	if (call->problems.n > 0)
		return;
	if (call->client == NULL) {
		problems_add(&call->problems, PROBLEM_STATE, "a live trace needs a connection");
		return;
	}
	if (trace_live_open(call->control->eyes, &spec, &live, &err) != 0) {
		problems_add(&call->problems, PROBLEM_STATE, "%s", err.text);
		return;
	}
	if (rpc_client_stream(call->client, &live_stream, live) != 0) {
		trace_live_close(live);
		problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
		return;
	}
	call->result = json_pack("{s:s}", "stream", "trace");
}
