/* SPDX-License-Identifier: BSD-3-Clause */
/* What only the whole lab can tell: names that resolve, ends used once, addresses used once. One thread. */
#ifndef TOPO_CHECK_H
#define TOPO_CHECK_H

#include "topo/topo.h"
#include "topo/tree.h"

/**
 * check_topology() - Resolve and cross-check a model whose parts have been read
 * @topo:  nodes' nics and links' node indices are filled in
 * @nodes: the `nodes` map, for names that were refused before (no second finding about them); may be NULL
 * @diags: findings
 */
void check_topology(struct topo *topo, const struct tree_node *nodes, struct diag_list *diags);

#endif
