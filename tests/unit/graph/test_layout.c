/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the layout puts nodes, and what it promises: no two on one spot, tiers, the same each time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph.h"

static void link_add(struct graph *graph, size_t a, size_t b)
{
	struct graph_edge edge = {.ends = {a, b}, .ifnames = {"a", "b"}, .vlan = "", .is_up = true};

	graph_edge_add(graph, &edge);
}

/* @n_leaves switches below two, each with more machines than the one before; and two machines on a wire. */
static void fabric_make(struct graph *graph, size_t n_leaves)
{
	size_t core[2];

	graph_init(graph, "fabric");
	for (int i = 0; i < 2; i++)
		core[i] = graph_node_add(graph, "core", GRAPH_SWITCH, "");
	for (size_t i = 0; i < n_leaves; i++) {
		size_t leaf = graph_node_add(graph, "leaf", GRAPH_SWITCH, "");

		link_add(graph, leaf, core[0]);
		link_add(graph, core[1], leaf);
		for (size_t k = 0; k <= i; k++)
			link_add(graph, graph_node_add(graph, "h", GRAPH_VM, ""), leaf);
	}
	graph_node_add(graph, "w1", GRAPH_VM, "");
	graph_node_add(graph, "w2", GRAPH_VM, "");
	link_add(graph, graph->n_nodes - 1, graph->n_nodes - 2);
	graph_layout(graph);
}

static void no_two_nodes_overlap(void **state)
{
	struct graph graph;

	(void)state;
	fabric_make(&graph, 20);
	for (size_t i = 0; i < graph.n_nodes; i++) {
		const struct graph_node *a = &graph.nodes[i];

		assert_true(a->x - GRAPH_NODE_WIDTH / 2.0 >= 0 &&
			    a->x + GRAPH_NODE_WIDTH / 2.0 <= graph.width);
		assert_true(a->y - GRAPH_NODE_HEIGHT / 2.0 >= 0 &&
			    a->y + GRAPH_NODE_HEIGHT / 2.0 <= graph.height);
		for (size_t k = 0; k < i; k++) {
			const struct graph_node *b = &graph.nodes[k];

			assert_true(fabs(a->x - b->x) >= GRAPH_NODE_WIDTH ||
				    fabs(a->y - b->y) >= GRAPH_NODE_HEIGHT);
		}
	}
	graph_free(&graph);
}

static void tiers_grow_with_the_distance_from_machines(void **state)
{
	struct graph graph;

	(void)state;
	fabric_make(&graph, 3);
	for (size_t i = 0; i < graph.n_nodes; i++) {
		const struct graph_node *node = &graph.nodes[i];
		int tier = strcmp(node->name, "core") == 0   ? 2
			   : strcmp(node->name, "leaf") == 0 ? 1
							     : 0;

		assert_int_equal(node->tier, tier);
	}
	assert_true(graph.nodes[0].y < graph.nodes[2].y && graph.nodes[2].y < graph.nodes[3].y);
	graph_free(&graph);
}

static void the_same_graph_gets_the_same_places(void **state)
{
	struct graph one, two;

	(void)state;
	fabric_make(&one, 6);
	fabric_make(&two, 6);
	for (size_t i = 0; i < one.n_nodes; i++) {
		assert_true(one.nodes[i].x == two.nodes[i].x);
		assert_true(one.nodes[i].y == two.nodes[i].y);
	}
	graph_free(&one);
	graph_free(&two);
}

static void parallel_links_get_tracks_of_their_own(void **state)
{
	struct graph graph;

	(void)state;
	graph_init(&graph, "pair");
	graph_node_add(&graph, "a", GRAPH_SWITCH, "");
	graph_node_add(&graph, "b", GRAPH_SWITCH, "");
	link_add(&graph, 0, 1);
	link_add(&graph, 1, 0);
	graph_layout(&graph);
	assert_int_equal(graph.edges[0].n_tracks, 2);
	assert_int_equal(graph.edges[0].track, 0);
	assert_int_equal(graph.edges[1].track, 1);
	graph_free(&graph);
}

static void a_chain_of_switches_and_an_empty_lab_are_fine(void **state)
{
	struct graph graph;

	(void)state;
	graph_init(&graph, "chain");
	for (int i = 0; i < 1000; i++) {
		graph_node_add(&graph, "sw", GRAPH_SWITCH, "");
		if (i > 0)
			link_add(&graph, (size_t)i - 1, (size_t)i);
	}
	graph_layout(&graph);
	for (size_t i = 0; i < graph.n_nodes; i++)
		assert_true(isfinite(graph.nodes[i].x) && isfinite(graph.nodes[i].y));
	graph_free(&graph);
	graph_init(&graph, "empty");
	graph_layout(&graph);
	assert_true(graph.width > 0 && graph.height > 0);
	graph_free(&graph);
}

static void labels_choose_tier_and_place(void **state)
{
	static const char file[] =
		"name: x\ntopology:\n  nodes:\n"
		"    s: { kind: switch, labels: { tier: 3 } }\n"
		"    t: { kind: switch, labels: { position: \"500,70\" } }\n"
		"    u: { kind: switch, labels: { position: \"1e9,nan\", tier: many } }\n";
	struct diag_list *diags = calloc(1, sizeof(*diags));
	struct graph graph;
	struct topo topo;

	(void)state;
	diag_init(diags, "x.yaml");
	assert_int_equal(topo_parse(&topo, file, strlen(file), diags), 0);
	graph_init(&graph, "x");
	graph_add_topo(&graph, &topo, "lab/");
	graph_layout(&graph);
	assert_string_equal(graph.nodes[0].name, "lab/s");
	assert_int_equal(graph.nodes[0].tier, 3);
	assert_true(graph.nodes[1].x == 500 && graph.nodes[1].y == 70);
	assert_false(graph.nodes[2].is_placed);
	graph_free(&graph);
	topo_free(&topo);
	free(diags);
}

static char *printed(void (*print)(const struct graph *, FILE *), const struct graph *graph)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	print(graph, out);
	fclose(out);
	return text;
}

static void texts_cannot_leave_their_place(void **state)
{
	struct graph graph;
	char *svg, *dot, *mermaid;

	(void)state;
	graph_init(&graph, "<script>\"x\"</script>");
	graph_node_add(&graph, "a\"];b", GRAPH_VM, "\n<&>");
	graph_layout(&graph);
	svg = printed(graph_svg, &graph);
	dot = printed(graph_dot, &graph);
	mermaid = printed(graph_mermaid, &graph);
	assert_null(strstr(svg, "<script"));
	assert_non_null(strstr(svg, "a&quot;];b"));
	assert_non_null(strstr(svg, "&lt;&amp;&gt;"));
	assert_non_null(strstr(dot, "a\\\"];b"));
	assert_non_null(strstr(mermaid, "a#quot;];b"));
	free(svg);
	free(dot);
	free(mermaid);
	graph_free(&graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_nodes_overlap),
		cmocka_unit_test(tiers_grow_with_the_distance_from_machines),
		cmocka_unit_test(the_same_graph_gets_the_same_places),
		cmocka_unit_test(parallel_links_get_tracks_of_their_own),
		cmocka_unit_test(a_chain_of_switches_and_an_empty_lab_are_fine),
		cmocka_unit_test(labels_choose_tier_and_place),
		cmocka_unit_test(texts_cannot_leave_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
