/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SVG 1.1 with a style sheet of its own, which knows light and dark; fonts are the reader's. Links are drawn first, so
 * that what passes behind a node is hidden by it, and the names of their ends last, beside the nodes.
 */
#include <math.h>
#include <string.h>

#include "graph/graph.h"

#define HEADER	    56.0
#define LEGEND	    34.0
#define N_COLOURS   8
#define LEGEND_MAX  12
#define TRACK_WIDTH 16.0

static const char style[] =
	"<style>\n"
	"svg{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,Ubuntu,Cantarell,\"DejaVu "
	"Sans\",sans-serif;"
	"--bg:#fff;--ink:#1c2430;--dim:#66707d;--line:#8a94a1;--sw:#dfe9f7;--swl:#3b6fb5;--vm:#fff;"
	"--vml:#b9c2cd;"
	"--c0:#2f6fc4;--c1:#c2570c;--c2:#15803d;--c3:#9333ea;--c4:#be123c;--c5:#0e7490;--c6:#"
	"a16207;--c7:#4d7c0f}\n"
	"@media(prefers-color-scheme:dark){svg{--bg:#12161c;--ink:#e6eaf0;--dim:#98a3b0;--line:#"
	"77828f;"
	"--sw:#1d2c42;--swl:#6aa0ea;--vm:#1b2129;--vml:#465160;"
	"--c0:#6aa9ff;--c1:#f59e4c;--c2:#4ade80;--c3:#c084fc;--c4:#fb7185;--c5:#38bdd8;--c6:#"
	"e2b340;--c7:#a3d04a}}\n"
	".bg{fill:var(--bg)}text{fill:var(--ink)}.title{font-size:20px;font-weight:600}"
	".dim{fill:var(--dim);font-size:12px}.name{font-size:14px;font-weight:600;text-anchor:"
	"middle}"
	".detail{font-size:11px;fill:var(--dim);text-anchor:middle}"
	".if{font-size:10px;fill:var(--dim);text-anchor:middle;paint-order:stroke;stroke:var(--bg);"
	"stroke-width:3px}"
	".vlan{font-size:11px;text-anchor:middle;paint-order:stroke;stroke:var(--bg);stroke-width:"
	"4px}"
	".l{fill:none;stroke:var(--line);stroke-width:2}.trunk{stroke-width:4}.wire{stroke-width:5}"
	".core{stroke:var(--bg);stroke-width:2;fill:none}.down{stroke-dasharray:6 5}"
	".sw{fill:var(--sw);stroke:var(--swl);stroke-width:1.5}.vm{fill:var(--vm);stroke:var(--vml)"
	";stroke-width:1.5}";

struct palette {
	unsigned int vids[TOPO_VID_MAX + 1]; /* in the order of their first use */
	size_t n;
};

static void text_print(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			if ((unsigned char)*text >= 0x20)
				fputc(*text, out);
		}
	}
}

static void label(FILE *out, const char *class, double x, double y, const char *text)
{
	if (text[0] == '\0')
		return;
	fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	text_print(out, text);
	fputs("</text>\n", out);
}

static void palette_fill(const struct graph *graph, struct palette *palette)
{
	bool seen[TOPO_VID_MAX + 1] = {false};

	palette->n = 0;
	for (size_t i = 0; i < graph->n_edges; i++) {
		unsigned int vid = graph->edges[i].vid;

		if (vid == 0 || vid > TOPO_VID_MAX || seen[vid])
			continue;
		seen[vid] = true;
		palette->vids[palette->n++] = vid;
	}
}

static size_t palette_colour(const struct palette *palette, unsigned int vid)
{
	for (size_t i = 0; i < palette->n; i++) {
		if (palette->vids[i] == vid)
			return i % N_COLOURS;
	}
	return 0;
}

struct line {
	double x1, y1, x2, y2;
};

/* From middle to middle; links between the same two nodes run beside each other. */
static struct line line_of(const struct graph *graph, const struct graph_edge *edge)
{
	const struct graph_node *a = &graph->nodes[edge->ends[0]],
				*b = &graph->nodes[edge->ends[1]];
	struct line line = {a->x, a->y, b->x, b->y};
	/* Sideways as seen from the node with the smaller number, or two tracks would be one. */
	double sign = edge->ends[0] <= edge->ends[1] ? 1 : -1;
	double length = hypot(b->x - a->x, b->y - a->y);
	double aside = sign * TRACK_WIDTH * (edge->track - (edge->n_tracks - 1) / 2.0);

	if (length > 0) {
		line.x1 -= aside * (b->y - a->y) / length;
		line.x2 -= aside * (b->y - a->y) / length;
		line.y1 += aside * (b->x - a->x) / length;
		line.y2 += aside * (b->x - a->x) / length;
	}
	return line;
}

/* A label stands on its line, @from of the way along it. */
struct spot {
	double x, y, half_width;
};

struct labels {
	struct arena arena;
	struct spot *spots; /* that are taken */
	size_t n;
	FILE *out;
};

static bool spot_is_free(const struct labels *labels, struct spot spot)
{
	for (size_t i = 0; i < labels->n; i++) {
		const struct spot *other = &labels->spots[i];

		if (fabs(other->y - spot.y) < 11 &&
		    fabs(other->x - spot.x) < other->half_width + spot.half_width)
			return false;
	}
	return true;
}

/* Tries a few places along the line; a label that finds none is left out: better than two that nobody can read. */
static void label_try(struct labels *labels, const char *class, const char *text, struct line line,
		      double from, double step)
{
	double half_width = 3.2 * (double)strlen(text) + 2;

	if (text[0] == '\0')
		return;
	for (int attempt = 0; attempt < 4; attempt++) {
		double part = from + step * attempt;
		struct spot spot = {line.x1 + (line.x2 - line.x1) * part,
				    line.y1 + (line.y2 - line.y1) * part, half_width};

		if (part < 0 || part > 1 || !spot_is_free(labels, spot))
			continue;
		label(labels->out, class, spot.x, spot.y + 3, text);
		labels->spots[labels->n++] = spot;
		return;
	}
}

/* How far along the line the box around its first point ends, and a little further. */
static double line_exit(struct line line, double *step)
{
	double dx = line.x2 - line.x1, dy = line.y2 - line.y1;
	double length = hypot(dx, dy);
	double by_x = fabs(dx) > 0.01 ? GRAPH_NODE_WIDTH / 2.0 / fabs(dx) : HUGE_VAL;
	double by_y = fabs(dy) > 0.01 ? GRAPH_NODE_HEIGHT / 2.0 / fabs(dy) : HUGE_VAL;

	if (length < 1)
		return 2; /* nowhere */
	*step = 12 / length;
	return fmin(by_x, by_y) + (fabs(dy) > fabs(dx) ? 11.0 : 18.0) / length;
}

static void edge_print(const struct graph *graph, const struct graph_edge *edge,
		       const struct palette *palette, FILE *out)
{
	struct line line = line_of(graph, edge);
	const char *kind = edge->kind == GRAPH_LINK_WIRE    ? " wire"
			   : edge->kind == GRAPH_LINK_TRUNK ? " trunk"
							    : "";

	fprintf(out, "<path class=\"l%s%s\"", kind, edge->is_up ? "" : " down");
	if (edge->vid != 0)
		fprintf(out, " style=\"stroke:var(--c%zu)\"", palette_colour(palette, edge->vid));
	fprintf(out, " d=\"M%.1f %.1fL%.1f %.1f\"/>\n", line.x1, line.y1, line.x2, line.y2);
	if (edge->kind == GRAPH_LINK_WIRE)
		fprintf(out, "<path class=\"core\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", line.x1,
			line.y1, line.x2, line.y2);
}

static void edge_labels(const struct graph *graph, const struct graph_edge *edge,
			struct labels *labels)
{
	struct line line = line_of(graph, edge), back = {line.x2, line.y2, line.x1, line.y1};
	bool level = fabs(line.y2 - line.y1) < 1;
	double step = 0, from;

	from = line_exit(line, &step);
	label_try(labels, "if", edge->ifnames[0], line, from, step);
	from = line_exit(back, &step);
	label_try(labels, "if", edge->ifnames[1], back, from, step);
	if (level) {
		line.y1 -= 9;
		line.y2 -= 9;
	}
	/* What a machine's link carries is said by its colour, and by the legend. */
	if (edge->vid == 0)
		label_try(labels, "vlan", edge->vlan, line, level ? 0.5 : 0.36,
			  level ? 0.08 : 0.14);
}

static void node_print(const struct graph_node *node, FILE *out)
{
	double left = node->x - GRAPH_NODE_WIDTH / 2.0, top = node->y - GRAPH_NODE_HEIGHT / 2.0;
	bool is_switch = node->kind == GRAPH_SWITCH;

	fprintf(out,
		"<g><title>%s</title><rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" "
		"height=\"%d\" rx=\"%d\"/>\n",
		is_switch ? "switch" : "machine", is_switch ? "sw" : "vm", left, top,
		GRAPH_NODE_WIDTH, GRAPH_NODE_HEIGHT, is_switch ? 6 : 14);
	label(out, "name", node->x, node->y + (node->detail[0] != '\0' ? -2 : 5), node->name);
	label(out, "detail", node->x, node->y + 14, node->detail);
	fputs("</g>\n", out);
}

static void legend_print(const struct palette *palette, double y, FILE *out)
{
	double x = 24;

	for (size_t i = 0; i < palette->n && i < LEGEND_MAX; i++) {
		fprintf(out,
			"<path class=\"l\" style=\"stroke:var(--c%zu);stroke-width:3\" "
			"d=\"M%.1f %.1fh22\"/><text class=\"dim\" x=\"%.1f\" y=\"%.1f\">VLAN "
			"%u</text>\n",
			i % N_COLOURS, x, y, x + 28, y + 4, palette->vids[i]);
		x += 100;
	}
	if (palette->n > LEGEND_MAX)
		fprintf(out, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\">and %zu more</text>\n", x,
			y + 4, palette->n - LEGEND_MAX);
}

void graph_svg(const struct graph *graph, FILE *out)
{
	struct labels labels = {.n = 0, .out = out};
	size_t n_switches = 0, shown;
	struct palette palette;
	double width, height;

	palette_fill(graph, &palette);
	labels.spots = arena_alloc(&labels.arena, (3 * graph->n_edges + 1) * sizeof(*labels.spots));
	for (size_t i = 0; i < graph->n_nodes; i++)
		n_switches += graph->nodes[i].kind == GRAPH_SWITCH;
	shown = palette.n < LEGEND_MAX ? palette.n : LEGEND_MAX;
	width = fmax(fmax(graph->width, 320), 48 + 100.0 * (double)shown);
	height = HEADER + graph->height + (palette.n > 0 ? LEGEND : 0);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
		"width=\"%.0f\" "
		"height=\"%.0f\" role=\"img\">\n<title>",
		width, height, width, height);
	text_print(out, graph->title);
	fprintf(out,
		"</title>\n%s\n</style>\n<rect class=\"bg\" width=\"100%%\" height=\"100%%\"/>\n",
		style);
	label(out, "title", 24, 34, graph->title);
	fprintf(out,
		"<text class=\"dim\" x=\"24\" y=\"52\">%zu switch%s, %zu machine%s, %zu "
		"link%s</text>\n",
		n_switches, n_switches == 1 ? "" : "es", graph->n_nodes - n_switches,
		graph->n_nodes - n_switches == 1 ? "" : "s", graph->n_edges,
		graph->n_edges == 1 ? "" : "s");
	fprintf(out, "<g transform=\"translate(%.1f %.1f)\">\n", (width - graph->width) / 2,
		HEADER);
	for (size_t i = 0; i < graph->n_edges; i++)
		edge_print(graph, &graph->edges[i], &palette, out);
	for (size_t i = 0; i < graph->n_nodes; i++)
		node_print(&graph->nodes[i], out);
	for (size_t i = 0; i < graph->n_edges; i++)
		edge_labels(graph, &graph->edges[i], &labels);
	arena_free(&labels.arena);
	fputs("</g>\n", out);
	legend_print(&palette, HEADER + graph->height + 6, out);
	fputs("</svg>\n", out);
}
