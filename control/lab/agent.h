/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's side door: the QEMU guest agent's protocol over a virtio-serial port, whichever VMM serves it.
 *
 * The port is one byte stream that one host process may use at a time; users of a node take turns through
 * a lock file. Every conversation starts with guest-sync-delimited, which throws away what an earlier,
 * interrupted conversation left in the pipe. One thread.
 */
#ifndef LAB_AGENT_H
#define LAB_AGENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "lab/jsonline.h"
#include "topo/topo.h"

#define AGENT_INPUT_MAX (8u << 20) /* bytes of standard input of a command */

struct agent {
	struct jsonline line;
	int lock_fd;
	int sync_id;
};

struct agent_result {
	int status; /* exit status; 128 + signal when a signal ended it, as in a shell */
	char *out;  /* NUL-terminated, owned */
	size_t out_len;
	char *errors; /* likewise: what it wrote to standard error */
	size_t errors_len;
	bool is_truncated; /* the agent keeps 16 MiB of each */
};

/**
 * agent_open() - Get hold of a node's agent, and of its attention
 * @lab:        lab
 * @node:       node
 * @timeout_ms: for other users to finish and for the agent to answer
 *
 * Return: 0, -ECONNREFUSED or -ENOENT (no VM), -ETIMEDOUT (no agent answers), -EINTR.
 */
int agent_open(struct agent *agent, const char *lab, const char *node, int timeout_ms,
	       struct err *err);

/** agent_close() - Let go */
void agent_close(struct agent *agent);

/**
 * agent_sync_send() - Ask the agent whether it is there, without waiting
 * @line: connected to the agent
 * @id:   number to be recognised in the answer
 */
int agent_sync_send(struct jsonline *line, int id, struct err *err);

/**
 * agent_exec() - Run a command in the guest to its end
 * @argv:       NULL-terminated; argv[0] is looked up in the guest's PATH
 * @env:        more environment, may be NULL
 * @input:      standard input, may be NULL
 * @input_len:  bytes, at most AGENT_INPUT_MAX
 * @timeout_ms: 0: wait for ever
 * @result:     out, free with agent_result_free()
 *
 * Return: 0 when it ran (whatever its status), or -errno with a sentence.
 */
int agent_exec(struct agent *agent, const char *const *argv, const struct topo_pairs *env,
	       const void *input, size_t input_len, int timeout_ms, struct agent_result *result,
	       struct err *err);

/** agent_shell() - agent_exec() of `sh -c SCRIPT` */
int agent_shell(struct agent *agent, const char *script, const struct topo_pairs *env,
		int timeout_ms, struct agent_result *result, struct err *err);

/** agent_result_free() - Free what a result owns */
void agent_result_free(struct agent_result *result);

#endif
