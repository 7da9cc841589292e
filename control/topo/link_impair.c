/* SPDX-License-Identifier: BSD-3-Clause */
/* `impair`, `flap` and `liveness` of a link in a lab file. */
#include <stdio.h>
#include <string.h>

#include "topo/link.h"
#include "topo/value.h"

#define FLAP_MAX_US	      UINT64_C(86400000000)
#define LIVENESS_MIN_US	      50000
#define LIVENESS_MAX_US	      60000000
#define LIVENESS_MULTIPLE_MAX 50

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

static void liveness_mode_read(const struct value_reader *r, const struct tree_node *value,
			       struct topo_link *link)
{
	static const char *const words[] = {[TOPO_LIVENESS_DEFAULT] = "default",
					    [TOPO_LIVENESS_OFF] = "off",
					    [TOPO_LIVENESS_ON] = "on",
					    [TOPO_LIVENESS_AUTO] = "auto"};
	unsigned int choice;

	if (value_choice(r, "liveness", value, words, sizeof(words) / sizeof(words[0]), &choice))
		link->liveness = (enum topo_liveness)choice;
}

void link_liveness_read(const struct value_reader *r, const struct tree_node *value,
			struct topo_link *link)
{
	static const char *const keys[] = {"mode", "interval", "multiplier"};
	const struct tree_node *item;
	const char *text;
	uint64_t us;

	link->liveness_line = value->line;
	if (value->kind != TREE_MAP) {
		liveness_mode_read(r, value, link);
		return;
	}
	value_keys_check(r, value, keys, sizeof(keys) / sizeof(keys[0]));
	item = tree_find(value, "mode");
	if (item != NULL)
		liveness_mode_read(r, item, link);
	item = tree_find(value, "interval");
	if (item != NULL && value_string(r, "interval", item, &text)) {
		if (!topo_duration_us(text, &us) || us < LIVENESS_MIN_US || us > LIVENESS_MAX_US)
			diag_error(r->diags, item->line,
				   "%s: `interval: %.60s` is not a time from 50ms to 60s", r->who,
				   text);
		else
			link->liveness_ms = (unsigned int)(us / 1000);
	}
	item = tree_find(value, "multiplier");
	if (item != NULL)
		value_uint(r, "multiplier", item, 1, LIVENESS_MULTIPLE_MAX,
			   &link->liveness_multiplier);
}
