/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-net, served over vhost-user by whoever connects: virtio 1.2 §5.1.
 *
 * We listen on a Unix socket; the switch connects, and connects again when it was restarted. Without a
 * switch the guest sees no carrier.
 */
#ifndef VM_VIRTIO_NET_H
#define VM_VIRTIO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NET_PAIRS_MAX	       16
#define NET_QUEUE_SIZE_DEFAULT 512
#define NET_MTU_MIN	       68
#define NET_MTU_MAX	       9216

struct virtio_dev;
struct vm;

/*
 * Which checksum and segmentation offloads the guest is offered. A driver asks once, at its start, and the
 * answer has to hold for every switch that connects later: one that lacks what the driver accepted is refused.
 */
enum net_offloads {
	NET_OFFLOADS_AUTO, /* what the connected switch has; all, when none connects in NET_BACKEND_WAIT_MS */
	NET_OFFLOADS_ON, /* all, never wait */
	NET_OFFLOADS_OFF /* none: works with every switch */
};

/* How long after net_new() a driver's first reset is held back for the switch to connect. */
#define NET_BACKEND_WAIT_MS 1500

struct net_options {
	const char *id;	    /* "eth1"; shown in logs and by status; unique */
	const char *socket; /* path we listen on, at most 107 bytes */
	bool is_listening; /* listen_fd listens there already; net_new() takes it over when it succeeds */
	int listen_fd;
	uint8_t mac[6];	     /* unicast */
	uint16_t n_pairs;    /* queue pairs, 1..NET_PAIRS_MAX; 0 means 1 */
	uint16_t queue_size; /* power of two, 64..VIRTIO_QUEUE_SIZE_MAX; 0 means the default */
	uint16_t mtu;	     /* NET_MTU_MIN..NET_MTU_MAX; 0: the guest chooses */
	bool link_up;	     /* at start, see net_link_set() */
	enum net_offloads offloads;
	bool packed; /* the driver may choose packed rings */
};

struct net_status {
	char id[64];
	uint8_t mac[6]; /* the one in config space */
	bool link_up;	/* as set by net_link_set() */
	bool connected; /* a switch is attached and was not refused */
	bool carrier;	/* what the guest sees: both of the above */
	bool running;	/* the driver is up and the switch has been given the rings */
	uint16_t n_pairs;
	uint16_t n_active_pairs; /* enabled by the driver */
	uint64_t features;	 /* accepted by the driver */
	uint64_t backend_features;
	uint64_t n_connects; /* switches accepted so far */
	uint64_t n_refused;  /* switches turned away: protocol errors, missing features, timeouts */
};

/**
 * net_new() - Make a network card and listen on its socket
 * @options: borrowed for the call
 *
 * Return: a device to hand to virtio_pci_plug(), which owns it from then on; NULL with @err set.
 */
struct virtio_dev *net_new(struct vm *vm, const struct net_options *options, struct err *err);

/** net_link_set() - Pull the cable, or plug it in. Main thread. */
void net_link_set(struct virtio_dev *dev, bool up);

/** net_status() - How the card is doing. Main thread. */
void net_status(struct virtio_dev *dev, struct net_status *status);

#endif
