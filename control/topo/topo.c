/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From text to model: the top level of a lab file. Nodes are read by node.c, links by link.c, and what
 * only the whole can tell (names that do not resolve, ends used twice) by check.c.
 */
#include "topo/topo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "topo/check.h"
#include "topo/host.h"
#include "topo/link.h"
#include "topo/mirror.h"
#include "topo/node.h"
#include "topo/tree.h"
#include "topo/value.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void name_read(struct topo *topo, const struct value_reader *r, const struct tree_node *root)
{
	const struct tree_node *value = tree_find(root, "name");

	topo->name = "";
	if (value == NULL) {
		diag_error(r->diags, root->line, "the lab has no `name`; write name: campus");
		return;
	}
	if (!value_string(r, "name", value, &topo->name))
		return;
	if (!value_is_name(topo->name, TOPO_NAME_MAX))
		diag_error(r->diags, value->line,
			   "name \"%.60s\" is not 1 to %d of A-Z a-z 0-9 . _ - (it becomes a "
			   "folder and "
			   "part of socket paths)",
			   topo->name, TOPO_NAME_MAX);
}

static void nodes_read(struct topo *topo, const struct value_reader *r,
		       const struct tree_node *topology)
{
	const struct tree_node *nodes = tree_find(topology, "nodes");

	if (nodes == NULL) {
		diag_error(r->diags, topology->line, "`topology` has no `nodes`");
		return;
	}
	if (!value_is_kind(r, "nodes", nodes, TREE_MAP))
		return;
	if (nodes->n > TOPO_NODES_MAX) {
		diag_error(r->diags, nodes->line, "%zu nodes; a lab has at most %d", nodes->n,
			   TOPO_NODES_MAX);
		return;
	}
	/* And one for each host, or one, for links with `host`. */
	topo->nodes =
		arena_alloc(&topo->arena, (nodes->n + topo->n_hosts + 1) * sizeof(*topo->nodes));
	for (size_t i = 0; i < nodes->n; i++) {
		const struct tree_node *name = nodes->items[2 * i];

		if (!value_is_name(name->text, TOPO_NAME_MAX)) {
			diag_error(r->diags, name->line,
				   "node name \"%.60s\" is not 1 to %d of A-Z a-z 0-9 . _ - (it "
				   "becomes "
				   "a folder and part of socket paths)",
				   name->text, TOPO_NAME_MAX);
			continue;
		}
		node_read(topo, topology, name, nodes->items[2 * i + 1],
			  &topo->nodes[topo->n_nodes++], r->diags);
	}
}

static void links_read(struct topo *topo, const struct value_reader *r,
		       const struct tree_node *topology)
{
	const struct tree_node *links = tree_find(topology, "links");

	if (links == NULL || (links->kind == TREE_SCALAR && links->text[0] == '\0'))
		return;
	if (!value_is_kind(r, "links", links, TREE_SEQUENCE))
		return;
	if (links->n > TOPO_LINKS_MAX) {
		diag_error(r->diags, links->line, "%zu links; a lab has at most %d", links->n,
			   TOPO_LINKS_MAX);
		return;
	}
	topo->links = arena_alloc(&topo->arena, links->n * sizeof(*topo->links));
	for (size_t i = 0; i < links->n; i++) {
		struct topo_link link = {.line = 0};

		if (link_read(topo, links->items[i], &link, r->diags))
			topo->links[topo->n_links++] = link;
	}
}

/* With the nodes, where they belong, or at the top of the file, where some look for them. */
static void hosts_find(struct topo *topo, struct value_reader *r, const struct tree_node *root,
		       const struct tree_node *topology)
{
	const struct tree_node *above = tree_find(root, "hosts");
	const struct tree_node *hosts = tree_find(topology, "hosts");

	if (above != NULL && hosts != NULL)
		diag_error(r->diags, above->line,
			   "`hosts` is given twice; it is in `topology` already, on line %u",
			   hosts->line);
	else if (hosts != NULL || above != NULL)
		hosts_read(topo, r, hosts != NULL ? hosts : above);
}

int topo_parse(struct topo *topo, const char *text, size_t len, struct diag_list *diags)
{
	static const char *const root_keys[] = {"name", "topology", "hosts", "description"};
	static const char *const topology_keys[] = {"defaults", "kinds", "groups", "hosts",
						    "nodes",	"links", "mirrors"};
	struct value_reader r = {.arena = &topo->arena, .diags = diags, .who = "lab"};
	const struct tree_node *topology;
	struct tree_node *root;

	memset(topo, 0, sizeof(*topo));
	topo->self = -1;
	root = tree_parse(&topo->arena, text, len, diags);
	if (root == NULL)
		return -EINVAL;
	if (root->kind != TREE_MAP) {
		diag_error(diags, root->line,
			   "is %s; a lab file is a map that starts with `name:` and `topology:`",
			   tree_kind_name(root->kind));
		return -EINVAL;
	}
	value_keys_check(&r, root, root_keys, ARRAY_SIZE(root_keys));
	name_read(topo, &r, root);
	topology = tree_find(root, "topology");
	if (topology == NULL) {
		diag_error(diags, root->line, "the lab has no `topology`");
		return -EINVAL;
	}
	r.who = "topology";
	if (!value_is_kind(&r, "topology", topology, TREE_MAP))
		return -EINVAL;
	value_keys_check(&r, topology, topology_keys, ARRAY_SIZE(topology_keys));
	node_layers_check(&topo->arena, topology, diags);
	hosts_find(topo, &r, root, topology);
	nodes_read(topo, &r, topology);
	links_read(topo, &r, topology);
	mirrors_read(topo, &r, tree_find(topology, "mirrors"));
	check_topology(topo, tree_find(topology, "nodes"), diags);
	return diags->n_errors == 0 ? 0 : -EINVAL;
}

/* Reads at most max + 1 bytes, so that the caller sees "too large". */
static int file_read(const char *path, size_t max, char **out, size_t *out_len)
{
	struct stat st;
	size_t len = 0;
	char *text;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	if (S_ISREG(st.st_mode) && st.st_size > (off_t)max) {
		close(fd);
		*out = NULL;
		*out_len = (size_t)st.st_size;
		return 0;
	}
	text = malloc(max + 1);
	if (text == NULL) {
		close(fd);
		return -ENOMEM;
	}
	while (len <= max) {
		ssize_t got = read(fd, text + len, max + 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	close(fd);
	*out = text;
	*out_len = len;
	return 0;
}

int topo_load(struct topo *topo, const char *path, struct diag_list *diags)
{
	size_t len = 0;
	char *text = NULL;
	int rc;

	memset(topo, 0, sizeof(*topo));
	rc = file_read(path, TREE_FILE_BYTES_MAX, &text, &len);
	if (rc < 0) {
		diag_error(diags, 0, "cannot be read: %s", strerror(-rc));
		return rc;
	}
	/* A text that is too long is never looked at: tree_parse() refuses it by its length. */
	rc = topo_parse(topo, text != NULL ? text : "", len, diags);
	free(text);
	return rc;
}

void topo_free(struct topo *topo)
{
	if (topo != NULL)
		arena_free(&topo->arena);
}

const struct topo_node *topo_node_find(const struct topo *topo, const char *name)
{
	for (size_t i = 0; i < topo->n_nodes; i++) {
		if (strcmp(topo->nodes[i].name, name) == 0)
			return &topo->nodes[i];
	}
	return NULL;
}

const struct topo_nic *topo_nic_find(const struct topo_node *node, const char *ifname)
{
	for (size_t i = 0; i < node->n_nics; i++) {
		if (strcmp(node->nics[i].name, ifname) == 0)
			return &node->nics[i];
	}
	return NULL;
}

const char *topo_nic_netns(const struct topo *topo, const struct topo_node *node,
			   const struct topo_nic *nic)
{
	const char *own = topo->links[nic->link].ends[nic->end].netns;

	own = own != NULL ? own : node->netns;
	return own != NULL ? own : "";
}

bool topo_link_is_wire(const struct topo *topo, const struct topo_link *link)
{
	return topo->nodes[link->ends[0].node_index].kind != TOPO_SWITCH &&
	       topo->nodes[link->ends[1].node_index].kind != TOPO_SWITCH;
}

bool topo_link_is_patch(const struct topo *topo, const struct topo_link *link)
{
	return topo->nodes[link->ends[0].node_index].kind == TOPO_SWITCH &&
	       topo->nodes[link->ends[1].node_index].kind == TOPO_SWITCH;
}

bool topo_vlan_has(const struct topo_vlan *vlan, unsigned int vid)
{
	if (vid == 0 || vid > TOPO_VID_MAX)
		return false;
	switch (vlan->mode) {
	case TOPO_VLAN_ACCESS:
	case TOPO_VLAN_TUNNEL:
		return vid == vlan->vid;
	case TOPO_VLAN_TRUNK:
		return vlan->is_all || ((vlan->members[vid / 64] >> (vid % 64)) & 1);
	default:
		return true;
	}
}

unsigned int topo_vlan_untagged(const struct topo_vlan *vlan)
{
	switch (vlan->mode) {
	case TOPO_VLAN_ACCESS:
	case TOPO_VLAN_TUNNEL:
		return vlan->vid;
	case TOPO_VLAN_TRUNK:
		return vlan->native;
	default:
		return 1;
	}
}
