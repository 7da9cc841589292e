/* SPDX-License-Identifier: BSD-3-Clause */
#include "port_open.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tap/erspan_port.h"
#include "tap/nic_device.h"
#include "tap/tap_port.h"
#include "tap/uplink_nic.h"
#include "tap/uplink_port.h"
#include "vxlan/tunnel_port.h"

#define CARD_PAUSE_NS (30 * CLOCK_NS_PER_SECOND) /* drivers take their time, and log each try */

const struct port_ops *const control_port_types[] = {
	&tap_port_ops,
	NULL,
};

static const struct port_ops *ops_find(const char *type)
{
	for (size_t i = 0; control_port_types[i] != NULL; i++) {
		if (strcmp(control_port_types[i]->type, type) == 0)
			return control_port_types[i];
	}
	return port_ops_find(type);
}

static bool is_tap(const struct model_port *port)
{
	return strcmp(port->spec.type, MODEL_TYPE_TAP) == 0;
}

/*
 * The interface is made here under a name of the kernel's choice if it belongs elsewhere, and gets its own name on the way:
 * "eth1" may be taken in this namespace and free in that one.
 */
static int tap_open(const struct model_port *port, struct port **out, struct err *err)
{
	struct nl_link_setup setup = {
		.netns = port->tap.netns,
		.new_name = port->spec.ifname,
		.mac = port->tap.has_mac ? port->tap.mac : NULL,
		.mtu = port->mtu,
		.up = true,
		.n_addresses = port->tap.n_addresses,
		.addresses = port->tap.addresses,
	};
	struct port_spec spec = port->spec;
	char name[NL_IFNAME_MAX];
	int ret;

	if (port->tap.netns[0] != '\0')
		spec.ifname[0] = '\0';
	ret = tap_port_ops.open(&spec, out, err);
	if (ret != 0)
		return ret;
	ret = tap_port_ifname(*out, name);
	if (ret != 0) {
		ret = err_set(err, -ret, "interface %s was deleted at once by somebody else",
			      port->spec.ifname);
		goto close_port;
	}
	setup.ifname = name;
	ret = nl_link_configure(&setup, err);
	if (ret != 0)
		goto close_port;
	tap_port_ifname(*out, name);
	tap_port_set_carrier(*out, port->admin_up);
	return 0;

close_port:
	tap_port_ops.close(*out);
	*out = NULL;
	return ret;
}

/* The card's shadow gets the card's MAC address, and is set up like a tap. */
static int card_open(const struct model_port *port, struct port **out, struct err *err)
{
	struct nl_link_setup setup = {
		.ifname = port->spec.ifname,
		.mtu = port->mtu,
		.up = true,
		.n_addresses = port->tap.n_addresses,
		.addresses = port->tap.addresses,
	};
	int ret = uplink_nic_new(&port->spec, &port->uplink.config, port->mtu, out, err);

	if (ret != 0)
		return ret;
	setup.mac = uplink_nic_mac(*out);
	ret = nl_link_configure(&setup, err);
	if (ret == 0)
		return 0;
	(*out)->ops->close(*out);
	*out = NULL;
	return ret;
}

static int uplink_open(const struct model_port *port, struct port **out, struct err *err)
{
	return port->uplink.config.pci[0] != '\0'
		       ? card_open(port, out, err)
		       : uplink_port_new(&port->spec, &port->uplink.config, out, err);
}

int port_open(const struct model_port *port, struct port **out, struct err *err)
{
	const struct port_ops *ops = ops_find(port->spec.type);

	if (strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0)
		return uplink_open(port, out, err);
	if (strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0)
		return tunnel_port_new(&port->spec, port->index, out, err);
	if (strcmp(port->spec.type, MODEL_TYPE_ERSPAN) == 0)
		return erspan_port_new(&port->spec, &port->erspan, out, err);
	if (ops == NULL)
		return err_set(err, ENOTSUP, "port \"%s\": this netloomd has no ports of type %s",
			       port->spec.name, port->spec.type);
	return is_tap(port) ? tap_open(port, out, err) : ops->open(&port->spec, out, err);
}

bool port_opens_again(const struct model_port *port)
{
	return strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0;
}

int port_may_open(const struct model_port *port, uint64_t *pause_ns, struct err *err)
{
	bool is_card = port->uplink.config.pci[0] != '\0';

	*pause_ns = is_card ? CARD_PAUSE_NS : 0;
	return is_card ? nic_device_ready(port->uplink.config.pci, err) : 0;
}

void port_follow(struct port *live, const struct model_port *before, const struct model_port *now)
{
	struct err err = {.text = ""};
	char name[NL_IFNAME_MAX];

	if (!is_tap(now))
		return;
	if (before->mtu != now->mtu && tap_port_ifname(live, name) == 0 &&
	    nl_link_set_mtu(now->tap.netns, name, now->mtu, &err) != 0)
		log_error("port \"%s\": %s", now->spec.name, err.text);
}

bool port_is_lost(struct port *live)
{
	struct port_status status;

	if (live == NULL || live->ops != &tap_port_ops)
		return false;
	live->ops->status(live, &status);
	return !status.connected;
}

bool port_clash(const struct model_port *a, const struct model_port *b)
{
	if (strcmp(a->spec.type, MODEL_TYPE_UPLINK) == 0 &&
	    strcmp(b->spec.type, MODEL_TYPE_UPLINK) == 0)
		return true; /* they may have a VTEP address in common */
	if (is_tap(a) && is_tap(b))
		return strcmp(a->spec.ifname, b->spec.ifname) == 0 &&
		       strcmp(a->tap.netns, b->tap.netns) == 0;
	return (a->spec.path[0] != '\0' && strcmp(a->spec.path, b->spec.path) == 0) ||
	       (a->spec.tx_path[0] != '\0' && strcmp(a->spec.tx_path, b->spec.tx_path) == 0);
}
