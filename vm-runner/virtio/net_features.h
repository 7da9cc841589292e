/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-net's feature bits (virtio 1.2 §5.1.3) and who decides on them. Pure. */
#ifndef VM_VIRTIO_NET_FEATURES_H
#define VM_VIRTIO_NET_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/net.h"

#define NET_F_CSUM		  0
#define NET_F_GUEST_CSUM	  1
#define NET_F_CTRL_GUEST_OFFLOADS 2
#define NET_F_MTU		  3
#define NET_F_MAC		  5
#define NET_F_GUEST_TSO4	  7
#define NET_F_GUEST_TSO6	  8
#define NET_F_GUEST_ECN		  9
#define NET_F_HOST_TSO4		  11
#define NET_F_HOST_TSO6		  12
#define NET_F_HOST_ECN		  13
#define NET_F_MRG_RXBUF		  15
#define NET_F_STATUS		  16
#define NET_F_CTRL_VQ		  17
#define NET_F_CTRL_RX		  18
#define NET_F_GUEST_ANNOUNCE	  21
#define NET_F_MQ		  22
#define NET_F_CTRL_MAC_ADDR	  23
#define NET_F_SPEED_DUPLEX	  63

struct net_features_in {
	enum net_offloads offloads;
	bool multiqueue;	   /* more than one pair */
	bool mtu;		   /* config space has one */
	bool packed;		   /* packed rings may be used */
	bool backend_known;	   /* a switch has been seen */
	uint64_t backend_features; /* of the last one seen */
};

/** net_features_offered() - What the driver may accept */
uint64_t net_features_offered(const struct net_features_in *in);

/** net_features_missing() - What the driver accepted, the data path needs, and the back-end has not */
uint64_t net_features_missing(uint64_t acked, uint64_t backend);

/**
 * net_features_run() - What the back-end is told
 * @guest_offloads: the subset of the GUEST_ bits the driver wants at the moment (§5.1.6.5.6)
 */
uint64_t net_features_run(uint64_t acked, uint64_t backend, uint64_t guest_offloads);

/** net_features_guest_offloads() - The bits CTRL_GUEST_OFFLOADS is about, among those accepted */
uint64_t net_features_guest_offloads(uint64_t acked);

#endif
