/* SPDX-License-Identifier: BSD-3-Clause */
/* See snoop.h. */
#include "snoop.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "nd.h"
#include "overlay.h"
#include "snapshot.h"
#include "wire.h"

/* News of one port: a local one has a machine behind it, a tunnel a whole host. */
#define LOCAL_PER_S  50
#define TUNNEL_PER_S 2000
#define BURST	     256

static struct {
	atomic_flag busy; /* whoever finds it set does without: never waited for */
	_Atomic int event_fd;
	uint32_t first, n;
	_Atomic uint64_t refused;
	struct bum_meter meters[SNAPSHOT_PORTS_MAX];
	struct snoop_event events[SNOOP_EVENTS_MAX];
} snoop = {.busy = ATOMIC_FLAG_INIT, .event_fd = -1};

static bool parse_arp(const struct frame *f, struct snoop_event *event)
{
	static const uint8_t ethernet_ip4[7] = {0, 1, 8, 0, 6, 4, 0};
	const uint8_t *arp = f->hdr + f->l3_off;

	if (f->hdr_len < f->l3_off + WIRE_ARP_LEN || memcmp(arp, ethernet_ip4, 7) != 0 ||
	    (arp[7] != 1 && arp[7] != 2))
		return false;
	if (memcmp(arp + 8, f->hdr + 6, 6) != 0)
		return false;
	memcpy(event->ip.b, arp + 14, 4);
	return true;
}

static bool parse_nd(const struct frame *f, struct snoop_event *event)
{
	const uint8_t *mac;
	struct nd nd;

	if (!nd_parse(f, f->l3_off, &nd))
		return false;
	mac = nd_option(&nd, nd.type == ND_SOLICIT ? ND_OPT_SOURCE : ND_OPT_TARGET);
	if (mac == NULL || memcmp(mac, f->hdr + 6, 6) != 0)
		return false;
	event->ip.is_v6 = 1;
	memcpy(event->ip.b, nd.type == ND_SOLICIT ? nd.source : nd.target, 16);
	event->is_router = nd.type == ND_ADVERT && (nd.message[4] & NA_ROUTER) != 0;
	return true;
}

bool snoop_parse(const struct frame *f, struct snoop_event *event)
{
	bool found = false;

	memset(event, 0, sizeof(*event));
	if (f->l3_off == 0)
		return false;
	if (f->ethertype == WIRE_TYPE_ARP)
		found = parse_arp(f, event);
	else if (f->ethertype == WIRE_TYPE_IP6)
		found = parse_nd(f, event);
	memcpy(event->mac, f->hdr + 6, 6);
	return found && vxlan_ip_unfit(&event->ip) == NULL;
}

bool snoop_probed(const struct frame *f, struct vxlan_ip *target)
{
	struct nd nd;

	memset(target, 0, sizeof(*target));
	if (f->l3_off == 0 || (f->hdr[0] & 1) != 0)
		return false;
	if (f->ethertype == WIRE_TYPE_ARP) {
		if (f->hdr_len < f->l3_off + WIRE_ARP_LEN || f->hdr[f->l3_off + 7] != 1)
			return false;
		memcpy(target->b, f->hdr + f->l3_off + 24, 4);
		return true;
	}
	if (f->ethertype != WIRE_TYPE_IP6 || !nd_parse(f, f->l3_off, &nd) || nd.type != ND_SOLICIT)
		return false;
	target->is_v6 = 1;
	memcpy(target->b, nd.target, 16);
	return true;
}

static void tell(const struct snoop_event *event)
{
	int fd = atomic_load_explicit(&snoop.event_fd, memory_order_relaxed);
	const uint64_t one = 1;
	bool told = false, first = false;

	if (fd >= 0 && !atomic_flag_test_and_set_explicit(&snoop.busy, memory_order_acquire)) {
		if (snoop.n < SNOOP_EVENTS_MAX) {
			first = snoop.n == 0;
			snoop.events[(snoop.first + snoop.n++) % SNOOP_EVENTS_MAX] = *event;
			told = true;
		}
		atomic_flag_clear_explicit(&snoop.busy, memory_order_release);
	}
	if (!told)
		atomic_fetch_add_explicit(&snoop.refused, 1, memory_order_relaxed);
	if (first && write(fd, &one, sizeof(one)) < 0)
		return; /* the counter is at its limit: it is readable then, too */
}

void snoop_frame(const struct frame *f, uint16_t sw, uint32_t now_s)
{
	const struct overlay_view *view = overlay_view_current();
	const struct neigh_table *table = overlay_neigh_current();
	const struct neigh_entry *known;
	struct snoop_event event;
	struct vxlan_ip target;
	struct timespec now;
	struct bum_rate rate;
	int32_t vni;

	if (view == NULL || f->no_learn || f->in_port >= SNAPSHOT_PORTS_MAX)
		return;
	vni = vtep_vni_of_vlan(view->table, sw, f->vid);
	if (vni < 0 || !view->table->vnis[vni].suppress)
		return;
	if (table != NULL && snoop_probed(f, &target)) {
		known = neigh_table_find(table, view->table->vnis[vni].vni, &target);
		if (known != NULL && memcmp(known->mac, f->hdr, 6) == 0)
			neigh_table_probe(table, known, now_s);
	}
	if (!snoop_parse(f, &event))
		return;
	event.vni = view->table->vnis[vni].vni;
	event.port = f->in_port;
	known = table != NULL ? neigh_table_find(table, event.vni, &event.ip) : NULL;
	if (known != NULL && (known->is_static || (memcmp(known->mac, event.mac, 6) == 0 &&
						   (known->is_router || !event.is_router)))) {
		neigh_table_refresh(table, known, now_s);
		return;
	}
	rate = bum_rate(f->in_port < view->n_tunnels && view->tunnels[f->in_port].port != NULL
				? TUNNEL_PER_S
				: LOCAL_PER_S,
			BURST);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (bum_meter_take(&snoop.meters[f->in_port], &rate,
			   (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec))
		tell(&event);
	else
		atomic_fetch_add_explicit(&snoop.refused, 1, memory_order_relaxed);
}

void snoop_init(int event_fd)
{
	atomic_store(&snoop.event_fd, event_fd);
	snoop.first = snoop.n = 0;
	atomic_store(&snoop.refused, 0);
	memset(snoop.meters, 0, sizeof(snoop.meters));
}

uint32_t snoop_drain(struct snoop_event *events, uint32_t max)
{
	uint32_t n = 0;

	while (atomic_flag_test_and_set_explicit(&snoop.busy, memory_order_acquire))
		sched_yield(); /* a worker copies one event */
	for (; n < max && snoop.n > 0; n++) {
		events[n] = snoop.events[snoop.first];
		snoop.first = (snoop.first + 1) % SNOOP_EVENTS_MAX;
		snoop.n--;
	}
	atomic_flag_clear_explicit(&snoop.busy, memory_order_release);
	return n;
}

uint64_t snoop_refused(void)
{
	return atomic_load_explicit(&snoop.refused, memory_order_relaxed);
}
