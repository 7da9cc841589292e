/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type "uplink": a kernel interface that carries VXLAN packets between hosts. The kernel keeps it, with addresses, routes
 * and ARP; only UDP to our VTEP addresses and port is ours.
 *
 * rx() returns inner frames that name the tunnel they came through (port_ops.rx_for_others). Sending is uplink_send(), which the
 * tunnels' ports call; the uplink itself is on no switch.
 */
#ifndef TAP_UPLINK_PORT_H
#define TAP_UPLINK_PORT_H

#include "port.h"
#include "vxlan/vxlan.h"

#define UPLINK_LOCALS_MAX 4

struct uplink_config {
	uint16_t udp_port;
	uint8_t n_locals;
	struct vxlan_ip locals[UPLINK_LOCALS_MAX]; /* our VTEP addresses */
};

/**
 * uplink_port_new() - Make the port; it is bound to no interface yet
 * @spec: name, ifname
 *
 * Return: 0, or -errno with @err filled; it ends with ops->close(). Context: control thread.
 */
int uplink_port_new(const struct port_spec *spec, const struct uplink_config *config,
		    struct port **out, struct err *err);

/**
 * uplink_port_follow() - What the kernel says of the interface now
 * @ifindex: 0: it is not there
 * @usable:  it is up and has a carrier
 * @detail:  a sentence if not, or ""; copied
 *
 * An interface that was deleted and made again is bound anew. Context: control thread.
 */
void uplink_port_follow(struct port *port, int ifindex, bool usable, const char *detail);

/** uplink_send() - Fits overlay_send: segments, checksums, and out. Context: workers. */
void uplink_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len);

#endif
