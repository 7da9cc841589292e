/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wrong with a lab file: every finding with its line, not only the first one.
 *
 * The list is bounded: a hostile file cannot make it grow for ever, and a person reads no more than
 * DIAG_MAX sentences. An identical finding on the same line (a bad value that many nodes inherit) is
 * kept once. One thread.
 */
#ifndef TOPO_DIAG_H
#define TOPO_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define DIAG_MAX      100
#define DIAG_TEXT_MAX 400

struct diag {
	unsigned int line; /* 1-based; 0: the file as a whole */
	bool is_warning;
	char text[DIAG_TEXT_MAX];
};

struct diag_list {
	const char *file; /* as the user wrote it, borrowed */
	struct diag items[DIAG_MAX];
	size_t n;
	size_t n_errors;   /* all of them, also those that found no room */
	size_t n_warnings; /* likewise */
};

/** diag_init() - An empty list for @file, which must outlive it */
void diag_init(struct diag_list *list, const char *file);

/** diag_error() - Note a finding that makes the file unusable; control bytes in it become `?` */
void diag_error(struct diag_list *list, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** diag_warning() - Note a finding that is worth a look */
void diag_warning(struct diag_list *list, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** diag_sort() - Put the findings in the order of the file */
void diag_sort(struct diag_list *list);

/** diag_print() - One line each, `FILE:LINE: sentence`, in the order of the file */
void diag_print(struct diag_list *list, FILE *out);

#endif
