/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void diag_init(struct diag_list *list, const char *file)
{
	memset(list, 0, sizeof(*list));
	list->file = file;
}

static void diag_text_clean(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

static void diag_vadd(struct diag_list *list, bool is_warning, unsigned int line,
		      const char *format, va_list args)
{
	struct diag d = {.line = line, .is_warning = is_warning};

	vsnprintf(d.text, sizeof(d.text), format, args);
	diag_text_clean(d.text);
	for (size_t i = 0; i < list->n; i++) {
		if (list->items[i].line == line && strcmp(list->items[i].text, d.text) == 0)
			return;
	}
	if (is_warning)
		list->n_warnings++;
	else
		list->n_errors++;
	if (list->n < DIAG_MAX)
		list->items[list->n++] = d;
}

void diag_error(struct diag_list *list, unsigned int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diag_vadd(list, false, line, format, args);
	va_end(args);
}

void diag_warning(struct diag_list *list, unsigned int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diag_vadd(list, true, line, format, args);
	va_end(args);
}

static int diag_compare(const void *a, const void *b)
{
	const struct diag *left = a;
	const struct diag *right = b;

	return (left->line > right->line) - (left->line < right->line);
}

void diag_sort(struct diag_list *list)
{
	qsort(list->items, list->n, sizeof(list->items[0]), diag_compare);
}

void diag_print(struct diag_list *list, FILE *out)
{
	diag_sort(list);
	for (size_t i = 0; i < list->n; i++) {
		const struct diag *d = &list->items[i];

		if (d->line > 0)
			fprintf(out, "%s:%u: %s%s\n", list->file, d->line,
				d->is_warning ? "warning: " : "", d->text);
		else
			fprintf(out, "%s: %s%s\n", list->file, d->is_warning ? "warning: " : "",
				d->text);
	}
	if (list->n_errors + list->n_warnings > list->n)
		fprintf(out, "%s: and %zu more\n", list->file,
			list->n_errors + list->n_warnings - list->n);
}
