/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What differs between two models, for people and for apply.
 */
#ifndef CONTROL_MODEL_DIFF_H
#define CONTROL_MODEL_DIFF_H

#include <jansson.h>

#include "model.h"

enum diff_op { DIFF_SAME, DIFF_ADD, DIFF_REMOVE, DIFF_CHANGE, DIFF_REPLACE };

/**
 * diff_port() - What happens to a port, and why in words
 * @detail: out, `vlan access 10 -> access 20, mtu 1500 -> 9000`
 *
 * DIFF_CHANGE keeps the port object and its peer's connection; DIFF_REPLACE needs a new one, because what is behind
 * the port is another.
 */
enum diff_op diff_port(const struct model_port *old, const struct model_port *next, char *detail,
		       size_t size);

enum diff_op diff_switch(const struct model_switch *old, const struct model_switch *next,
			 char *detail, size_t size);

/**
 * diff_print() - All changes as the RPC reports them, removals first
 * @failed: says whether a port of @old is not open although it should be; if @next has it without an index, which
 *          means that the request named it, it will be opened again ("replace"). NULL: none is.
 * Return: new reference, a list of {op, object, name, detail}.
 */
json_t *diff_print(const struct model *old, const struct model *next,
		   bool (*failed)(const struct model_port *port, void *arg), void *arg);

#endif
