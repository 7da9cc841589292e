/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port: where frames come from and go to. The contract between the pipeline and what is behind
 * it.
 *
 * Life of a port: open() and close() run on the control thread. Between them the port is named by
 * snapshots, and the workers call the rest. close() is called a grace period after the last
 * snapshot that named it was replaced, so no worker can be inside. A peer may connect and vanish at
 * any time in between: that is the port's business; without a peer rx gives nothing and tx drops
 * with DROP_NOT_CONNECTED.
 *
 * Threads: a given rx queue is polled by one worker at a time. tx on one queue may be called by
 * several workers, the port serialises them with a lock that is held only for the copy. No callback
 * for workers may block, allocate or make a system call per frame (waking the peer, once per burst,
 * is the exception).
 */
#ifndef DATAPATH_PORT_H
#define DATAPATH_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "frame.h"
#include "stats.h"

#define PORT_NAME_MAX	 64 /* with the NUL */
#define PORT_PATH_MAX	 108
#define PORT_QUEUES_MAX	 16
#define PORT_WORKERS_MAX 16

/* What a receiver takes without our help. */
enum { PORT_TX_CSUM = 1, PORT_TX_TSO4 = 2, PORT_TX_TSO6 = 4, PORT_TX_ECN = 8, PORT_TX_UFO = 16 };

/*
 * What the user asked for. Validated by control before it gets here; immutable while the port
 * lives.
 */
struct port_spec {
	char name[PORT_NAME_MAX];
	char type[16];
	uint16_t n_queues; /* pairs, 1..PORT_QUEUES_MAX */
	/* vhost-user: the socket; pcap: file to receive from, "" for none */
	char path[PORT_PATH_MAX];
	char tx_path[PORT_PATH_MAX]; /* pcap: file to send to, "" for none */
	bool server;		     /* vhost-user: we listen */
	char ifname[16]; /* tap: name of the kernel interface, "" when the kernel may choose */
};

/*
 * Written by one thread at a time or atomically, read by control with relaxed loads. Who counts:
 * the pipeline counts packets and bytes of both directions, and rx wakeups; the port counts tx
 * wakeups under its tx lock.
 */
struct port_queue_stats {
	uint64_t pkts;
	uint64_t bytes;
	uint64_t wakeups; /* notifications sent to the peer (tx) or sleeps ended by it (rx) */
} __attribute__((aligned(64)));

struct port_drops {
	uint64_t by_reason[DROP_N];
} __attribute__((aligned(64)));

struct port_status {
	bool connected;	   /* a peer is attached */
	bool running;	   /* its driver has started: frames can flow */
	uint16_t n_queues; /* pairs in use */
	uint64_t features; /* virtio feature bits negotiated, 0 for other types */
	bool packed;	   /* packed ring layout */
	uint32_t ring_size;
	uint64_t n_connects;
	uint64_t n_bad_rings; /* times a queue was stopped for a malformed ring */
	char detail[256];     /* a sentence when something is wrong, "" otherwise */
	const char *io;	      /* how frames move where there are several ways: "af_xdp"; NULL */
	char io_detail[128];  /* why so, or how exactly; "" */
};

struct port;

struct port_ops {
	const char *type; /* as in port_spec.type */

	/*
	 * Make the port. The returned object embeds struct port as its first member and has been
	 * through port_init(). Never waits for a peer.
	 * Return: 0, or -errno with @err filled.
	 */
	int (*open)(const struct port_spec *spec, struct port **out, struct err *err);
	/* Undo open(): disconnect, remove sockets that we made, free. */
	void (*close)(struct port *port);
	/* Any thread. */
	void (*status)(struct port *port, struct port_status *status);

	/*
	 * Up to @max frames of one queue: hdr, hdr_len, len, segs, n_segs, offload are filled in.
	 * Malformed input is counted (port_drop) and skipped, never returned.
	 */
	uint16_t (*rx)(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
		       uint16_t max);
	/*
	 * The frames of the last rx() on this queue are no longer needed: give the buffers back,
	 * wake the peer. Not called after an rx() that returned none.
	 */
	void (*rx_release)(struct port *port, uint16_t queue);
	/*
	 * Deliver, in order. Copies everything it needs before it returns. out[i].drop is DROP_NONE
	 * for what was taken and the reason for what was not; the caller counts. @queue is below
	 * spec.n_queues and stays the same for a flow; the port maps it onto the queues its peer
	 * has enabled. May be NULL for a port that cannot send.
	 */
	void (*tx)(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n);

	/*
	 * For a worker that is about to sleep: an fd that becomes readable means rx may have work;
	 * -1 when there is none (yet). It is watched edge-triggered, so nobody has to read it.
	 */
	int (*rx_fd)(struct port *port, uint16_t queue);
	/*
	 * Ask the peer to signal (or to stop signalling) new frames.
	 * Return: true if frames are already waiting, so that the caller must not sleep.
	 */
	bool (*rx_arm)(struct port *port, uint16_t queue, bool armed);

	/*
	 * rx() sets in_port itself, because the frames came in through other ports that this one carries (an uplink and its
	 * tunnels). An index that no port has makes the frame this port's own. What came in is rx()'s to count in rxq.
	 */
	bool rx_for_others;

	/*
	 * rx() is a system call also when nothing waits. A worker that has only such queues does not spin on them when it has no
	 * work: it would take from the senders the CPU they need to give it some.
	 */
	bool rx_is_call;
};

struct port {
	const struct port_ops *ops;
	struct port_spec spec;
	_Atomic uint32_t tx_offloads;	/* PORT_TX_*, changes when a peer connects */
	_Atomic uint32_t rx_generation; /* bumped when rx_fd() may have changed */
	_Atomic bool peer_changed; /* set by port_peer_changed(), cleared when control was told */
	struct port_queue_stats rxq[PORT_QUEUES_MAX];
	struct port_queue_stats txq[PORT_QUEUES_MAX];
	/* What the kernel forwarded by itself (tap/shortcut.h), received and sent. Control's. */
	struct port_queue_stats kernel_rx, kernel_tx;
	struct port_drops drops[PORT_WORKERS_MAX]; /* indexed by worker */
};

/** port_init() - Fill the embedded part of a new port; called by open() */
void port_init(struct port *port, const struct port_ops *ops, const struct port_spec *spec);

/** port_drop() - Count @n frames under @reason, as worker @worker */
static inline void port_drop(struct port *port, uint16_t worker, enum drop_reason reason,
			     uint64_t n)
{
	stats_add(&port->drops[worker].by_reason[reason], n);
}

/** port_ops_find() - Look a type up in port_types[], NULL if there is none */
const struct port_ops *port_ops_find(const char *type);

/* All types this daemon knows, NULL-terminated: port.c is the place to add one. */
extern const struct port_ops *const port_types[];

/**
 * port_peer_changed() - Tell whoever sleeps that ports' fds or links changed
 *
 * Called by a port from any thread after rx_generation was bumped; wakes the workers and
 * notifies the control thread (which reports link events).
 */
void port_peer_changed(struct port *port);

/**
 * port_quiesce() - Wait until no worker can be inside a callback that began before the call
 *
 * For ports whose peer goes away on a thread of their own: mark the queue unusable, quiesce, then
 * let go of its memory. Never called from a worker.
 */
void port_quiesce(void);

#endif
