/* SPDX-License-Identifier: BSD-3-Clause */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/proc.h"
#include "lab/stored.h"
#include "topo/diag.h"
#include "topo/span.h"

static json_t *diags_json(const struct diag_list *diags)
{
	json_t *list = json_array();

	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *d = &diags->items[i];

		json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:s}", "file", diags->file,
						      "line", (int)d->line, "severity",
						      d->is_warning ? "warning" : "error", "text",
						      d->text));
	}
	return list;
}

/* More than the machine has can never start; that other programs leave too little is `up`'s to see. */
static void memory_check(const struct topo *topo, struct diag_list *diags)
{
	uint64_t total = 0;
	uint64_t needed = 0;

	/* Of several hosts this may be none. */
	if (topo->n_hosts > 0 || proc_memory_available(&total) == 0)
		return;
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];

		if (node->kind != TOPO_VM)
			continue;
		needed += node->memory_mib;
		if (node->memory_mib > total)
			diag_error(diags, node->memory_line,
				   "node \"%s\": %u MiB of memory do not fit, this machine has "
				   "%llu MiB",
				   node->name, node->memory_mib, (unsigned long long)total);
	}
	if (needed > total && diags->n_errors == 0)
		diag_error(diags, 0,
			   "its VMs have %llu MiB of memory together and this machine has %llu MiB",
			   (unsigned long long)needed, (unsigned long long)total);
}

/* vm-runner's options end at a comma; what follows must not be more of them. `up` says the same. */
static void commas_check(const struct topo *topo, const char *path, struct diag_list *diags)
{
	char base[PATH_MAX];

	stored_base(path, base, sizeof(base));
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];
		const struct topo_disk *disk = node->disk;

		if (disk == NULL || node->vmm != TOPO_VMM_RUNNER || disk->mode == TOPO_DISK_OVERLAY)
			continue;
		if (strchr(disk->file, ',') != NULL ||
		    (disk->file[0] != '/' && strchr(base, ',') != NULL))
			diag_error(diags, node->line,
				   "node \"%s\": vm-runner takes no disk with a comma in its path, "
				   "%s; rename it, or write `vmm: qemu`",
				   node->name, disk->file);
	}
}

/* With the VNIs that were chosen: what a VTEP that is not netloom must be given. */
static void valid_print(const char *path, const struct topo *topo)
{
	printf("%s: lab \"%s\", %zu nodes, %zu links", path, topo->name, topo->n_nodes,
	       topo->n_links);
	if (topo->n_hosts > 0)
		printf(", %zu hosts", topo->n_hosts);
	puts(": valid");
	for (size_t i = 0; i < topo->n_links; i++) {
		const struct topo_link *link = &topo->links[i];

		if (span_link_crosses(topo, link))
			printf("  link %s:%s - %s:%s is VNI %u\n", link->ends[0].node,
			       link->ends[0].ifname, link->ends[1].node, link->ends[1].ifname,
			       link->vni);
	}
}

static int validate_one(const char *path, bool json, json_t *all)
{
	struct diag_list *diags = calloc(1, sizeof(*diags));
	struct topo topo;
	int status;

	if (diags == NULL)
		return CLI_FAILED;
	diag_init(diags, path);
	if (topo_load(&topo, path, diags) == 0) {
		memory_check(&topo, diags);
		commas_check(&topo, path, diags);
	}
	status = diags->n_errors > 0 ? CLI_INVALID : CLI_OK;
	diag_sort(diags);
	if (json) {
		json_array_append_new(
			all, json_pack("{s:s, s:b, s:i, s:i, s:o}", "file", path, "valid",
				       status == CLI_OK, "errors", (int)diags->n_errors, "warnings",
				       (int)diags->n_warnings, "findings", diags_json(diags)));
	} else {
		diag_print(diags, stderr);
		if (status == CLI_OK)
			valid_print(path, &topo);
	}
	topo_free(&topo);
	free(diags);
	return status;
}

int cmd_validate(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
	bool json = false;
	json_t *all;
	int status = CLI_OK;

	while (cli_option(command, argc, argv, "j", options) != -1)
		json = true;
	if (optind == argc)
		return cli_usage(command, "which file?");
	all = json_array();
	for (int i = optind; i < argc; i++) {
		int one = validate_one(argv[i], json, all);

		if (one != CLI_OK)
			status = one;
	}
	if (json)
		cli_print_json(all);
	else
		json_decref(all);
	return status;
}
