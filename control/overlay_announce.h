/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling other hosts that a station is here now, for a VM that attaches or has moved in: they need not wait for it to speak. The
 * announcements enter the datapath as if the station had sent them: RARP for its MAC, ARP and ND for addresses that are known.
 */
#ifndef CONTROL_OVERLAY_ANNOUNCE_H
#define CONTROL_OVERLAY_ANNOUNCE_H

#include <event2/event.h>

#include "overlay_neigh.h"
#include "vxlan/vtep.h"

struct overlay_announce;

/** overlay_announce_new() - Return: owned by the caller, NULL without memory */
struct overlay_announce *overlay_announce_new(struct event_base *base);
void overlay_announce_free(struct overlay_announce *announce);

/** overlay_announce_clear() - Indices of ports are others' now: forget what waits */
void overlay_announce_clear(struct overlay_announce *announce);

/**
 * overlay_announce() - Announce a station
 * @neigh: whose addresses are known
 * @mac:   as fdb_mac()
 * @port:  index of the local port it is behind
 * @also:  @n_also addresses it has besides those
 *
 * Bounded for each port: a sender of random addresses is not multiplied. Nothing happens if the VNI announces nobody.
 */
void overlay_announce(struct overlay_announce *announce, const struct overlay_neigh *neigh,
		      const struct vtep_vni *vni, uint64_t mac, uint16_t port,
		      const struct vxlan_ip *also, size_t n_also);

#endif
