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

const char *nodeconf_plug_script(struct arena *arena, const struct topo_node *node)
{
	/* `card MAC` prints the interface; `named` gives it a name that may be another's until all have moved on. */
	const char *text =
		"set -e\n"
		"card() {\n"
		"	for dev in /sys/class/net/*; do\n"
		"		[ -e $dev/device ] && [ \"$(cat $dev/address)\" = $1 ] && echo "
		"${dev##*/}\n"
		"	done\n"
		"	true\n"
		"}\n"
		"named() {\n"
		"	old=$(card $1)\n"
		"	[ $old = $2 ] || { ip link set $old down; ip link set $old name $2; }\n"
		"}\n";
	char mac[MAC_TEXT_SIZE];

	for (size_t i = 0; i < node->n_nics; i++) {
		mac_format(node->nics[i].mac, mac);
		text = arena_printf(arena,
				    "%sn=0\nwhile [ -z \"$(card %s)\" ]; do\n"
				    "	n=$((n + 1))\n"
				    "	[ $n -lt 300 ] || { echo no card with the address %s came "
				    ">&2; exit 1; }\n"
				    "	sleep 0.1\ndone\n"
				    "[ \"$(card %s)\" = %s ] || named %s plug%zu\n",
				    text, mac, mac, mac, node->nics[i].name, mac, i);
	}
	for (size_t i = 0; i < node->n_nics; i++) {
		mac_format(node->nics[i].mac, mac);
		text = arena_printf(arena,
				    "%snamed %s %s\nip link set %s mtu %u\nip link set %s up\n",
				    text, mac, node->nics[i].name, node->nics[i].name,
				    node->nics[i].mtu, node->nics[i].name);
	}
	return text;
}

/* The line that lets go of an interface's other addresses; what stays is not touched, so nothing is lost on it. */
static const char *keep_line(struct arena *arena, const struct topo_node *node, const char *ifname)
{
	const char *text = arena_printf(arena, "keep %s", ifname);

	for (size_t i = 0; i < node->n_addresses; i++) {
		if (strcmp(node->addresses[i].ifname, ifname) == 0)
			text = arena_printf(arena, "%s %s", text, node->addresses[i].text);
	}
	return arena_printf(arena, "%s\n", text);
}

const char *nodeconf_script(struct arena *arena, const struct topo_node *node)
{
	const char *text =
		"set -e\n"
		"keep() {\n"
		"	dev=$1\n"
		"	shift\n"
		"	ip -o address show dev $dev scope global | while read -r _ _ _ has _; do\n"
		"		case \" $* \" in\n"
		"		*\" $has \"*) ;;\n"
		"		*) ip address del $has dev $dev ;;\n"
		"		esac\n"
		"	done\n"
		"}\n";

	for (size_t i = 0; i < node->n_nics; i++)
		text = arena_printf(arena, "%s%s", text,
				    keep_line(arena, node, node->nics[i].name));
	for (size_t i = 0; i < node->n_addresses; i++) {
		const char *ifname = node->addresses[i].ifname;
		const char *dot = strrchr(ifname, '.');

		if (topo_nic_find(node, ifname) == NULL && dot != NULL)
			text = arena_printf(
				arena,
				"%s[ -e /sys/class/net/%s ] || ip link add link %.*s name %s "
				"type vlan id %s\n%sip link set %s up\n",
				text, ifname, (int)(dot - ifname), ifname, ifname, dot + 1,
				keep_line(arena, node, ifname), ifname);
	}
	for (size_t i = 0; i < node->n_addresses; i++)
		text = arena_printf(arena, "%sip address replace %s dev %s\n", text,
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
