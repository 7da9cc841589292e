/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a lab is on which host, and what crosses between hosts. Two things do, each under a VNI of its own:
 *
 * - a VLAN of a switch that is on several hosts, if its `vxlan` names it;
 * - a link whose ends are on different hosts. It is the same cable as within a host: every frame, tagged or not, BPDUs included.
 *
 * A link's VNI is `vni:`, or is chosen: the upper half of the numbers, by a hash of the lab's name and the names of both ends. So it
 * is the same on all hosts and does not change when other links come and go; where two would meet (one chance in 8 million for a pair),
 * the one whose name comes later takes another. Pure, one thread.
 */
#ifndef TOPO_SPAN_H
#define TOPO_SPAN_H

#include "topo/topo.h"
#include "topo/tree.h"
#include "topo/value.h"

#define SPAN_CHOSEN_FIRST 0x800000 /* chosen VNIs are from here to TOPO_VNI_MAX */

/** span_vxlan_read() - A switch's `vxlan`: VLANs and their VNIs */
void span_vxlan_read(const struct value_reader *r, const struct tree_node *value,
		     struct topo_node *node);

/** span_vni_read() - One VNI, 1 to 2^24 - 1, also written "vni N" */
bool span_vni_read(const struct value_reader *r, const struct tree_node *value, uint32_t *vni);

/** span_check() - Links between hosts that cannot be, VNIs used twice; chooses the VNIs that the file does not give */
void span_check(struct topo *topo, struct diag_list *diags);

/** span_node_is_here() - The node, or an instance of the switch, is on the host that topo->self names */
bool span_node_is_here(const struct topo *topo, const struct topo_node *node);

/** span_link_crosses() - Its ends are on different hosts */
bool span_link_crosses(const struct topo *topo, const struct topo_link *link);

/** span_link_is_here() - This host has one of its ends, or both */
bool span_link_is_here(const struct topo *topo, const struct topo_link *link);

/** span_link_host_towards() - The host of the end that is not here, of a link that crosses from here; its index */
size_t span_link_host_towards(const struct topo *topo, const struct topo_link *link);

/** span_hosts_talk() - Something crosses between two hosts */
bool span_hosts_talk(const struct topo *topo, size_t a, size_t b);

/**
 * span_vtep() - The address of host @of that it and host @with use between each other
 *
 * The family that the one that comes first in the file has first, and both have: so both choose the same.
 *
 * Return: NULL when they have no family in common.
 */
const struct topo_vtep *span_vtep(const struct topo *topo, size_t of, size_t with);

#endif
