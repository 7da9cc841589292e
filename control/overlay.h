/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps the workers' view of the overlay in line with the model and with the kernel's routes, neighbours and links.
 *
 * Any change of either builds a new view from scratch: asked of the kernel, which is the truth, and published with one pointer store.
 * What keeps a remote VTEP, an uplink or a VNI from working is a sentence, for `netloom show`. Control thread only.
 */
#ifndef CONTROL_OVERLAY_H
#define CONTROL_OVERLAY_H

#include <event2/event.h>

#include "apply.h"
#include "overlay_neigh.h"
#include "overlay_state.h"
#include "overlay_underlay.h"
#include "problems.h"
#include "vxlan/overlay.h"

struct overlay_control;

/** overlay_control_new() - Return: owned by the caller, or NULL with @err filled */
struct overlay_control *overlay_control_new(struct event_base *base, struct apply *apply,
					    struct err *err);

/** overlay_control_free() - Stop; the workers have been stopped */
void overlay_control_free(struct overlay_control *overlay);

/**
 * overlay_sync() - Publish the view that fits @model
 * @live: what is behind its ports, by index
 *
 * Fits apply_on_publish: runs before a snapshot is published, and so before ports that it no longer names are closed.
 */
void overlay_sync(const struct model *model, const struct live_port *live, void *overlay);

/**
 * overlay_published() - Announce the stations of ports that are new, or came to another VLAN or VNI
 *
 * Only those whose MAC is known already. Fits apply_on_publish: runs when the workers have the snapshot.
 */
void overlay_published(const struct model *model, const struct live_port *live, void *overlay);

/** overlay_check() - Refuse VNIs whose MTU the underlay cannot carry as it is now */
void overlay_check(struct overlay_control *overlay, const struct model *model,
		   struct problems *problems);

/**
 * overlay_station_seen() - A station was learned, or has moved
 * @mac: as fdb_mac()
 *
 * One on a local port is announced to the other hosts. One behind a VTEP may put that into a flood list.
 */
void overlay_station_seen(struct overlay_control *overlay, uint32_t fid, uint64_t mac,
			  uint16_t port);

/** overlay_port_up() - A port of the running model has somebody behind it now: announce whom we know to be there */
void overlay_port_up(struct overlay_control *overlay, const struct model *model,
		     const struct model_port *port);

/** overlay_way() - What is known of a VTEP of the running model; never NULL */
const struct overlay_way *overlay_way(const struct overlay_control *overlay, const char *vtep);

/** overlay_vtep_drops() - Packets refused from a VTEP of the running model, NULL if there is none yet */
const struct overlay_vtep_counters *overlay_vtep_drops(const struct overlay_control *overlay,
						       const char *vtep);

/** overlay_vni_state() - How a VNI of the running model is; never NULL */
const struct overlay_vni_state *overlay_vni_state(const struct overlay_control *overlay,
						  uint32_t vni);

/** overlay_vni_counters() - Of a VNI of the running model, NULL if it has none yet */
const struct overlay_counters *overlay_vni_counters(const struct overlay_control *overlay,
						    uint32_t vni);

/** overlay_neighbours() - Who has which address, as far as it is known */
const struct overlay_neigh *overlay_neighbours(const struct overlay_control *overlay);

#endif
