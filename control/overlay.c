/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See overlay.h. Changes in the kernel come in crowds (a flapping route, many neighbours): after the first one the rest of
 * 20 ms is waited for, and all is asked at once. A slow timer keeps next hops resolved and notices what was missed.
 */
#include "overlay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "nl/nl_underlay.h"
#include "overlay_spec.h"
#include "tap/uplink_port.h"
#include "vxlan/tunnel_port.h"

#define SETTLE_US	 20000
#define REFRESH_S	 2
#define BUM_BURST_FACTOR 10 /* a limit of N a second lets N / 10 come at once */

struct named_way {
	char vtep[PORT_NAME_MAX];
	struct overlay_way way;
};

struct vni_slot {
	uint32_t vni;
	uint16_t slot;
};

struct overlay_control {
	struct apply *apply;
	struct nl_underlay *underlay;
	struct event *changed, *settle, *refresh;
	struct named_way *ways; /* sorted by name, as the model's VTEPs */
	size_t n_ways;
	struct vni_slot *slots; /* sorted by VNI */
	size_t n_slots;
	bool slot_used[VTEP_VNIS_MAX];
};

/* An uplink as the kernel has it. */
struct uplink_state {
	const struct model_port *port;
	struct nl_link link;
	bool usable;
	char detail[160];
};

static void settled(evutil_socket_t fd, short what, void *arg);

static void settle_later(struct overlay_control *overlay)
{
	const struct timeval later = {.tv_usec = SETTLE_US};

	if (!event_pending(overlay->settle, EV_TIMEOUT, NULL))
		event_add(overlay->settle, &later);
}

static void kernel_changed(evutil_socket_t fd, short what, void *arg)
{
	struct overlay_control *overlay = arg;

	(void)fd;
	(void)what;
	nl_underlay_drain(overlay->underlay);
	if (apply_model(overlay->apply)->n_vteps > 0 ||
	    overlay_uplink_at(apply_model(overlay->apply), 0) != NULL)
		settle_later(overlay);
}

static void settled(evutil_socket_t fd, short what, void *arg)
{
	struct overlay_control *overlay = arg;

	(void)fd;
	(void)what;
	overlay_sync(apply_model(overlay->apply), apply_live_all(overlay->apply), overlay);
}

struct overlay_control *overlay_control_new(struct event_base *base, struct apply *apply,
					    struct err *err)
{
	struct overlay_control *overlay = calloc(1, sizeof(*overlay));

	if (overlay == NULL) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	overlay->apply = apply;
	overlay->underlay = nl_underlay_new(err);
	if (overlay->underlay == NULL)
		goto undo;
	overlay->changed = event_new(base, nl_underlay_fd(overlay->underlay), EV_READ | EV_PERSIST,
				     kernel_changed, overlay);
	overlay->settle = evtimer_new(base, settled, overlay);
	overlay->refresh = evtimer_new(base, settled, overlay);
	if (overlay->changed == NULL || overlay->settle == NULL || overlay->refresh == NULL ||
	    event_add(overlay->changed, NULL) != 0) {
		err_set(err, ENOMEM, "out of memory");
		goto undo;
	}
	return overlay;

undo:
	overlay_control_free(overlay);
	return NULL;
}

void overlay_control_free(struct overlay_control *overlay)
{
	if (overlay == NULL)
		return;
	if (overlay->changed != NULL)
		event_free(overlay->changed);
	if (overlay->settle != NULL)
		event_free(overlay->settle);
	if (overlay->refresh != NULL)
		event_free(overlay->refresh);
	overlay_publish(NULL);
	nl_underlay_free(overlay->underlay);
	free(overlay->ways);
	free(overlay->slots);
	free(overlay);
}

static void uplink_ask(struct overlay_control *overlay, const struct model_port *port,
		       struct uplink_state *state)
{
	const struct uplink_config *config = &port->uplink.config;
	const char *ifname = port->spec.ifname;
	char text[46];

	memset(state, 0, sizeof(*state));
	state->port = port;
	if (!port->admin_up) {
		snprintf(state->detail, sizeof(state->detail),
			 "administratively down; `netloom port set %s --admin up`",
			 port->spec.name);
		return;
	}
	if (nl_underlay_link(overlay->underlay, ifname, &state->link) != 0 ||
	    state->link.ifindex == 0) {
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
		if (nl_underlay_has_address(overlay->underlay, &config->locals[i]))
			continue;
		model_ip_print(&config->locals[i], text);
		snprintf(state->detail, sizeof(state->detail),
			 "address %s is not on this host; `ip address add` it to %s", text, ifname);
	}
}

static int uplink_by_ifindex(const struct uplink_state *uplinks, uint16_t n, int ifindex)
{
	for (uint16_t i = 0; i < n; i++) {
		if (uplinks[i].usable && uplinks[i].link.ifindex == ifindex)
			return i;
	}
	return -1;
}

/* The next hops of a route that leave through uplinks of ours. */
static void hops_add(struct overlay_control *overlay, const struct nl_route *route,
		     const struct uplink_state *uplinks, uint16_t n_uplinks,
		     struct vtep_peer_spec *peer, struct overlay_way *way)
{
	for (uint8_t i = 0; i < route->n_hops && peer->n_nexthops < VTEP_NEXTHOPS_MAX; i++) {
		struct vtep_nexthop *hop = &peer->nexthops[peer->n_nexthops];
		int uplink = uplink_by_ifindex(uplinks, n_uplinks, route->hops[i].ifindex);
		uint32_t mtu;

		if (uplink < 0)
			continue;
		mtu = uplinks[uplink].link.mtu;
		if (route->mtu != 0 && route->mtu < mtu)
			mtu = route->mtu;
		if (mtu > UINT16_MAX)
			mtu = UINT16_MAX;
		*hop = (struct vtep_nexthop){.uplink = (uint16_t)uplink, .mtu = (uint16_t)mtu};
		memcpy(hop->src_mac, uplinks[uplink].link.mac, 6);
		hop->resolved =
			nl_underlay_neighbour(overlay->underlay, &route->hops[i], hop->dst_mac);
		way->n_resolved += hop->resolved;
		if (way->mtu == 0 || mtu < way->mtu)
			way->mtu = (uint16_t)mtu;
		peer->n_nexthops++;
	}
	way->n_nexthops = (uint8_t)peer->n_nexthops;
}

static void way_ask(struct overlay_control *overlay, const struct uplink_state *uplinks,
		    uint16_t n_uplinks, const struct uplink_state *local_uplink,
		    const struct vxlan_ip *local, struct vtep_peer_spec *peer,
		    struct overlay_way *way)
{
	struct nl_route route;
	char remote[46], own[46];

	memset(way, 0, sizeof(*way));
	model_ip_print(&peer->remote, remote);
	model_ip_print(local, own);
	if (!local_uplink->usable) {
		snprintf(way->detail, sizeof(way->detail), "uplink %s: %s",
			 local_uplink->port->spec.name, local_uplink->detail);
		return;
	}
	if (!nl_underlay_has_address(overlay->underlay, local)) {
		snprintf(way->detail, sizeof(way->detail),
			 "our address %s is not on this host; `ip address add` it to %s", own,
			 local_uplink->port->spec.ifname);
		return;
	}
	if (nl_underlay_route(overlay->underlay, &peer->remote, &route) != 0) {
		snprintf(way->detail, sizeof(way->detail),
			 "the kernel has no route to %s; check `ip route get %s`", remote, remote);
		return;
	}
	if (route.is_local) {
		snprintf(way->detail, sizeof(way->detail),
			 "%s is an address of this host; give the other host's", remote);
		return;
	}
	hops_add(overlay, &route, uplinks, n_uplinks, peer, way);
	way->usable = way->n_resolved > 0;
	if (way->n_nexthops == 0)
		snprintf(way->detail, sizeof(way->detail),
			 "the route to %s leaves through an interface that is no uplink or down; "
			 "check `ip route get %s`",
			 remote, remote);
	else if (way->n_resolved == 0)
		snprintf(way->detail, sizeof(way->detail),
			 "the next hop towards %s does not answer ARP or ND (yet)", remote);
}

static uint16_t uplinks_ask(struct overlay_control *overlay, const struct model *model,
			    struct uplink_state uplinks[OVERLAY_UPLINKS_MAX])
{
	const struct model_port *port;
	uint16_t n = 0;

	while (n < OVERLAY_UPLINKS_MAX && (port = overlay_uplink_at(model, n)) != NULL)
		uplink_ask(overlay, port, &uplinks[n++]);
	return n;
}

/* Fill in next hops; @ways by VTEP of the model. */
static void ways_ask(struct overlay_control *overlay, const struct uplink_state *uplinks,
		     uint16_t n_uplinks, struct overlay_spec *spec, struct named_way *ways)
{
	for (uint16_t i = 0; i < spec->spec.n_peers; i++) {
		struct vtep_peer_spec *peer = &spec->peers[i];
		uint16_t uplink = spec->local_uplink[peer->local];

		if (uplink < n_uplinks)
			way_ask(overlay, uplinks, n_uplinks, &uplinks[uplink],
				&spec->locals[peer->local], peer, &ways[spec->peer_vtep[i]].way);
	}
}

static int slot_compare(const void *a, const void *b)
{
	const struct vni_slot *x = a, *y = b;

	return x->vni < y->vni ? -1 : x->vni > y->vni;
}

static const struct vni_slot *slot_find(const struct overlay_control *overlay, uint32_t vni)
{
	const struct vni_slot key = {.vni = vni};

	return overlay->n_slots == 0
		       ? NULL
		       : bsearch(&key, overlay->slots, overlay->n_slots, sizeof(key), slot_compare);
}

/* A VNI keeps its slot while it lives; counters of a new one begin at zero. */
static int slots_give(struct overlay_control *overlay, struct overlay_spec *spec)
{
	struct vni_slot *slots = calloc(spec->spec.n_vnis + 1, sizeof(*slots));
	uint16_t next = 0;

	if (slots == NULL)
		return -ENOMEM;
	memset(overlay->slot_used, 0, sizeof(overlay->slot_used));
	for (uint32_t i = 0; i < spec->spec.n_vnis; i++) {
		const struct vni_slot *old = slot_find(overlay, spec->vnis[i].vni);

		slots[i] = (struct vni_slot){spec->vnis[i].vni, VTEP_NONE};
		if (old != NULL) {
			slots[i].slot = old->slot;
			overlay->slot_used[old->slot] = true;
		}
	}
	for (uint32_t i = 0; i < spec->spec.n_vnis; i++) {
		if (slots[i].slot == VTEP_NONE) {
			while (overlay->slot_used[next])
				next++;
			overlay->slot_used[next] = true;
			slots[i].slot = next;
			memset(overlay_counters(next), 0, sizeof(struct overlay_counters));
		}
		spec->vnis[i].slot = slots[i].slot;
	}
	qsort(slots, spec->spec.n_vnis, sizeof(*slots), slot_compare);
	free(overlay->slots);
	overlay->slots = slots;
	overlay->n_slots = spec->spec.n_vnis;
	return 0;
}

static void tunnels_fill(struct overlay_view *view, const struct model *model,
			 const struct live_port *live, const struct overlay_spec *spec,
			 const struct named_way *ways)
{
	for (uint16_t peer = 0; peer < spec->spec.n_peers; peer++) {
		uint16_t vtep = spec->peer_vtep[peer];

		for (size_t i = 0; i < model->n_switches; i++) {
			const struct model_switch *sw = model->switches[i];
			char name[PORT_NAME_MAX];
			const struct model_port *port;

			if (!model_tunnel_name(model->vteps[vtep]->name, sw->name, name))
				continue;
			port = model_port_find(model, name);
			if (port == NULL || live[port->index].port == NULL ||
			    strcmp(port->spec.type, MODEL_TYPE_VXLAN) != 0)
				continue;
			view->tunnels[port->index] =
				(struct overlay_tunnel){live[port->index].port, peer, sw->index};
			view->tunnel_of[peer * view->n_switches + sw->index] = port->index;
			tunnel_port_explain(live[port->index].port, ways[vtep].way.usable,
					    ways[vtep].way.detail);
		}
	}
}

static struct overlay_view *view_new(const struct model *model, const struct overlay_spec *spec)
{
	struct overlay_view *view = calloc(1, sizeof(*view));

	if (view == NULL)
		return NULL;
	for (size_t i = 0; i < model->n_ports; i++) {
		if (model->ports[i]->index >= view->n_tunnels)
			view->n_tunnels = model->ports[i]->index + 1u;
	}
	for (size_t i = 0; i < model->n_switches; i++) {
		if (model->switches[i]->index >= view->n_switches)
			view->n_switches = model->switches[i]->index + 1u;
	}
	view->tunnels = calloc(view->n_tunnels + 1, sizeof(*view->tunnels));
	view->tunnel_of =
		calloc((size_t)spec->spec.n_peers * view->n_switches + 1, sizeof(*view->tunnel_of));
	view->rates = calloc(spec->spec.n_vnis + 1, sizeof(*view->rates));
	if (view->tunnels == NULL || view->tunnel_of == NULL || view->rates == NULL) {
		overlay_view_free(view);
		return NULL;
	}
	memset(view->tunnel_of, 0xff,
	       (size_t)spec->spec.n_peers * view->n_switches * sizeof(*view->tunnel_of));
	for (size_t i = 0; i < model->n_vnis; i++) {
		uint32_t limit = model->vnis[i]->bum_limit;

		view->rates[i] = bum_rate(limit, limit / BUM_BURST_FACTOR + 1);
	}
	return view;
}

/* Tell the ports what the kernel says; an uplink they cannot use leads nowhere. */
static void uplinks_follow(const struct live_port *live, struct uplink_state *uplinks, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct port *port = live[uplinks[i].port->index].port;
		struct uplink_link link = {
			.ifindex = uplinks[i].link.ifindex,
			.usable = uplinks[i].usable,
			.is_virtual = uplinks[i].link.is_virtual,
			.mtu = uplinks[i].link.mtu,
			.detail = uplinks[i].detail,
		};
		struct port_status status;

		if (port == NULL)
			continue;
		memcpy(link.mac, uplinks[i].link.mac, sizeof(link.mac));
		uplink_port_follow(port, &link);
		port->ops->status(port, &status);
		if (uplinks[i].usable && !status.running) {
			uplinks[i].usable = false;
			snprintf(uplinks[i].detail, sizeof(uplinks[i].detail), "%s", status.detail);
		}
	}
}

static void uplinks_fill(struct overlay_view *view, const struct live_port *live,
			 const struct uplink_state *uplinks, uint16_t n)
{
	view->n_uplinks = n;
	for (uint16_t i = 0; i < n; i++) {
		struct port *port = live[uplinks[i].port->index].port;

		if (port != NULL)
			view->uplinks[i] = (struct overlay_uplink){port, uplink_send};
	}
}

/* An uplink that could not be opened sends nothing: its next hops are none. */
static void unopened_forget(struct overlay_spec *spec, const struct live_port *live,
			    const struct uplink_state *uplinks)
{
	for (uint16_t p = 0; p < spec->spec.n_peers; p++) {
		struct vtep_peer_spec *peer = &spec->peers[p];
		uint16_t kept = 0;

		for (uint16_t i = 0; i < peer->n_nexthops; i++) {
			if (live[uplinks[peer->nexthops[i].uplink].port->index].port != NULL)
				peer->nexthops[kept++] = peer->nexthops[i];
		}
		peer->n_nexthops = kept;
	}
}

static void ways_log(const struct overlay_control *overlay, const struct named_way *next, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct overlay_way *old = overlay_way(overlay, next[i].vtep);

		if (next[i].way.usable && !old->usable)
			log_info("vtep \"%s\": reachable", next[i].vtep);
		else if (strcmp(old->detail, next[i].way.detail) != 0)
			log_info("vtep \"%s\": %s", next[i].vtep, next[i].way.detail);
	}
}

void overlay_sync(const struct model *model, const struct live_port *live, void *arg)
{
	struct overlay_control *overlay = arg;
	const struct timeval period = {.tv_sec = REFRESH_S};
	struct named_way *ways = calloc(model->n_vteps + 1, sizeof(*ways));
	struct overlay_spec *spec = overlay_spec_new(model, true);
	struct uplink_state uplinks[OVERLAY_UPLINKS_MAX];
	struct overlay_view *view = spec != NULL ? view_new(model, spec) : NULL;
	struct err err = {.text = "out of memory"};
	uint16_t n_uplinks;

	if (ways == NULL || view == NULL || slots_give(overlay, spec) != 0)
		goto failed;
	for (size_t i = 0; i < model->n_vteps; i++)
		memcpy(ways[i].vtep, model->vteps[i]->name, PORT_NAME_MAX);
	n_uplinks = uplinks_ask(overlay, model, uplinks);
	uplinks_follow(live, uplinks, n_uplinks);
	ways_ask(overlay, uplinks, n_uplinks, spec, ways);
	unopened_forget(spec, live, uplinks);
	for (uint32_t i = 0; i < spec->spec.n_vnis; i++)
		spec->vnis[i].mtu = 0; /* was checked when it was asked for; now it is what it is */
	if (vtep_table_new(&spec->spec, &view->table, &err) != 0)
		goto failed;
	uplinks_fill(view, live, uplinks, n_uplinks);
	tunnels_fill(view, model, live, spec, ways);
	overlay_publish(view);
	ways_log(overlay, ways, model->n_vteps);
	free(overlay->ways);
	overlay->ways = ways;
	overlay->n_ways = model->n_vteps;
	if (model->n_vteps > 0 || n_uplinks > 0)
		event_add(overlay->refresh, &period);
	else
		event_del(overlay->refresh);
	overlay_spec_free(spec);
	return;

failed:
	/* The view that runs may name ports that are about to be closed: none is safe. */
	log_error("the overlay is off until the next change: %s", err.text);
	overlay_publish(NULL);
	overlay_view_free(view);
	overlay_spec_free(spec);
	free(ways);
}

void overlay_check(struct overlay_control *overlay, const struct model *model,
		   struct problems *problems)
{
	struct overlay_spec *spec;
	struct uplink_state uplinks[OVERLAY_UPLINKS_MAX];
	struct named_way *ways;
	struct err err = {.text = ""};
	uint16_t n_uplinks;

	if (model->n_vnis == 0)
		return;
	spec = overlay_spec_new(model, false);
	ways = calloc(model->n_vteps + 1, sizeof(*ways));
	if (spec == NULL || ways == NULL) {
		problems_add(problems, PROBLEM_MACHINE, "out of memory");
	} else {
		n_uplinks = uplinks_ask(overlay, model, uplinks);
		ways_ask(overlay, uplinks, n_uplinks, spec, ways);
		if (vtep_spec_check(&spec->spec, &err) != 0)
			problems_add(problems, PROBLEM_STATE, "%s", err.text);
	}
	free(ways);
	overlay_spec_free(spec);
}

static int way_compare(const void *a, const void *b)
{
	return strcmp(((const struct named_way *)a)->vtep, ((const struct named_way *)b)->vtep);
}

const struct overlay_way *overlay_way(const struct overlay_control *overlay, const char *vtep)
{
	static const struct overlay_way none = {.detail = "not known yet"};
	struct named_way key = {.way = {.usable = false}}, *found = NULL;

	snprintf(key.vtep, sizeof(key.vtep), "%s", vtep);
	if (overlay->n_ways > 0)
		found = bsearch(&key, overlay->ways, overlay->n_ways, sizeof(key), way_compare);
	return found != NULL ? &found->way : &none;
}

const struct overlay_counters *overlay_vni_counters(const struct overlay_control *overlay,
						    uint32_t vni)
{
	const struct vni_slot *slot = slot_find(overlay, vni);

	return slot != NULL ? overlay_counters(slot->slot) : NULL;
}
