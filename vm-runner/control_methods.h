/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of the control socket, without the socket: JSON-RPC 2.0, one request per line. */
#ifndef VM_CONTROL_METHODS_H
#define VM_CONTROL_METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct devices;
struct vm;

/* What the methods act on. */
struct control_target {
	struct vm *vm;
	struct devices *devices; /* borrowed */
	int attached; /* descriptor that came with the request, -1: none; who uses it sets it to -1 */
	uint64_t start_ns;
	bool stopping; /* the power button was pressed */
};

void control_methods_init(struct control_target *target, struct vm *vm, struct devices *devices);

/**
 * control_methods_answer() - Serve one request
 * Return: the response as a line from malloc(); NULL without memory.
 */
char *control_methods_answer(struct control_target *target, const char *line, size_t bytes);

#endif
