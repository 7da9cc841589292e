/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside virtio-net: net.c is the device the driver sees, net_backend.c brings the vhost-user front-end to
 * where the driver wants it, net_control.c answers the control queue.
 */
#ifndef VM_VIRTIO_NET_DEV_H
#define VM_VIRTIO_NET_DEV_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/frontend.h"
#include "virtio/net.h"
#include "virtio/net_features.h"
#include "virtio/queue.h"
#include "virtio/virtio.h"

#define NET_S_LINK_UP  1
#define NET_S_ANNOUNCE 2

struct event;

/* virtio 1.2 §5.1.4, little endian; rss fields are not offered */
struct net_config {
	uint8_t mac[6];
	uint16_t status;
	uint16_t max_virtqueue_pairs;
	uint16_t mtu;
	uint32_t speed; /* Mbit/s */
	uint8_t duplex;
} __attribute__((packed));

struct net {
	struct virtio_dev dev; /* first */
	char id[64];
	enum net_offloads offloads;
	bool packed; /* offered */
	uint16_t n_pairs;
	struct vhost_frontend *frontend; /* main thread only */

	/* under dev.lock */
	struct net_config config;
	uint64_t offered; /* constant while a driver is at work */
	bool link_up;	  /* the cable */
	bool backend_up;  /* a switch is attached, and has the rings if there are any */
	bool backend_known;
	uint64_t backend_features; /* of the last one seen */
	bool activated;		   /* DRIVER_OK; run is filled */
	bool given;		   /* the front-end was told to run, and has not halted since */
	uint16_t n_active_pairs;
	uint64_t guest_offloads;	   /* wanted by the driver at the moment */
	bool run_changed, enabled_changed; /* by the control queue: to be passed on */
	struct vhost_run run;

	/* main thread only */
	int wake_fd; /* vCPUs signal it: net_backend_sync() has work */
	struct event *wake;
	struct event *wait_over;    /* NET_BACKEND_WAIT_MS have passed */
	struct event *announce;	    /* a moment after the link came up */
	struct event *control_kick; /* while a driver is at work */
	bool waited;		    /* the wait is over */
	bool was_connected;	    /* by a switch before */
	struct queue_chain *chain;  /* the control queue's */
};

static inline struct net *net_from(struct virtio_dev *dev)
{
	return (struct net *)dev;
}

/** net_wake() - Have net_backend_sync() run on the main thread. Any thread. */
void net_wake(struct net *net);

/** net_reset_may_finish() - Nobody has the rings, and the switch was given time to appear. dev.lock held */
bool net_reset_may_finish(struct net *net);

/** net_reset_finish() - Forget the driver. dev.lock held */
void net_reset_finish(struct net *net);

/** net_carrier_sync() - Show the guest the link as it is now; interrupt if that is news. dev.lock held */
void net_carrier_sync(struct net *net);

/** net_enabled_rings() - Bit per ring of the active pairs. dev.lock held */
uint64_t net_enabled_rings(const struct net *net);

/** net_backend_sync() - Bring the front-end to where the driver wants it. Main thread, lock not held */
void net_backend_sync(struct net *net);

/** net_announce_soon() - Have the guest tell the switch its addresses, once it has seen the link. Main thread */
void net_announce_soon(struct net *net);

extern const struct vhost_frontend_ops net_backend_ops;

/** net_control_index() - Which queue is the control queue (§5.1.2). dev.lock held */
uint16_t net_control_index(const struct net *net);

/** net_control_serve() - Answer all waiting commands. Main thread, dev.lock held */
void net_control_serve(struct net *net);

#endif
