/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the page does, it does by running netloom: the same commands, the same checks, the same sentences as by hand. A
 * child is never a shell, has nothing on its standard input, and is ended when its time is over. The loop's thread.
 */
#ifndef CONTROL_WEB_CHILD_H
#define CONTROL_WEB_CHILD_H

#include <event2/event.h>
#include <stddef.h>

#include "base/err.h"

#define CHILDREN_MAX 16

struct child;

struct child_options {
	const char *const
		*argv; /* behind the program's name; NULL-terminated, borrowed for child_start() */
	unsigned int timeout_s; /* 0: none */
	/* Some output. Return: how much was taken; less than @len stops reading until child_resume(). */
	size_t (*on_output)(const char *bytes, size_t len, void *arg);
	/* It has ended and all its output was taken; @status: exit status, or 128 + signal. Frees the child. */
	void (*on_end)(int status, const char *errors, void *arg);
	void *arg;
};

/**
 * child_start() - Run netloom with arguments
 * Return: 0; -EAGAIN when CHILDREN_MAX run already, or another -errno, with a sentence.
 */
int child_start(struct event_base *base, const struct child_options *options, struct child **out,
		struct err *err);

/** child_resume() - There is room for output again */
void child_resume(struct child *child);

/** child_kill() - End it; on_end() is called when it has ended */
void child_kill(struct child *child);

/** child_kill_all() - End all of them and wait; no callbacks any more */
void child_kill_all(void);

#endif
