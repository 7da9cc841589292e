/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the overlay must know of the kernel's network: an uplink's link, whether our VTEP addresses are there, the routes to remote
 * VTEPs and the MAC addresses of the next hops. And word of any change, so that it can be asked again at once.
 *
 * Nothing is cached: each question goes to the kernel, which is the truth. Control thread only.
 */
#ifndef CONTROL_NL_UNDERLAY_H
#define CONTROL_NL_UNDERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vxlan/vxlan.h"

struct nl_underlay;

#define NL_HOPS_MAX 8

struct nl_link {
	int ifindex;	 /* 0: there is no such interface */
	bool up;	 /* administratively */
	bool running;	 /* has a carrier */
	bool is_virtual; /* made of software: the kernel has a word for its kind (veth, bridge, ...) */
	uint32_t mtu;
	uint8_t mac[6];
};

struct nl_hop {
	int ifindex;
	struct vxlan_ip gateway; /* the destination itself if it is on the link */
};

struct nl_route {
	uint8_t n_hops;
	struct nl_hop hops[NL_HOPS_MAX];
	uint32_t mtu;  /* the route's own, 0: the interface's */
	bool is_local; /* the destination is this host */
};

/** nl_underlay_new() - Return: owned by the caller, or NULL with @err filled */
struct nl_underlay *nl_underlay_new(struct err *err);
void nl_underlay_free(struct nl_underlay *underlay);

/** nl_underlay_fd() - Readable when something changed */
int nl_underlay_fd(const struct nl_underlay *underlay);

/** nl_underlay_drain() - Read what changed. Lost messages count as a change. */
void nl_underlay_drain(struct nl_underlay *underlay);

/** nl_underlay_link() - Ask for an interface. Return: 0, also if there is none (ifindex 0); or -errno */
int nl_underlay_link(struct nl_underlay *underlay, const char *ifname, struct nl_link *link);

/** nl_underlay_has_address() - Whether an address is on an interface of this host */
bool nl_underlay_has_address(struct nl_underlay *underlay, const struct vxlan_ip *address);

/**
 * nl_underlay_route() - How the kernel would get to an address: all next hops of the route
 * Return: 0, -ENETUNREACH if there is no route, or -errno.
 */
int nl_underlay_route(struct nl_underlay *underlay, const struct vxlan_ip *to,
		      struct nl_route *route);

enum nl_neighbour {
	NL_NEIGHBOUR_USABLE,
	NL_NEIGHBOUR_UNKNOWN, /* being asked for */
	NL_NEIGHBOUR_FAILED   /* was asked for and did not answer; is asked for again */
};

/**
 * nl_underlay_neighbour() - The MAC address of a next hop
 * @mac: out under NL_NEIGHBOUR_USABLE
 *
 * If it is not known, or old, the kernel is asked to resolve or to confirm it, which will be seen as a change.
 */
enum nl_neighbour nl_underlay_neighbour(struct nl_underlay *underlay, const struct nl_hop *hop,
					uint8_t mac[6]);

#endif
