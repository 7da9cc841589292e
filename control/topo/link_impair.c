/* SPDX-License-Identifier: BSD-3-Clause */
/* `impair`, `carrier` and `flap` of a link in a lab file. */
#include <stdio.h>
#include <string.h>

#include "topo/link.h"
#include "topo/value.h"

#define FLAP_MAX_US UINT64_C(86400000000)

static void word_set(const struct value_reader *r, const struct tree_node *key,
		     const struct tree_node *value, int side, struct topo_impair *impair)
{
	char why[300];
	const char *text;

	if (!value_string(r, key->text, value, &text))
		return;
	if (!topo_impair_set(impair, key->text, text, side, why, sizeof(why)))
		diag_error(r->diags, value->line, "%s: impair: %s", r->who, why);
}

/* A preset comes first, wherever it is written; the rest changes it. */
static void side_read(const struct value_reader *r, const struct tree_node *map, int side,
		      struct topo_impair *impair)
{
	size_t before = r->diags->n_errors;
	const char *fault;

	if (!value_is_kind(r, "impair", map, TREE_MAP))
		return;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < map->n; i++) {
			const struct tree_node *key = map->items[2 * i];

			if ((strcmp(key->text, "preset") == 0) == (pass == 0))
				word_set(r, key, map->items[2 * i + 1], side, impair);
		}
	}
	fault = topo_impair_check(impair);
	if (fault != NULL && r->diags->n_errors == before)
		diag_error(r->diags, map->line, "%s: impair: %s", r->who, fault);
}

void link_impair_read(const struct value_reader *r, const struct tree_node *value,
		      struct topo_link *link)
{
	if (value->kind == TREE_SEQUENCE && value->n != 2) {
		diag_error(r->diags, value->line,
			   "%s: `impair` as a list has two items: what the first endpoint sends, "
			   "and what "
			   "the second sends",
			   r->who);
		return;
	}
	link->impair_line = value->line;
	for (int side = 0; side < 2; side++)
		side_read(r, value->kind == TREE_SEQUENCE ? value->items[side] : value, side,
			  &link->impair[side]);
}

/* "every 30s for 2s" */
void link_flap_read(const struct value_reader *r, const struct tree_node *value,
		    struct topo_link *link)
{
	char every[32], down[32], rest;
	uint64_t every_us, down_us;
	const char *text;

	if (!value_string(r, "flap", value, &text))
		return;
	if (sscanf(text, "every %31s for %31s %c", every, down, &rest) != 2 ||
	    !topo_duration_us(every, &every_us) || !topo_duration_us(down, &down_us))
		diag_error(
			r->diags, value->line,
			"%s: `flap: %.60s` is not `every TIME for TIME`, such as every 30s for 2s",
			r->who, text);
	else if (down_us < 10000 || every_us > FLAP_MAX_US || down_us >= every_us)
		diag_error(r->diags, value->line,
			   "%s: `flap: %.60s`: the link is down for 10ms or more, and shorter than "
			   "the "
			   "period, which is a day at most",
			   r->who, text);
	else {
		link->flap_every_ms = (unsigned int)(every_us / 1000);
		link->flap_down_ms = (unsigned int)(down_us / 1000);
	}
}
