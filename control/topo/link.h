/* SPDX-License-Identifier: BSD-3-Clause */
/* One link of a lab file: two endpoints "NODE:IF" and what the cable carries. One thread. */
#ifndef TOPO_LINK_H
#define TOPO_LINK_H

#include "topo/topo.h"
#include "topo/tree.h"
#include "topo/value.h"

/**
 * link_read() - Fill a link from the file
 * @topo:  nodes have been read; owns what the link points to, and gets a node for a link with `host`
 * @value: one item of `links`
 * @link:  out; ends[].node_index is not set yet
 * @diags: findings
 *
 * Return: true when both endpoints could be read.
 */
bool link_read(struct topo *topo, const struct tree_node *value, struct topo_link *link,
	       struct diag_list *diags);

/** link_impair_read() - `impair`, for both directions or a list of two; link_impair.c has these three */
void link_impair_read(const struct value_reader *r, const struct tree_node *value,
		      struct topo_link *link);

/** link_liveness_read() - `liveness: on`, or with its timers */
void link_liveness_read(const struct value_reader *r, const struct tree_node *value,
			struct topo_link *link);

/** link_flap_read() - `flap: every 30s for 2s` */
void link_flap_read(const struct value_reader *r, const struct tree_node *value,
		    struct topo_link *link);

#endif
