/* SPDX-License-Identifier: BSD-3-Clause */
/* Run a helper program to its end and keep what it said, bounded in time and size. One thread. */
#ifndef LAB_COMMAND_H
#define LAB_COMMAND_H

#include <stddef.h>

#include "base/err.h"

struct command_output {
	int status; /* exit status, or 128 + signal */
	char *text; /* standard output and error together, NUL-terminated, owned; at most 64 KiB */
};

/**
 * command_run() - fork, exec, wait
 * @argv:       NULL-terminated; argv[0] is looked up in PATH when it has no slash
 * @timeout_ms: after it the program is killed
 *
 * Return: 0 when it ran; -errno with a sentence: not found, -ETIMEDOUT, -EINTR.
 */
int command_run(const char *const *argv, int timeout_ms, struct command_output *output,
		struct err *err);

/** command_output_free() - Free the text */
void command_output_free(struct command_output *output);

#endif
