/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom show links`: the cables of the lab files, with the state of the ports behind them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/desired.h"
#include "lab/desired_impair.h"
#include "lab/desired_overlay.h"
#include "lab/rundir.h"
#include "lab/show.h"
#include "lab/stored.h"
#include "lab/term.h"
#include "topo/span.h"

static const json_t *object_find(const json_t *objects, const char *name)
{
	const json_t *object;
	size_t i;

	json_array_foreach (objects, i, object) {
		const char *this = json_string_value(json_object_get(object, "name"));

		if (this != NULL && name != NULL && strcmp(this, name) == 0)
			return object;
	}
	return NULL;
}

static const char *end_state(const struct topo *topo, const struct topo_link *link, int end,
			     const json_t *ports)
{
	struct arena arena = {.head = NULL};
	const struct topo_end *own = &link->ends[end];
	const json_t *port =
		object_find(ports, desired_port_name(&arena, topo, own->node, own->ifname));
	json_t *patch = json_string("patch");
	const char *state;

	if (port == NULL)
		state = "no port";
	else if (strcmp(json_string_value(json_object_get(port, "admin")) != NULL
				? json_string_value(json_object_get(port, "admin"))
				: "up",
			"down") == 0)
		state = "admin down";
	else if (json_equal(json_object_get(port, "type"), patch) ||
		 json_is_true(json_object_get(port, "running")))
		state = "up";
	else
		state = json_is_true(json_object_get(port, "connected")) ? "no driver" : "no VM";
	json_decref(patch);
	arena_free(&arena);
	return state;
}

/* What netloomd says of everything that links are made of. */
struct seen {
	const json_t *ports, *vteps, *vnis;
};

static const json_t *cable_find(const json_t *vnis, uint32_t vni)
{
	const json_t *object;
	size_t i;

	json_array_foreach (vnis, i, object) {
		if (json_integer_value(json_object_get(object, "vni")) == (json_int_t)vni)
			return json_object_get(object, "cable");
	}
	return NULL;
}

/* The other end, as its host tells it. */
static const char *cable_state(const json_t *cable)
{
	const char *carrier = json_string_value(json_object_get(cable, "carrier"));
	const char *session = json_string_value(json_object_get(cable, "session"));

	if (carrier == NULL || session == NULL || strcmp(carrier, "down") != 0)
		return "up";
	return strcmp(session, "up") == 0 ? "other end down" : "other host not heard";
}

/* The end that is here, the way to the other's host, and the end there. */
static const char *crossing_state(const struct topo *topo, const struct topo_link *link,
				  const struct seen *seen)
{
	int end = span_node_is_here(topo, &topo->nodes[link->ends[0].node_index]) ? 0 : 1;
	json_t *name = desired_vtep_name(topo, span_link_host_towards(topo, link));
	const char *state = end_state(topo, link, end, seen->ports);
	const json_t *vtep = object_find(seen->vteps, json_string_value(name));

	json_decref(name);
	if (strcmp(state, "up") == 0 && !json_is_true(json_object_get(vtep, "usable")))
		state = "no way to the other host";
	if (strcmp(state, "up") == 0)
		state = cable_state(cable_find(seen->vnis, link->vni));
	return state;
}

/* The worse of two ends. */
static const char *link_state(const struct topo *topo, const struct topo_link *link,
			      const struct seen *seen)
{
	const char *first;
	const char *second;

	if (span_link_crosses(topo, link))
		return crossing_state(topo, link, seen);
	first = end_state(topo, link, 0, seen->ports);
	second = end_state(topo, link, 1, seen->ports);
	return strcmp(first, "up") != 0 ? first : second;
}

/* What is wrong, on purpose, with what one end sends; "" for nothing. */
static json_t *impaired_json(const struct topo *topo, const struct topo_link *link, int sender,
			     const json_t *ports)
{
	struct arena arena = {.head = NULL};
	struct topo_impair impair;
	struct impair_place place;
	const struct topo_end *own;
	const json_t *port;
	char text[400];

	if (!desired_impair_place(topo, link, sender, &place))
		return json_string("");
	own = &link->ends[place.end];
	port = object_find(ports, desired_port_name(&arena, topo, own->node, own->ifname));
	arena_free(&arena);
	desired_impair_parse(json_object_get(json_object_get(port, "impair"), place.side), &impair);
	topo_impair_text(&impair, text, sizeof(text));
	return json_string(text);
}

static json_t *link_json(const struct topo *topo, const struct topo_link *link,
			 const struct seen *seen)
{
	json_t *vlan = desired_vlan(&link->vlan);
	json_t *object =
		json_pack("{s:s, s:[o, o], s:s, s:s, s:i}", "lab", topo->name, "endpoints",
			  json_sprintf("%s:%s", link->ends[0].node, link->ends[0].ifname),
			  json_sprintf("%s:%s", link->ends[1].node, link->ends[1].ifname), "kind",
			  span_link_crosses(topo, link)	   ? "vxlan"
			  : topo_link_is_wire(topo, link)  ? "wire"
			  : topo_link_is_patch(topo, link) ? "patch"
							   : "port",
			  "state", link_state(topo, link, seen), "mtu", (int)link->mtu);

	if (vlan != NULL)
		json_object_set_new(object, "vlan", vlan);
	json_object_set_new(object, "impaired",
			    json_pack("[o, o]", impaired_json(topo, link, 0, seen->ports),
				      impaired_json(topo, link, 1, seen->ports)));
	if (span_link_crosses(topo, link))
		json_object_set_new(object, "vni", json_integer(link->vni));
	return object;
}

int show_links_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	json_t *vteps = NULL, *vnis = NULL;
	json_t *result = NULL;
	struct seen seen;
	char **labs;
	int n;
	int rc = rpc_call(rpc, "port.list", NULL, &result, err);

	if (rc == 0)
		rc = rpc_call(rpc, "vtep.list", NULL, &vteps, err);
	if (rc == 0)
		rc = rpc_call(rpc, "vni.list", NULL, &vnis, err);
	if (rc < 0) {
		json_decref(result);
		json_decref(vteps);
		return rc;
	}
	seen = (struct seen){.ports = json_object_get(result, "ports"),
			     .vteps = json_object_get(vteps, "vteps"),
			     .vnis = json_object_get(vnis, "vnis")};
	n = rundir_labs(&labs, NULL);
	*list = json_array();
	for (int i = 0; i < n; i++) {
		struct stored_lab stored;

		if ((lab != NULL && strcmp(labs[i], lab) != 0) ||
		    stored_load(labs[i], &stored, NULL) < 0)
			continue;
		for (size_t k = 0; k < stored.topo.n_links; k++) {
			if (!span_link_is_here(&stored.topo, &stored.topo.links[k]))
				continue;
			json_array_append_new(
				*list, link_json(&stored.topo, &stored.topo.links[k], &seen));
		}
		topo_free(&stored.topo);
	}
	rundir_names_free(labs, n > 0 ? n : 0);
	json_decref(result);
	json_decref(vteps);
	json_decref(vnis);
	return 0;
}

static void kind_add(struct table *table, const json_t *link)
{
	const json_t *vni = json_object_get(link, "vni");
	const char *kind = json_string_value(json_object_get(link, "kind"));

	if (vni != NULL)
		table_add(table, "%s %lld", kind, (long long)json_integer_value(vni));
	else
		table_add(table, "%s", kind);
}

static void impaired_add(struct table *table, const json_t *link)
{
	const json_t *both = json_object_get(link, "impaired");
	const char *first = json_string_value(json_array_get(both, 0));
	const char *second = json_string_value(json_array_get(both, 1));

	if (strcmp(first, second) == 0)
		table_add(table, "%s", first[0] != '\0' ? first : "no");
	else
		table_add(table, "-> %s, <- %s", first[0] != '\0' ? first : "no",
			  second[0] != '\0' ? second : "no");
}

void show_links_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"LAB",  "FROM",	"TO",	    "KIND", "VLAN",
					       ">MTU", "STATE", "IMPAIRED", NULL};
	struct table table;
	const json_t *link;
	char vlan[128];
	size_t i;

	(void)lab;
	table_init(&table, headings);
	json_array_foreach (list, i, link) {
		const json_t *ends = json_object_get(link, "endpoints");
		const char *state = json_string_value(json_object_get(link, "state"));

		show_vlan_text(json_object_get(link, "vlan"), vlan, sizeof(vlan));
		table_add(&table, "%s", json_string_value(json_object_get(link, "lab")));
		table_add(&table, "%s", json_string_value(json_array_get(ends, 0)));
		table_add(&table, "%s", json_string_value(json_array_get(ends, 1)));
		kind_add(&table, link);
		table_add(&table, "%s", vlan);
		table_add(&table, "%lld",
			  (long long)json_integer_value(json_object_get(link, "mtu")));
		table_add_colour(&table, strcmp(state, "up") == 0 ? TERM_GOOD : TERM_WARN, "%s",
				 state);
		impaired_add(&table, link);
	}
	table_print(&table, stdout);
}
