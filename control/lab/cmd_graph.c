/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "lab/cli.h"
#include "topo/diag.h"
#include "topo/suggest.h"

/* clang-format off */
static const struct {
	const char *name;
	void (*print)(const struct graph *graph, FILE *out);
} formats[] = {
	{"svg", graph_svg},
	{"dot", graph_dot},
	{"mermaid", graph_mermaid},
};
/* clang-format on */
#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

static int format_find(const char *name)
{
	for (size_t i = 0; i < N_FORMATS; i++) {
		if (strcmp(formats[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static int graph_write(const struct topo *topo, int format, const char *path)
{
	FILE *out = path != NULL ? fopen(path, "we") : stdout;
	struct graph graph;
	bool bad;

	if (out == NULL) {
		fprintf(stderr, "netloom: %s: %s\n", path, strerror(errno));
		return CLI_FAILED;
	}
	graph_init(&graph, topo->name);
	graph_add_topo(&graph, topo, "");
	graph_layout(&graph);
	formats[format].print(&graph, out);
	graph_free(&graph);
	bad = fflush(out) != 0 || ferror(out) != 0;
	if (path != NULL)
		bad |= fclose(out) != 0;
	if (bad)
		fprintf(stderr, "netloom: %s: %s\n", path != NULL ? path : "standard output",
			strerror(errno));
	return bad ? CLI_FAILED : CLI_OK;
}

int cmd_graph(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"format", required_argument, NULL, 'f'},
						{"output", required_argument, NULL, 'o'},
						{0}};
	struct diag_list *diags;
	const char *path = NULL;
	struct topo topo;
	int format = -1;
	int status;
	int key;

	while ((key = cli_option(command, argc, argv, "f:o:", options)) != -1) {
		if (key == 'o')
			path = optarg;
		else
			format = format_find(optarg);
		if (key == 'f' && format < 0)
			return cli_usage(command, "\"%.40s\" is none of svg, dot and mermaid",
					 optarg);
	}
	if (argc - optind != 1)
		return cli_usage(command, "one lab file, please");
	if (format < 0 && path != NULL && strrchr(path, '.') != NULL)
		format = strcmp(strrchr(path, '.'), ".mmd") == 0
				 ? format_find("mermaid")
				 : format_find(strrchr(path, '.') + 1);
	diags = calloc(1, sizeof(*diags));
	if (diags == NULL)
		return CLI_FAILED;
	diag_init(diags, argv[optind]);
	topo_load(&topo, argv[optind], diags);
	diag_sort(diags);
	diag_print(diags, stderr);
	status = diags->n_errors > 0 ? CLI_INVALID
				     : graph_write(&topo, format < 0 ? 0 : format, path);
	topo_free(&topo);
	free(diags);
	return status;
}
