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
#include "overlay_view.h"

#define SETTLE_US     20000
#define SETTLE_MAX_US 800000
#define REFRESH_S     2

struct vtep_info {
	char name[PORT_NAME_MAX];
	uint16_t slot;
	struct overlay_way way;
};

struct vni_info {
	uint32_t vni;
	uint16_t slot;
	struct overlay_vni_state state;
};

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
	uint32_t settle_us;	 /* how long to wait for the rest of a crowd of changes */
	struct vtep_info *vteps; /* sorted by name, as the model's */
	size_t n_vteps;
	struct vni_info *vnis; /* sorted by VNI */
	size_t n_vnis;
	uint64_t generation;				/* of the model that the view fits */
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
	free(overlay->vteps);
	free(overlay->vnis);
	free(overlay);
}

static int vni_compare(const void *a, const void *b)
{
	const struct vni_info *x = a, *y = b;

	return x->vni < y->vni ? -1 : x->vni > y->vni;
}

static const struct vni_info *vni_find(const struct overlay_control *overlay, uint32_t vni)
{
	const struct vni_info key = {.vni = vni};

	return overlay->n_vnis == 0
		       ? NULL
		       : bsearch(&key, overlay->vnis, overlay->n_vnis, sizeof(key), vni_compare);
}

static int vtep_compare(const void *a, const void *b)
{
	return strcmp(((const struct vtep_info *)a)->name, ((const struct vtep_info *)b)->name);
}

static const struct vtep_info *vtep_find(const struct overlay_control *overlay, const char *name)
{
	struct vtep_info key = {.slot = 0};

	snprintf(key.name, sizeof(key.name), "%s", name);
	return overlay->n_vteps == 0
		       ? NULL
		       : bsearch(&key, overlay->vteps, overlay->n_vteps, sizeof(key), vtep_compare);
}

/*
 * Slots of counters: one is kept while its object lives. Those of objects that go are given to new ones only where there are not enough
 * others: the workers may still count the last frames there.
 */
struct slots {
	bool *used; /* [max] */
	uint32_t max;
	uint16_t next;
};

static bool slots_init(struct slots *slots, uint32_t max)
{
	*slots = (struct slots){.used = calloc(max, sizeof(*slots->used)), .max = max};
	return slots->used != NULL;
}

/* A free one. There is one: no more objects than @max are let in. */
static uint16_t slots_take(struct slots *slots)
{
	while (slots->used[slots->next])
		slots->next++;
	slots->used[slots->next] = true;
	return slots->next;
}

/* Return: sorted, counters of new ones zero; NULL without memory. */
static struct vni_info *vnis_new(const struct overlay_control *overlay, struct overlay_spec *spec)
{
	struct vni_info *vnis = calloc(spec->spec.n_vnis + 1, sizeof(*vnis));
	struct slots slots;

	if (!slots_init(&slots, VTEP_VNIS_MAX) || vnis == NULL) {
		free(vnis);
		free(slots.used);
		return NULL;
	}
	for (size_t i = 0; i < overlay->n_vnis; i++)
		slots.used[overlay->vnis[i].slot] =
			overlay->n_vnis + spec->spec.n_vnis <= slots.max;
	for (uint32_t i = 0; i < spec->spec.n_vnis; i++) {
		const struct vni_info *old = vni_find(overlay, spec->vnis[i].vni);

		vnis[i].vni = spec->vnis[i].vni;
		vnis[i].slot = old != NULL ? old->slot : VTEP_NONE;
		if (old != NULL)
			slots.used[old->slot] = true;
	}
	for (uint32_t i = 0; i < spec->spec.n_vnis; i++) {
		if (vnis[i].slot == VTEP_NONE) {
			vnis[i].slot = slots_take(&slots);
			memset(overlay_counters(vnis[i].slot), 0, sizeof(struct overlay_counters));
		}
		spec->vnis[i].slot = vnis[i].slot;
	}
	qsort(vnis, spec->spec.n_vnis, sizeof(*vnis), vni_compare);
	free(slots.used);
	return vnis;
}

/* The same for remote VTEPs. */
static struct vtep_info *vteps_new(const struct overlay_control *overlay, const struct model *model)
{
	struct vtep_info *vteps = calloc(model->n_vteps + 1, sizeof(*vteps));
	struct slots slots;

	if (!slots_init(&slots, VTEP_PEERS_MAX) || vteps == NULL) {
		free(vteps);
		free(slots.used);
		return NULL;
	}
	for (size_t i = 0; i < overlay->n_vteps; i++)
		slots.used[overlay->vteps[i].slot] = overlay->n_vteps + model->n_vteps <= slots.max;
	for (size_t i = 0; i < model->n_vteps; i++) {
		const struct vtep_info *old = vtep_find(overlay, model->vteps[i]->name);

		memcpy(vteps[i].name, model->vteps[i]->name, PORT_NAME_MAX);
		vteps[i].slot = old != NULL ? old->slot : VTEP_NONE;
		if (old != NULL)
			slots.used[old->slot] = true;
	}
	for (size_t i = 0; i < model->n_vteps; i++) {
		if (vteps[i].slot != VTEP_NONE)
			continue;
		vteps[i].slot = slots_take(&slots);
		memset(overlay_vtep_counters(vteps[i].slot), 0,
		       sizeof(struct overlay_vtep_counters));
	}
	free(slots.used);
	return vteps;
}

static void changes_log(const struct overlay_control *overlay, const struct vtep_info *vteps,
			size_t n_vteps, const struct vni_info *vnis, size_t n_vnis)
{
	for (size_t i = 0; i < n_vteps; i++) {
		const struct overlay_way *old = overlay_way(overlay, vteps[i].name);

		if (vteps[i].way.usable && !old->usable)
			log_info("vtep \"%s\": reachable", vteps[i].name);
		else if (strcmp(old->detail, vteps[i].way.detail) != 0)
			log_info("vtep \"%s\": %s", vteps[i].name, vteps[i].way.detail);
	}
	for (size_t i = 0; i < n_vnis; i++) {
		const struct overlay_vni_state *old = overlay_vni_state(overlay, vnis[i].vni);

		if (strcmp(old->detail, vnis[i].state.detail) != 0)
			log_info("vni %u: %s", vnis[i].vni,
				 vnis[i].state.detail[0] != '\0' ? vnis[i].state.detail : "up");
	}
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

/* What the users of this round's results remember of it. */
static void round_keep(struct overlay_control *overlay, const struct model *model,
		       struct round *round, struct vtep_info *vteps, struct vni_info *vnis)
{
	for (size_t i = 0; i < model->n_vteps; i++)
		vteps[i].way = round->ways[i];
	for (size_t i = 0; i < model->n_vnis; i++) {
		struct vni_info key = {.vni = model->vnis[i]->vni}, *info;

		info = bsearch(&key, vnis, model->n_vnis, sizeof(key), vni_compare);
		overlay_vni_judge(model, model->vnis[i], round->ways, &info->state);
	}
	changes_log(overlay, vteps, model->n_vteps, vnis, model->n_vnis);
	free(overlay->vteps);
	overlay->vteps = vteps;
	overlay->n_vteps = model->n_vteps;
	free(overlay->vnis);
	overlay->vnis = vnis;
	overlay->n_vnis = model->n_vnis;
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
	struct vtep_info *vteps = NULL;
	struct vni_info *vnis = NULL;
	struct overlay_view *view;
	struct err err = {.text = "out of memory"};
	struct round round = {0};

	if (round_ask(overlay, model, live, &round) != 0)
		goto failed;
	vteps = vteps_new(overlay, model);
	vnis = vnis_new(overlay, round.spec);
	if (vteps == NULL || vnis == NULL)
		goto failed;
	for (uint16_t i = 0; i < round.spec->spec.n_peers; i++)
		round.spec->peers[i].slot = vteps[round.spec->peer_vtep[i]].slot;
	view = overlay_view_build(model, live, round.spec, round.uplinks, round.n_uplinks,
				  round.ways, &err);
	if (view == NULL)
		goto failed;
	overlay_publish(view);
	round_keep(overlay, model, &round, vteps, vnis);
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
	free(vteps);
	free(vnis);
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
	static const struct overlay_way none = {.detail = "not known yet"};
	const struct vtep_info *found = vtep_find(overlay, vtep);

	return found != NULL ? &found->way : &none;
}

const struct overlay_vtep_counters *overlay_vtep_drops(const struct overlay_control *overlay,
						       const char *vtep)
{
	const struct vtep_info *found = vtep_find(overlay, vtep);

	return found != NULL ? overlay_vtep_counters(found->slot) : NULL;
}

const struct overlay_vni_state *overlay_vni_state(const struct overlay_control *overlay,
						  uint32_t vni)
{
	static const struct overlay_vni_state none = {.state = OVERLAY_DOWN};
	const struct vni_info *found = vni_find(overlay, vni);

	return found != NULL ? &found->state : &none;
}

const struct overlay_counters *overlay_vni_counters(const struct overlay_control *overlay,
						    uint32_t vni)
{
	const struct vni_info *found = vni_find(overlay, vni);

	return found != NULL ? overlay_counters(found->slot) : NULL;
}

const struct overlay_neigh *overlay_neighbours(const struct overlay_control *overlay)
{
	return overlay->neigh;
}
