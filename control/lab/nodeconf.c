/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/nodeconf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lab/cpio.h"
#include "lab/file.h"
#include "topo/mac.h"
#include "topo/reach.h"

const char *nodeconf_gateway_ifname(const struct topo_node *node, const char *gateway)
{
	uint8_t bytes[16];
	int family = inet_pton(AF_INET, gateway, bytes) == 1 ? AF_INET : AF_INET6;

	if (family == AF_INET6 && inet_pton(AF_INET6, gateway, bytes) != 1)
		return NULL;
	for (size_t i = 0; i < node->n_addresses; i++) {
		if (node->addresses[i].family == family &&
		    reach_subnet_has(&node->addresses[i], bytes))
			return node->addresses[i].ifname;
	}
	return node->n_nics > 0 ? node->nics[0].name : NULL;
}

const char *nodeconf_text(struct arena *arena, const struct topo_node *node)
{
	const char *text = arena_printf(arena, "hostname %s\n", node->name);
	char mac[MAC_TEXT_SIZE];

	for (size_t i = 0; i < node->n_nics; i++) {
		mac_format(node->nics[i].mac, mac);
		text = arena_printf(arena, "%smac %s %s\nmtu %s %u\n", text, node->nics[i].name,
				    mac, node->nics[i].name, node->nics[i].mtu);
	}
	for (size_t i = 0; i < node->n_addresses; i++)
		text = arena_printf(arena, "%saddress %s %s\n", text, node->addresses[i].ifname,
				    node->addresses[i].text);
	for (size_t i = 0; i < node->gateways.n; i++) {
		const char *ifname = nodeconf_gateway_ifname(node, node->gateways.items[i]);

		if (ifname != NULL)
			text = arena_printf(arena, "%sgateway %s %s\n", text, ifname,
					    node->gateways.items[i]);
	}
	return text;
}

int nodeconf_write(const char *path, const struct topo_node *node, struct err *err)
{
	struct arena arena = {.head = NULL};
	const char *text = nodeconf_text(&arena, node);
	struct cpio cpio;
	int rc;

	cpio_init(&cpio);
	cpio_folder(&cpio, "etc");
	cpio_folder(&cpio, "etc/netloom");
	cpio_file(&cpio, "etc/netloom/node.conf", text, strlen(text));
	rc = cpio_end(&cpio);
	if (rc < 0)
		err_set(err, -rc, "out of memory");
	else
		rc = file_write(path, cpio.bytes, cpio.len, err);
	cpio_fini(&cpio);
	arena_free(&arena);
	return rc;
}

const char *nodeconf_script(struct arena *arena, const struct topo_node *node)
{
	const char *text = "set -e\n";

	for (size_t i = 0; i < node->n_nics; i++)
		text = arena_printf(arena, "%sip address flush dev %s scope global\n", text,
				    node->nics[i].name);
	for (size_t i = 0; i < node->n_addresses; i++) {
		const char *ifname = node->addresses[i].ifname;
		const char *dot = strrchr(ifname, '.');

		if (topo_nic_find(node, ifname) == NULL && dot != NULL)
			text = arena_printf(
				arena,
				"%s[ -e /sys/class/net/%s ] || ip link add link %.*s name %s "
				"type vlan id %s\nip address flush dev %s scope global\nip link "
				"set %s up\n",
				text, ifname, (int)(dot - ifname), ifname, ifname, dot + 1, ifname,
				ifname);
	}
	for (size_t i = 0; i < node->n_addresses; i++)
		text = arena_printf(arena, "%sip address add %s dev %s\n", text,
				    node->addresses[i].text, node->addresses[i].ifname);
	for (size_t i = 0; i < node->gateways.n; i++) {
		const char *gateway = node->gateways.items[i];
		const char *ifname = nodeconf_gateway_ifname(node, gateway);

		if (ifname != NULL)
			text = arena_printf(arena, "%sip route replace default via %s dev %s\n",
					    text, gateway, ifname);
	}
	return text;
}
