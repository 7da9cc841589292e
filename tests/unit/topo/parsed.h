/* SPDX-License-Identifier: BSD-3-Clause */
/* A lab file as text in, findings or a model out: what the tests of the file's parts have in common. Include after cmocka.h. */
#ifndef TESTS_UNIT_TOPO_PARSED_H
#define TESTS_UNIT_TOPO_PARSED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/topo.h"

struct parsed {
	struct topo topo;
	struct diag_list diags;
	int rc;
};

static inline struct parsed *parse_bytes(const char *text, size_t len)
{
	struct parsed *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	diag_init(&p->diags, "lab.yaml");
	p->rc = topo_parse(&p->topo, text, len, &p->diags);
	return p;
}

static inline struct parsed *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static inline void parsed_free(struct parsed *p)
{
	topo_free(&p->topo);
	free(p);
}

/* Exactly one finding, on that line, that contains the text. */
static inline void expect_error(const char *text, unsigned int line, const char *sentence)
{
	struct parsed *p = parse(text);

	if (p->diags.n != 1 || p->diags.items[0].line != line ||
	    strstr(p->diags.items[0].text, sentence) == NULL) {
		for (size_t i = 0; i < p->diags.n; i++)
			print_error("found %u: %s\n", p->diags.items[i].line,
				    p->diags.items[i].text);
		fail_msg("expected only line %u: ...%s...", line, sentence);
	}
	assert_int_not_equal(p->rc, 0);
	parsed_free(p);
}

static inline void expect_finding(const struct parsed *p, unsigned int line, const char *sentence)
{
	for (size_t i = 0; i < p->diags.n; i++) {
		if (p->diags.items[i].line == line &&
		    strstr(p->diags.items[i].text, sentence) != NULL)
			return;
	}
	for (size_t i = 0; i < p->diags.n; i++)
		print_error("found %u: %s\n", p->diags.items[i].line, p->diags.items[i].text);
	fail_msg("no finding on line %u with: %s", line, sentence);
}

/** expect_good() - A model without findings; parsed_free() it */
static inline struct parsed *expect_good(const char *text)
{
	struct parsed *p = parse(text);

	for (size_t i = 0; i < p->diags.n; i++)
		print_error("found %u: %s\n", p->diags.items[i].line, p->diags.items[i].text);
	assert_int_equal(p->diags.n, 0);
	assert_int_equal(p->rc, 0);
	return p;
}

#endif
