/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket: its methods are in README.md. Main thread. */
#ifndef VM_CONTROL_H
#define VM_CONTROL_H

#include <stddef.h>

#include "base/err.h"

struct control;
struct devices;
struct vm;

/**
 * control_open() - Listen on @path, with mode 0660
 * @devices, @path: borrowed until control_free()
 * Return: NULL with @err set.
 */
struct control *control_open(struct vm *vm, struct devices *devices, const char *path,
			     struct err *err);
void control_free(struct control *control);

/**
 * control_answer() - What a line is answered with
 * Return: a line from malloc(), with its newline; NULL when there is no memory.
 */
char *control_answer(struct control *control, const char *line, size_t bytes);

#endif
