/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type "vhost-user": the network card of a virtual machine, or of any other vhost-user front-end.
 *
 * rte_vhost speaks the protocol (socket, reconnect, memory table, negotiation); the rings are worked here, directly in
 * guest memory, so that a payload is copied once, from the sender's buffers into the receiver's.
 */
#ifndef DATAPATH_VHOST_VHOST_PORT_H
#define DATAPATH_VHOST_VHOST_PORT_H

#include "port.h"

extern const struct port_ops vhost_port_ops;

#endif
