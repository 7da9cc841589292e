/* SPDX-License-Identifier: BSD-3-Clause */
/* capture, capture.list */
#include <string.h>

#include "eyes/capture.h"
#include "json_read.h"
#include "rpc/methods.h"
#include "rpc/server.h"

static bool capture_pull(void *arg, struct evbuffer *output, size_t room)
{
	capture_read(arg, output, room);
	return !capture_is_over(arg);
}

static void capture_ended(void *arg)
{
	capture_stop(arg);
}

static void capture_gone(void *arg)
{
	capture_close(arg);
}

static const struct rpc_stream capture_stream = {
	.pull = capture_pull,
	.end = capture_ended,
	.free = capture_gone,
};

void rpc_targets_read(const struct json_reader *reader, struct eyes_select *select)
{
	const json_t *list = json_object_get(reader->object, "targets");
	size_t n = json_array_size(list);

	if (!json_read_need(reader, "targets"))
		return;
	if (!json_is_array(list) || n == 0 || n > EYES_TARGETS_MAX) {
		problems_add(
			reader->problems, PROBLEM_PARAMS,
			"%s: \"targets\" must be a list of 1 to %d names of ports, switches or "
			"labs",
			reader->what, EYES_TARGETS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name == NULL || !json_name_ok(name)) {
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: \"targets\": an item is no name", reader->what);
			return;
		}
		memset(select->targets[i], 0, MODEL_NAME_MAX);
		memcpy(select->targets[i], name, strlen(name));
	}
	select->n_targets = (uint16_t)n;
}

static void direction_read(const struct json_reader *reader, struct eyes_select *select)
{
	static const char *const words[] = {"both", "in", "out", "none", NULL};
	int direction = json_read_choice(reader, "direction", words);
	bool drops = false;

	json_read_bool(reader, "drops", &drops);
	if (direction > 0) {
		select->points[PROBE_IN] = direction == 1;
		select->points[PROBE_OUT] = direction == 2;
	}
	select->points[PROBE_DROP] = drops;
	if (direction == 3 && !drops)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"direction\" none without \"drops\" captures nothing",
			     reader->what);
}

static void spec_read(struct rpc_call *call, struct capture_spec *spec)
{
	static const char *const keys[] = {"targets", "direction", "drops", "filter",
					   "snaplen", "buffer_kb", NULL};
	struct json_reader reader;

	capture_spec_init(spec);
	json_reader_init(&reader, call->params, &call->problems, "params");
	json_read_keys(&reader, keys);
	rpc_targets_read(&reader, &spec->select);
	direction_read(&reader, &spec->select);
	json_read_string(&reader, "filter", spec->filter, sizeof(spec->filter));
	json_read_uint(&reader, "snaplen", 14, CAPTURE_SNAPLEN_DEFAULT, &spec->snaplen);
	json_read_uint(&reader, "buffer_kb", CAPTURE_BUFFER_KB_MIN, CAPTURE_BUFFER_KB_MAX,
		       &spec->buffer_kb);
	while ((spec->buffer_kb & (spec->buffer_kb - 1)) != 0)
		spec->buffer_kb &= spec->buffer_kb - 1; /* down to a power of two */
}

void rpc_capture(struct rpc_call *call)
{
	struct capture *capture = NULL;
	struct err err = {.text = ""};
	struct capture_spec spec;

	spec_read(call, &spec);
	if (call->problems.n > 0)
		return;
	if (call->client == NULL) {
		problems_add(&call->problems, PROBLEM_STATE, "a capture needs a connection");
		return;
	}
	if (capture_open(call->control->eyes, &spec, &capture, &err) != 0) {
		problems_add(&call->problems, PROBLEM_STATE, "%s", err.text);
		return;
	}
	if (rpc_client_stream(call->client, &capture_stream, capture) != 0) {
		capture_close(capture);
		problems_add(&call->problems, PROBLEM_MACHINE, "out of memory");
		return;
	}
	call->result = json_pack("{s:s}", "stream", "pcapng");
}

void rpc_capture_list(struct rpc_call *call)
{
	if (rpc_params_none(call))
		call->result = json_pack("{s:o}", "captures", capture_list());
}
