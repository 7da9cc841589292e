/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The machines of a lab file: `hosts`, each with its VXLAN address and the interface it is on, and `host:` of a node.
 *
 * A switch may be on several hosts: one instance of it on each, of which only the VLANs in its `vxlan` are one network. All else is
 * on one host. A file without `hosts` is about whatever host runs it. One thread.
 */
#ifndef TOPO_HOST_H
#define TOPO_HOST_H

#include "base/err.h"
#include "topo/topo.h"
#include "topo/tree.h"
#include "topo/value.h"

/**
 * hosts_read() - Fill topo->hosts from the file
 * @r:     `who` is what the map belongs to
 * @value: the `hosts` map
 */
void hosts_read(struct topo *topo, const struct value_reader *r, const struct tree_node *value);

/**
 * host_of_node_read() - A node's `host`: a name, or a list of names for a switch
 * @topo:  its hosts have been read
 * @value: NULL: the node says nothing, which is right for a switch with `vxlan` (all hosts), and in a file without hosts
 * @node:  kind, name and vnis are there; hosts is set
 */
void host_of_node_read(const struct topo *topo, const struct value_reader *r,
		       const struct tree_node *value, struct topo_node *node);

/** host_find() - Index of a host, or -1 with a finding */
int host_find(const struct topo *topo, const struct value_reader *r, unsigned int line,
	      const char *name);

/** hosts_check() - Addresses that two hosts have, pairs of hosts that need a common family and have none, uplinks that are missing */
void hosts_check(const struct topo *topo, struct diag_list *diags);

/**
 * host_select() - Make the model that of one host
 * @name: one of `hosts`; NULL for a lab without
 *
 * Return: 0 with topo->self set, or -EINVAL with a sentence that lists the hosts.
 */
int host_select(struct topo *topo, const char *name, struct err *err);

#endif
