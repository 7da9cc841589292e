/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool term_has_colour(FILE *out)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(fileno(out)) && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

const char *term_paint(FILE *out, enum term_colour colour)
{
	static const char *const codes[] = {
		[TERM_PLAIN] = "\033[0m", [TERM_GOOD] = "\033[32m", [TERM_BAD] = "\033[31m",
		[TERM_WARN] = "\033[33m", [TERM_DIM] = "\033[2m",   [TERM_BOLD] = "\033[1m",
	};

	return term_has_colour(out) ? codes[colour] : "";
}

static void table_put(struct table *table, enum term_colour colour, char *text)
{
	if (table->n_cells == table->room) {
		size_t room = table->room == 0 ? 64 : table->room * 2;
		char **cells = realloc(table->cells, room * sizeof(*cells));
		enum term_colour *colours;

		if (cells == NULL)
			abort();
		table->cells = cells;
		colours = realloc(table->colours, room * sizeof(*colours));
		if (colours == NULL)
			abort();
		table->colours = colours;
		table->room = room;
	}
	table->cells[table->n_cells] = text;
	table->colours[table->n_cells++] = colour;
}

static char *text_format(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		abort();
	/* A cell is one line, whatever a guest or a file has put into it. */
	for (char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
	return text;
}

void table_init(struct table *table, const char *const *headings)
{
	memset(table, 0, sizeof(*table));
	for (; headings[table->n_columns] != NULL; table->n_columns++)
		table_put(table, TERM_BOLD, strdup(headings[table->n_columns]));
}

void table_add(struct table *table, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	table_put(table, TERM_PLAIN, text_format(format, args));
	va_end(args);
}

void table_add_colour(struct table *table, enum term_colour colour, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	table_put(table, colour, text_format(format, args));
	va_end(args);
}

static void cell_print(const struct table *table, size_t i, int width, bool right, bool is_last,
		       FILE *out)
{
	enum term_colour colour = table->colours[i];
	const char *text = table->cells[i];
	int pad = width - (int)strlen(text);

	if (i < table->n_columns && text[0] == '>') {
		text++;
		pad++;
	}
	if (right)
		fprintf(out, "%*s", pad, "");
	if (colour != TERM_PLAIN)
		fprintf(out, "%s%s%s", term_paint(out, colour), text, term_paint(out, TERM_PLAIN));
	else
		fputs(text, out);
	if (!is_last)
		fprintf(out, "%*s  ", right ? 0 : pad, "");
}

void table_print(struct table *table, FILE *out)
{
	int *widths = calloc(table->n_columns, sizeof(*widths));

	for (size_t i = 0; widths != NULL && i < table->n_cells; i++) {
		const char *text = table->cells[i];
		int len = (int)strlen(text) - (i < table->n_columns && text[0] == '>');

		if (len > widths[i % table->n_columns])
			widths[i % table->n_columns] = len;
	}
	for (size_t i = 0; widths != NULL && i < table->n_cells; i++) {
		size_t column = i % table->n_columns;
		bool is_last = column + 1 == table->n_columns;

		cell_print(table, i, widths[column], table->cells[column][0] == '>', is_last, out);
		if (is_last)
			fputc('\n', out);
	}
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->colours);
	free(widths);
	memset(table, 0, sizeof(*table));
}

void term_clean(char *text)
{
	char *out = text;

	for (const char *in = text; *in != '\0'; in++) {
		unsigned char c = (unsigned char)*in;

		if (c == 0x1b && in[1] == '[') {
			in += 2;
			while (*in != '\0' && !(*in >= '@' && *in <= '~'))
				in++;
			if (*in == '\0')
				break;
			continue;
		}
		/* U+0080 to U+009F, which some terminals take for escape sequences. */
		if (c == 0xc2 && (unsigned char)in[1] >= 0x80 && (unsigned char)in[1] < 0xa0) {
			in++;
			continue;
		}
		if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f))
			*out++ = *in;
	}
	*out = '\0';
}

void term_clean_line(char *text)
{
	term_clean(text);
	for (; *text != '\0'; text++) {
		if (*text == '\n' || *text == '\t')
			*text = ' ';
	}
}

const char *term_duration(int64_t seconds, char *text, size_t size)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		snprintf(text, size, "%lld s", (long long)seconds);
	else if (seconds < 2 * 3600)
		snprintf(text, size, "%lld min", (long long)seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(text, size, "%lld h", (long long)seconds / 3600);
	else
		snprintf(text, size, "%lld d", (long long)seconds / 86400);
	return text;
}

const char *term_bytes(uint64_t bytes, char *text, size_t size)
{
	if (bytes < 10000)
		snprintf(text, size, "%llu B", (unsigned long long)bytes);
	else if (bytes < 10000000)
		snprintf(text, size, "%.1f kB", (double)bytes / 1e3);
	else if (bytes < UINT64_C(10000000000))
		snprintf(text, size, "%.1f MB", (double)bytes / 1e6);
	else
		snprintf(text, size, "%.1f GB", (double)bytes / 1e9);
	return text;
}
