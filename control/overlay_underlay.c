/* SPDX-License-Identifier: BSD-3-Clause */
/* See overlay_underlay.h. */
#include "overlay_underlay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "nl/nl_underlay.h"

#define HOLD_NS (4 * CLOCK_NS_PER_SECOND) /* ARP and ND give up after three seconds */

/* What is known of a next hop; asked of the kernel once in a round. */
struct known_hop {
	struct nl_hop hop;
	uint8_t mac[6];
	bool resolved;
	uint64_t good_ns; /* CLOCK_MONOTONIC, when the kernel last vouched for the MAC; 0: never */
};

struct overlay_underlay {
	struct nl_underlay *nl;
	struct known_hop *known; /* of the last round, sorted */
	size_t n_known;
	struct known_hop *fresh; /* of this round */
	size_t n_fresh, room_fresh;
};

struct overlay_underlay *overlay_underlay_new(struct err *err)
{
	struct overlay_underlay *underlay = calloc(1, sizeof(*underlay));

	if (underlay == NULL) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	underlay->nl = nl_underlay_new(err);
	if (underlay->nl != NULL)
		return underlay;
	free(underlay);
	return NULL;
}

void overlay_underlay_free(struct overlay_underlay *underlay)
{
	if (underlay == NULL)
		return;
	nl_underlay_free(underlay->nl);
	free(underlay->known);
	free(underlay->fresh);
	free(underlay);
}

int overlay_underlay_fd(const struct overlay_underlay *underlay)
{
	return nl_underlay_fd(underlay->nl);
}

void overlay_underlay_drain(struct overlay_underlay *underlay)
{
	nl_underlay_drain(underlay->nl);
}

static void uplink_ask(struct overlay_underlay *underlay, const struct model_port *port,
		       struct overlay_uplink_state *state)
{
	const struct uplink_config *config = &port->uplink.config;
	const char *ifname = port->spec.ifname;
	char text[46];

	memset(state, 0, sizeof(*state));
	state->port = port;
	state->is_open = true;
	if (!port->admin_up) {
		snprintf(state->detail, sizeof(state->detail),
			 "administratively down; `netloom port set %s --admin up`",
			 port->spec.name);
		return;
	}
	if (nl_underlay_link(underlay->nl, ifname, &state->link) != 0 || state->link.ifindex == 0) {
		snprintf(state->detail, sizeof(state->detail),
			 "there is no interface %s; make it, or change \"ifname\"", ifname);
		return;
	}
	if (!state->link.up || !state->link.running) {
		snprintf(state->detail, sizeof(state->detail), "interface %s %s", ifname,
			 state->link.up ? "has no carrier; check the cable or the other end"
					: "is down; `ip link set` it up");
		return;
	}
	state->usable = true;
	for (uint8_t i = 0; i < config->n_locals; i++) {
		if (nl_underlay_has_address(underlay->nl, &config->locals[i]))
			continue;
		model_ip_print(&config->locals[i], text);
		snprintf(state->detail, sizeof(state->detail),
			 "address %s is not on this host; `ip address add` it to %s", text, ifname);
	}
}

uint16_t overlay_underlay_uplinks(struct overlay_underlay *underlay, const struct model *model,
				  struct overlay_uplink_state uplinks[OVERLAY_UPLINKS_MAX])
{
	const struct model_port *port;
	uint16_t n = 0;

	while (n < OVERLAY_UPLINKS_MAX && (port = overlay_uplink_at(model, n)) != NULL)
		uplink_ask(underlay, port, &uplinks[n++]);
	return n;
}

static int hop_compare(const void *a, const void *b)
{
	const struct known_hop *x = a, *y = b;
	int order = memcmp(&x->hop.gateway, &y->hop.gateway, sizeof(x->hop.gateway));

	return order != 0 ? order : x->hop.ifindex - y->hop.ifindex;
}

/*
 * Next hops are few where peers are many, and are asked for once a round. A neighbour entry that the kernel has dropped is
 * resolved again while its last MAC goes on being used: only silence makes it unusable.
 */
static const struct known_hop *hop_ask(struct overlay_underlay *underlay, const struct nl_hop *hop)
{
	struct known_hop key = {.hop = *hop}, *grown, *found;
	enum nl_neighbour state;
	uint64_t now = clock_now_ns();

	for (size_t i = 0; i < underlay->n_fresh; i++) {
		if (hop_compare(&underlay->fresh[i], &key) == 0)
			return &underlay->fresh[i];
	}
	if (underlay->n_fresh == underlay->room_fresh) {
		size_t more = underlay->room_fresh == 0 ? 16 : underlay->room_fresh * 2;

		grown = reallocarray(underlay->fresh, more, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		underlay->fresh = grown;
		underlay->room_fresh = more;
	}
	found = underlay->n_known > 0 ? bsearch(&key, underlay->known, underlay->n_known,
						sizeof(key), hop_compare)
				      : NULL;
	state = nl_underlay_neighbour(underlay->nl, hop, key.mac);
	if (state == NL_NEIGHBOUR_USABLE) {
		key.good_ns = now;
	} else if (state == NL_NEIGHBOUR_UNKNOWN && found != NULL) {
		key.good_ns = found->good_ns;
		memcpy(key.mac, found->mac, sizeof(key.mac));
	}
	key.resolved = key.good_ns != 0 && now - key.good_ns < HOLD_NS;
	underlay->fresh[underlay->n_fresh] = key;
	return &underlay->fresh[underlay->n_fresh++];
}

static void hops_forget(struct overlay_underlay *underlay)
{
	free(underlay->known);
	underlay->known = underlay->fresh;
	underlay->n_known = underlay->n_fresh;
	underlay->fresh = NULL;
	underlay->n_fresh = underlay->room_fresh = 0;
	if (underlay->n_known > 0)
		qsort(underlay->known, underlay->n_known, sizeof(*underlay->known), hop_compare);
}

static int uplink_by_ifindex(const struct overlay_uplink_state *uplinks, uint16_t n, int ifindex)
{
	for (uint16_t i = 0; i < n; i++) {
		if (uplinks[i].usable && uplinks[i].link.ifindex == ifindex)
			return i;
	}
	return -1;
}

/* The next hops of a route that leave through uplinks of ours. */
static void hops_add(struct overlay_underlay *underlay, const struct nl_route *route,
		     const struct overlay_uplink_state *uplinks, uint16_t n_uplinks,
		     struct vtep_peer_spec *peer, struct overlay_way *way)
{
	for (uint8_t i = 0; i < route->n_hops && peer->n_nexthops < VTEP_NEXTHOPS_MAX; i++) {
		struct vtep_nexthop *next = &peer->nexthops[peer->n_nexthops];
		int uplink = uplink_by_ifindex(uplinks, n_uplinks, route->hops[i].ifindex);
		const struct known_hop *known;
		uint32_t mtu;

		if (uplink < 0)
			continue;
		mtu = uplinks[uplink].link.mtu;
		if (route->mtu != 0 && route->mtu < mtu)
			mtu = route->mtu;
		if (mtu > UINT16_MAX)
			mtu = UINT16_MAX;
		*next = (struct vtep_nexthop){.uplink = (uint16_t)uplink, .mtu = (uint16_t)mtu};
		memcpy(next->src_mac, uplinks[uplink].link.mac, 6);
		known = hop_ask(underlay, &route->hops[i]);
		next->resolved = known != NULL && known->resolved;
		if (next->resolved)
			memcpy(next->dst_mac, known->mac, 6);
		way->n_resolved += next->resolved;
		if (way->mtu == 0 || mtu < way->mtu)
			way->mtu = (uint16_t)mtu;
		peer->n_nexthops++;
	}
	way->n_nexthops = (uint8_t)peer->n_nexthops;
}

/* Why there is no next hop to be had. */
static void way_explain(const struct overlay_uplink_state *local_uplink,
			const struct vxlan_ip *local, bool is_ours, const struct nl_route *route,
			const struct vtep_peer_spec *peer, struct overlay_way *way)
{
	char remote[46], own[46];

	model_ip_print(&peer->remote, remote);
	model_ip_print(local, own);
	if (!local_uplink->usable)
		snprintf(way->detail, sizeof(way->detail), "uplink %s: %s",
			 local_uplink->port->spec.name, local_uplink->detail);
	else if (!is_ours)
		snprintf(way->detail, sizeof(way->detail),
			 "our address %s is not on this host; `ip address add` it to %s", own,
			 local_uplink->port->spec.ifname);
	else if (route->is_local)
		snprintf(way->detail, sizeof(way->detail),
			 "%s is an address of this host; give the other host's", remote);
	else if (route->n_hops == 0)
		snprintf(way->detail, sizeof(way->detail),
			 "the kernel has no route to %s; check `ip route get %s`", remote, remote);
	else if (way->n_nexthops == 0)
		snprintf(way->detail, sizeof(way->detail),
			 "the route to %s leaves through an interface that is no uplink or down; "
			 "check `ip route get %s`",
			 remote, remote);
	else
		snprintf(way->detail, sizeof(way->detail),
			 "the next hop towards %s does not answer ARP or ND (yet)", remote);
}

/*
 * Our address may be on another interface than the packets leave through (a loopback, several uplinks to choose from): that one's
 * link may be down then.
 */
static void way_ask(struct overlay_underlay *underlay, const struct overlay_uplink_state *uplinks,
		    uint16_t n_uplinks, const struct overlay_uplink_state *local_uplink,
		    const struct vxlan_ip *local, bool is_ours, struct vtep_peer_spec *peer,
		    struct overlay_way *way)
{
	struct nl_route route = {0};

	memset(way, 0, sizeof(*way));
	if (local_uplink->is_open && is_ours &&
	    nl_underlay_route(underlay->nl, &peer->remote, &route) == 0 && !route.is_local)
		hops_add(underlay, &route, uplinks, n_uplinks, peer, way);
	way->usable = way->n_resolved > 0;
	if (!way->usable)
		way_explain(local_uplink, local, is_ours, &route, peer, way);
}

void overlay_underlay_ways(struct overlay_underlay *underlay,
			   const struct overlay_uplink_state *uplinks, uint16_t n_uplinks,
			   struct overlay_spec *spec, struct overlay_way *ways)
{
	bool is_ours[VTEP_LOCALS_MAX] = {false};

	for (uint16_t i = 0; i < spec->spec.n_locals; i++)
		is_ours[i] = nl_underlay_has_address(underlay->nl, &spec->locals[i]);
	for (uint16_t i = 0; i < spec->spec.n_peers; i++) {
		struct vtep_peer_spec *peer = &spec->peers[i];
		uint16_t uplink = spec->local_uplink[peer->local];

		if (uplink < n_uplinks)
			way_ask(underlay, uplinks, n_uplinks, &uplinks[uplink],
				&spec->locals[peer->local], is_ours[peer->local], peer,
				&ways[spec->peer_vtep[i]]);
	}
	hops_forget(underlay);
}
