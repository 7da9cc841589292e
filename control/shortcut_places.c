/* SPDX-License-Identifier: BSD-3-Clause */
/* See shortcut_places.h. */
#include "shortcut_places.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "carrier.h"
#include "counters.h"
#include "datapath.h"
#include "overlay_spec.h"
#include "tap/tap_port.h"
#include "vxlan/wire.h"

struct shortcut_sight shortcut_sight_take(const struct control *control)
{
	return (struct shortcut_sight){
		.control = control,
		.model = apply_model(control->apply),
		.live = apply_live_all(control->apply),
		.snapshot = datapath_current(),
		.view = overlay_view_current(),
	};
}

bool shortcut_wanted(const struct model *model)
{
	const struct model_port *uplink;

	for (uint16_t i = 0; (uplink = overlay_uplink_at(model, i)) != NULL; i++) {
		if (uplink->uplink.config.shortcut)
			return true;
	}
	return false;
}

static void because(struct shortcut_why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void because(struct shortcut_why *why, const char *format, ...)
{
	va_list args;

	if (why->n++ > 0)
		return;
	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
}

/* Why netloomd has to see the frames of a port; NULL: it need not. */
static const char *must_be_seen(const struct port_config *config)
{
	for (int point = 0; point < PROBE_POINTS; point++) {
		if (config->watch[point] != 0)
			return "a capture, a trace or sFlow looks at it";
	}
	if (config->mirror_in != 0 || config->mirror_out != 0)
		return "it is mirrored";
	if (config->impair != NULL)
		return "its link is impaired";
	return NULL;
}

static const char *tap_unfit(const struct shortcut_sight *sight, const struct model_port *port)
{
	const struct live_port *live = &sight->live[port->index];
	struct port_status status;

	if (port->tap.netns[0] != '\0')
		return "it is in a network namespace of its own, the uplink is not in it";
	if (port->vlan.mode != VLAN_ACCESS)
		return "it carries tags; only ports with one VLAN (access) have a shortcut";
	counters_status(live, &status);
	if (!counters_link_is_up(port, live, &status) ||
	    !carrier_is_up(sight->control->carrier, port))
		return "its link is down";
	return must_be_seen(&sight->snapshot->ports[port->index]);
}

struct shortcut_place shortcut_place_of(const struct shortcut_sight *sight,
					const struct model_port *port, struct shortcut_why *why)
{
	const struct model_switch *sw = model_switch_find(sight->model, port->target);
	struct shortcut_place place = {.ifindex = 0};
	const char *unfit;
	char ifname[16];
	int32_t vni;

	if (strcmp(port->spec.type, MODEL_TYPE_TAP) != 0 || port->attachment != MODEL_ON_SWITCH ||
	    sw == NULL || port->index >= sight->snapshot->n_ports || sight->view == NULL ||
	    sight->live[port->index].port == NULL)
		return place;
	place.fid = FDB_FID(sw->index, port->vlan.pvid);
	vni = vtep_vni_of_vlan(sight->view->table, sw->index, port->vlan.pvid);
	if (vni < 0)
		return place;
	unfit = tap_unfit(sight, port);
	if (unfit != NULL) {
		because(why, "port \"%s\": %s", port->spec.name, unfit);
		return place;
	}
	place.vni = sight->view->table->vnis[vni].vni;
	place.mtu = port->mtu;
	if (tap_port_ifname(sight->live[port->index].port, ifname) == 0)
		place.ifindex = if_nametoindex(ifname);
	if (place.ifindex == 0)
		because(why, "port \"%s\": its interface is not in netloomd's network namespace",
			port->spec.name);
	return place;
}

struct shortcut_uplink shortcut_uplink_at(const struct shortcut_sight *sight, uint16_t position,
					  struct shortcut_why *why)
{
	const struct model_port *port = overlay_uplink_at(sight->model, position);
	struct shortcut_uplink uplink = {.ifindex = 0};
	const char *seen;

	if (port == NULL || !port->uplink.config.shortcut ||
	    port->index >= sight->snapshot->n_ports || sight->live[port->index].port == NULL)
		return uplink;
	seen = must_be_seen(&sight->snapshot->ports[port->index]);
	if (seen != NULL) {
		because(why, "uplink \"%s\": %s", port->spec.name, seen);
		return uplink;
	}
	uplink.udp_port = port->uplink.config.udp_port;
	uplink.port = port->index;
	uplink.ifindex = if_nametoindex(port->spec.ifname);
	return uplink;
}

static const char *peer_unfit(const struct vtep_peer *peer)
{
	if (peer->is_v6)
		return "its address is IPv6; the shortcut is for IPv4";
	if (peer->fill_csum)
		return "it is sent UDP checksums, which only netloomd fills in";
	if (peer->n_nexthops > 1)
		return "there are several next hops, which only netloomd chooses from";
	return NULL;
}

static void far_fill(const struct vtep_peer *peer, uint32_t ifindex, uint32_t mtu,
		     struct shortcut_far *far)
{
	memset(far, 0, sizeof(*far));
	far->ifindex = ifindex;
	far->inner_max =
		peer->inner_max < mtu + WIRE_ETH_LEN ? peer->inner_max : mtu + WIRE_ETH_LEN;
	far->ip_sum = peer->ip_sum;
	far->src_port_min = peer->src_port_min;
	far->src_port_n = (uint32_t)peer->src_port_max - peer->src_port_min + 1;
	far->tos_fixed = peer->tos_fixed;
	far->tos_mask = peer->tos_mask;
	memcpy(far->outer, peer->outer, sizeof(far->outer));
}

uint16_t shortcut_way_to(const struct shortcut_sight *sight, const struct fdb_entry *station,
			 const struct shortcut_uplink uplinks[OVERLAY_UPLINKS_MAX],
			 struct shortcut_far *far, uint32_t *vni, struct shortcut_why *why)
{
	const struct overlay_view *view = sight->view;
	const struct overlay_tunnel *tunnel;
	const struct port_config *config;
	const struct vtep_peer *peer;
	const char *unfit;
	int32_t number;

	if (view == NULL || station->port >= view->n_tunnels ||
	    station->port >= sight->snapshot->n_ports)
		return SNAPSHOT_NONE;
	tunnel = &view->tunnels[station->port];
	if (tunnel->port == NULL || tunnel->peer >= view->table->n_peers)
		return SNAPSHOT_NONE;
	peer = &view->table->peers[tunnel->peer];
	config = &sight->snapshot->ports[station->port];
	number =
		vtep_vni_of_vlan(view->table, (uint16_t)(station->fid >> 12), station->fid & 0xfff);
	if (number < 0 || peer->unusable != DROP_NONE || !config->admin_up ||
	    vtep_member_find(view->table, tunnel->peer, view->table->vnis[number].vni) != number ||
	    uplinks[peer->nexthops[0].uplink].ifindex == 0)
		return SNAPSHOT_NONE;
	unfit = peer_unfit(peer);
	if (unfit == NULL)
		unfit = must_be_seen(config);
	if (unfit != NULL) {
		because(why, "port \"%s\": %s", tunnel->port->spec.name, unfit);
		return SNAPSHOT_NONE;
	}
	far_fill(peer, uplinks[peer->nexthops[0].uplink].ifindex, config->mtu, far);
	*vni = (uint32_t)number;
	return uplinks[peer->nexthops[0].uplink].port;
}
