/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who should be able to ping whom, worked out from the lab file alone: what `netloom test` compares with
 * what the guests measure.
 *
 * A frame that a VM sends has a VLAN from its port on (the port's access or native VLAN, or the tag of a
 * VLAN interface such as eth1.10), and keeps it across patch links that carry it, because both ends of a
 * patch have the same configuration, and across hosts where its switch's `vxlan` names it. It comes out at every port that carries the VLAN, tagged or not. Two
 * addresses reach each other when each comes out where the other listens, and each is in the other's
 * subnet. Routing by guests is not modelled: pairs that only a gateway could join, and pairs where the frame gets to
 * another interface of the same node, are REACH_UNKNOWN.
 * Pure, one thread.
 */
#ifndef TOPO_REACH_H
#define TOPO_REACH_H

#include "topo/topo.h"

enum reach { REACH_NO, REACH_YES, REACH_UNKNOWN };

/** reach_addresses() - May an address of one VM and one of another talk? */
enum reach reach_addresses(const struct topo *topo, const struct topo_node *from,
			   const struct topo_address *a, const struct topo_node *to,
			   const struct topo_address *b);

/** reach_frames() - Does a frame sent on @from's interface (eth1, or eth1.10 for a tag) arrive at @to's? */
bool reach_frames(const struct topo *topo, const struct topo_node *from, const char *from_if,
		  const struct topo_node *to, const char *to_if);

/** reach_subnet_has() - @bytes, of the same family, is in the address' subnet */
bool reach_subnet_has(const struct topo_address *address, const uint8_t *bytes);

#endif
