/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who reaches whom: every guest pings every other, and the answer is laid beside what the lab file implies.
 *
 * Of a lab on several hosts each host asks its own guests, which ping those of all hosts. A TAP is asked in its network namespace.
 *
 * One shell script per guest, all guests at the same time, pings in parallel inside: the whole matrix takes
 * as long as its slowest unanswered ping. One thread.
 */
#ifndef LAB_MATRIX_H
#define LAB_MATRIX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "topo/reach.h"

enum matrix_found { MATRIX_UNMEASURED, MATRIX_ANSWERED, MATRIX_SILENT };

struct matrix_host {
	const struct topo_node *node;
	const struct topo_address *address; /* of one interface; a VM appears once per interface */
};

struct matrix {
	const struct topo *topo;
	struct matrix_host *hosts;
	size_t n_hosts;
	enum reach *expected; /* n_hosts x n_hosts, from row to column */
	enum matrix_found *found;
	char *failure; /* why rows are unmeasured; "" otherwise */
};

/** matrix_new() - Hosts and expectations of a lab. Return: 0 or -ENOMEM; matrix_free() in every case */
int matrix_new(struct matrix *matrix, const struct topo *topo);

/** matrix_script() - What one guest runs: prints one line "INDEX yes|no" per other host; in @arena */
const char *matrix_script(struct arena *arena, const struct matrix *matrix, size_t from);

/** matrix_result_parse() - Take over a guest's answer */
void matrix_result_parse(struct matrix *matrix, size_t from, const char *text);

/** matrix_measure() - Run it in all guests at the same time. Return: 0, or -errno (interrupted) */
int matrix_measure(struct matrix *matrix, struct err *err);

/** matrix_n_wrong() - Pairs that are not as expected, unmeasured ones included */
size_t matrix_n_wrong(const struct matrix *matrix);

/** matrix_print() - For people */
void matrix_print(const struct matrix *matrix);

/** matrix_json() - For programs; new reference */
json_t *matrix_json(const struct matrix *matrix);

/** matrix_free() - Free what it owns */
void matrix_free(struct matrix *matrix);

#endif
