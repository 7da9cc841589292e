/* SPDX-License-Identifier: BSD-3-Clause */
/* See overlay_view.h. */
#include "overlay_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath.h"
#include "tap/uplink_port.h"
#include "vxlan/tunnel_port.h"

#define BURST_FACTOR 10 /* a limit of N a second lets N / 10 come at once */

static void tunnels_fill(struct overlay_view *view, const struct model *model,
			 const struct live_port *live, const struct overlay_spec *spec,
			 const struct overlay_way *ways)
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
			tunnel_port_explain(live[port->index].port, ways[vtep].usable,
					    ways[vtep].detail);
		}
	}
}

static struct overlay_view *view_alloc(const struct model *model, const struct overlay_spec *spec)
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
	view->limits = calloc(spec->spec.n_vnis + 1, sizeof(*view->limits));
	if (view->tunnels == NULL || view->tunnel_of == NULL || view->limits == NULL) {
		overlay_view_free(view);
		return NULL;
	}
	memset(view->tunnel_of, 0xff,
	       (size_t)spec->spec.n_peers * view->n_switches * sizeof(*view->tunnel_of));
	for (size_t i = 0; i < model->n_vnis; i++) {
		uint32_t bum = model->vnis[i]->bum_limit, too_big = model->vnis[i]->too_big_limit;

		view->limits[i] = (struct overlay_limits){
			.bum = bum_rate(bum, bum / BURST_FACTOR + 1),
			.too_big = bum_rate(too_big, too_big / BURST_FACTOR + 1),
			.no_too_big = too_big == 0};
	}
	return view;
}

/* VNIs that others may join, and what their stations have to say about it. */
struct joining {
	const struct overlay_view *view;
	struct overlay_spec *spec;
	uint32_t *vnis; /* indices, sorted by switch and VLAN */
	size_t n;
};

static uint32_t fid_of(const struct overlay_spec *spec, uint32_t vni)
{
	return FDB_FID(spec->vnis[vni].sw, spec->vnis[vni].vid);
}

/* A station behind a tunnel: its VTEP is in the flood list from now on. */
static bool station_joins(const struct fdb_entry *entry, void *arg)
{
	struct joining *joining = arg;
	const struct overlay_tunnel *tunnel;
	size_t low = 0, high = joining->n;

	if (entry->port >= joining->view->n_tunnels)
		return true;
	tunnel = &joining->view->tunnels[entry->port];
	if (tunnel->port == NULL)
		return true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (fid_of(joining->spec, joining->vnis[middle]) < entry->fid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < joining->n && fid_of(joining->spec, joining->vnis[low]) == entry->fid)
		overlay_spec_flood(joining->spec, joining->vnis[low], tunnel->peer);
	return true;
}

static int fid_compare(const void *a, const void *b, void *arg)
{
	const struct overlay_spec *spec = arg;
	uint32_t x = fid_of(spec, *(const uint32_t *)a), y = fid_of(spec, *(const uint32_t *)b);

	return x < y ? -1 : x > y;
}

static int flood_lists_learn(const struct overlay_view *view, const struct model *model,
			     struct overlay_spec *spec)
{
	struct joining joining = {.view = view, .spec = spec};

	for (size_t i = 0; i < model->n_vnis; i++)
		joining.n += model->vnis[i]->learn_vteps;
	if (joining.n == 0)
		return 0;
	joining.vnis = calloc(joining.n, sizeof(*joining.vnis));
	if (joining.vnis == NULL)
		return -1;
	joining.n = 0;
	for (size_t i = 0; i < model->n_vnis; i++) {
		if (model->vnis[i]->learn_vteps)
			joining.vnis[joining.n++] = (uint32_t)i;
	}
	qsort_r(joining.vnis, joining.n, sizeof(*joining.vnis), fid_compare, spec);
	fdb_walk(datapath_fdb(), station_joins, &joining);
	free(joining.vnis);
	return 0;
}

static void uplinks_fill(struct overlay_view *view, const struct live_port *live,
			 const struct overlay_uplink_state *uplinks, uint16_t n)
{
	view->n_uplinks = n;
	for (uint16_t i = 0; i < n; i++) {
		struct port *port = live[uplinks[i].port->index].port;

		if (port != NULL)
			view->uplinks[i] = (struct overlay_uplink){port, uplink_send};
	}
}

void overlay_uplinks_follow(const struct live_port *live, struct overlay_uplink_state *uplinks,
			    uint16_t n)
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

		if (port == NULL) {
			uplinks[i].usable = uplinks[i].is_open = false;
			snprintf(uplinks[i].detail, sizeof(uplinks[i].detail), "%s",
				 live[uplinks[i].port->index].error);
			continue;
		}
		memcpy(link.mac, uplinks[i].link.mac, sizeof(link.mac));
		uplink_port_follow(port, &link);
		port->ops->status(port, &status);
		if (uplinks[i].usable && !status.running) {
			uplinks[i].usable = false;
			snprintf(uplinks[i].detail, sizeof(uplinks[i].detail), "%s", status.detail);
		}
	}
}

struct overlay_view *overlay_view_build(const struct model *model, const struct live_port *live,
					struct overlay_spec *spec,
					const struct overlay_uplink_state *uplinks,
					uint16_t n_uplinks, const struct overlay_way *ways,
					struct err *err)
{
	struct overlay_view *view = view_alloc(model, spec);

	if (view == NULL) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	for (uint32_t i = 0; i < spec->spec.n_vnis; i++)
		spec->vnis[i].mtu = 0; /* was checked when it was asked for; now it is what it is */
	tunnels_fill(view, model, live, spec, ways);
	if (flood_lists_learn(view, model, spec) != 0)
		err_set(err, ENOMEM, "out of memory");
	else if (vtep_table_new(&spec->spec, &view->table, err) == 0) {
		uplinks_fill(view, live, uplinks, n_uplinks);
		return view;
	}
	overlay_view_free(view);
	return NULL;
}
