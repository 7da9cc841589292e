/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All that the workers know of the configuration: immutable, replaced as a whole.
 *
 * Control builds the next snapshot beside the running one, publishes it with one pointer store and
 * frees the old one after every worker has passed a quiescent state (rte_rcu_qsbr). Workers only
 * ever see `const struct snapshot *`. Port and switch indices are stable from snapshot to snapshot
 * as long as the object lives.
 */
#ifndef DATAPATH_SNAPSHOT_H
#define DATAPATH_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb.h"
#include "impair/impair.h"
#include "mirror.h"
#include "port.h"
#include "probe/point.h"
#include "vlan.h"

#define SNAPSHOT_PORTS_MAX    8192
#define SNAPSHOT_SWITCHES_MAX 4095
#define SNAPSHOT_NONE	      UINT16_MAX

struct probe;

enum port_role {
	PORT_UNUSED,   /* a hole in the index */
	PORT_DETACHED, /* exists, belongs to nothing */
	PORT_SWITCHED, /* a member of a switch */
	PORT_WIRE      /* everything goes to `peer`, untouched */
};

/* Looks at an ARP or IPv6 neighbour discovery frame that was admitted. Context: workers, must not block. */
typedef void (*snapshot_snoop)(const struct frame *f, uint16_t sw, uint32_t now_s);

struct port_config {
	struct port *port; /* NULL for PORT_UNUSED and for patch ends, which have no I/O */
	/* [PORT_WORKERS_MAX], patch ends only: their counters, see patch_stats */
	struct port_drops *patch_drops;
	struct port_queue_stats
		*patch_stats; /* [2 * PORT_WORKERS_MAX], patch ends only: worker w receives in
					       * [2 * w] and sends in [2 * w + 1] */
	uint8_t role;	      /* enum port_role */
	/* leads to another host: nothing goes from tunnel to tunnel (split horizon) */
	bool is_tunnel;
	/* one end of a link between two switches: output means a second pass at `peer` */
	bool is_patch;
	/* is_patch or impaired on the way out: not simply sent; by snapshot_finish() */
	bool has_detour;
	bool admin_up;
	bool snoops;			  /* snapshot.snoop is shown ARP and ND that come in here */
	uint16_t sw;			  /* switch index, SNAPSHOT_NONE unless PORT_SWITCHED */
	uint16_t peer;			  /* other end of a wire or patch, else SNAPSHOT_NONE */
	uint16_t mtu;			  /* L3 bytes; a frame may have 14 + tags more */
	uint32_t fdb_limit;		  /* entries it may learn, 0: no limit */
	bool sticky;			  /* what it learns is sticky */
	const struct port_impair *impair; /* NULL: the link is as good as it gets */
	uint32_t mirror_in, mirror_out;	  /* snapshot.mirrors[] that copy from here, a bit each */
	uint64_t watch[PROBE_POINTS];	  /* snapshot.probes[] that look here, a bit each */
	struct vlan_port vlan;
};

/* The bad sides of a port's link, by enum impair_direction. A direction without `state` has none. */
struct port_impair {
	struct impair
		*state[IMPAIR_DIRECTIONS]; /* borrowed, lives as long as the port is impaired */
	struct impair_params params[IMPAIR_DIRECTIONS];
};

enum reserved_action { RESERVED_DROP, RESERVED_FORWARD, RESERVED_PEER };

struct switch_config {
	bool used;
	uint8_t reserved[16]; /* enum reserved_action for 01:80:C2:00:00:0X */
	uint16_t peer_port;   /* where RESERVED_PEER frames go, or SNAPSHOT_NONE */
	bool learning;
	uint32_t ageing_s; /* 0: never */
	uint32_t n_ports;
	const uint16_t *ports; /* members, for floods; owned by the snapshot */
};

/*
 * What a worker does for a port, numbered: its rx queues are polled, and behind them its impaired directions are emptied. Each is one worker's
 * duty, and may change hands.
 */
#define SNAPSHOT_DUTIES_MAX	      (PORT_QUEUES_MAX + IMPAIR_DIRECTIONS)
#define SNAPSHOT_DIRECTION(direction) (PORT_QUEUES_MAX + (direction))

struct poll_entry {
	uint16_t port;
	uint8_t queue;
	bool is_taken_over; /* another worker polled it in the snapshot before */
};

/* First those whose frames go straight into the pipeline, then the n - n_plain that are impaired on the way in. */
struct poll_list {
	uint32_t n;
	uint32_t n_plain;
	/* owned by the snapshot; as many more behind them are room for snapshot_hold() */
	const struct poll_entry *entries;
};

struct snapshot {
	uint64_t generation;
	struct fdb *fdb; /* borrowed, outlives all snapshots */
	snapshot_snoop snoop;
	uint16_t n_ports;
	uint16_t n_switches;
	struct port_config *ports;
	struct switch_config *switches;
	struct port_impair *impairs; /* what ports[].impair point to; owned by the snapshot */
	uint16_t n_workers;
	uint8_t *
		doers; /* [n_ports][SNAPSHOT_DUTIES_MAX]: see snapshot_move(); owned by the snapshot */
	uint16_t n_impaired;
	uint16_t *impaired; /* indices of the ports that are, by snapshot_finish(); owned */
	/* [n_ports]: impaired directions that another worker emptied in the snapshot before, a bit each; owned by the snapshot */
	uint8_t *taken_over;
	bool is_interim;      /* in which nobody empties these: see snapshot_hold() */
	uint32_t mirrored_in; /* mirrors that copy what comes in, on any port */
	struct mirror *mirrors[MIRRORS_MAX]; /* borrowed, as the probes are */
	uint16_t mirror_to[MIRRORS_MAX];     /* port with I/O */
	uint64_t watched_in; /* probes that look at frames as they come in, on any port */
	uint64_t traces;     /* those of them that trace */
	bool is_watched; /* there is a probe or a mirror on some port: else none of the above is looked at */
	struct probe *probes[PROBES_MAX]; /* borrowed: they outlive the snapshots that name them */
	struct poll_list polls[PORT_WORKERS_MAX];
};

/**
 * snapshot_new() - Allocate an empty snapshot for control to fill in
 * Return: NULL when memory does not suffice.
 */
struct snapshot *snapshot_new(struct fdb *fdb, uint16_t n_ports, uint16_t n_switches,
			      uint16_t n_workers);

/**
 * snapshot_move() - Have a port's duty done by @worker, not by the one it begins with; before snapshot_finish()
 * @duty: an rx queue, or SNAPSHOT_DIRECTION()
 */
void snapshot_move(struct snapshot *snapshot, uint16_t port, uint16_t duty, uint16_t worker);

/**
 * snapshot_doer() - The worker that polls an rx queue of a port, or empties one of its impaired directions
 *
 * A queue begins with worker (port index + queue) % n_workers, a direction with that of queue 0.
 */
static inline uint16_t snapshot_doer(const struct snapshot *snapshot, uint32_t port, uint32_t duty)
{
	uint8_t moved = snapshot->doers[port * SNAPSHOT_DUTIES_MAX + duty];

	if (moved != 0)
		return moved - 1;
	return (uint16_t)((port + (duty < PORT_QUEUES_MAX ? duty : 0)) % snapshot->n_workers);
}

/** snapshot_empties() - Whether @worker may take frames out of an impaired direction of a port: at no time two may */
static inline bool snapshot_empties(const struct snapshot *snapshot, uint32_t port,
				    uint32_t direction, uint16_t worker)
{
	if (snapshot->is_interim && (snapshot->taken_over[port] >> direction & 1) != 0)
		return false;
	return snapshot_doer(snapshot, port, SNAPSHOT_DIRECTION(direction)) == worker;
}

/**
 * snapshot_finish() - Derive what control did not fill in: switches' member lists, workers' poll
 * lists
 *
 * Call once, after ports[], switches[] and the moves are complete.
 * Return: 0 or -ENOMEM.
 */
int snapshot_finish(struct snapshot *snapshot);

/**
 * snapshot_hold() - The snapshot that lies between two of which the second has duties change hands
 * @next:    finished; duties that it takes from another worker are marked in it
 * @current: that the workers have
 * @interim: out: @next, except that nobody polls the queues and empties the directions that change hands. Borrows all of @next: never snapshot_free()
 *           it, and do not use it any longer than @next
 *
 * Two workers on neighbouring snapshots would see to them together. On @current and @interim, and on @interim and @next,
 * they do not: one of the two has nobody for them. Frames still enter such a direction: the one who will empty it looks for them when @next
 * is new to it.
 * Return: whether anything changes hands; if not, @interim is not filled in.
 */
bool snapshot_hold(struct snapshot *next, const struct snapshot *current, struct snapshot *interim);

/** port_impair_state() - The impaired direction of a port, NULL if that direction is not impaired */
static inline struct impair *port_impair_state(const struct port_config *port,
					       enum impair_direction direction)
{
	return port->impair == NULL ? NULL : port->impair->state[direction];
}

/** snapshot_free() - Free the snapshot, not the ports and counters it names; NULL is fine */
void snapshot_free(struct snapshot *snapshot);

/** snapshot_port() - The configuration of a port index, NULL for holes and what is out of range */
static inline const struct port_config *snapshot_port(const struct snapshot *snapshot,
						      uint32_t index)
{
	if (index >= snapshot->n_ports || snapshot->ports[index].role == PORT_UNUSED)
		return NULL;
	return &snapshot->ports[index];
}

#endif
