/* SPDX-License-Identifier: BSD-3-Clause */
/* The graph for programs that draw it themselves: Graphviz' DOT, and Mermaid for Markdown. */
#include "graph/graph.h"

/* Inside double quotes; @quote is what stands for one. */
static void quoted(FILE *out, const char *text, const char *quote)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputs(*text == '"' ? quote : "/", out);
		else if ((unsigned char)*text >= 0x20)
			fputc(*text, out);
	}
}

static int tiers_of(const struct graph *graph)
{
	int top = 0;

	for (size_t i = 0; i < graph->n_nodes; i++)
		top = graph->nodes[i].tier > top ? graph->nodes[i].tier : top;
	return top + 1;
}

void graph_dot(const struct graph *graph, FILE *out)
{
	fputs("graph \"", out);
	quoted(out, graph->title, "\\\"");
	fputs("\" {\n\trankdir=TB; splines=line; nodesep=0.4; ranksep=1;\n"
	      "\tnode [fontname=\"sans-serif\", fontsize=12]; edge [fontname=\"sans-serif\", "
	      "fontsize=9];\n",
	      out);
	for (size_t i = 0; i < graph->n_nodes; i++) {
		fprintf(out, "\tn%zu [label=\"", i);
		quoted(out, graph->nodes[i].name, "\\\"");
		if (graph->nodes[i].detail[0] != '\0') {
			fputs("\\n", out);
			quoted(out, graph->nodes[i].detail, "\\\"");
		}
		fputs(graph->nodes[i].kind == GRAPH_SWITCH
			      ? "\", shape=box, style=filled, fillcolor=\"#dfe9f7\"];\n"
			      : "\", shape=box, style=rounded];\n",
		      out);
	}
	for (int tier = tiers_of(graph) - 1; tier >= 0; tier--) {
		fputs("\t{ rank=same;", out);
		for (size_t i = 0; i < graph->n_nodes; i++) {
			if (graph->nodes[i].tier == tier)
				fprintf(out, " n%zu;", i);
		}
		fputs(" }\n", out);
	}
	for (size_t i = 0; i < graph->n_edges; i++) {
		const struct graph_edge *edge = &graph->edges[i];
		/* Graphviz puts the first node of an edge above the second. */
		bool turned = graph->nodes[edge->ends[0]].tier < graph->nodes[edge->ends[1]].tier;

		fprintf(out, "\tn%zu -- n%zu [taillabel=\"", edge->ends[turned],
			edge->ends[!turned]);
		quoted(out, edge->ifnames[turned], "\\\"");
		fputs("\", headlabel=\"", out);
		quoted(out, edge->ifnames[!turned], "\\\"");
		fputs("\", label=\"", out);
		quoted(out, edge->vlan, "\\\"");
		fprintf(out, "\"%s%s];\n", edge->kind == GRAPH_LINK_PORT ? "" : ", penwidth=2",
			edge->is_up ? "" : ", style=dashed");
	}
	fputs("}\n", out);
}

void graph_mermaid(const struct graph *graph, FILE *out)
{
	fputs("---\ntitle: \"", out);
	quoted(out, graph->title, "'");
	fputs("\"\n---\nflowchart TB\n", out);
	for (int tier = tiers_of(graph) - 1; tier >= 0; tier--) {
		for (size_t i = 0; i < graph->n_nodes; i++) {
			const struct graph_node *node = &graph->nodes[i];

			if (node->tier != tier)
				continue;
			fprintf(out, "\tn%zu%s\"", i, node->kind == GRAPH_SWITCH ? "[" : "(");
			quoted(out, node->name, "#quot;");
			if (node->detail[0] != '\0') {
				fputs("<br/>", out);
				quoted(out, node->detail, "#quot;");
			}
			fprintf(out, "\"%s\n", node->kind == GRAPH_SWITCH ? "]:::switch" : ")");
		}
	}
	for (size_t i = 0; i < graph->n_edges; i++) {
		const struct graph_edge *edge = &graph->edges[i];
		bool turned = graph->nodes[edge->ends[0]].tier < graph->nodes[edge->ends[1]].tier;

		fprintf(out, "\tn%zu %s", edge->ends[turned],
			!edge->is_up			? "-.-"
			: edge->kind == GRAPH_LINK_PORT ? "---"
							: "===");
		if (edge->vlan[0] != '\0') {
			fputs("|\"", out);
			quoted(out, edge->vlan, "#quot;");
			fputs("\"|", out);
		}
		fprintf(out, " n%zu\n", edge->ends[!turned]);
	}
	fputs("\tclassDef switch fill:#dfe9f7,stroke:#3b6fb5,color:#1c2430\n", out);
}
