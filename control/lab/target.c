/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/desired.h"
#include "lab/stored.h"

static int interface_name(const struct topo *topo, const char *node, const char *ifname,
			  char name[TARGET_MAX], struct err *err)
{
	struct arena arena = {.head = NULL};
	const char *port = desired_port_name(&arena, topo, node, ifname);
	int rc = 0;

	if (port == NULL)
		rc = err_set(err, ENOENT,
			     "lab \"%s\" has no link at \"%s:%s\" (`netloom show links %s`)",
			     topo->name, node, ifname, topo->name);
	else
		snprintf(name, TARGET_MAX, "%s", port);
	arena_free(&arena);
	return rc;
}

static int node_check(const struct topo *topo, const char *node, struct err *err)
{
	for (size_t i = 0; i < topo->n_nodes; i++) {
		if (strcmp(topo->nodes[i].name, node) != 0)
			continue;
		if (topo->nodes[i].kind == TOPO_SWITCH)
			return 0;
		return err_set(err, EINVAL,
			       "\"%s/%s\" is a machine: name one of its interfaces, like "
			       "%s/%s:eth1 (`netloom show links %s`)",
			       topo->name, node, topo->name, node, topo->name);
	}
	return err_set(err, ENOENT, "lab \"%s\" has no node \"%s\"", topo->name, node);
}

int target_name(const char *text, char name[TARGET_MAX], struct err *err)
{
	char ifname[TOPO_IFNAME_MAX + 1];
	char node[TOPO_NAME_MAX + 1];
	char lab[TOPO_NAME_MAX + 1];
	struct stored_lab stored;
	bool has_if;
	int rc;

	if (strlen(text) >= TARGET_MAX)
		return err_set(err, EINVAL, "\"%.80s\" is longer than a name can be", text);
	snprintf(name, TARGET_MAX, "%s", text);
	has_if = cli_node_split(text, lab, node, ifname, NULL) == 0;
	if ((!has_if && cli_node_split(text, lab, node, NULL, NULL) != 0) || !stored_exists(lab))
		return 0; /* made by hand, or a whole lab */
	rc = stored_load(lab, &stored, err);
	if (rc < 0)
		return rc;
	rc = has_if ? interface_name(&stored.topo, node, ifname, name, err)
		    : node_check(&stored.topo, node, err);
	topo_free(&stored.topo);
	return rc;
}
