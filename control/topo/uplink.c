/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/uplink.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void interface_read(const struct value_reader *r, const struct tree_node *value,
			   struct topo_uplink *uplink)
{
	const char *text;
	size_t len;

	if (!value_string(r, "uplink", value, &text))
		return;
	len = strlen(text);
	if (len > TOPO_IFNAME_MAX || strpbrk(text, "/ \t\n:") != NULL || strcmp(text, ".") == 0 ||
	    strcmp(text, "..") == 0)
		diag_error(r->diags, value->line,
			   "%s: `uplink: %.40s` is no name of a network interface like eth0",
			   r->who, text);
	else
		uplink->ifname = text;
}

static void pci_read(const struct value_reader *r, const struct tree_node *value,
		     struct topo_uplink *uplink)
{
	unsigned int domain, bus, device, function;
	const char *text;
	char end;

	if (!value_string(r, "pci", value, &text))
		return;
	if (strlen(text) > 12 ||
	    sscanf(text, "%4x:%2x:%2x.%1u%c", &domain, &bus, &device, &function, &end) != 4)
		diag_error(r->diags, value->line,
			   "%s: `pci: %.40s` is no PCI address like \"0000:00:03.0\"; `lspci -D` "
			   "lists them",
			   r->who, text);
	else
		uplink->pci = text;
}

static void addresses_read(const struct value_reader *r, const struct tree_node *value,
			   struct topo_uplink *uplink)
{
	struct topo_address address;

	if (!value_strings(r, "addresses", value, &uplink->addresses))
		return;
	for (size_t i = 0; i < uplink->addresses.n; i++) {
		struct tree_node one = {.kind = TREE_SCALAR,
					.line = value->line,
					.text = uplink->addresses.items[i]};

		value_cidr(r, "addresses", &one, strchr(one.text, ':') != NULL ? AF_INET6 : AF_INET,
			   &address);
	}
}

static void map_read(const struct value_reader *r, const struct tree_node *value,
		     struct topo_uplink *uplink)
{
	static const char *const keys[] = {"interface", "pci",		"mode",	   "addresses",
					   "mtu",	"source-ports", "shortcut"};
	static const char *const modes[] = {"auto", "af_xdp", "af_packet"};
	unsigned int low, high;
	const struct tree_node *item;
	unsigned int choice;
	char end;

	value_keys_check(r, value, keys, ARRAY_SIZE(keys));
	item = tree_find(value, "interface");
	if (item != NULL)
		interface_read(r, item, uplink);
	item = tree_find(value, "pci");
	if (item != NULL)
		pci_read(r, item, uplink);
	else if ((item = tree_find(value, "addresses")) != NULL ||
		 (item = tree_find(value, "mtu")) != NULL)
		diag_error(r->diags, item->line,
			   "%s: `addresses` and `mtu` are for a card with `pci`; those of a kernel "
			   "interface are the kernel's (ip address add, ip link set)",
			   r->who);
	item = tree_find(value, "addresses");
	if (item != NULL)
		addresses_read(r, item, uplink);
	item = tree_find(value, "mtu");
	if (item != NULL)
		value_uint(r, "mtu", item, TOPO_MTU_MIN, TOPO_MTU_MAX, &uplink->mtu);
	item = tree_find(value, "mode");
	if (item != NULL && value_choice(r, "mode", item, modes, ARRAY_SIZE(modes), &choice))
		uplink->mode = modes[choice];
	item = tree_find(value, "shortcut");
	if (item != NULL && value_bool(r, "shortcut", item, &uplink->shortcut) &&
	    uplink->shortcut &&
	    (uplink->pci != NULL || (uplink->mode != NULL && strcmp(uplink->mode, "af_xdp") == 0)))
		diag_error(
			r->diags, item->line,
			"%s: `shortcut` is for packets that pass through the kernel; it takes an "
			"`interface`, and `mode: auto` or `mode: af_packet`",
			r->who);
	item = tree_find(value, "source-ports");
	if (item == NULL || !value_string(r, "source-ports", item, &uplink->source_ports))
		return;
	if (sscanf(uplink->source_ports, "%5u-%5u%c", &low, &high, &end) != 2 || low == 0 ||
	    low > high || high > 65535)
		diag_error(r->diags, item->line,
			   "%s: `source-ports: %.40s` is no range of ports like 49152-65535",
			   r->who, uplink->source_ports);
}

const struct topo_uplink *uplink_read(const struct value_reader *r, const struct tree_node *value)
{
	struct topo_uplink *uplink = arena_alloc(r->arena, sizeof(*uplink));
	size_t before = r->diags->n_errors;

	if (value->kind == TREE_MAP)
		map_read(r, value, uplink);
	else
		interface_read(r, value, uplink);
	if (uplink->ifname != NULL || uplink->pci != NULL)
		return uplink;
	if (r->diags->n_errors == before)
		diag_error(r->diags, value->line,
			   "%s: `uplink` names no `interface` and no `pci` address", r->who);
	return NULL;
}

const char *uplink_name(const struct topo_uplink *uplink)
{
	return uplink->ifname != NULL ? uplink->ifname : uplink->pci;
}
