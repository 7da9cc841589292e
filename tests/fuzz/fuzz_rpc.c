/* links: control datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of anything into the RPC, over a datapath without workers. The model is kept from line to line of one input, so a
 * corpus file is a session. Whatever is sent: no crash, every answer is one line of JSON, and what is accepted can
 * be saved and read back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control.h"
#include "rpc/request.h"
#include "state.h"
#include "unit/control/fake_datapath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char state_path[] = "/dev/shm/netloom-fuzz-rpc-XXXXXX";

static void remove_state(void)
{
	char other[sizeof(state_path) + 8];

	unlink(state_path);
	snprintf(other, sizeof(other), "%s.bad", state_path);
	unlink(other);
}

static void path_make(void)
{
	int fd = mkstemp(state_path);

	if (fd < 0)
		abort();
	close(fd);
	atexit(remove_state);
	log_init("fuzz_rpc", LOG_ERROR);
}

/* Every answer must be good JSON on a line of its own. */
static void answers_check(struct evbuffer *output)
{
	size_t length;
	char *line;

	while ((line = evbuffer_readln(output, &length, EVBUFFER_EOL_LF)) != NULL) {
		json_t *answer = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);

		if (!json_is_object(answer))
			abort();
		json_decref(answer);
		free(line);
	}
	if (evbuffer_get_length(output) > 0)
		abort();
}

/* What runs must be what a restart would find. */
static void state_check(const struct control *control)
{
	const struct model *model = apply_model(control->apply);
	struct err err = {.text = ""};
	struct model *saved;

	if (state_load(state_path, &saved, &err) != 0 || saved->n_ports != model->n_ports ||
	    saved->n_switches != model->n_switches || saved->n_stations != model->n_stations)
		abort();
	model_free(saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct datapath_options options = {.n_workers = 1, .fdb_capacity = 1024};
	struct control control = {.state_path = state_path};
	struct evbuffer *output = evbuffer_new();
	struct err err = {.text = ""};

	if (strchr(state_path, 'X') != NULL && strstr(state_path, "XXXXXX") != NULL)
		path_make();
	unlink(state_path);
	if (datapath_start(&options, &err) != 0)
		abort();
	control.base = event_base_new();
	if (control_start(&control, &err) != 0)
		abort();
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end == NULL ? size : (size_t)(end - data);

		/* A copy of its own, so that the sanitizer sees reading past the end. */
		char *line = malloc(length);

		memcpy(line, data, length);
		if (length > 0)
			rpc_request_line(&control, NULL, line, length, output);
		free(line);
		answers_check(output);
		data += length + (end != NULL);
		size -= length + (end != NULL);
	}
	if (access(state_path, F_OK) == 0)
		state_check(&control);
	control_stop(&control);
	if (fake.n_opens != fake.n_closes)
		abort();
	event_base_free(control.base);
	evbuffer_free(output);
	return 0;
}
