/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `rings` of a VM: which kind of rings the drivers of its interfaces may use. One word for all of them, or a map of interfaces; those
 * that are not in it have split rings. One thread.
 */
#ifndef TOPO_RINGS_H
#define TOPO_RINGS_H

#include "topo/value.h"

/** rings_read() - The value of a node's `rings` */
void rings_read(const struct value_reader *r, const struct tree_node *value,
		struct topo_node *node);

/** rings_assign() - Give a node's interfaces, which are all there, the rings that were read */
void rings_assign(struct topo_node *node, struct diag_list *diags);

#endif
