/* SPDX-License-Identifier: BSD-3-Clause */
/* The `mirrors` of a lab file: copies of what goes over links, to a machine of the lab or to an analyser elsewhere. */
#ifndef TOPO_MIRROR_H
#define TOPO_MIRROR_H

#include "topo/value.h"

#define TOPO_MIRRORS_MAX 32

/**
 * mirrors_read() - Read a topology's `mirrors`, once nodes and links are known
 * @list: the value; NULL when there is none
 */
void mirrors_read(struct topo *topo, const struct value_reader *r, const struct tree_node *list);

#endif
