/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a lab on several hosts this host's netloomd is asked to have besides its own switches and ports: the uplink, the other
 * hosts as VTEPs, a VNI for each VLAN and link that crosses.
 *
 * Names: uplink LAB/HOST:IF, VTEP LAB/HOST, and for a link a switch LAB/vni-N of two ports, that learns nothing, takes every frame with
 * whatever tags it has for its VLAN 1, and lets 01:80:C2:00:00:0X pass: a cable. Pure.
 */
#ifndef LAB_DESIRED_OVERLAY_H
#define LAB_DESIRED_OVERLAY_H

#include <jansson.h>

#include "topo/topo.h"

/** desired_overlay_add() - Add what crosses to lists of `apply`: switches and ports, vteps, vnis */
void desired_overlay_add(const struct topo *topo, json_t *switches, json_t *ports, json_t *vteps,
			 json_t *vnis);

/** desired_segment_attach() - Attach the port that is this host's end of a link that crosses */
void desired_segment_attach(json_t *port, const struct topo *topo, const struct topo_link *link);

/** desired_vtep_name() - Of another host; new reference */
json_t *desired_vtep_name(const struct topo *topo, size_t host);

#endif
