/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type "tap": a network interface of the host's kernel.
 *
 * Frames move with one readv/writev each (TAP has no batching for user space), but with a virtio-net header in front: a frame may
 * be 64 KiB of TCP that neither side has cut or summed, so that bulk traffic costs few system calls. The payload is copied
 * once, by the kernel.
 *
 * This folder makes the interface and moves its frames. Names in other namespaces, addresses, MTU and link state are
 * netlink's: control/nl/.
 */
#ifndef TAP_TAP_PORT_H
#define TAP_TAP_PORT_H

#include "port.h"

/*
 * port_spec: ifname (may be ""), n_queues. An existing persistent TAP interface of that name is used as it is,
 * if nobody else holds it.
 */
extern const struct port_ops tap_port_ops;

/**
 * tap_port_ifname() - What the interface is called now, in whichever namespace it is
 * @name: out, 16 bytes
 *
 * Also the name status() speaks of once the interface is gone: ask again after renaming it.
 * Return: 0, or -ENODEV when it was deleted. Context: control thread.
 */
int tap_port_ifname(struct port *port, char name[16]);

/**
 * tap_port_set_carrier() - Let the host see the cable plugged or pulled
 * Return: 0 or -errno. Context: control thread.
 */
int tap_port_set_carrier(struct port *port, bool on);

#endif
