/* SPDX-License-Identifier: BSD-3-Clause */
/* See overlay.h. */
#include "overlay.h"

#include <stdlib.h>

#include "datapath.h"
#include "liveness.h"
#include "worker.h"

enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_READY };

struct reply_slot {
	_Atomic int state; /* enum slot_state */
	uint16_t port, vid;
	bool learn;
	struct reply reply;
};

static struct {
	_Atomic(const struct overlay_view *) view;
	_Atomic(const struct neigh_table *) neigh;
	struct overlay_counters counters[VTEP_VNIS_MAX]; /* pages are touched as VNIs come */
	struct overlay_meters meters[VTEP_VNIS_MAX];
	struct overlay_vtep_counters vteps[VTEP_PEERS_MAX];
	uint64_t generation;
	bool counters_shared;
	_Atomic uint32_t n_waiting;
	struct reply_slot replies[OVERLAY_REPLIES_MAX];
} overlay;

bool overlay_workers_many = true;

const struct overlay_view *overlay_view_current(void)
{
	return atomic_load_explicit(&overlay.view, memory_order_acquire);
}

void overlay_view_free(struct overlay_view *view)
{
	if (view == NULL)
		return;
	vtep_table_free(view->table);
	free(view->tunnels);
	free(view->tunnel_of);
	free(view->limits);
	free(view);
}

uint64_t overlay_generation(void)
{
	return overlay.generation;
}

void overlay_counters_share(void)
{
	overlay.counters_shared = true;
	overlay_workers_many = true;
	if (atomic_load(&overlay.view) != NULL)
		port_quiesce();
}

void overlay_publish(struct overlay_view *next)
{
	const struct overlay_view *previous;

	/* Before the first view is there, nobody counts; threads come and go only with the datapath. */
	if (atomic_load(&overlay.view) == NULL)
		overlay_workers_many = overlay.counters_shared || datapath_n_workers() > 1;
	overlay.generation++;
	previous = atomic_exchange(&overlay.view, next);
	if (previous == NULL)
		return;
	port_quiesce();
	overlay_view_free((struct overlay_view *)previous);
}

struct overlay_counters *overlay_counters(uint16_t slot)
{
	return &overlay.counters[slot];
}

struct overlay_meters *overlay_meters(uint16_t slot)
{
	return &overlay.meters[slot];
}

struct overlay_vtep_counters *overlay_vtep_counters(uint16_t slot)
{
	return &overlay.vteps[slot];
}

const struct neigh_table *overlay_neigh_current(void)
{
	return atomic_load_explicit(&overlay.neigh, memory_order_acquire);
}

void overlay_neigh_publish(struct neigh_table *next)
{
	const struct neigh_table *previous = atomic_exchange(&overlay.neigh, next);

	if (previous == NULL)
		return;
	port_quiesce();
	neigh_table_free((struct neigh_table *)previous);
}

bool overlay_reply_push(const struct reply *reply, uint16_t port, uint16_t vid, bool learn)
{
	for (int i = 0; i < OVERLAY_REPLIES_MAX; i++) {
		struct reply_slot *slot = &overlay.replies[i];
		int free_state = SLOT_FREE;

		if (!atomic_compare_exchange_strong(&slot->state, &free_state, SLOT_BUSY))
			continue;
		slot->reply = *reply;
		slot->port = port;
		slot->vid = vid;
		slot->learn = learn;
		atomic_store(&slot->state, SLOT_READY);
		atomic_fetch_add(&overlay.n_waiting, 1);
		workers_wake(); /* the uplink's worker may sleep */
		return true;
	}
	return false;
}

uint16_t overlay_reply_pop(struct frame *frames, struct reply *storage, uint16_t max)
{
	uint16_t n = 0;

	if (!overlay_reply_waits())
		return 0;
	liveness_send(overlay_view_current());
	for (int i = 0; i < OVERLAY_REPLIES_MAX && n < max; i++) {
		struct reply_slot *slot = &overlay.replies[i];
		int ready = SLOT_READY;

		if (!atomic_compare_exchange_strong(&slot->state, &ready, SLOT_BUSY))
			continue;
		storage[n] = slot->reply;
		reply_frame(&storage[n], &frames[n]);
		frames[n].in_port = slot->port;
		frames[n].given_vid = slot->vid;
		frames[n].no_learn = !slot->learn;
		n++;
		atomic_store(&slot->state, SLOT_FREE);
		atomic_fetch_sub(&overlay.n_waiting, 1);
	}
	return n;
}

bool overlay_reply_waits(void)
{
	return atomic_load_explicit(&overlay.n_waiting, memory_order_acquire) != 0 ||
	       liveness_waits();
}
