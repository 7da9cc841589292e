/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type "vxlan": what stands for a remote VTEP on a switch. Sending is encapsulation and an uplink's send; receiving is the
 * uplink's business, which names this port as the one its inner frames came from.
 */
#ifndef VXLAN_TUNNEL_PORT_H
#define VXLAN_TUNNEL_PORT_H

#include "port.h"

/** tunnel_port_new() - Make a tunnel's port
 * @spec:  name and type; borrowed
 * @index: of the port in snapshots and in struct overlay_view, for as long as it lives
 *
 * Return: 0, or -ENOMEM with @err filled; it ends with ops->close(). Context: control thread.
 */
int tunnel_port_new(const struct port_spec *spec, uint16_t index, struct port **out,
		    struct err *err);

/**
 * tunnel_port_explain() - Say what status() shall say of the way to the remote VTEP
 * @usable: frames get there
 * @detail: a sentence if not, or ""; copied
 */
void tunnel_port_explain(struct port *port, bool usable, const char *detail);

#endif
