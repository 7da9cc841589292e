/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of port types, and the few things all ports share.
 */
#include "port.h"

#include <string.h>

#include "pcap/pcap_port.h"
#include "vhost/vhost_port.h"
#include "worker.h"

const struct port_ops *const port_types[] = {
	&vhost_port_ops,
	&pcap_port_ops,
	NULL,
};

const struct port_ops *port_ops_find(const char *type)
{
	for (size_t i = 0; port_types[i] != NULL; i++)
		if (strcmp(port_types[i]->type, type) == 0)
			return port_types[i];
	return NULL;
}

void port_init(struct port *port, const struct port_ops *ops, const struct port_spec *spec)
{
	memset(port, 0, sizeof(*port));
	port->ops = ops;
	port->spec = *spec;
}

void port_peer_changed(struct port *port)
{
	atomic_store_explicit(&port->peer_changed, true, memory_order_release);
	workers_wake();
	workers_notify_control();
}

void port_quiesce(void)
{
	workers_quiesce();
}
