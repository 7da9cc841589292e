/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/desired_mirror.h"

#include <stdio.h>
#include <string.h>

#include "lab/desired.h"

static bool is_named(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *own = json_string_value(json_object_get(item, "name"));

		if (own != NULL && strcmp(own, name) == 0)
			return true;
	}
	return false;
}

/* "h1:eth1" or "sw1" as netloomd calls it; NULL when it is on another host. */
static const char *name_here(struct arena *arena, const struct topo *topo, const char *text,
			     const json_t *switches, const json_t *ports)
{
	const char *colon = strchr(text, ':');
	const char *name;

	if (colon == NULL) {
		name = arena_printf(arena, "%s/%s", topo->name, text);
		return is_named(switches, name) ? name : NULL;
	}
	name = desired_port_name(arena, topo, arena_strndup(arena, text, (size_t)(colon - text)),
				 colon + 1);
	return name != NULL && is_named(ports, name) ? name : NULL;
}

static json_t *analyser(const struct topo_mirror *mirror, const char *name)
{
	return json_pack("{s:s, s:s, s:{s:s, s:i, s:i}}", "name", name, "type", "erspan", "erspan",
			 "remote", mirror->erspan, "session", (int)mirror->session, "type",
			 (int)mirror->erspan_type);
}

static void mirror_add(const struct topo *topo, const struct topo_mirror *mirror, size_t number,
		       const json_t *switches, json_t *ports, json_t *mirrors)
{
	struct arena arena = {.head = NULL};
	json_t *of = json_array(), *object;
	const char *to;

	for (size_t i = 0; i < mirror->of.n; i++) {
		const char *name = name_here(&arena, topo, mirror->of.items[i], switches, ports);

		if (name != NULL)
			json_array_append_new(of, json_string(name));
	}
	if (mirror->erspan != NULL)
		to = arena_printf(&arena, "%s/erspan-%zu", topo->name, number);
	else
		to = name_here(&arena, topo, mirror->to, switches, ports);
	if (to == NULL || json_array_size(of) == 0) {
		json_decref(of);
		arena_free(&arena);
		return;
	}
	if (mirror->erspan != NULL)
		json_array_append_new(ports, analyser(mirror, to));
	object = json_pack("{s:o, s:o, s:s}", "name",
			   json_sprintf("%s/mirror-%zu", topo->name, number), "of", of, "to", to);
	if (mirror->vid != 0)
		json_object_set_new(object, "vlan", json_integer(mirror->vid));
	if (mirror->direction != NULL)
		json_object_set_new(object, "direction", json_string(mirror->direction));
	if (mirror->filter != NULL)
		json_object_set_new(object, "filter", json_string(mirror->filter));
	if (mirror->snaplen != 0)
		json_object_set_new(object, "snaplen", json_integer((json_int_t)mirror->snaplen));
	json_array_append_new(mirrors, object);
	arena_free(&arena);
}

void desired_mirrors_add(const struct topo *topo, const json_t *switches, json_t *ports,
			 json_t *mirrors)
{
	for (size_t i = 0; i < topo->n_mirrors; i++)
		mirror_add(topo, &topo->mirrors[i], i + 1, switches, ports, mirrors);
}
