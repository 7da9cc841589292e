/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/mirror.h"

#include <arpa/inet.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define FRAME_MAX     65599
#define SESSION_MAX   1023

static bool link_has(const struct topo *topo, const char *node, size_t len, const char *ifname)
{
	for (size_t i = 0; i < topo->n_links; i++) {
		for (int end = 0; end < 2; end++) {
			const struct topo_end *own = &topo->links[i].ends[end];

			if (strlen(own->node) == len && strncmp(own->node, node, len) == 0 &&
			    (ifname == NULL || strcmp(own->ifname, ifname) == 0))
				return true;
		}
	}
	return false;
}

/* "h1:eth1", an end of a link; or "sw1", a switch, where @may_be_switch. */
static bool end_is_good(const struct topo *topo, const struct value_reader *r, unsigned int line,
			const char *text, bool may_be_switch)
{
	const char *colon = strchr(text, ':');
	const struct topo_node *node = colon == NULL ? topo_node_find(topo, text) : NULL;

	if (colon != NULL && link_has(topo, text, (size_t)(colon - text), colon + 1))
		return true;
	if (may_be_switch && node != NULL && node->kind == TOPO_SWITCH)
		return true;
	diag_error(r->diags, line, "%s: \"%.80s\" is no end of a link like h1:eth1%s", r->who, text,
		   may_be_switch ? ", and no switch" : "");
	return false;
}

static void of_read(const struct topo *topo, const struct value_reader *r,
		    const struct tree_node *map, struct topo_mirror *mirror)
{
	const struct tree_node *value = tree_find(map, "of");

	if (value == NULL) {
		diag_error(r->diags, map->line,
			   "%s: key `of` is missing: what is mirrored, like [h1:eth1, sw1]",
			   r->who);
		return;
	}
	if (!value_strings(r, "of", value, &mirror->of))
		return;
	for (size_t i = 0; i < mirror->of.n; i++)
		end_is_good(topo, r, value->line, mirror->of.items[i], true);
}

static void erspan_read(const struct value_reader *r, const struct tree_node *map,
			struct topo_mirror *mirror)
{
	const struct tree_node *value = tree_find(map, "erspan");
	const struct tree_node *session = tree_find(map, "session");
	const struct tree_node *type = tree_find(map, "erspan-type");
	uint8_t bytes[16];

	mirror->erspan_type = 2;
	if (value == NULL) {
		if (session != NULL || type != NULL)
			diag_error(r->diags, map->line,
				   "%s: `session` and `erspan-type` belong to `erspan: ADDRESS`",
				   r->who);
		return;
	}
	if (!value_string(r, "erspan", value, &mirror->erspan))
		return;
	if (inet_pton(AF_INET, mirror->erspan, bytes) != 1 &&
	    inet_pton(AF_INET6, mirror->erspan, bytes) != 1)
		diag_error(r->diags, value->line,
			   "%s: erspan \"%.60s\" is no address like 192.0.2.9", r->who,
			   mirror->erspan);
	if (session != NULL)
		value_uint(r, "session", session, 0, SESSION_MAX, &mirror->session);
	if (type != NULL)
		value_uint(r, "erspan-type", type, 2, 3, &mirror->erspan_type);
}

static void mirror_read(const struct topo *topo, const struct value_reader *r,
			const struct tree_node *map, struct topo_mirror *mirror)
{
	static const char *const keys[] = {"of",   "to",	"erspan", "session", "erspan-type",
					   "vlan", "direction", "filter", "snaplen"};
	static const char *const directions[] = {"both", "in", "out"};
	const struct tree_node *to = tree_find(map, "to"), *vlan = tree_find(map, "vlan");
	const struct tree_node *direction = tree_find(map, "direction");
	const struct tree_node *filter = tree_find(map, "filter");
	const struct tree_node *snaplen = tree_find(map, "snaplen");
	unsigned int choice = 0;

	value_keys_check(r, map, keys, ARRAY_SIZE(keys));
	mirror->line = map->line;
	of_read(topo, r, map, mirror);
	erspan_read(r, map, mirror);
	if ((to == NULL) == (mirror->erspan == NULL))
		diag_error(r->diags, map->line,
			   "%s: needs one of `to: NODE:INTERFACE` and `erspan: ADDRESS`", r->who);
	if (to != NULL && value_string(r, "to", to, &mirror->to))
		end_is_good(topo, r, to->line, mirror->to, false);
	if (vlan != NULL)
		value_vid(r, vlan, vlan->text, &mirror->vid);
	if (direction != NULL &&
	    value_choice(r, "direction", direction, directions, ARRAY_SIZE(directions), &choice))
		mirror->direction = directions[choice];
	if (filter != NULL)
		value_string(r, "filter", filter, &mirror->filter);
	if (snaplen != NULL)
		value_uint(r, "snaplen", snaplen, 14, FRAME_MAX, &mirror->snaplen);
}

void mirrors_read(struct topo *topo, const struct value_reader *r, const struct tree_node *list)
{
	struct value_reader own = *r;

	if (list == NULL || !value_is_kind(r, "mirrors", list, TREE_SEQUENCE))
		return;
	if (list->n > TOPO_MIRRORS_MAX) {
		diag_error(r->diags, list->line, "%zu mirrors, at most %d are possible", list->n,
			   TOPO_MIRRORS_MAX);
		return;
	}
	topo->mirrors = arena_alloc(&topo->arena, list->n * sizeof(*topo->mirrors));
	for (size_t i = 0; i < list->n; i++) {
		own.who = arena_printf(&topo->arena, "mirror %zu", i + 1);
		if (value_is_kind(&own, "it", list->items[i], TREE_MAP))
			mirror_read(topo, &own, list->items[i], &topo->mirrors[topo->n_mirrors++]);
	}
}
