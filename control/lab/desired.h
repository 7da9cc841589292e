/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the lab file's model to what this host's netloomd is asked to have: one switch per switch node, one vhost-user
 * port per VM interface, one TAP port per interface of a TAP node, two patch ports per link between switches. What
 * leads to other hosts is in desired_overlay.h.
 *
 * Names: switch LAB/NODE. A VM's port is called after the VM's end of the link, LAB/h1:eth1, so that tables
 * say which VM is meant; patch ports after each switch's end, LAB/sw1:up. Pure.
 */
#ifndef LAB_DESIRED_H
#define LAB_DESIRED_H

#include <jansson.h>

#include "topo/topo.h"

/** desired_apply_params() - Parameters of netloomd's `apply` for the lab; new reference */
json_t *desired_apply_params(const struct topo *topo);

/** desired_nothing() - Parameters of `apply` that remove all that a lab has; new reference */
json_t *desired_nothing(const char *lab);

/** desired_vlan() - A link's VLANs as the RPC writes them; NULL when unset; new reference */
json_t *desired_vlan(const struct topo_vlan *vlan);

/**
 * desired_port_name() - The netloomd port of an end of a link
 * @node: name of either end's node
 *
 * Return: in @arena, or NULL when the lab has no such end.
 */
const char *desired_port_name(struct arena *arena, const struct topo *topo, const char *node,
			      const char *ifname);

#endif
