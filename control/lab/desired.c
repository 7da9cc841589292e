/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/desired.h"

#include <stdio.h>
#include <string.h>

#include "lab/desired_impair.h"
#include "lab/desired_mirror.h"
#include "lab/desired_overlay.h"
#include "lab/rundir.h"
#include "topo/mac.h"
#include "topo/span.h"

static json_t *trunk_members(const struct topo_vlan *vlan)
{
	json_t *list;

	if (vlan->is_all)
		return json_string("all");
	list = json_array();
	for (unsigned int vid = 1; vid <= TOPO_VID_MAX; vid++) {
		unsigned int last = vid;

		if (!topo_vlan_has(vlan, vid))
			continue;
		while (last < TOPO_VID_MAX && topo_vlan_has(vlan, last + 1))
			last++;
		if (last == vid)
			json_array_append_new(list, json_integer(vid));
		else
			json_array_append_new(list, json_sprintf("%u-%u", vid, last));
		vid = last;
	}
	return list;
}

json_t *desired_vlan(const struct topo_vlan *vlan)
{
	json_t *object;

	switch (vlan->mode) {
	case TOPO_VLAN_ACCESS:
		return json_pack("{s:i}", "access", vlan->vid);
	case TOPO_VLAN_TUNNEL:
		return json_pack("{s:i}", "tunnel", vlan->vid);
	case TOPO_VLAN_TRUNK:
		object = json_pack("{s:o}", "trunk", trunk_members(vlan));
		if (vlan->native != 0)
			json_object_set_new(object, "native", json_integer(vlan->native));
		if (vlan->is_stag)
			json_object_set_new(object, "tpid", json_string("802.1ad"));
		return object;
	default:
		return NULL;
	}
}

static json_t *name_of(const struct topo *topo, const struct topo_end *end)
{
	return json_sprintf("%s/%s:%s", topo->name, end->node, end->ifname);
}

static json_t *switch_object(const struct topo *topo, const struct topo_node *node)
{
	static const char *const words[] = {"drop", "forward", "peer"};
	json_t *object =
		json_pack("{s:o, s:i}", "name", json_sprintf("%s/%s", topo->name, node->name),
			  "ageing_s", (int)node->ageing_s);

	if (node->reserved_is_set) {
		json_t *map = json_object();

		for (int i = 0; i < 16; i++) {
			char key[4];

			snprintf(key, sizeof(key), "%02x", (unsigned int)i);
			json_object_set_new(map, key, json_string(words[node->reserved[i]]));
		}
		json_object_set_new(object, "reserved", map);
	}
	if (node->peer_port != NULL) {
		struct arena arena = {.head = NULL};
		const char *port = desired_port_name(&arena, topo, node->name, node->peer_port);

		if (port != NULL)
			json_object_set_new(object, "peer_port", json_string(port));
		arena_free(&arena);
	}
	return object;
}

static void attach(json_t *port, const struct topo *topo, const struct topo_link *link,
		   const struct topo_end *sw)
{
	json_t *vlan = desired_vlan(&link->vlan);

	json_object_set_new(port, "switch", json_sprintf("%s/%s", topo->name, sw->node));
	if (vlan != NULL)
		json_object_set_new(port, "vlan", vlan);
}

/* What is behind a machine's port: a VM's socket, or an interface of the kernel's. */
static void port_type_set(json_t *port, const struct topo *topo, const struct topo_link *link,
			  const struct topo_end *own)
{
	const struct topo_node *node = &topo->nodes[own->node_index];
	const struct topo_nic *nic = topo_nic_find(node, own->ifname);
	char mac[MAC_TEXT_SIZE];
	json_t *addresses;

	json_object_set_new(port, "queues", json_integer(link->queues));
	mac_format(nic->mac, mac);
	json_object_set_new(port, "mac", json_string(mac));
	if (node->kind == TOPO_VM) {
		json_object_set_new(port, "type", json_string("vhost-user"));
		json_object_set_new(
			port, "socket",
			json_string(rundir_nic_socket(topo->name, own->node, own->ifname).text));
		return;
	}
	json_object_set_new(port, "type", json_string("tap"));
	json_object_set_new(port, "ifname", json_string(own->ifname));
	if (topo_nic_netns(topo, node, nic)[0] != '\0')
		json_object_set_new(port, "netns", json_string(topo_nic_netns(topo, node, nic)));
	json_object_set_new(port, "mtu", json_integer(nic->mtu));
	addresses = json_array();
	for (size_t i = 0; i < node->n_addresses; i++) {
		if (strcmp(node->addresses[i].ifname, own->ifname) == 0)
			json_array_append_new(addresses, json_string(node->addresses[i].text));
	}
	json_object_set_new(port, "addresses", addresses);
}

static json_t *port_object(const struct topo *topo, const struct topo_link *link, int end)
{
	const struct topo_end *own = &link->ends[end];
	const struct topo_end *other = &link->ends[1 - end];
	json_t *port = json_pack("{s:o, s:i, s:s}", "name", name_of(topo, own), "mtu",
				 (int)link->mtu, "admin", link->is_up ? "up" : "down");

	desired_impair_set(port, topo, link, end);
	if (topo_link_is_patch(topo, link)) {
		json_object_set_new(port, "type", json_string("patch"));
		json_object_set_new(port, "peer", name_of(topo, other));
		attach(port, topo, link, own);
		return port;
	}
	port_type_set(port, topo, link, own);
	if (span_link_crosses(topo, link))
		desired_segment_attach(port, topo, link);
	else if (topo_link_is_wire(topo, link))
		json_object_set_new(port, "wire", name_of(topo, other));
	else
		attach(port, topo, link, other);
	return port;
}

static bool end_has_port(const struct topo *topo, const struct topo_link *link, int end)
{
	const struct topo_node *node = &topo->nodes[link->ends[end].node_index];

	if (!span_link_is_here(topo, link) || !span_node_is_here(topo, node))
		return false;
	/* The switch's end of a machine's link is the attachment, not a port of its own. */
	return node->kind != TOPO_SWITCH ||
	       (topo_link_is_patch(topo, link) && !span_link_crosses(topo, link));
}

json_t *desired_apply_params(const struct topo *topo)
{
	json_t *switches = json_array();
	json_t *ports = json_array();
	json_t *vteps = json_array();
	json_t *vnis = json_array();
	json_t *mirrors = json_array();

	for (size_t i = 0; i < topo->n_nodes; i++) {
		if (topo->nodes[i].kind == TOPO_SWITCH && span_node_is_here(topo, &topo->nodes[i]))
			json_array_append_new(switches, switch_object(topo, &topo->nodes[i]));
	}
	for (size_t i = 0; i < topo->n_links; i++) {
		for (int end = 0; end < 2; end++) {
			if (end_has_port(topo, &topo->links[i], end))
				json_array_append_new(ports,
						      port_object(topo, &topo->links[i], end));
		}
	}
	desired_overlay_add(topo, switches, ports, vteps, vnis);
	desired_mirrors_add(topo, switches, ports, mirrors);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "owner", topo->name, "switches",
			 switches, "ports", ports, "vteps", vteps, "vnis", vnis, "mirrors",
			 mirrors);
}

json_t *desired_nothing(const char *lab)
{
	return json_pack("{s:s, s:[], s:[], s:[], s:[]}", "owner", lab, "switches", "ports",
			 "vteps", "vnis");
}

const char *desired_port_name(struct arena *arena, const struct topo *topo, const char *node,
			      const char *ifname)
{
	for (size_t i = 0; i < topo->n_links; i++) {
		const struct topo_link *link = &topo->links[i];

		for (int end = 0; end < 2; end++) {
			const struct topo_end *own = &link->ends[end];

			if (strcmp(own->node, node) != 0 || strcmp(own->ifname, ifname) != 0)
				continue;
			if (topo->nodes[own->node_index].kind == TOPO_SWITCH &&
			    !topo_link_is_patch(topo, link) && !span_link_crosses(topo, link))
				own = &link->ends[1 - end];
			return arena_printf(arena, "%s/%s:%s", topo->name, own->node, own->ifname);
		}
	}
	return NULL;
}
