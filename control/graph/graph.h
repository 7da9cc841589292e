/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lab as a drawing: nodes with places, links between them, and three ways to write it down (SVG, DOT, Mermaid).
 *
 * The same drawing is behind `netloom graph`, which needs no daemon, and the page, which moves and colours it. Nothing
 * here is read from the machine: a graph comes from a lab file's model, or node by node. One thread.
 */
#ifndef CONTROL_GRAPH_GRAPH_H
#define CONTROL_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "topo/topo.h"

#define GRAPH_NODE_WIDTH  112
#define GRAPH_NODE_HEIGHT 46

enum graph_kind { GRAPH_SWITCH, GRAPH_VM, GRAPH_OTHER };
enum graph_link { GRAPH_LINK_PORT, GRAPH_LINK_TRUNK, GRAPH_LINK_WIRE };

struct graph_node {
	const char *name;
	const char *detail; /* second line, such as an address; "" for none */
	enum graph_kind kind;
	int tier;	/* 0 at the bottom; -1 until graph_layout() has chosen */
	bool is_placed; /* x and y were given */
	double x, y;	/* of its middle; y grows downwards */
};

struct graph_edge {
	size_t ends[2]; /* indices of nodes */
	const char *ifnames[2];
	enum graph_link kind;
	const char *vlan;   /* "access 10", "trunk 10,20", "" for none */
	unsigned int vid;   /* of an access link: links of one VLAN have one colour; else 0 */
	unsigned int track; /* which of the links between these two nodes */
	unsigned int n_tracks;
	bool is_up;
};

struct graph {
	struct arena arena; /* owns all of it */
	const char *title;
	struct graph_node *nodes;
	size_t n_nodes, room_nodes;
	struct graph_edge *edges;
	size_t n_edges, room_edges;
	double width, height; /* set by graph_layout() */
};

/** graph_init() - An empty drawing; @title is copied */
void graph_init(struct graph *graph, const char *title);
void graph_free(struct graph *graph);

/** graph_node_add() - Texts are copied. Return: the index */
size_t graph_node_add(struct graph *graph, const char *name, enum graph_kind kind,
		      const char *detail);

/** graph_edge_add() - @edge is copied, its texts too; ends are there already */
void graph_edge_add(struct graph *graph, const struct graph_edge *edge);

/**
 * graph_add_topo() - Add a lab's nodes and links
 * @prefix: put before the names, such as "campus/"
 *
 * Labels that decide about a place: `tier: N` (or containerlab's `graph-level`), 0 at the bottom, and `position: X,Y`.
 */
void graph_add_topo(struct graph *graph, const struct topo *topo, const char *prefix);

/**
 * graph_layout() - Give every node a place
 *
 * In tiers: machines at the bottom, each under the switch it is on, and switches above them by their distance from a
 * machine. The same graph always gets the same places.
 */
void graph_layout(struct graph *graph);

/** graph_svg() - A drawing that fits light and dark surroundings; no scripts, nothing from elsewhere */
void graph_svg(const struct graph *graph, FILE *out);

/** graph_dot() - For Graphviz */
void graph_dot(const struct graph *graph, FILE *out);

/** graph_mermaid() - For Markdown */
void graph_mermaid(const struct graph *graph, FILE *out);

#endif
