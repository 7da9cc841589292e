/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See overlay_neigh.h. Bindings lie in one array, found through chains of array indices; the last one takes the place of one that
 * goes. The workers' table is made anew at most ten times a second.
 */
#include "overlay_neigh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "datapath.h"
#include "vxlan/overlay.h"
#include "vxlan/snoop.h"

#define HEADS	      65536
#define NONE	      UINT32_MAX
#define REBUILD_US    100000
#define LEARN_S	      3	 /* for a station to get into the FDB */
#define MOVES_MAX     5	 /* within */
#define MOVES_S	      10 /* seconds: contested, */
#define CONTESTED_S   60 /* for so long */
#define DRAIN_AT_ONCE 256

struct binding {
	struct neigh_entry entry; /* seen_s: as of the last sweep */
	uint16_t heard_on;	  /* index of the port, for its share; static ones: SNAPSHOT_NONE */
	uint32_t since_s;	  /* of this MAC */
	uint32_t moves, moved_s, contested_until_s;
	uint32_t next;
};

struct overlay_neigh {
	int event_fd;
	struct event *heard, *rebuild;
	struct binding *bindings; /* [NEIGH_MAX], touched as they come */
	uint32_t n;
	uint32_t heads[HEADS];
	uint32_t macs[HEADS]; /* bindings of MACs with this hash: 0 says that there is none */
	uint32_t shares[SNAPSHOT_PORTS_MAX];
	uint32_t seed; /* of hashes: addresses are the stations' to choose */
	uint64_t generation;
	uint32_t swept_s;
	uint64_t refused;
};

static uint32_t now_s(void)
{
	return (uint32_t)(clock_now_ns() / CLOCK_NS_PER_SECOND);
}

static uint16_t hash_bytes(const uint8_t *bytes, size_t n, uint32_t seed)
{
	uint64_t hash = seed;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return (uint16_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 48);
}

static uint32_t *head_of(const struct overlay_neigh *neigh, const struct neigh_entry *entry)
{
	return (uint32_t *)&neigh
		->heads[hash_bytes(entry->ip.b, sizeof(entry->ip.b), neigh->seed ^ entry->vni)];
}

static uint32_t *macs_of(const struct overlay_neigh *neigh, const uint8_t mac[6])
{
	return (uint32_t *)&neigh->macs[hash_bytes(mac, 6, neigh->seed)];
}

static struct binding *binding_find(const struct overlay_neigh *neigh,
				    const struct neigh_entry *key)
{
	for (uint32_t i = *head_of(neigh, key); i != NONE; i = neigh->bindings[i].next) {
		const struct neigh_entry *entry = &neigh->bindings[i].entry;

		if (entry->vni == key->vni && vxlan_ip_equal(&entry->ip, &key->ip))
			return &neigh->bindings[i];
	}
	return NULL;
}

static void rebuild_later(struct overlay_neigh *neigh)
{
	const struct timeval later = {.tv_usec = REBUILD_US};

	if (!event_pending(neigh->rebuild, EV_TIMEOUT, NULL))
		event_add(neigh->rebuild, &later);
}

static struct binding *binding_add(struct overlay_neigh *neigh, const struct neigh_entry *entry,
				   uint16_t heard_on)
{
	uint32_t *head = head_of(neigh, entry);
	struct binding *binding;

	if (neigh->n == NEIGH_MAX)
		return NULL;
	binding = &neigh->bindings[neigh->n];
	*binding = (struct binding){
		.entry = *entry, .heard_on = heard_on, .since_s = now_s(), .next = *head};
	*head = neigh->n++;
	++*macs_of(neigh, entry->mac);
	if (heard_on != SNAPSHOT_NONE)
		neigh->shares[heard_on]++;
	rebuild_later(neigh);
	return binding;
}

/* Take @i out of its chain. */
static uint32_t *link_to(const struct overlay_neigh *neigh, uint32_t i)
{
	uint32_t *link = head_of(neigh, &neigh->bindings[i].entry);

	while (*link != i)
		link = &neigh->bindings[*link].next;
	return link;
}

static void binding_remove(struct overlay_neigh *neigh, uint32_t i)
{
	struct binding *binding = &neigh->bindings[i];
	uint32_t last = neigh->n - 1;

	*link_to(neigh, i) = binding->next;
	--*macs_of(neigh, binding->entry.mac);
	if (binding->heard_on != SNAPSHOT_NONE)
		neigh->shares[binding->heard_on]--;
	if (i != last) {
		*link_to(neigh, last) = i;
		*binding = neigh->bindings[last];
	}
	neigh->n--;
	rebuild_later(neigh);
}

/* Where the station of a binding is, -1 if that is not known. */
static int station_port(const struct overlay_view *view, const struct neigh_entry *entry)
{
	int32_t vni = view != NULL ? vtep_vni_find(view->table, entry->vni) : -1;

	if (vni < 0)
		return -1;
	return fdb_lookup(datapath_fdb(),
			  FDB_FID(view->table->vnis[vni].sw, view->table->vnis[vni].vid),
			  fdb_mac(entry->mac), NULL);
}

static bool suppresses(const struct overlay_view *view, uint32_t vni)
{
	int32_t index = view != NULL ? vtep_vni_find(view->table, vni) : -1;

	return index >= 0 && view->table->vnis[index].suppress;
}

/* Another MAC has the address now, or says so. */
static void binding_move(struct overlay_neigh *neigh, struct binding *binding,
			 const struct snoop_event *event, uint32_t now)
{
	binding->moves = now - binding->moved_s < MOVES_S ? binding->moves + 1 : 1;
	binding->moved_s = now;
	if (binding->moves >= MOVES_MAX)
		binding->contested_until_s = now + CONTESTED_S;
	--*macs_of(neigh, binding->entry.mac);
	memcpy(binding->entry.mac, event->mac, 6);
	++*macs_of(neigh, binding->entry.mac);
	binding->since_s = now;
	neigh->shares[binding->heard_on]--;
	neigh->shares[event->port]++;
	binding->heard_on = event->port;
}

static void event_take(struct overlay_neigh *neigh, const struct overlay_view *view,
		       const struct snoop_event *event, uint32_t now)
{
	bool is_tunnel = event->port < view->n_tunnels && view->tunnels[event->port].port != NULL;
	struct neigh_entry entry = {.vni = event->vni,
				    .ip = event->ip,
				    .is_router = event->is_router,
				    .port = SNAPSHOT_NONE,
				    .seen_s = now};
	struct binding *binding;
	bool is_full;

	if (!suppresses(view, event->vni))
		return;
	memcpy(entry.mac, event->mac, 6);
	binding = binding_find(neigh, &entry);
	is_full = neigh->shares[event->port] >= (is_tunnel ? NEIGH_TUNNEL_MAX : NEIGH_LOCAL_MAX);
	if (binding == NULL) {
		if (is_full || binding_add(neigh, &entry, event->port) == NULL)
			neigh->refused++;
		return;
	}
	if (binding->entry.is_static)
		return;
	if (is_full && binding->heard_on != event->port) {
		neigh->refused++;
		return;
	}
	binding->entry.seen_s = now;
	if (memcmp(binding->entry.mac, event->mac, 6) != 0)
		binding_move(neigh, binding, event, now);
	binding->entry.is_router = event->is_router;
	rebuild_later(neigh);
}

static void heard(evutil_socket_t fd, short what, void *arg)
{
	struct overlay_neigh *neigh = arg;
	const struct overlay_view *view = overlay_view_current();
	struct snoop_event events[DRAIN_AT_ONCE];
	uint64_t value;
	uint32_t n, left = SNOOP_EVENTS_MAX, now = now_s();

	(void)what;
	if (read(fd, &value, sizeof(value)) < 0)
		value = 0; /* called without need: fine */
	do {
		n = snoop_drain(events, DRAIN_AT_ONCE);
		for (uint32_t i = 0; i < n && view != NULL; i++)
			event_take(neigh, view, &events[i], now);
		left -= n;
	} while (n == DRAIN_AT_ONCE && left > 0);
	if (n == DRAIN_AT_ONCE)
		event_active(neigh->heard, EV_READ,
			     0); /* the writer wakes us only when it was empty */
}

/* What the workers have heard of those in their table. */
static void seen_collect(struct overlay_neigh *neigh)
{
	const struct neigh_table *table = overlay_neigh_current();

	for (size_t i = 0; table != NULL && i < neigh_table_count(table); i++) {
		const struct neigh_entry *entry = neigh_table_at(table, i);
		uint32_t seen_s = neigh_table_seen(table, entry);
		uint32_t probed_s = neigh_table_probed(table, entry);
		struct binding *binding = binding_find(neigh, entry);

		if (binding == NULL || memcmp(binding->entry.mac, entry->mac, 6) != 0)
			continue;
		if ((int32_t)(seen_s - binding->entry.seen_s) > 0)
			binding->entry.seen_s = seen_s;
		if ((int32_t)(probed_s - binding->entry.probed_s) > 0)
			binding->entry.probed_s = probed_s;
	}
}

/*
 * Forget what is old, whose station has gone, and what nobody asks for any more. A worker may have heard of a station in the second
 * after ours began.
 */
static void sweep(struct overlay_neigh *neigh)
{
	const struct overlay_view *view = overlay_view_current();
	uint32_t now = now_s();

	seen_collect(neigh);
	neigh->swept_s = now;
	for (uint32_t i = neigh->n; i-- > 0;) {
		struct binding *binding = &neigh->bindings[i];
		int port;

		if (binding->contested_until_s != 0 && binding->contested_until_s <= now) {
			binding->contested_until_s = 0;
			binding->moves = 0;
			rebuild_later(neigh);
		}
		port = station_port(view, &binding->entry);
		if (!binding->entry.is_static &&
		    ((int32_t)(now - binding->entry.seen_s) > NEIGH_AGE_S ||
		     !suppresses(view, binding->entry.vni) ||
		     (port < 0 && now - binding->since_s > LEARN_S))) {
			binding_remove(neigh, i);
			continue;
		}
		if (binding->entry.port != (port >= 0 ? (uint16_t)port : SNAPSHOT_NONE))
			rebuild_later(neigh);
	}
}

static bool is_answered(const struct overlay_view *view, const struct binding *binding, int port)
{
	return suppresses(view, binding->entry.vni) && binding->contested_until_s == 0 &&
	       (port >= 0 || binding->entry.is_static);
}

static void rebuild(evutil_socket_t fd, short what, void *arg)
{
	struct overlay_neigh *neigh = arg;
	const struct overlay_view *view = overlay_view_current();
	struct neigh_entry *entries = calloc(neigh->n + 1, sizeof(*entries));
	struct neigh_table *table = NULL;
	size_t n = 0;

	(void)fd;
	(void)what;
	if (entries == NULL)
		return;
	seen_collect(neigh);
	for (uint32_t i = 0; i < neigh->n; i++) {
		struct binding *binding = &neigh->bindings[i];
		int port = station_port(view, &binding->entry);

		binding->entry.port = port >= 0 ? (uint16_t)port : SNAPSHOT_NONE;
		if (is_answered(view, binding, port))
			entries[n++] = binding->entry;
	}
	if (n > 0)
		table = neigh_table_new(entries, n);
	free(entries);
	overlay_neigh_publish(table);
}

struct overlay_neigh *overlay_neigh_new(struct event_base *base, struct err *err)
{
	struct overlay_neigh *neigh = calloc(1, sizeof(*neigh));

	if (neigh == NULL) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	memset(neigh->heads, 0xff, sizeof(neigh->heads));
	neigh->generation = UINT64_MAX;
	if (getrandom(&neigh->seed, sizeof(neigh->seed), GRND_NONBLOCK) < 0)
		neigh->seed = now_s();
	neigh->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	neigh->bindings = calloc(NEIGH_MAX, sizeof(*neigh->bindings));
	neigh->rebuild = evtimer_new(base, rebuild, neigh);
	if (neigh->event_fd >= 0)
		neigh->heard = event_new(base, neigh->event_fd, EV_READ | EV_PERSIST, heard, neigh);
	if (neigh->bindings == NULL || neigh->rebuild == NULL || neigh->heard == NULL ||
	    event_add(neigh->heard, NULL) != 0) {
		err_set(err, ENOMEM, "out of memory");
		overlay_neigh_free(neigh);
		return NULL;
	}
	snoop_init(neigh->event_fd);
	return neigh;
}

int overlay_neigh_fd(const struct overlay_neigh *neigh)
{
	return neigh->event_fd;
}

void overlay_neigh_free(struct overlay_neigh *neigh)
{
	if (neigh == NULL)
		return;
	snoop_init(-1);
	overlay_neigh_publish(NULL);
	if (neigh->heard != NULL)
		event_free(neigh->heard);
	if (neigh->rebuild != NULL)
		event_free(neigh->rebuild);
	if (neigh->event_fd >= 0)
		close(neigh->event_fd);
	free(neigh->bindings);
	free(neigh);
}

/* What the user says replaces what he said before, and what was overheard about the same addresses. */
static void statics_take(struct overlay_neigh *neigh, const struct model *model)
{
	struct binding *there;

	for (uint32_t i = neigh->n; i-- > 0;) {
		if (neigh->bindings[i].entry.is_static)
			binding_remove(neigh, i);
	}
	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct model_vni *vni = model->vnis[i];
		const struct model_neigh *said = model_vni_neighs(vni);

		for (uint16_t j = 0; j < vni->n_neighs; j++) {
			struct neigh_entry entry = {.vni = vni->vni,
						    .ip = said[j].ip,
						    .is_router = said[j].is_router,
						    .is_static = true,
						    .port = SNAPSHOT_NONE,
						    .seen_s = now_s()};

			memcpy(entry.mac, said[j].mac, 6);
			there = binding_find(neigh, &entry);
			if (there != NULL)
				binding_remove(neigh, (uint32_t)(there - neigh->bindings));
			if (binding_add(neigh, &entry, SNAPSHOT_NONE) == NULL) {
				log_error("more than %d neighbours: the rest is left out",
					  NEIGH_MAX);
				return;
			}
		}
	}
}

void overlay_neigh_model(struct overlay_neigh *neigh, const struct model *model,
			 uint64_t generation)
{
	bool changed = neigh->generation != generation;

	if (changed) {
		neigh->generation = generation;
		statics_take(neigh, model);
	}
	if (changed || now_s() != neigh->swept_s)
		sweep(neigh);
}

void overlay_neigh_moved(struct overlay_neigh *neigh, uint64_t mac)
{
	uint8_t bytes[6];

	for (int i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
	if (*macs_of(neigh, bytes) > 0)
		rebuild_later(neigh);
}

size_t overlay_neigh_addresses(const struct overlay_neigh *neigh, uint32_t vni,
			       const uint8_t mac[6], struct vxlan_ip *addresses, size_t max)
{
	size_t n = 0;

	if (*macs_of(neigh, mac) == 0)
		return 0;
	for (uint32_t i = 0; i < neigh->n && n < max; i++) {
		const struct binding *binding = &neigh->bindings[i];

		if (binding->entry.vni == vni && memcmp(binding->entry.mac, mac, 6) == 0 &&
		    binding->contested_until_s == 0)
			addresses[n++] = binding->entry.ip;
	}
	return n;
}

void overlay_neigh_walk(const struct overlay_neigh *neigh,
			void (*visit)(const struct overlay_neigh_info *info, void *arg), void *arg)
{
	const struct overlay_view *view = overlay_view_current();
	const struct neigh_table *table = overlay_neigh_current();
	uint32_t now = now_s();

	for (uint32_t i = 0; i < neigh->n; i++) {
		const struct binding *binding = &neigh->bindings[i];
		const struct neigh_entry *entry = &binding->entry, *known;
		int port = station_port(view, entry);
		struct overlay_neigh_info info = {.vni = entry->vni,
						  .ip = entry->ip,
						  .is_router = entry->is_router,
						  .is_static = entry->is_static,
						  .contested = binding->contested_until_s != 0,
						  .answered = is_answered(view, binding, port),
						  .port = port >= 0 ? (uint16_t)port
								    : SNAPSHOT_NONE};
		uint32_t seen_s = entry->seen_s;

		known = table != NULL ? neigh_table_find(table, entry->vni, &entry->ip) : NULL;
		if (known != NULL && (int32_t)(neigh_table_seen(table, known) - seen_s) > 0)
			seen_s = neigh_table_seen(table, known);
		memcpy(info.mac, entry->mac, 6);
		info.age_s = (int32_t)(now - seen_s) > 0 ? now - seen_s : 0;
		visit(&info, arg);
	}
}

uint64_t overlay_neigh_refused(const struct overlay_neigh *neigh)
{
	return neigh->refused + snoop_refused();
}
