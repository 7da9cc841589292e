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
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath.h"
#include "overlay_announce.h"
#include "overlay_memory.h"
#include "overlay_view.h"

#define SETTLE_US     20000
#define SETTLE_MAX_US 800000
#define REFRESH_S     2

/* What a port was when its station was announced. */
struct announced {
	const struct port *port; /* compared, never followed */
	int32_t vni;
};

struct overlay_control {
	struct apply *apply;
	struct overlay_underlay *underlay;
	struct overlay_neigh *neigh;
	struct overlay_announce *announce;
	struct event *changed, *settle, *refresh;
	uint32_t settle_us;	       /* how long to wait for the rest of a crowd of changes */
	struct overlay_memory *memory; /* NULL: nothing was synced yet */
	uint64_t generation;	       /* of the model that the view fits */
	struct announced announced[SNAPSHOT_PORTS_MAX]; /* by port index */
};

static void settled(evutil_socket_t fd, short what, void *arg);

static void settle_later(struct overlay_control *overlay)
{
	const struct timeval later = {.tv_sec = overlay->settle_us / 1000000,
				      .tv_usec = overlay->settle_us % 1000000};

	if (!event_pending(overlay->settle, EV_TIMEOUT, NULL))
		event_add(overlay->settle, &later);
}

static void kernel_changed(evutil_socket_t fd, short what, void *arg)
{
	struct overlay_control *overlay = arg;

	(void)fd;
	(void)what;
	overlay_underlay_drain(overlay->underlay);
	if (apply_model(overlay->apply)->n_vteps > 0 ||
	    overlay_uplink_at(apply_model(overlay->apply), 0) != NULL)
		settle_later(overlay);
}

/* A network that never comes to rest, or a large one, gets a fifth of this thread's time at most. */
static void settled(evutil_socket_t fd, short what, void *arg)
{
	struct overlay_control *overlay = arg;
	uint64_t begin = clock_now_ns(), took_us;

	(void)fd;
	(void)what;
	apply_open_again(overlay->apply);
	overlay_sync(apply_model(overlay->apply), apply_live_all(overlay->apply), overlay);
	took_us = (clock_now_ns() - begin) / 1000;
	overlay->settle_us = 4 * took_us < SETTLE_US	   ? SETTLE_US
			     : 4 * took_us < SETTLE_MAX_US ? (uint32_t)(4 * took_us)
							   : SETTLE_MAX_US;
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
	overlay->settle_us = SETTLE_US;
	overlay->underlay = overlay_underlay_new(err);
	if (overlay->underlay == NULL)
		goto undo;
	overlay->neigh = overlay_neigh_new(base, err);
	if (overlay->neigh == NULL)
		goto undo;
	overlay->announce = overlay_announce_new(base);
	overlay->changed = event_new(base, overlay_underlay_fd(overlay->underlay),
				     EV_READ | EV_PERSIST, kernel_changed, overlay);
	overlay->settle = evtimer_new(base, settled, overlay);
	overlay->refresh = evtimer_new(base, settled, overlay);
	if (overlay->announce == NULL || overlay->changed == NULL || overlay->settle == NULL ||
	    overlay->refresh == NULL || event_add(overlay->changed, NULL) != 0) {
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
	overlay_announce_free(overlay->announce);
	overlay_neigh_free(overlay->neigh);
	overlay_publish(NULL);
	overlay_underlay_free(overlay->underlay);
	overlay_memory_free(overlay->memory);
	free(overlay);
}

/* All that is asked of model and kernel in one round; live: NULL for a model that does not run. */
struct round {
	struct overlay_spec *spec;
	struct overlay_way *ways; /* by VTEP of the model */
	struct overlay_uplink_state uplinks[OVERLAY_UPLINKS_MAX];
	uint16_t n_uplinks;
};

static int round_ask(struct overlay_control *overlay, const struct model *model,
		     const struct live_port *live, struct round *round)
{
	round->spec = overlay_spec_new(model, live != NULL);
	round->ways = calloc(model->n_vteps + 1, sizeof(*round->ways));
	if (round->spec == NULL || round->ways == NULL)
		return -ENOMEM;
	round->n_uplinks = overlay_underlay_uplinks(overlay->underlay, model, round->uplinks);
	if (live != NULL)
		overlay_uplinks_follow(live, round->uplinks, round->n_uplinks);
	overlay_underlay_ways(overlay->underlay, round->uplinks, round->n_uplinks, round->spec,
			      round->ways);
	return 0;
}

static void round_end(struct round *round)
{
	overlay_spec_free(round->spec);
	free(round->ways);
}

static void station_seen(struct overlay_control *overlay, uint32_t fid, uint64_t mac, uint16_t port,
			 const struct vxlan_ip *addresses, size_t n_addresses)
{
	const struct overlay_view *view = overlay_view_current();
	const struct vtep_vni *vni;
	int32_t index;

	if (view == NULL)
		return;
	index = vtep_vni_of_vlan(view->table, (uint16_t)(fid >> 12), fid & 0xfff);
	if (index < 0)
		return;
	vni = &view->table->vnis[index];
	overlay_neigh_moved(overlay->neigh, mac);
	if (port >= view->n_tunnels || view->tunnels[port].port == NULL)
		overlay_announce(overlay->announce, overlay->neigh, vni, mac, port, addresses,
				 n_addresses);
	else if (!vtep_member_floods(view->table, view->tunnels[port].peer, vni->vni))
		settle_later(overlay); /* it joins the flood list */
}

void overlay_station_seen(struct overlay_control *overlay, uint32_t fid, uint64_t mac,
			  uint16_t port)
{
	station_seen(overlay, fid, mac, port, NULL, 0);
}

void overlay_port_up(struct overlay_control *overlay, const struct model *model,
		     const struct model_port *port)
{
	const struct model_switch *sw = model_switch_find(model, port->target);
	struct vxlan_ip addresses[MODEL_TAP_ADDRESSES_MAX] = {0};
	uint64_t mac = model_port_mac(port);

	if (port->attachment != MODEL_ON_SWITCH || sw == NULL || port->index == SNAPSHOT_NONE)
		return;
	for (uint8_t i = 0; i < port->tap.n_addresses; i++) {
		addresses[i].is_v6 = port->tap.addresses[i].family == AF_INET6;
		memcpy(addresses[i].b, port->tap.addresses[i].bytes, addresses[i].is_v6 ? 16 : 4);
	}
	if (mac != 0 && port->vlan.pvid != VLAN_NONE)
		station_seen(overlay, FDB_FID(sw->index, port->vlan.pvid), mac, port->index,
			     addresses, port->tap.n_addresses);
	for (size_t i = 0; i < model->n_stations; i++) {
		const struct model_station *station = &model->stations[i];

		if (strcmp(station->port, port->spec.name) == 0)
			overlay_station_seen(overlay, FDB_FID(sw->index, station->vid),
					     station->mac, port->index);
	}
}

void overlay_sync(const struct model *model, const struct live_port *live, void *arg)
{
	struct overlay_control *overlay = arg;
	const struct timeval period = {.tv_sec = REFRESH_S};
	struct overlay_memory *memory = NULL;
	struct overlay_view *view;
	struct err err = {.text = "out of memory"};
	struct round round = {0};

	if (round_ask(overlay, model, live, &round) != 0)
		goto failed;
	memory = overlay_memory_new(overlay->memory, model, round.spec);
	if (memory == NULL)
		goto failed;
	view = overlay_view_build(model, live, round.spec, round.uplinks, round.n_uplinks,
				  round.ways, &err);
	if (view == NULL)
		goto failed;
	overlay_publish(view);
	overlay_memory_judge(memory, overlay->memory, model, round.ways);
	overlay_memory_free(overlay->memory);
	overlay->memory = memory;
	if (overlay->generation != apply_generation(overlay->apply)) {
		overlay->generation = apply_generation(overlay->apply);
		overlay_announce_clear(overlay->announce);
	}
	overlay_neigh_model(overlay->neigh, model, overlay->generation);
	if (model->n_vteps > 0 || round.n_uplinks > 0)
		event_add(overlay->refresh, &period);
	else
		event_del(overlay->refresh);
	round_end(&round);
	return;

failed:
	/* The view that runs may name ports that are about to be closed: none is safe. */
	log_error("the overlay is off, and is tried again: %s", err.text);
	overlay_publish(NULL);
	event_add(overlay->refresh, &period);
	overlay_memory_free(memory);
	round_end(&round);
}

void overlay_check(struct overlay_control *overlay, const struct model *model,
		   struct problems *problems)
{
	struct err err = {.text = ""};
	struct round round = {0};

	if (model->n_vnis == 0)
		return;
	if (round_ask(overlay, model, NULL, &round) != 0)
		problems_add(problems, PROBLEM_MACHINE, "out of memory");
	else if (vtep_spec_check(&round.spec->spec, &err) != 0)
		problems_add(problems, PROBLEM_STATE, "%s", err.text);
	round_end(&round);
}

void overlay_published(const struct model *model, const struct live_port *live, void *arg)
{
	const struct overlay_view *view = overlay_view_current();
	struct overlay_control *overlay = arg;

	/* A port that goes is forgotten before another can come to be where it was. */
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++) {
		if (overlay->announced[i].port != live[i].port)
			overlay->announced[i] = (struct announced){.port = NULL};
	}
	for (size_t i = 0; view != NULL && i < model->n_ports; i++) {
		const struct model_port *port = model->ports[i];
		const struct model_switch *sw = model_switch_find(model, port->target);
		struct port *object = live[port->index].port;
		struct announced now = {.port = object};
		struct port_status status;

		if (model_port_mac(port) == 0 || port->attachment != MODEL_ON_SWITCH ||
		    sw == NULL || object == NULL)
			continue;
		now.vni = vtep_vni_of_vlan(view->table, sw->index, port->vlan.pvid);
		if (now.vni < 0)
			continue;
		now.vni = (int32_t)view->table->vnis[now.vni].vni;
		if (overlay->announced[port->index].port == now.port &&
		    overlay->announced[port->index].vni == now.vni)
			continue;
		overlay->announced[port->index] = now;
		object->ops->status(object, &status);
		if (status.running && port->admin_up)
			overlay_port_up(overlay, model, port);
	}
}

const struct overlay_way *overlay_way(const struct overlay_control *overlay, const char *vtep)
{
	return overlay_memory_way(overlay->memory, vtep);
}

const struct overlay_vtep_counters *overlay_vtep_drops(const struct overlay_control *overlay,
						       const char *vtep)
{
	return overlay_memory_vtep_counters(overlay->memory, vtep);
}

const struct overlay_vni_state *overlay_vni_state(const struct overlay_control *overlay,
						  uint32_t vni)
{
	return overlay_memory_vni_state(overlay->memory, vni);
}

const struct overlay_counters *overlay_vni_counters(const struct overlay_control *overlay,
						    uint32_t vni)
{
	return overlay_memory_vni_counters(overlay->memory, vni);
}

const struct overlay_neigh *overlay_neighbours(const struct overlay_control *overlay)
{
	return overlay->neigh;
}
