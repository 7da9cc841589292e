/* SPDX-License-Identifier: BSD-3-Clause */
#include "web/drawing.h"

#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "lab/desired.h"
#include "lab/stored.h"

#define GRAPH_GAP 60.0 /* between two drawings */

struct drawing {
	json_t *nodes, *links;
	double x; /* left edge of the next graph */
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static const char *kind_name(enum graph_kind kind)
{
	return kind == GRAPH_SWITCH ? "switch" : kind == GRAPH_VM ? "vm" : "port";
}

static void nodes_print(struct drawing *drawing, const struct graph *graph, const char *lab)
{
	for (size_t i = 0; i < graph->n_nodes; i++) {
		const struct graph_node *node = &graph->nodes[i];
		size_t prefix = lab[0] != '\0' ? strlen(lab) + 1 : 0;

		json_array_append_new(drawing->nodes,
				      json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:f}", "id",
						node->name, "name", node->name + prefix, "lab", lab,
						"kind", kind_name(node->kind), "detail",
						node->detail, "tier", node->tier, "x",
						drawing->x + node->x, "y", node->y));
	}
}

/* Counters of a direction: of @port, what it received or what it sent. */
static json_t *direction(const char *port, const char *way)
{
	return port != NULL ? json_pack("[s, s]", port, way) : json_null();
}

static json_t *edge_print(const struct graph *graph, const struct graph_edge *edge)
{
	const char *kind = edge->kind == GRAPH_LINK_WIRE    ? "wire"
			   : edge->kind == GRAPH_LINK_TRUNK ? "trunk"
							    : "port";

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "a",
			 graph->nodes[edge->ends[0]].name, "b", graph->nodes[edge->ends[1]].name,
			 "a_if", edge->ifnames[0], "b_if", edge->ifnames[1], "kind", kind, "vlan",
			 edge->vlan, "vid", (int)edge->vid, "track", (int)edge->track, "n_tracks",
			 (int)edge->n_tracks);
}

/* A link of a lab file: a patch counts what each end sends, all others what a machine's port gets from its machine. */
static void link_ports(json_t *object, const struct topo *topo, const struct topo_link *link)
{
	bool is_patch = topo_link_is_patch(topo, link);
	struct arena arena = {.head = NULL};
	const char *ports[2];
	json_t *ways[2];

	for (int end = 0; end < 2; end++)
		ports[end] = desired_port_name(&arena, topo, link->ends[end].node,
					       link->ends[end].ifname);
	for (int end = 0; end < 2; end++) {
		bool is_switch = topo->nodes[link->ends[end].node_index].kind == TOPO_SWITCH;

		if (is_patch)
			ways[end] = direction(ports[end], "tx");
		else if (is_switch)
			ways[end] = direction(ports[!end], "tx");
		else
			ways[end] = direction(ports[end], "rx");
	}
	json_object_set_new(object, "forward", ways[0]);
	json_object_set_new(object, "back", ways[1]);
	json_object_set_new(object, "mtu", json_integer(link->mtu));
	arena_free(&arena);
}

static void lab_draw(struct drawing *drawing, const char *lab)
{
	char prefix[TOPO_NAME_MAX + 2];
	struct stored_lab stored;
	struct graph graph;

	if (stored_load(lab, &stored, NULL) < 0)
		return;
	snprintf(prefix, sizeof(prefix), "%s/", lab);
	graph_init(&graph, lab);
	graph_add_topo(&graph, &stored.topo, prefix);
	graph_layout(&graph);
	nodes_print(drawing, &graph, lab);
	for (size_t i = 0; i < graph.n_edges; i++) {
		json_t *object = edge_print(&graph, &graph.edges[i]);

		link_ports(object, &stored.topo, &stored.topo.links[i]);
		json_array_append_new(drawing->links, object);
	}
	drawing->x += graph.width + GRAPH_GAP;
	graph_free(&graph);
	topo_free(&stored.topo);
}

/* ---- what was made by hand ---------------------------------------------------------------------------------------- */

static bool is_by_hand(const json_t *labs, const json_t *object)
{
	return json_object_get(labs, text_of(object, "owner")) == NULL;
}

static size_t node_find(const json_t *index, const char *name)
{
	const json_t *found = json_object_get(index, name);

	return found != NULL ? (size_t)json_integer_value(found) : SIZE_MAX;
}

static void edge_add(struct graph *graph, json_t *ways, size_t a, size_t b, const char *a_if,
		     enum graph_link kind, const json_t *vlan, json_t *forward, json_t *back)
{
	struct graph_edge edge = {
		.ends = {a, b}, .ifnames = {a_if, ""}, .kind = kind, .is_up = true};
	json_int_t access = json_integer_value(json_object_get(vlan, "access"));
	char text[32] = "";

	if (access > 0)
		snprintf(text, sizeof(text), "access %d", (int)access);
	else if (json_object_get(vlan, "trunk") != NULL)
		strcpy(text, "trunk");
	edge.vlan = text;
	edge.vid = (unsigned int)access;
	graph_edge_add(graph, &edge);
	json_array_append_new(ways, json_pack("{s:o, s:o}", "forward", forward, "back", back));
}

/* Switches, then ports as nodes of their own; the two ends of a patch are one link between two switches. */
static void hand_nodes(struct graph *graph, json_t *index, const json_t *labs, const json_t *ports,
		       const json_t *switches)
{
	const json_t *item;
	size_t i;

	json_array_foreach (switches, i, item) {
		if (is_by_hand(labs, item))
			json_object_set_new(
				index, text_of(item, "name"),
				json_integer((json_int_t)graph_node_add(
					graph, text_of(item, "name"), GRAPH_SWITCH, "")));
	}
	json_array_foreach (ports, i, item) {
		const char *detail = text_of(item, "ifname");

		/* A port on a lab's switch, not of that lab: netloomd has none such. */
		if (!is_by_hand(labs, item) || strcmp(text_of(item, "type"), "patch") == 0 ||
		    node_find(index, text_of(item, "name")) != SIZE_MAX)
			continue;
		if (detail[0] == '\0')
			detail = text_of(item, "type");
		json_object_set_new(index, text_of(item, "name"),
				    json_integer((json_int_t)graph_node_add(
					    graph, text_of(item, "name"), GRAPH_OTHER, detail)));
	}
}

static const json_t *port_find(const json_t *ports, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (ports, i, item) {
		if (strcmp(text_of(item, "name"), name) == 0)
			return item;
	}
	return NULL;
}

static void hand_edges(struct graph *graph, const json_t *index, json_t *ways, const json_t *labs,
		       const json_t *ports)
{
	const json_t *item;
	size_t i;

	json_array_foreach (ports, i, item) {
		const char *name = text_of(item, "name"), *wire = text_of(item, "wire");
		const char *peer = text_of(item, "peer");
		const json_t *vlan = json_object_get(item, "vlan");
		size_t own = node_find(index, name), sw = node_find(index, text_of(item, "switch"));

		if (!is_by_hand(labs, item))
			continue;
		if (peer[0] != '\0') {
			size_t other = node_find(index, text_of(port_find(ports, peer), "switch"));

			if (sw != SIZE_MAX && other != SIZE_MAX && strcmp(name, peer) < 0)
				edge_add(graph, ways, sw, other, name, GRAPH_LINK_TRUNK, vlan,
					 direction(name, "tx"), direction(peer, "tx"));
		} else if (wire[0] != '\0') {
			size_t other = node_find(index, wire);

			if (own != SIZE_MAX && other != SIZE_MAX && strcmp(name, wire) < 0)
				edge_add(graph, ways, own, other, "", GRAPH_LINK_WIRE, NULL,
					 direction(name, "rx"), direction(wire, "rx"));
		} else if (own != SIZE_MAX && sw != SIZE_MAX) {
			edge_add(graph, ways, own, sw, "", GRAPH_LINK_PORT, vlan,
				 direction(name, "rx"), direction(name, "tx"));
		}
	}
}

static void hand_draw(struct drawing *drawing, const json_t *labs, const json_t *ports,
		      const json_t *switches)
{
	json_t *index = json_object(), *ways = json_array();
	struct graph graph;

	graph_init(&graph, "");
	hand_nodes(&graph, index, labs, ports, switches);
	hand_edges(&graph, index, ways, labs, ports);
	graph_layout(&graph);
	nodes_print(drawing, &graph, "");
	for (size_t i = 0; i < graph.n_edges; i++) {
		json_t *object = edge_print(&graph, &graph.edges[i]);

		json_object_update(object, json_array_get(ways, i));
		json_array_append_new(drawing->links, object);
	}
	graph_free(&graph);
	json_decref(index);
	json_decref(ways);
}

json_t *drawing_make(const json_t *labs, const char *only, const json_t *ports,
		     const json_t *switches)
{
	struct drawing drawing = {.nodes = json_array(), .links = json_array()};
	json_t *value;
	const char *lab;

	json_object_foreach ((json_t *)labs, lab, value)
		lab_draw(&drawing, lab);
	if (only == NULL)
		hand_draw(&drawing, labs, ports, switches);
	return json_pack("{s:s, s:o, s:o}", "type", "topology", "nodes", drawing.nodes, "links",
			 drawing.links);
}
