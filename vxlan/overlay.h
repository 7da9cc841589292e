/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The overlay as the workers see it: one immutable view (VTEP table, which port stands for whom, where packets leave) behind
 * one pointer, and beside it what changes per frame: counters, meters, answers that wait.
 *
 * There is one per process, like the workers. Control builds a view, overlay_publish() stores the pointer, waits for the grace
 * period and frees the old view. Ports that a view names must live until then.
 *
 * An answer to a guest (packet too big, suppressed ARP) is put back into the datapath as a frame that arrived on the tunnel's port:
 * it then finds its way, and its tags, as any other frame does.
 */
#ifndef VXLAN_OVERLAY_H
#define VXLAN_OVERLAY_H

#include "bum.h"
#include "neigh.h"
#include "port.h"
#include "reply.h"
#include "vtep.h"

#define OVERLAY_UPLINKS_MAX 16
#define OVERLAY_REPLIES_MAX 64

/* What a VNI may send in a second. */
struct overlay_limits {
	struct bum_rate bum;	 /* broadcast, unknown and multicast */
	struct bum_rate too_big; /* answers to frames that do not fit */
	bool no_too_big;	 /* none at all */
};

/* Hands encapsulated frames to an uplink; writes drop of each. All have the same outer length. */
typedef void (*overlay_send)(struct port *uplink, struct frame_out *outs, uint16_t n,
			     uint8_t outer_len);

struct overlay_tunnel {
	struct port *port; /* NULL: this index is no tunnel */
	uint16_t peer;	   /* index in the table */
	uint16_t sw;	   /* switch it is attached to */
};

struct overlay_uplink {
	struct port *port;
	overlay_send send;
};

struct overlay_view {
	struct vtep_table *table; /* owned */
	uint16_t n_uplinks;
	struct overlay_uplink
		uplinks[OVERLAY_UPLINKS_MAX]; /* vtep_nexthop.uplink is an index here */
	uint32_t n_tunnels;
	struct overlay_tunnel *tunnels; /* owned, by port index */
	uint32_t n_switches;
	uint16_t *tunnel_of; /* owned, [peer * n_switches + sw]: port index or VTEP_NONE */
	struct overlay_limits *limits; /* owned, by VNI index */
};

/* Per VNI, by slot; added to atomically. */
struct overlay_counters {
	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes; /* inner frames */
	uint64_t rx_drops, tx_drops, suppressed, too_big_answers, announced;
	uint64_t drops[DROP_N]; /* of both directions, by reason */
} __attribute__((aligned(64)));

/* Per remote VTEP, by slot: what it sent and was refused, by reason. Added to atomically. */
struct overlay_vtep_counters {
	uint64_t rx_drops[DROP_N];
};

struct overlay_meters {
	struct bum_meter bum, too_big, bfd;
};

/** overlay_view_current() - For workers, within a burst; NULL when there is no overlay */
const struct overlay_view *overlay_view_current(void);

/**
 * overlay_publish() - Make @next the workers' view
 * @next: owned from now on; NULL: no overlay
 *
 * Returns after the grace period; the previous view has been freed. Context: control thread.
 */
void overlay_publish(struct overlay_view *next);

/** overlay_view_free() - Free a view that was never published; NULL is fine */
void overlay_view_free(struct overlay_view *view);

/** overlay_counters() - Of a VNI's slot, 0..VTEP_VNIS_MAX-1; never NULL */
struct overlay_counters *overlay_counters(uint16_t slot);
struct overlay_meters *overlay_meters(uint16_t slot);

/** overlay_vtep_counters() - Of a remote VTEP's slot, 0..VTEP_PEERS_MAX-1; never NULL */
struct overlay_vtep_counters *overlay_vtep_counters(uint16_t slot);

/** overlay_neigh_current() - Who has which address; NULL: nobody is known. For workers, within a burst. */
const struct neigh_table *overlay_neigh_current(void);

/**
 * overlay_neigh_publish() - Make @next the workers' table
 * @next: owned from now on; NULL: nobody is known
 *
 * Returns after the grace period; the previous one has been freed. Context: control thread.
 */
void overlay_neigh_publish(struct neigh_table *next);

/** overlay_generation() - A number that each overlay_publish() changes. Context: control thread. */
uint64_t overlay_generation(void);

/** overlay_counters_share() - From now on others than workers add to VNIs' counters, atomically. Context: control thread. */
void overlay_counters_share(void);

extern bool overlay_workers_many; /* for overlay_count(): counters have several writers */

/**
 * overlay_count() - Add to a counter that workers share, and others after overlay_counters_share()
 *
 * A locked addition costs as much as encapsulating a frame, so there is none while there is one worker.
 */
static inline void overlay_count(uint64_t *counter, uint64_t n)
{
	if (overlay_workers_many)
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
	else
		stats_add(counter, n);
}

/**
 * overlay_reply_push() - Let a frame that was made here enter the datapath
 * @reply: copied; untagged
 * @port:  index of the port it shall seem to have come from: a tunnel for an answer in the name of a station there
 * @vid:   VLAN
 * @learn: its source is behind that port indeed; else nothing is learned from it
 *
 * Return: false if too many wait. Context: any thread.
 */
bool overlay_reply_push(const struct reply *reply, uint16_t port, uint16_t vid, bool learn);

/**
 * overlay_reply_pop() - Take waiting answers; BFD packets that wait (liveness.h) go out on the way
 * @frames:  out, in_port and given_vid set
 * @storage: FRAME_BURST entries, hold the answers as long as the frames are used
 * Return: how many, at most @max.
 */
uint16_t overlay_reply_pop(struct frame *frames, struct reply *storage, uint16_t max);
bool overlay_reply_waits(void);

#endif
