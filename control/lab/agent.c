/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/base64.h"
#include "lab/rundir.h"
#include "lab/term.h"

#define AGENT_LINE_MAX	  (64u << 20) /* 2 x 16 MiB in base 64 */
#define AGENT_CALL_MS	  30000
#define AGENT_POLL_MIN_MS 10
#define AGENT_POLL_MAX_MS 250
#define GUEST_PATH	  "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

static int agent_lock(struct agent *agent, const char *lab, const char *node, uint64_t deadline,
		      struct err *err)
{
	struct lab_path path = rundir_node(lab, node, "agent.lock");

	agent->lock_fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (agent->lock_fd < 0)
		return err_set(err, errno, "node \"%s/%s\" does not run", lab, node);
	while (flock(agent->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_set(err, errno, "%s: %m", path.text);
		if (jsonline_interrupted)
			return -EINTR;
		if (clock_now_ns() > deadline)
			return err_set(err, ETIMEDOUT,
				       "the guest agent of \"%s/%s\" is busy with another command",
				       lab, node);
		poll(NULL, 0, 20);
	}
	return 0;
}

int agent_sync_send(struct jsonline *line, int id, struct err *err)
{
	/* 0xff: the agent's parser drops whatever was half sent before it. */
	json_t *request = json_pack("{s:s, s:{s:i}}", "execute", "guest-sync-delimited",
				    "arguments", "id", id);
	int rc = jsonline_send_raw(line, "\xff", 1, 1000, err);

	if (rc == 0)
		rc = jsonline_send(line, request, 1000, err);
	json_decref(request);
	return rc;
}

static int agent_sync(struct agent *agent, const char *lab, const char *node, uint64_t deadline,
		      struct err *err)
{
	int id = agent->sync_id;
	int rc = agent_sync_send(&agent->line, id, err);

	while (rc == 0) {
		uint64_t now = clock_now_ns();
		struct err why = {.text = ""};
		json_t *answer;
		bool is_mine;

		if (now >= deadline)
			return err_set(
				err, ETIMEDOUT,
				"the guest agent of \"%s/%s\" does not answer; is the guest up? "
				"(`netloom log %s/%s`)",
				lab, node, lab, node);
		rc = jsonline_receive(&agent->line, (int)((deadline - now) / CLOCK_NS_PER_MS + 1),
				      &answer, &why);
		if (rc == -ETIMEDOUT || rc == -EPROTO) {
			rc = 0; /* left over from before the delimiter */
			continue;
		}
		if (rc < 0)
			return err_set(err, -rc, "%s", why.text);
		is_mine = json_integer_value(json_object_get(answer, "return")) == id;
		json_decref(answer);
		if (is_mine)
			return 0;
	}
	return rc;
}

int agent_open(struct agent *agent, const char *lab, const char *node, int timeout_ms,
	       struct err *err)
{
	uint64_t deadline = clock_now_ns() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS;
	struct lab_path path = rundir_node(lab, node, "agent.sock");
	int rc;

	memset(agent, 0, sizeof(*agent));
	agent->line.fd = -1;
	agent->lock_fd = -1;
	agent->sync_id = (int)(clock_now_ns() / 1000 % 1000000000) + 1;
	rc = agent_lock(agent, lab, node, deadline, err);
	if (rc == 0)
		rc = jsonline_open(&agent->line, path.text, "the guest agent", AGENT_LINE_MAX, err);
	if (rc == 0)
		rc = agent_sync(agent, lab, node, deadline, err);
	if (rc < 0)
		agent_close(agent);
	return rc;
}

void agent_close(struct agent *agent)
{
	jsonline_close(&agent->line);
	if (agent->lock_fd >= 0)
		close(agent->lock_fd);
	agent->lock_fd = -1;
}

/* Steals @arguments. */
static int agent_call(struct agent *agent, const char *command, json_t *arguments, json_t **result,
		      struct err *err)
{
	json_t *request = json_pack("{s:s, s:o}", "execute", command, "arguments", arguments);
	json_t *answer = NULL;
	const json_t *error;
	int rc;

	if (request == NULL)
		return err_set(err, ENOMEM, "the command is not UTF-8, or there is no memory");
	rc = jsonline_send(&agent->line, request, AGENT_CALL_MS, err);
	json_decref(request);
	if (rc == 0)
		rc = jsonline_receive(&agent->line, AGENT_CALL_MS, &answer, err);
	if (rc < 0)
		return rc;
	error = json_object_get(answer, "error");
	if (error != NULL) {
		const char *text = json_string_value(json_object_get(error, "desc"));

		rc = err_set(err, EREMOTEIO, "the guest says: %s", text != NULL ? text : "no");
		if (err != NULL)
			term_clean_line(err->text);
	} else {
		*result = json_incref(json_object_get(answer, "return"));
		if (*result == NULL)
			rc = err_set(err, EPROTO, "the guest agent gave no answer to %s", command);
	}
	json_decref(answer);
	return rc;
}

static json_t *exec_arguments(const char *const *argv, const struct topo_pairs *env,
			      const void *input, size_t input_len)
{
	json_t *arguments =
		json_pack("{s:s, s:[], s:b}", "path", argv[0], "arg", "capture-output", 1);
	json_t *list = json_object_get(arguments, "arg");

	for (size_t i = 1; argv[i] != NULL; i++) {
		if (json_array_append_new(list, json_string(argv[i])) < 0) {
			json_decref(arguments);
			return NULL;
		}
	}
	if (env != NULL && env->n > 0) {
		/* `env` replaces the agent's environment: what every program expects goes first. */
		json_t *vars = json_pack("[s, s, s]", GUEST_PATH, "HOME=/root", "TERM=linux");

		for (size_t i = 0; i < env->n; i++)
			json_array_append_new(vars, json_sprintf("%s=%s", env->items[i].key,
								 env->items[i].value));
		json_object_set_new(arguments, "env", vars);
	}
	if (input != NULL) {
		char *text = base64_encode(input, input_len);

		json_object_set_new(arguments, "input-data", json_string(text != NULL ? text : ""));
		free(text);
	}
	return arguments;
}

static int result_stream(const json_t *status, const char *key, char **bytes, size_t *len)
{
	const char *text = json_string_value(json_object_get(status, key));

	*bytes = (char *)base64_decode(text != NULL ? text : "", len);
	if (*bytes == NULL)
		return -EPROTO;
	(*bytes)[*len] = '\0'; /* the decoder leaves room for it */
	return 0;
}

static int result_fill(const json_t *status, struct agent_result *result, struct err *err)
{
	const json_t *signal = json_object_get(status, "signal");

	result->status = (int)json_integer_value(json_object_get(status, "exitcode"));
	if (json_is_integer(signal))
		result->status = 128 + (int)json_integer_value(signal);
	result->is_truncated = json_is_true(json_object_get(status, "out-truncated")) ||
			       json_is_true(json_object_get(status, "err-truncated"));
	if (result_stream(status, "out-data", &result->out, &result->out_len) < 0 ||
	    result_stream(status, "err-data", &result->errors, &result->errors_len) < 0) {
		agent_result_free(result);
		return err_set(err, EPROTO, "the guest agent's output is no base 64");
	}
	return 0;
}

int agent_exec(struct agent *agent, const char *const *argv, const struct topo_pairs *env,
	       const void *input, size_t input_len, int timeout_ms, struct agent_result *result,
	       struct err *err)
{
	uint64_t start = clock_now_ns();
	int poll_ms = AGENT_POLL_MIN_MS;
	json_t *answer = NULL;
	json_int_t pid;
	int rc;

	memset(result, 0, sizeof(*result));
	if (input_len > AGENT_INPUT_MAX)
		return err_set(err, EFBIG, "standard input is larger than %u MiB; copy it in parts",
			       AGENT_INPUT_MAX >> 20);
	rc = agent_call(agent, "guest-exec", exec_arguments(argv, env, input, input_len), &answer,
			err);
	if (rc < 0)
		return rc;
	pid = json_integer_value(json_object_get(answer, "pid"));
	json_decref(answer);
	for (;;) {
		poll(NULL, 0, poll_ms);
		poll_ms = poll_ms * 3 / 2 < AGENT_POLL_MAX_MS ? poll_ms * 3 / 2 : AGENT_POLL_MAX_MS;
		if (jsonline_interrupted)
			return err_set(
				err, EINTR,
				"interrupted; the command goes on in the guest as process %lld",
				(long long)pid);
		rc = agent_call(agent, "guest-exec-status", json_pack("{s:I}", "pid", pid), &answer,
				err);
		if (rc < 0)
			return rc;
		if (json_is_true(json_object_get(answer, "exited"))) {
			rc = result_fill(answer, result, err);
			json_decref(answer);
			return rc;
		}
		json_decref(answer);
		if (timeout_ms > 0 &&
		    clock_now_ns() - start > (uint64_t)timeout_ms * CLOCK_NS_PER_MS)
			return err_set(
				err, ETIMEDOUT,
				"not finished after %d s; it goes on in the guest as process "
				"%lld",
				timeout_ms / 1000, (long long)pid);
	}
}

int agent_shell(struct agent *agent, const char *script, const struct topo_pairs *env,
		int timeout_ms, struct agent_result *result, struct err *err)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};

	return agent_exec(agent, argv, env, NULL, 0, timeout_ms, result, err);
}

void agent_result_free(struct agent_result *result)
{
	free(result->out);
	free(result->errors);
	memset(result, 0, sizeof(*result));
}
