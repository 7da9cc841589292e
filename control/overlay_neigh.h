/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has which address in which VNI: what the user said, and what was overheard. From it the workers' table is made, from which ARP and
 * ND requests are answered. Control thread only.
 *
 * What was overheard counts while its station is in the FDB and has been heard within NEIGH_AGE_S. What the user said is never overruled. A
 * port may fill no more than its share, and an address that is claimed by one MAC after the other is not answered for at all
 * until it has calmed down.
 */
#ifndef CONTROL_OVERLAY_NEIGH_H
#define CONTROL_OVERLAY_NEIGH_H

#include <event2/event.h>

#include "model.h"
#include "vxlan/neigh.h"

#define NEIGH_AGE_S	 600
#define NEIGH_MAX	 65536
#define NEIGH_LOCAL_MAX	 512   /* overheard on one local port */
#define NEIGH_TUNNEL_MAX 16384 /* overheard on one tunnel */

struct overlay_neigh;

/** One binding, as it is shown. */
struct overlay_neigh_info {
	uint32_t vni;
	struct vxlan_ip ip;
	uint8_t mac[6];
	bool is_router, is_static;
	bool contested; /* several MACs claim it: not answered for */
	bool answered;	/* requests for it are answered */
	uint16_t
		port; /* index of the port the station is behind now, SNAPSHOT_NONE if nobody knows */
	uint32_t age_s; /* since it was heard */
};

/** overlay_neigh_new() - Return: owned by the caller, NULL with @err filled */
struct overlay_neigh *overlay_neigh_new(struct event_base *base, struct err *err);

/** overlay_neigh_fd() - What becomes readable when something was overheard */
int overlay_neigh_fd(const struct overlay_neigh *neigh);

/** overlay_neigh_free() - Nothing is suppressed any more; the workers have been stopped */
void overlay_neigh_free(struct overlay_neigh *neigh);

/**
 * overlay_neigh_model() - Take over what the model says, and forget what is old
 * @generation: differs when the model does
 */
void overlay_neigh_model(struct overlay_neigh *neigh, const struct model *model,
			 uint64_t generation);

/** overlay_neigh_moved() - A station has appeared or moved: its addresses are answered for in another way */
void overlay_neigh_moved(struct overlay_neigh *neigh, uint64_t mac);

/** overlay_neigh_addresses() - The addresses of a station. Return: how many, at most @max. */
size_t overlay_neigh_addresses(const struct overlay_neigh *neigh, uint32_t vni,
			       const uint8_t mac[6], struct vxlan_ip *addresses, size_t max);

/** overlay_neigh_walk() - Visit all bindings, in no order */
void overlay_neigh_walk(const struct overlay_neigh *neigh,
			void (*visit)(const struct overlay_neigh_info *info, void *arg), void *arg);

/** overlay_neigh_refused() - What was overheard and found no room */
uint64_t overlay_neigh_refused(const struct overlay_neigh *neigh);

#endif
