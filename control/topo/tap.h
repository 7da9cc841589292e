/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one-line way for a host to join a lab: a link with one endpoint and `host: {eth: lab0, ...}`. It becomes a link to a node of
 * kind tap, named after the host ("host" in a file without `hosts`), so that nothing behind the file's reader knows it. One thread.
 */
#ifndef TOPO_TAP_H
#define TOPO_TAP_H

#include "topo/topo.h"
#include "topo/tree.h"
#include "topo/value.h"

/**
 * tap_of_link_read() - Read a link's `host` and make its second end
 * @topo: nodes and hosts have been read; topo->nodes has room for one node per host, and one
 * @link: its first end is there
 *
 * Return: true when the link has two ends now.
 */
bool tap_of_link_read(struct topo *topo, const struct value_reader *r,
		      const struct tree_node *value, struct topo_link *link);

/** taps_check() - What a TAP cannot have: VLAN interfaces, many addresses, an interface that another node has */
void taps_check(const struct topo *topo, struct diag_list *diags);

#endif
