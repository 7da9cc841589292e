/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ports a shortcut may leave and reach: those where nothing is asked of a frame but to be forwarded. Whoever captures, mirrors, samples
 * or impairs wants to have netloomd see the frames, so such a port has none, and a sentence says why. Control thread only.
 */
#ifndef CONTROL_SHORTCUT_PLACES_H
#define CONTROL_SHORTCUT_PLACES_H

#include "control.h"
#include "fdb.h"
#include "tap/shortcut.h"
#include "vxlan/overlay.h"

/* What there is to know of the running configuration. */
struct shortcut_sight {
	const struct control *control;
	const struct model *model;
	const struct live_port *live;
	const struct snapshot *snapshot;
	const struct overlay_view *view; /* NULL: no overlay */
};

/* A TAP port whose stations may have a shortcut. */
struct shortcut_place {
	uint32_t ifindex; /* 0: it is none */
	uint32_t fid, vni, mtu;
};

/* An interface with VTEP addresses whose uplink has `shortcut`. */
struct shortcut_uplink {
	uint32_t ifindex; /* 0: it is none */
	uint16_t udp_port;
	uint16_t port; /* index */
};

/* Why not, for a person: the first reason there was. */
struct shortcut_why {
	char text[256];
	uint32_t n; /* reasons */
};

/** shortcut_sight_take() - As it is now; valid until anything changes */
struct shortcut_sight shortcut_sight_take(const struct control *control);

/** shortcut_wanted() - Whether any uplink has `shortcut` */
bool shortcut_wanted(const struct model *model);

/** shortcut_place_of() - Whether stations behind this port may have a shortcut; what keeps it from that is added to @why */
struct shortcut_place shortcut_place_of(const struct shortcut_sight *sight,
					const struct model_port *port, struct shortcut_why *why);

/** shortcut_uplink_at() - The same of the uplink at this position of the view */
struct shortcut_uplink shortcut_uplink_at(const struct shortcut_sight *sight, uint16_t position,
					  struct shortcut_why *why);

/**
 * shortcut_way_to() - How frames get to a station behind a tunnel's port
 * @uplinks: shortcut_uplink_at() for each position
 * @far:     out, counters 0
 * @vni:     out, index in the table
 *
 * Return: index of the uplink's port, or SNAPSHOT_NONE: it is not behind a tunnel, or there is no shortcut to it.
 */
uint16_t shortcut_way_to(const struct shortcut_sight *sight, const struct fdb_entry *station,
			 const struct shortcut_uplink uplinks[OVERLAY_UPLINKS_MAX],
			 struct shortcut_far *far, uint32_t *vni, struct shortcut_why *why);

#endif
