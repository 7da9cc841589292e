/* SPDX-License-Identifier: BSD-3-Clause */
#include "problems.h"

#include <stdarg.h>
#include <stdio.h>

void problems_init(struct problems *problems)
{
	problems->n = 0;
	problems->code = PROBLEM_PARAMS;
}

void problems_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

void problems_add(struct problems *problems, enum problem_code code, const char *format, ...)
{
	va_list args;

	if (problems->n == 0)
		problems->code = code;
	if (problems->n < PROBLEMS_KEPT) {
		char *text = problems->text[problems->n];

		va_start(args, format);
		vsnprintf(text, PROBLEMS_TEXT_MAX, format, args);
		va_end(args);
		problems_printable(text);
	}
	problems->n++;
}

unsigned int problems_kept(const struct problems *problems)
{
	return problems->n < PROBLEMS_KEPT ? problems->n : PROBLEMS_KEPT;
}
