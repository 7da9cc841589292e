/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type "uplink": an interface that carries VXLAN packets between hosts. The kernel keeps it, with addresses, routes and
 * ARP; only UDP to our VTEP addresses and port is ours.
 *
 * rx() returns inner frames that name the tunnel they came through (port_ops.rx_for_others). Sending is uplink_send(), which the
 * tunnels' ports call; the uplink itself is on no switch.
 */
#ifndef TAP_UPLINK_PORT_H
#define TAP_UPLINK_PORT_H

#include "port.h"
#include "vxlan/vxlan.h"

#define UPLINK_LOCALS_MAX 4

enum uplink_mode { UPLINK_AUTO, UPLINK_AF_XDP, UPLINK_AF_PACKET };

struct uplink_config {
	uint16_t udp_port;
	uint8_t mode;  /* enum uplink_mode */
	char pci[16];  /* of a card that netloomd drives itself, or "": a kernel interface */
	bool shortcut; /* TCP of TAP ports may go through the kernel by itself: shortcut.h */
	uint8_t n_locals;
	struct vxlan_ip locals[UPLINK_LOCALS_MAX]; /* our VTEP addresses */
};

/* What the kernel says of the interface now. */
struct uplink_link {
	int ifindex;	 /* 0: it is not there */
	bool usable;	 /* it is up and has a carrier */
	bool is_virtual; /* no hardware behind it: veth, bridge, bond, ... */
	uint32_t mtu;
	uint8_t mac[6];
	const char *detail; /* a sentence if it is not usable, or ""; copied */
};

/**
 * uplink_port_new() - Make the port; it is bound to no interface yet
 * @spec: name, ifname; config.pci is ""
 *
 * Return: 0, or -errno with @err filled; it ends with ops->close(). Context: control thread.
 */
int uplink_port_new(const struct port_spec *spec, const struct uplink_config *config,
		    struct port **out, struct err *err);

/**
 * uplink_port_follow() - Fit the port to what the interface is now
 *
 * An interface that was deleted and made again is bound anew. AF_XDP is set up as soon as it can be, and again when queues, MTU or MAC
 * address change. Context: control thread; may wait a grace period.
 */
void uplink_port_follow(struct port *port, const struct uplink_link *link);

/** uplink_send() - Fits overlay_send: segments, checksums, and out. Context: workers. */
void uplink_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len);

#endif
