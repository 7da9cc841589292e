/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places in tiers.
 *
 * 1. Tiers: a machine has 0, a switch the number of links to its nearest machine; labels may say otherwise.
 * 2. Groups: every machine belongs to the first switch it is linked to; machines without one form a group with those they are
 *    wired to. A group is a block of rows below its switch, every other row shifted by half a column, so that a link to the
 *    second row passes between two machines of the first.
 * 3. Order from left to right: the switches as a walk in depth meets them, from the highest tier down.
 * 4. A switch with a group stands above the middle of it; others above the middle of their neighbours. Those of one tier that
 *    would overlap are pushed apart.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"

#define COLUMN_WIDTH 136.0
#define WIRE_WIDTH   196.0 /* of a column whose machines are wired to each other */
#define ROW_HEIGHT   82.0
#define TIER_HEIGHT  128.0
#define GROUP_GAP    72.0
#define MARGIN	     48.0
#define NOBODY	     SIZE_MAX

struct layout {
	struct arena scratch;
	struct graph *graph;
	size_t *parent; /* of a machine: the switch it is under; of a machine without: the group's first */
	size_t *order; /* switches, left to right */
	size_t n_order;
	bool *seen;
	double *ideal;	     /* where a switch would like to stand */
	double next_x;	     /* left edge of the next group */
	unsigned int n_rows; /* of machines, at most */
	int n_tiers;
};

static bool is_switch(const struct graph *graph, size_t node)
{
	return graph->nodes[node].kind == GRAPH_SWITCH;
}

/* Breadth first from all machines; each round gives the next tier to the neighbours of the last. */
static void tiers_choose(struct graph *graph)
{
	bool changed = true;

	for (size_t i = 0; i < graph->n_nodes; i++) {
		if (graph->nodes[i].tier < 0 && !is_switch(graph, i))
			graph->nodes[i].tier = 0;
	}
	for (int tier = 0; changed; tier++) {
		changed = false;
		for (size_t i = 0; i < graph->n_edges; i++) {
			for (int end = 0; end < 2; end++) {
				size_t from = graph->edges[i].ends[end];
				size_t to = graph->edges[i].ends[!end];

				if (graph->nodes[from].tier != tier || graph->nodes[to].tier >= 0)
					continue;
				graph->nodes[to].tier = tier + 1;
				changed = true;
			}
		}
	}
	for (size_t i = 0; i < graph->n_nodes; i++) {
		if (graph->nodes[i].tier < 0)
			graph->nodes[i].tier = 1;
	}
}

static void parents_choose(struct layout *layout)
{
	struct graph *graph = layout->graph;
	bool changed = true;

	for (size_t i = 0; i < graph->n_nodes; i++)
		layout->parent[i] = NOBODY;
	for (size_t i = 0; i < graph->n_edges; i++) {
		for (int end = 0; end < 2; end++) {
			size_t from = graph->edges[i].ends[end];
			size_t to = graph->edges[i].ends[!end];

			if (!is_switch(graph, from) && is_switch(graph, to) &&
			    layout->parent[from] == NOBODY)
				layout->parent[from] = to;
		}
	}
	/* Machines without a switch: all that are wired together get the smallest of their numbers. */
	for (size_t i = 0; i < graph->n_nodes; i++) {
		if (!is_switch(graph, i) && layout->parent[i] == NOBODY)
			layout->parent[i] = i;
	}
	while (changed) {
		changed = false;
		for (size_t i = 0; i < graph->n_edges; i++) {
			size_t a = graph->edges[i].ends[0], b = graph->edges[i].ends[1];
			size_t low;

			if (is_switch(graph, a) || is_switch(graph, b) ||
			    is_switch(graph, layout->parent[a]) ||
			    is_switch(graph, layout->parent[b]))
				continue;
			low = layout->parent[a] < layout->parent[b] ? layout->parent[a]
								    : layout->parent[b];
			changed |= layout->parent[a] != low || layout->parent[b] != low;
			layout->parent[a] = low;
			layout->parent[b] = low;
		}
	}
}

/* In depth, over switches, without recursion: a lab may be a chain of a thousand. */
static void walk(struct layout *layout, size_t start, size_t *stack)
{
	struct graph *graph = layout->graph;
	size_t depth = 0;

	stack[depth++] = start;
	while (depth > 0) {
		size_t node = stack[--depth];

		if (layout->seen[node])
			continue;
		layout->seen[node] = true;
		layout->order[layout->n_order++] = node;
		/* Backwards, so that the first link is followed first. */
		for (size_t i = graph->n_edges; i-- > 0;) {
			const struct graph_edge *edge = &graph->edges[i];

			for (int end = 0; end < 2; end++) {
				size_t to = edge->ends[!end];

				if (edge->ends[end] == node && is_switch(graph, to) &&
				    !layout->seen[to])
					stack[depth++] = to;
			}
		}
	}
}

static void order_choose(struct layout *layout)
{
	struct graph *graph = layout->graph;
	size_t *stack = arena_alloc(&layout->scratch,
				    (2 * graph->n_edges + graph->n_nodes + 1) * sizeof(*stack));
	int top = 0;

	for (size_t i = 0; i < graph->n_nodes; i++)
		top = graph->nodes[i].tier > top ? graph->nodes[i].tier : top;
	layout->n_tiers = top + 1;
	for (int tier = top; tier >= 0; tier--) {
		for (size_t i = 0; i < graph->n_nodes; i++) {
			if (is_switch(graph, i) && graph->nodes[i].tier == tier && !layout->seen[i])
				walk(layout, i, stack);
		}
	}
}

/* The machines of one group in rows; @owner stands above them or is the first of them. */
static void group_place(struct layout *layout, size_t owner)
{
	struct graph *graph = layout->graph;
	double column_width = is_switch(graph, owner) ? COLUMN_WIDTH : WIRE_WIDTH;
	size_t n = 0, columns, k = 0;
	double width;

	for (size_t i = 0; i < graph->n_nodes; i++)
		n += layout->parent[i] == owner;
	if (n == 0)
		return;
	columns = n <= 4 ? n : (size_t)ceil(sqrt((double)n * 1.6));
	width = (double)columns * column_width + (n > columns ? column_width / 2 : 0);
	for (size_t i = 0; i < graph->n_nodes; i++) {
		size_t row, column;

		if (layout->parent[i] != owner)
			continue;
		row = k / columns;
		column = k % columns;
		k++;
		graph->nodes[i].x = layout->next_x + ((double)column + 0.5) * column_width +
				    (row % 2 == 1 ? column_width / 2 : 0);
		graph->nodes[i].y = (double)row * ROW_HEIGHT;
		if (row + 1 > layout->n_rows)
			layout->n_rows = (unsigned int)row + 1;
	}
	layout->ideal[owner] = layout->next_x + width / 2;
	layout->next_x += width + GROUP_GAP;
}

/* A switch without a group: the middle of its neighbours that have a place. */
static void ideals_follow(struct layout *layout)
{
	struct graph *graph = layout->graph;

	for (int round = 0; round < 2 * layout->n_tiers; round++) {
		for (size_t k = 0; k < layout->n_order; k++) {
			size_t node = layout->order[k];
			double sum = 0;
			size_t n = 0;

			if (layout->seen[node])
				continue; /* has a group */
			for (size_t i = 0; i < graph->n_edges; i++) {
				for (int end = 0; end < 2; end++) {
					size_t to = graph->edges[i].ends[!end];

					if (graph->edges[i].ends[end] != node ||
					    isnan(layout->ideal[to]))
						continue;
					sum += layout->ideal[to];
					n++;
				}
			}
			if (n > 0)
				layout->ideal[node] = sum / (double)n;
		}
	}
	for (size_t k = 0; k < layout->n_order; k++) {
		if (!isnan(layout->ideal[layout->order[k]]))
			continue;
		layout->ideal[layout->order[k]] = layout->next_x + COLUMN_WIDTH / 2;
		layout->next_x += COLUMN_WIDTH + GROUP_GAP;
	}
}

static const double *ideal_compared; /* for qsort(), which has no argument; one thread */

static int ideal_compare(const void *a, const void *b)
{
	double left = ideal_compared[*(const size_t *)a],
	       right = ideal_compared[*(const size_t *)b];

	if (left != right)
		return left < right ? -1 : 1;
	return *(const size_t *)a < *(const size_t *)b ? -1 : 1;
}

static void tier_place(struct layout *layout, int tier, size_t *row)
{
	struct graph *graph = layout->graph;
	double free_from = -HUGE_VAL, shift = 0;
	size_t n = 0;

	for (size_t k = 0; k < layout->n_order; k++) {
		if (graph->nodes[layout->order[k]].tier == tier)
			row[n++] = layout->order[k];
	}
	ideal_compared = layout->ideal;
	qsort(row, n, sizeof(*row), ideal_compare);
	for (size_t i = 0; i < n; i++) {
		double x = layout->ideal[row[i]];

		if (x < free_from)
			x = free_from;
		shift += x - layout->ideal[row[i]];
		graph->nodes[row[i]].x = x;
		free_from = x + COLUMN_WIDTH + 100;
	}
	/* Who was pushed was pushed to the right: give half of it back to all. */
	for (size_t i = 0; n > 0 && i < n; i++) {
		graph->nodes[row[i]].x -= shift / (double)n;
		graph->nodes[row[i]].y = -TIER_HEIGHT * (double)(tier > 0 ? tier : 1);
	}
}

static void bounds_set(struct graph *graph, const bool *was_placed)
{
	double left = HUGE_VAL, top = HUGE_VAL, right = -HUGE_VAL, bottom = -HUGE_VAL;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < graph->n_nodes; i++) {
			struct graph_node *node = &graph->nodes[i];

			if (pass == 1 && !was_placed[i]) {
				node->x += MARGIN + GRAPH_NODE_WIDTH / 2.0 - left;
				node->y += MARGIN + GRAPH_NODE_HEIGHT / 2.0 - top;
			}
			if (pass == 0 && !was_placed[i]) {
				left = fmin(left, node->x);
				top = fmin(top, node->y);
			} else if (pass == 1) {
				right = fmax(right, node->x);
				bottom = fmax(bottom, node->y);
			}
		}
	}
	graph->width = graph->n_nodes > 0 ? right + MARGIN + GRAPH_NODE_WIDTH / 2.0 : 2 * MARGIN;
	graph->height = graph->n_nodes > 0 ? bottom + MARGIN + GRAPH_NODE_HEIGHT / 2.0 : 2 * MARGIN;
}

/* Links between the same two nodes get tracks beside each other. */
static void tracks_choose(struct graph *graph)
{
	for (size_t i = 0; i < graph->n_edges; i++) {
		struct graph_edge *edge = &graph->edges[i];

		edge->track = 0;
		edge->n_tracks = 0;
		for (size_t k = 0; k < graph->n_edges; k++) {
			const struct graph_edge *other = &graph->edges[k];
			bool same = (other->ends[0] == edge->ends[0] &&
				     other->ends[1] == edge->ends[1]) ||
				    (other->ends[0] == edge->ends[1] &&
				     other->ends[1] == edge->ends[0]);

			edge->n_tracks += same;
			edge->track += same && k < i;
		}
	}
}

static void places_choose(struct layout *layout, size_t *row)
{
	struct graph *graph = layout->graph;

	for (size_t i = 0; i < graph->n_nodes; i++)
		layout->ideal[i] = NAN;
	for (size_t k = 0; k < layout->n_order; k++)
		group_place(layout, layout->order[k]);
	for (size_t i = 0; i < graph->n_nodes; i++) {
		if (!is_switch(graph, i) && layout->parent[i] == i)
			group_place(layout, i);
	}
	for (size_t i = 0; i < graph->n_nodes; i++)
		layout->seen[i] = !isnan(layout->ideal[i]);
	ideals_follow(layout);
	for (int tier = 0; tier < layout->n_tiers; tier++)
		tier_place(layout, tier, row);
}

void graph_layout(struct graph *graph)
{
	struct layout layout = {.graph = graph};
	size_t n = graph->n_nodes + 1;
	struct graph_node *given = arena_alloc(&layout.scratch, n * sizeof(*given));
	bool *was_placed = arena_alloc(&layout.scratch, n * sizeof(bool));
	size_t *row = arena_alloc(&layout.scratch, n * sizeof(*row));

	layout.parent = arena_alloc(&layout.scratch, n * sizeof(size_t));
	layout.order = arena_alloc(&layout.scratch, n * sizeof(size_t));
	layout.seen = arena_alloc(&layout.scratch, n * sizeof(bool));
	layout.ideal = arena_alloc(&layout.scratch, n * sizeof(double));
	if (graph->n_nodes > 0)
		memcpy(given, graph->nodes, graph->n_nodes * sizeof(*given));
	tiers_choose(graph);
	parents_choose(&layout);
	order_choose(&layout);
	places_choose(&layout, row);
	for (size_t i = 0; i < graph->n_nodes; i++) {
		was_placed[i] = given[i].is_placed;
		if (!was_placed[i])
			continue;
		graph->nodes[i].x = given[i].x;
		graph->nodes[i].y = given[i].y;
	}
	bounds_set(graph, was_placed);
	tracks_choose(graph);
	arena_free(&layout.scratch);
}
