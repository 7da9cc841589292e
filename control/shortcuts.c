/* SPDX-License-Identifier: BSD-3-Clause */
/* See shortcuts.h. */
#include "shortcuts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath.h"
#include "shortcut_places.h"

#define TICK_MS 200
#define SOON_MS 20

/* One that has a shortcut, or shall have one. */
struct station {
	struct shortcut_key key; /* first: they are sorted by it */
	uint16_t port;		 /* index of its own, */
	uint16_t uplink;	 /* and of the uplink; far ones only */
	uint16_t vni_slot;	 /* far ones only */
	uint32_t fid;
	uint64_t mac;
	union {
		struct shortcut_near near;
		struct shortcut_far far;
	} value; /* counters are 0 */
	struct shortcut_counts seen;
};

struct stations {
	size_t n;
	struct station list[SHORTCUT_STATIONS_MAX];
};

/* A program on an interface. */
struct guard {
	uint32_t ifindex, what; /* the VNI of a TAP's, the UDP port of an uplink's */
	int fd;			/* -1: there is none */
};

/* What the walk over the FDB depended on. */
struct basis {
	uint64_t generation;
	uint64_t overlay; /* overlay_generation() */
	struct fdb_counters fdb;
	uint32_t n_fdb, zero; /* no hole: it is compared as it lies in memory */
	struct shortcut_place places[SNAPSHOT_PORTS_MAX];
	struct shortcut_uplink uplinks[OVERLAY_UPLINKS_MAX];
};

struct shortcuts {
	struct control *control;
	struct event *timer;
	struct shortcut *kernel; /* NULL: not wanted yet, or it cannot be had */
	struct stations *have[SHORTCUT_SIDES], *want[SHORTCUT_SIDES];
	struct basis *basis, *next;
	struct guard taps[SNAPSHOT_PORTS_MAX], uplinks[OVERLAY_UPLINKS_MAX];
	struct shortcut_why why,
		why_ways;   /* of ports, at the last tick; of tunnels, at the last walk */
	uint64_t walked_ns; /* CLOCK_MONOTONIC of that */
	uint64_t totals[SNAPSHOT_PORTS_MAX]
		       [2]; /* frames and bytes, both directions, by uplink's index */
	char failed[256];   /* why it cannot be had, or "" */
};

static void ticked(evutil_socket_t fd, short what, void *arg);

struct shortcuts *shortcuts_new(struct control *control)
{
	struct shortcuts *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->control = control;
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++)
		s->taps[i].fd = -1;
	for (size_t i = 0; i < OVERLAY_UPLINKS_MAX; i++)
		s->uplinks[i].fd = -1;
	s->timer = evtimer_new(control->base, ticked, s);
	s->basis = calloc(1, sizeof(*s->basis));
	s->next = calloc(1, sizeof(*s->next));
	for (int side = 0; side < SHORTCUT_SIDES; side++) {
		s->have[side] = calloc(1, sizeof(*s->have[side]));
		s->want[side] = calloc(1, sizeof(*s->want[side]));
		if (s->have[side] == NULL || s->want[side] == NULL)
			goto undo;
	}
	if (s->timer != NULL && s->basis != NULL && s->next != NULL)
		return s;

undo:
	shortcuts_free(s);
	return NULL;
}

static void guard_drop(struct guard *guard)
{
	if (guard->fd >= 0)
		close(guard->fd);
	*guard = (struct guard){.fd = -1};
}

static void guards_drop(struct shortcuts *s)
{
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++)
		guard_drop(&s->taps[i]);
	for (size_t i = 0; i < OVERLAY_UPLINKS_MAX; i++)
		guard_drop(&s->uplinks[i]);
}

void shortcuts_free(struct shortcuts *s)
{
	if (s == NULL)
		return;
	guards_drop(s);
	shortcut_free(s->kernel);
	if (s->timer != NULL)
		event_free(s->timer);
	for (int side = 0; side < SHORTCUT_SIDES; side++) {
		free(s->have[side]);
		free(s->want[side]);
	}
	free(s->basis);
	free(s->next);
	free(s);
}

static void add(struct port_queue_stats *stats, uint64_t pkts, uint64_t bytes)
{
	stats_add(&stats->pkts, pkts);
	stats_add(&stats->bytes, bytes);
}

/* What the kernel has forwarded of a station's since the last time is counted as if netloomd had. */
static void account(struct shortcuts *s, enum shortcut_side side, struct station *station,
		    const struct shortcut_counts *now)
{
	const struct live_port *live = apply_live_all(s->control->apply);
	struct port *port = live[station->port].port;
	uint64_t from = now->from_pkts - station->seen.from_pkts;
	uint64_t from_bytes = now->from_bytes - station->seen.from_bytes;
	uint64_t to = now->to_pkts - station->seen.to_pkts;
	uint64_t to_bytes = now->to_bytes - station->seen.to_bytes;
	struct overlay_counters *vni;

	if (from + to == 0 || port == NULL)
		return;
	station->seen = *now;
	if (from > 0)
		fdb_refresh(datapath_fdb(), station->fid, station->mac, station->port,
			    (uint32_t)(clock_now_ns() / CLOCK_NS_PER_SECOND));
	add(&port->kernel_rx, from, from_bytes);
	if (side == SHORTCUT_NEAR) {
		add(&port->kernel_tx, to, to_bytes);
		return;
	}
	add(&port->kernel_tx, to, to_bytes + to * SHORTCUT_OUTER_LEN);
	port = live[station->uplink].port;
	if (port != NULL) {
		add(&port->kernel_rx, from, from_bytes + from * SHORTCUT_OUTER_LEN);
		add(&port->kernel_tx, to, to_bytes + to * SHORTCUT_OUTER_LEN);
	}
	vni = overlay_counters(station->vni_slot);
	__atomic_fetch_add(&vni->rx_pkts, from, __ATOMIC_RELAXED);
	__atomic_fetch_add(&vni->rx_bytes, from_bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&vni->tx_pkts, to, __ATOMIC_RELAXED);
	__atomic_fetch_add(&vni->tx_bytes, to_bytes, __ATOMIC_RELAXED);
	s->totals[station->uplink][0] += from + to;
	s->totals[station->uplink][1] += from_bytes + to_bytes;
}

static void station_withdraw(struct shortcuts *s, enum shortcut_side side, struct station *station)
{
	struct shortcut_counts counts;

	shortcut_take(s->kernel, side, &station->key, &counts);
	account(s, side, station, &counts);
}

void shortcuts_withdraw(struct shortcuts *s)
{
	if (s == NULL || s->kernel == NULL)
		return;
	for (int side = 0; side < SHORTCUT_SIDES; side++) {
		for (size_t i = 0; i < s->have[side]->n; i++)
			station_withdraw(s, (enum shortcut_side)side, &s->have[side]->list[i]);
		s->have[side]->n = 0;
	}
	s->basis->generation = UINT64_MAX;
}

/* The counters of all that have one; who is no longer where he was loses it. */
static void stations_look(struct shortcuts *s)
{
	for (int side = 0; side < SHORTCUT_SIDES; side++) {
		struct stations *have = s->have[side];
		size_t kept = 0;

		for (size_t i = 0; i < have->n; i++) {
			struct station *station = &have->list[i];
			struct shortcut_counts counts;

			if (fdb_lookup(datapath_fdb(), station->fid, station->mac, NULL) !=
			    station->port) {
				station_withdraw(s, (enum shortcut_side)side, station);
				continue;
			}
			shortcut_read(s->kernel, (enum shortcut_side)side, &station->key, &counts);
			account(s, (enum shortcut_side)side, station, &counts);
			if (kept != i)
				have->list[kept] = *station;
			kept++;
		}
		have->n = kept;
	}
}

/* The walk over the FDB. */
struct gathering {
	struct shortcuts *s;
	const struct shortcut_sight *sight;
};

static bool station_gather(const struct fdb_entry *entry, void *arg)
{
	struct gathering *gathering = arg;
	struct shortcuts *s = gathering->s;
	struct station station;
	struct stations *list;
	uint32_t vni;

	if (entry->port >= SNAPSHOT_PORTS_MAX)
		return true;
	memset(&station, 0, sizeof(station));
	if (s->next->places[entry->port].ifindex != 0) {
		const struct shortcut_place *place = &s->next->places[entry->port];

		if (place->fid != entry->fid)
			return true;
		list = s->want[SHORTCUT_NEAR];
		station.key.vni = place->vni;
		station.value.near.ifindex = place->ifindex;
		station.value.near.mtu = place->mtu;
	} else {
		station.uplink = shortcut_way_to(gathering->sight, entry, s->next->uplinks,
						 &station.value.far, &vni, &s->why_ways);
		if (station.uplink == SNAPSHOT_NONE)
			return true;
		list = s->want[SHORTCUT_FAR];
		station.key.vni = gathering->sight->view->table->vnis[vni].vni;
		station.vni_slot = gathering->sight->view->table->vnis[vni].slot;
	}
	for (int i = 0; i < 6; i++)
		station.key.mac[i] = (uint8_t)(entry->mac >> (40 - 8 * i));
	station.port = entry->port;
	station.fid = entry->fid;
	station.mac = entry->mac;
	if (list->n < SHORTCUT_STATIONS_MAX)
		list->list[list->n++] = station;
	return true;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct shortcut_key));
}

/* Whether nothing has to be told to the kernel again; `seen` is where the two may differ. */
static bool same_station(const struct station *a, const struct station *b)
{
	return memcmp(a, b, offsetof(struct station, seen)) == 0;
}

/* Out with what is not wanted any more, in with what is new. */
static void stations_exchange(struct shortcuts *s, enum shortcut_side side)
{
	struct stations *have = s->have[side], *want = s->want[side];
	size_t kept = 0;

	qsort(want->list, want->n, sizeof(want->list[0]), by_key);
	for (size_t i = 0; i < have->n; i++) {
		struct station *wanted =
			bsearch(&have->list[i], want->list, want->n, sizeof(want->list[0]), by_key);

		if (wanted != NULL && same_station(wanted, &have->list[i]))
			wanted->seen = have->list[i].seen;
		else
			station_withdraw(s, side, &have->list[i]);
	}
	for (size_t i = 0; i < want->n; i++) {
		struct station *there =
			bsearch(&want->list[i], have->list, have->n, sizeof(have->list[0]), by_key);

		if ((there == NULL || !same_station(there, &want->list[i])) &&
		    shortcut_put(s->kernel, side, &want->list[i].key, &want->list[i].value) != 0)
			continue; /* netloomd goes on forwarding for it */
		if (kept != i)
			want->list[kept] = want->list[i];
		kept++;
	}
	want->n = kept;
	s->have[side] = want;
	s->want[side] = have;
}

static void guard_fit(struct shortcuts *s, struct guard *guard, uint32_t ifindex, uint32_t what,
		      bool is_tap)
{
	struct err err = {.text = ""};

	if (guard->fd >= 0 && guard->ifindex == ifindex && guard->what == what)
		return;
	guard_drop(guard);
	if (ifindex == 0)
		return;
	guard->fd = is_tap ? shortcut_on_tap(s->kernel, ifindex, what, &err)
			   : shortcut_on_uplink(s->kernel, ifindex, (uint16_t)what, &err);
	if (guard->fd < 0) {
		snprintf(s->failed, sizeof(s->failed), "%s", err.text);
		guard->fd = -1;
		return;
	}
	guard->ifindex = ifindex;
	guard->what = what;
}

/* Where shortcuts may begin and end now. */
static void basis_take(struct shortcuts *s, const struct shortcut_sight *sight)
{
	struct basis *next = s->next;

	memset(next, 0, sizeof(*next));
	memset(&s->why, 0, sizeof(s->why));
	next->generation = sight->snapshot->generation;
	next->overlay = overlay_generation();
	next->fdb = fdb_counters(datapath_fdb());
	next->n_fdb = fdb_count(datapath_fdb());
	for (uint16_t i = 0; sight->view != NULL && i < sight->view->n_uplinks; i++)
		next->uplinks[i] = shortcut_uplink_at(sight, i, &s->why);
	for (size_t i = 0; i < sight->model->n_ports; i++) {
		const struct model_port *port = sight->model->ports[i];

		if (port->index < SNAPSHOT_PORTS_MAX)
			next->places[port->index] = shortcut_place_of(sight, port, &s->why);
	}
}

static void guards_fit(struct shortcuts *s)
{
	s->failed[0] = '\0';
	for (size_t i = 0; i < OVERLAY_UPLINKS_MAX; i++)
		guard_fit(s, &s->uplinks[i], s->next->uplinks[i].ifindex,
			  s->next->uplinks[i].udp_port, false);
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++)
		guard_fit(s, &s->taps[i], s->next->places[i].ifindex, s->next->places[i].vni, true);
}

static bool kernel_ready(struct shortcuts *s)
{
	struct err err = {.text = ""};

	if (s->kernel != NULL)
		return true;
	if (shortcut_new(&s->kernel, &err) == 0) {
		overlay_counters_share();
		return true;
	}
	snprintf(s->failed, sizeof(s->failed), "%s", err.text);
	return false;
}

static void ticked(evutil_socket_t fd, short what, void *arg)
{
	struct shortcuts *s = arg;
	const struct timeval later = {.tv_usec = TICK_MS * 1000};
	struct shortcut_sight sight;
	struct gathering gathering = {.s = s, .sight = &sight};
	struct basis *old;

	(void)fd;
	(void)what;
	sight = shortcut_sight_take(s->control);
	if (sight.snapshot == NULL || !shortcut_wanted(sight.model)) {
		shortcuts_withdraw(s);
		guards_drop(s);
		s->failed[0] = '\0';
		event_del(s->timer);
		return;
	}
	event_add(s->timer, &later);
	if (!kernel_ready(s))
		return;
	stations_look(s);
	basis_take(s, &sight);
	if (memcmp(s->basis, s->next, sizeof(*s->basis)) == 0)
		return;
	s->walked_ns = clock_now_ns();
	memset(&s->why_ways, 0, sizeof(s->why_ways));
	s->want[SHORTCUT_NEAR]->n = s->want[SHORTCUT_FAR]->n = 0;
	fdb_walk(datapath_fdb(), station_gather, &gathering);
	for (int side = 0; side < SHORTCUT_SIDES; side++)
		stations_exchange(s, (enum shortcut_side)side);
	guards_fit(s);
	old = s->basis;
	s->basis = s->next;
	s->next = old;
}

void shortcuts_return(struct shortcuts *s, const struct model *model)
{
	const struct timeval at_once = {.tv_sec = 0};

	/* Also if none is wanted any more: what was made for them goes. */
	if (s != NULL && (shortcut_wanted(model) || s->kernel != NULL))
		event_add(s->timer, &at_once);
}

/* Not if there was a walk a moment ago: stations may come, and move, without end. */
void shortcuts_soon(struct shortcuts *s)
{
	const struct timeval soon = {.tv_usec = SOON_MS * 1000};

	if (s == NULL || !shortcut_wanted(apply_model(s->control->apply)) ||
	    clock_now_ns() - s->walked_ns < TICK_MS * CLOCK_NS_PER_SECOND / 1000)
		return;
	s->walked_ns = clock_now_ns();
	event_add(s->timer, &soon);
}

json_t *shortcuts_print(const struct shortcuts *s, uint16_t uplink)
{
	const char *detail = s->failed[0] != '\0' ? s->failed
			     : s->why.n > 0	  ? s->why.text
						  : s->why_ways.text;
	size_t n_far = 0;

	for (size_t i = 0; i < s->have[SHORTCUT_FAR]->n; i++)
		n_far += s->have[SHORTCUT_FAR]->list[i].uplink == uplink;
	return json_pack("{s:I, s:I, s:I, s:I, s:s}", "stations",
			 (json_int_t)s->have[SHORTCUT_NEAR]->n, "far_stations", (json_int_t)n_far,
			 "pkts", (json_int_t)s->totals[uplink][0], "bytes",
			 (json_int_t)s->totals[uplink][1], "detail", detail);
}
