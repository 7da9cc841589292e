/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user sees: tables, and colour where, and only where, a terminal shows it. One thread. */
#ifndef LAB_TERM_H
#define LAB_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum term_colour { TERM_PLAIN, TERM_GOOD, TERM_BAD, TERM_WARN, TERM_DIM, TERM_BOLD };

/** term_has_colour() - @out is a terminal, and neither NO_COLOR nor TERM=dumb asks for none */
bool term_has_colour(FILE *out);

/** term_paint() - Escape sequence that switches a colour on in @out, or ""; TERM_PLAIN switches it off */
const char *term_paint(FILE *out, enum term_colour colour);

struct table {
	size_t n_columns;
	char **cells; /* row after row, the heading first */
	enum term_colour *colours;
	size_t n_cells;
	size_t room;
};

/** table_init() - Headings, NULL-terminated; a heading that starts with `>` is right-aligned */
void table_init(struct table *table, const char *const *headings);

/** table_add() - The next cell; rows fill up from the left */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** table_add_colour() - table_add() with a colour */
void table_add_colour(struct table *table, enum term_colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** table_print() - Headings and rows in columns, then free it all */
void table_print(struct table *table, FILE *out);

/** term_duration() - "12 s", "3 min", "5 h" into a static buffer of the caller's choosing */
const char *term_duration(int64_t seconds, char *text, size_t size);

/** term_bytes() - "12.3 MB" */
const char *term_bytes(uint64_t bytes, char *text, size_t size);

/**
 * term_clean() - What a guest wrote, fit for a terminal
 * @text: changed in place: escape sequences (ESC [ ... letter) and control characters other than newline and
 *        tab are dropped
 */
void term_clean(char *text);

/** term_clean_line() - The same for a part of a sentence: newlines and tabs become spaces */
void term_clean_line(char *text);

#endif
