/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the overlay must know of the kernel's network, asked afresh each time: the state of the uplinks, and the way to each remote
 * VTEP with its next hops. What does not work is a sentence. Control thread only.
 */
#ifndef CONTROL_OVERLAY_UNDERLAY_H
#define CONTROL_OVERLAY_UNDERLAY_H

#include "nl/nl_underlay.h"
#include "overlay_spec.h"
#include "vxlan/overlay.h"

struct overlay_underlay;

/* An uplink as the kernel has it. */
struct overlay_uplink_state {
	const struct model_port *port;
	struct nl_link link;
	bool usable;
	bool is_open;	  /* has its sockets */
	char detail[256]; /* what is wrong, or "" */
};

/* What is known of a remote VTEP. */
struct overlay_way {
	bool usable;
	uint8_t n_nexthops; /* of the route */
	uint8_t n_resolved; /* whose MAC address is known */
	uint16_t mtu;	    /* of the underlay, smallest of the next hops; 0: no route */
	char detail[352];   /* what is wrong, or "" */
};

/** overlay_underlay_new() - Return: owned by the caller, or NULL with @err filled */
struct overlay_underlay *overlay_underlay_new(struct err *err);
void overlay_underlay_free(struct overlay_underlay *underlay);

/** overlay_underlay_fd() - Readable when something changed */
int overlay_underlay_fd(const struct overlay_underlay *underlay);

/** overlay_underlay_drain() - Take note of it */
void overlay_underlay_drain(struct overlay_underlay *underlay);

/** overlay_underlay_uplinks() - Ask for all uplinks of a model, in its order. Return: how many. */
uint16_t overlay_underlay_uplinks(struct overlay_underlay *underlay, const struct model *model,
				  struct overlay_uplink_state uplinks[OVERLAY_UPLINKS_MAX]);

/**
 * overlay_underlay_ways() - Ask for the ways to all remote VTEPs
 * @uplinks: as overlay_underlay_uplinks() gave them
 * @spec:    in: peers; out: their next hops
 * @ways:    out, by VTEP of the model
 *
 * Makes the kernel resolve next hops that it does not know, and confirm those it has not heard of for a while.
 */
void overlay_underlay_ways(struct overlay_underlay *underlay,
			   const struct overlay_uplink_state *uplinks, uint16_t n_uplinks,
			   struct overlay_spec *spec, struct overlay_way *ways);

#endif
