/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/control.h"
#include "lab/desired.h"
#include "lab/node.h"
#include "lab/rpc.h"
#include "lab/stored.h"
#include "topo/span.h"

static const struct topo_link *link_find(const struct topo *topo, const char *node,
					 const char *ifname)
{
	for (size_t i = 0; i < topo->n_links; i++) {
		for (int end = 0; end < 2; end++) {
			if (strcmp(topo->links[i].ends[end].node, node) == 0 &&
			    strcmp(topo->links[i].ends[end].ifname, ifname) == 0)
				return &topo->links[i];
		}
	}
	return NULL;
}

/* The guest first when the link goes down, the switch first when it comes up: no frame into nowhere. */
static int end_set(const struct topo *topo, const struct topo_end *end, bool up, struct err *err)
{
	struct arena arena = {.head = NULL};
	bool is_vm = topo->nodes[end->node_index].kind == TOPO_VM;
	bool runs = is_vm && node_is_running(topo->name, end->node);
	const char *port = desired_port_name(&arena, topo, end->node, end->ifname);
	int rc = 0;

	if (runs && !up)
		rc = control_nic_link(topo->name, end->node, end->ifname, false, err);
	if (rc == 0)
		rc = rpc_once("port.admin",
			      json_pack("{s:s, s:s}", "name", port, "admin", up ? "up" : "down"),
			      NULL, err);
	if (rc == 0 && runs && up)
		rc = control_nic_link(topo->name, end->node, end->ifname, true, err);
	arena_free(&arena);
	return rc;
}

static int link_set(const struct topo *topo, const char *node, const char *ifname, bool up,
		    struct err *err)
{
	const struct topo_link *link = link_find(topo, node, ifname);

	if (link == NULL)
		return err_set(err, ENOENT,
			       "lab \"%s\" has no link at \"%s:%s\" (`netloom show links %s`)",
			       topo->name, node, ifname, topo->name);
	if (!span_link_is_here(topo, link))
		return err_set(err, ENOENT, "link \"%s:%s\" is not on host \"%s\", which this is",
			       node, ifname, topo->hosts[topo->self].name);
	for (int end = 0; end < 2; end++) {
		const struct topo_end *own = &link->ends[end];
		int rc;

		/* A switch's end of a machine's link has no port of its own, one on another host none here. */
		if (!span_node_is_here(topo, &topo->nodes[own->node_index]) ||
		    (topo->nodes[own->node_index].kind == TOPO_SWITCH &&
		     !topo_link_is_patch(topo, link) && !span_link_crosses(topo, link)))
			continue;
		rc = end_set(topo, own, up, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int cmd_link(const struct command *command, int argc, char **argv)
{
	char ifname[TOPO_IFNAME_MAX + 1];
	char node[TOPO_NAME_MAX + 1];
	char lab[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};
	struct stored_lab stored;
	bool up;
	int rc;

	while (cli_option(command, argc, argv, "", NULL) != -1)
		;
	if (argc - optind != 3 || strcmp(argv[optind], "set") != 0)
		return cli_usage(command, "what is to be set?");
	up = strcmp(argv[optind + 2], "up") == 0;
	if (!up && strcmp(argv[optind + 2], "down") != 0)
		return cli_usage(command, "\"%.40s\" is neither up nor down", argv[optind + 2]);
	if (cli_node_split(argv[optind + 1], lab, node, ifname, &err) < 0)
		return cli_usage(command, "%s", err.text);
	rc = stored_load(lab, &stored, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	rc = link_set(&stored.topo, node, ifname, up, &err);
	topo_free(&stored.topo);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
