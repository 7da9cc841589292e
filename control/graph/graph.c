/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "topo/arena.h"
#include "topo/span.h"

void graph_init(struct graph *graph, const char *title)
{
	memset(graph, 0, sizeof(*graph));
	graph->title = arena_printf(&graph->arena, "%s", title);
}

void graph_free(struct graph *graph)
{
	arena_free(&graph->arena);
	memset(graph, 0, sizeof(*graph));
}

static const char *text_keep(struct graph *graph, const char *text)
{
	return arena_printf(&graph->arena, "%s", text != NULL ? text : "");
}

size_t graph_node_add(struct graph *graph, const char *name, enum graph_kind kind,
		      const char *detail)
{
	struct graph_node *node;

	if (graph->n_nodes == graph->room_nodes) {
		graph->room_nodes = graph->room_nodes == 0 ? 64 : graph->room_nodes * 2;
		graph->nodes =
			arena_grow(&graph->arena, graph->nodes, graph->n_nodes * sizeof(*node),
				   graph->room_nodes * sizeof(*node));
	}
	node = &graph->nodes[graph->n_nodes];
	memset(node, 0, sizeof(*node));
	node->name = text_keep(graph, name);
	node->detail = text_keep(graph, detail);
	node->kind = kind;
	node->tier = -1;
	return graph->n_nodes++;
}

void graph_edge_add(struct graph *graph, const struct graph_edge *edge)
{
	struct graph_edge *own;

	if (graph->n_edges == graph->room_edges) {
		graph->room_edges = graph->room_edges == 0 ? 64 : graph->room_edges * 2;
		graph->edges =
			arena_grow(&graph->arena, graph->edges, graph->n_edges * sizeof(*own),
				   graph->room_edges * sizeof(*own));
	}
	own = &graph->edges[graph->n_edges++];
	*own = *edge;
	own->vlan = text_keep(graph, edge->vlan);
	for (int end = 0; end < 2; end++)
		own->ifnames[end] = text_keep(graph, edge->ifnames[end]);
}

static const char *label_find(const struct topo_pairs *labels, const char *key)
{
	for (size_t i = 0; i < labels->n; i++) {
		if (strcmp(labels->items[i].key, key) == 0)
			return labels->items[i].value;
	}
	return NULL;
}

static void labels_apply(struct graph_node *node, const struct topo_pairs *labels)
{
	const char *tier = label_find(labels, "tier");
	const char *position = label_find(labels, "position");
	double x, y;
	int level;

	if (tier == NULL)
		tier = label_find(labels, "graph-level");
	if (tier != NULL && sscanf(tier, "%d", &level) == 1 && level >= 0 && level < 100)
		node->tier = level;
	if (position != NULL && sscanf(position, "%lf,%lf", &x, &y) == 2 && x >= -1e5 && x <= 1e5 &&
	    y >= -1e5 && y <= 1e5) {
		node->is_placed = true;
		node->x = x;
		node->y = y;
	}
}

/* "trunk 10,20-29" */
static void vlan_text(const struct topo_vlan *vlan, char *text, size_t size)
{
	size_t used;

	if (vlan->mode == TOPO_VLAN_ACCESS || vlan->mode == TOPO_VLAN_TUNNEL) {
		snprintf(text, size, "%s %u", vlan->mode == TOPO_VLAN_ACCESS ? "access" : "tunnel",
			 vlan->vid);
		return;
	}
	snprintf(text, size, "%s", vlan->mode == TOPO_VLAN_TRUNK ? "trunk" : "");
	if (vlan->mode != TOPO_VLAN_TRUNK || vlan->is_all) {
		strncat(text, vlan->mode == TOPO_VLAN_TRUNK ? " all" : "", size - strlen(text) - 1);
		return;
	}
	used = strlen(text);
	for (unsigned int vid = 1, last; vid <= TOPO_VID_MAX && used + 16 < size; vid = last + 1) {
		last = vid;
		if (!topo_vlan_has(vlan, vid))
			continue;
		while (last < TOPO_VID_MAX && topo_vlan_has(vlan, last + 1))
			last++;
		used += (size_t)snprintf(text + used, size - used, used > 5 ? ",%u" : " %u", vid);
		if (last > vid)
			used += (size_t)snprintf(text + used, size - used, "-%u", last);
	}
	if (used + 16 >= size)
		strncat(text, "...", size - used - 1);
}

/* "10.0.10.1/24", and "@hostA" where there are several. */
static void detail_text(const struct topo *topo, const struct topo_node *node, char *text,
			size_t size)
{
	const char *between = node->n_addresses > 0 ? " @" : "@";

	snprintf(text, size, "%s", node->n_addresses > 0 ? node->addresses[0].text : "");
	for (size_t i = 0; i < topo->n_hosts; i++) {
		size_t used = strlen(text);

		if (((node->hosts >> i) & 1) == 0)
			continue;
		snprintf(text + used, size - used, "%s%s", between, topo->hosts[i].name);
		between = ", ";
	}
}

static void nodes_add(struct graph *graph, const struct topo *topo, const char *prefix)
{
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];
		enum graph_kind kind = node->kind == TOPO_SWITCH ? GRAPH_SWITCH
				       : node->kind == TOPO_VM	 ? GRAPH_VM
								 : GRAPH_OTHER;
		char detail[160];
		char name[2 * TOPO_NAME_MAX + 4];
		size_t index;

		snprintf(name, sizeof(name), "%s%s", prefix, node->name);
		detail_text(topo, node, detail, sizeof(detail));
		index = graph_node_add(graph, name, kind, detail);
		labels_apply(&graph->nodes[index], &node->labels);
	}
}

void graph_add_topo(struct graph *graph, const struct topo *topo, const char *prefix)
{
	size_t first = graph->n_nodes;

	nodes_add(graph, topo, prefix);
	for (size_t i = 0; i < topo->n_links; i++) {
		const struct topo_link *link = &topo->links[i];
		struct graph_edge edge = {.is_up = link->is_up};
		char vlan[128];

		vlan_text(&link->vlan, vlan, sizeof(vlan));
		for (int end = 0; end < 2; end++) {
			edge.ends[end] = first + link->ends[end].node_index;
			edge.ifnames[end] = link->ends[end].ifname;
		}
		edge.kind = topo_link_is_wire(topo, link)    ? GRAPH_LINK_WIRE
			    : topo_link_is_patch(topo, link) ? GRAPH_LINK_TRUNK
							     : GRAPH_LINK_PORT;
		if (edge.kind == GRAPH_LINK_WIRE)
			vlan[0] = '\0';
		if (span_link_crosses(topo, link))
			snprintf(vlan + strlen(vlan), sizeof(vlan) - strlen(vlan), "%sVNI %u",
				 vlan[0] != '\0' ? ", " : "", link->vni);
		edge.vlan = vlan;
		edge.vid = link->vlan.mode == TOPO_VLAN_ACCESS ? link->vlan.vid : 0;
		graph_edge_add(graph, &edge);
	}
}
