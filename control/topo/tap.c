/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/tap.h"

#include <arpa/inet.h>
#include <string.h>

#include "topo/host.h"
#include "topo/node.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* On which host the TAP is: `on`, else that of the other end. */
static int tap_host(const struct topo *topo, const struct value_reader *r,
		    const struct tree_node *value, const struct topo_link *link)
{
	const struct topo_node *other = topo_node_find(topo, link->ends[0].node);
	const struct tree_node *on = tree_find(value, "on");
	const char *name;

	if (on != NULL)
		return value_string(r, "on", on, &name) ? host_find(topo, r, on->line, name) : -1;
	if (other == NULL || other->hosts == 0)
		return -1; /* has been said, or will be */
	if ((other->hosts & (other->hosts - 1)) == 0)
		return __builtin_ctzll(other->hosts);
	diag_error(r->diags, value->line,
		   "%s: switch \"%s\" is on several hosts; write which one joins it here, like "
		   "host: { on: %s, ... }",
		   r->who, other->name, topo->hosts[__builtin_ctzll(other->hosts)].name);
	return -1;
}

/* The node that stands for a host's interfaces. */
static struct topo_node *tap_node(struct topo *topo, const struct value_reader *r,
				  const struct topo_link *link, int host)
{
	const char *name = topo->n_hosts > 0 ? topo->hosts[host].name : "host";
	struct topo_node *node = (struct topo_node *)topo_node_find(topo, name);

	if (node != NULL && !node->is_of_link) {
		diag_error(r->diags, node->line,
			   "node \"%s\" has the name under which the link on line %u puts the "
			   "host's interface; rename the node",
			   name, link->line);
		return NULL;
	}
	if (node != NULL)
		return node;
	node = &topo->nodes[topo->n_nodes++];
	*node = (struct topo_node){.name = name,
				   .kind = TOPO_TAP,
				   .line = link->line,
				   .is_of_link = true,
				   .hosts = topo->n_hosts > 0 ? UINT64_C(1) << host : 0};
	return node;
}

/* {eth: lab0, ipv4: A/LEN} as {ipv4: {lab0: A/LEN}}. */
static void addresses_read(const struct value_reader *r, const struct tree_node *value,
			   const char *key, int family, const char *ifname, struct topo_node *node)
{
	struct tree_node *address = tree_find(value, key);
	struct tree_node name = {.kind = TREE_SCALAR, .text = ifname};
	struct tree_node *items[2] = {&name, address};
	struct tree_node map = {.kind = TREE_MAP, .text = "", .n = 1, .items = items};

	if (address == NULL)
		return;
	name.line = map.line = address->line;
	node_addresses_read(r, key, family, &map, node);
}

bool tap_of_link_read(struct topo *topo, const struct value_reader *r,
		      const struct tree_node *value, struct topo_link *link)
{
	static const char *const keys[] = {"eth", "on", "netns", "ipv4", "ipv6", "mtu"};
	const struct tree_node *eth = tree_find(value, "eth");
	struct topo_end *end = &link->ends[1];
	const struct tree_node *item;
	struct topo_node *node;
	int host = -1;

	if (!value_is_kind(r, "host", value, TREE_MAP))
		return false;
	value_keys_check(r, value, keys, ARRAY_SIZE(keys));
	if (eth == NULL) {
		diag_error(r->diags, value->line,
			   "%s: `host` names no interface; write host: { eth: lab0 }", r->who);
		return false;
	}
	if (!value_string(r, "eth", eth, &end->ifname))
		return false;
	if (!value_is_name(end->ifname, TOPO_IFNAME_MAX) || strcmp(end->ifname, "lo") == 0) {
		diag_error(r->diags, eth->line,
			   "%s: interface name \"%.60s\" is not 1 to %d of A-Z a-z 0-9 . _ - (and "
			   "not lo)",
			   r->who, end->ifname, TOPO_IFNAME_MAX);
		return false;
	}
	if (topo->nodes == NULL)
		return false;
	if (topo->n_hosts > 0) {
		host = tap_host(topo, r, value, link);
		if (host < 0)
			return false;
	} else if ((item = tree_find(value, "on")) != NULL) {
		diag_error(r->diags, item->line,
			   "%s: `on` names a host, and the file has no `hosts`", r->who);
	}
	node = tap_node(topo, r, link, host);
	if (node == NULL)
		return false;
	end->node = node->name;
	item = tree_find(value, "netns");
	if (item != NULL)
		node_netns_read(r, item, &end->netns);
	addresses_read(r, value, "ipv4", AF_INET, end->ifname, node);
	addresses_read(r, value, "ipv6", AF_INET6, end->ifname, node);
	return true;
}

static void addresses_check(const struct topo_node *node, struct diag_list *diags)
{
	for (size_t i = 0; i < node->n_addresses; i++) {
		const struct topo_address *address = &node->addresses[i];
		size_t n = 0;

		if (topo_nic_find(node, address->ifname) == NULL)
			diag_error(diags, address->line,
				   "node \"%s\": interface \"%.40s\" has an address and no link",
				   node->name, address->ifname);
		for (size_t k = 0; k <= i; k++)
			n += strcmp(node->addresses[k].ifname, address->ifname) == 0;
		if (n == TOPO_TAP_ADDRESSES + 1)
			diag_error(diags, address->line,
				   "node \"%s\": interface \"%.40s\" has more than %d addresses",
				   node->name, address->ifname, TOPO_TAP_ADDRESSES);
	}
}

/* Of two TAP nodes: an interface that both would make. */
static void pair_check(const struct topo *topo, const struct topo_node *one,
		       const struct topo_node *two, struct diag_list *diags)
{
	for (size_t i = 0; i < two->n_nics; i++) {
		const struct topo_nic *nic = &two->nics[i];
		const struct topo_nic *other = topo_nic_find(one, nic->name);

		if (other != NULL &&
		    strcmp(topo_nic_netns(topo, two, nic), topo_nic_netns(topo, one, other)) == 0)
			diag_error(diags, topo->links[nic->link].line,
				   "node \"%s\": interface %s is there already, node \"%s\" has it "
				   "(line %u) in the same network namespace; give one another name "
				   "or `netns`",
				   two->name, nic->name, one->name, topo->links[other->link].line);
	}
}

void taps_check(const struct topo *topo, struct diag_list *diags)
{
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];

		if (node->kind != TOPO_TAP)
			continue;
		addresses_check(node, diags);
		for (size_t k = 0; k < i; k++) {
			if (topo->nodes[k].kind == TOPO_TAP && topo->nodes[k].hosts == node->hosts)
				pair_check(topo, &topo->nodes[k], node, diags);
		}
	}
}
