/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One node of a lab file, with what it inherits: node -> group -> kind -> defaults, as in containerlab.
 * The nearest value wins; `labels` and `env` are merged key by key. One thread.
 */
#ifndef TOPO_NODE_H
#define TOPO_NODE_H

#include "topo/topo.h"
#include "topo/tree.h"
#include "topo/value.h"

/**
 * node_read() - Fill a node from the file
 * @topo:     its hosts have been read; owns what the node points to
 * @topology: the `topology` map: defaults, kinds and groups are looked up in it
 * @name:     of the node, already checked
 * @value:    the node's own map; an empty value stands for an empty map
 * @node:     out
 * @diags:    findings
 */
void node_read(struct topo *topo, const struct tree_node *topology, const struct tree_node *name,
	       const struct tree_node *value, struct topo_node *node, struct diag_list *diags);

/** node_addresses_read() - Add the addresses of a map of interfaces to a node; @key is ipv4 or ipv6 */
void node_addresses_read(const struct value_reader *r, const char *key, int family,
			 const struct tree_node *value, struct topo_node *node);

/** node_netns_read() - A network namespace: a name as `ip netns` has it, or an absolute path */
bool node_netns_read(const struct value_reader *r, const struct tree_node *value,
		     const char **netns);

/** node_layers_check() - Unknown keys and kinds in `defaults`, `kinds` and `groups`, used or not */
void node_layers_check(struct arena *arena, const struct tree_node *topology,
		       struct diag_list *diags);

#endif
