/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/desired_overlay.h"

#include "lab/desired.h"
#include "lab/desired_impair.h"
#include "topo/span.h"
#include "topo/uplink.h"

#define SEGMENT_VLAN 1 /* of a link's switch, where nothing else is */

json_t *desired_vtep_name(const struct topo *topo, size_t host)
{
	return json_sprintf("%s/%s", topo->name, topo->hosts[host].name);
}

static json_t *segment_name(const struct topo *topo, const struct topo_link *link)
{
	return json_sprintf("%s/vni-%u", topo->name, link->vni);
}

void desired_segment_attach(json_t *port, const struct topo *topo, const struct topo_link *link)
{
	json_object_set_new(port, "switch", segment_name(topo, link));
	json_object_set_new(port, "vlan", json_pack("{s:i}", "tunnel", SEGMENT_VLAN));
}

/* A switch's end is a patch: from the switch, as the file says, to the link's own. */
static void segment_patch_add(const struct topo *topo, const struct topo_link *link, int end,
			      json_t *ports)
{
	const struct topo_end *own = &link->ends[end];
	json_t *near = json_sprintf("%s/%s:%s", topo->name, own->node, own->ifname);
	json_t *far = json_sprintf("%s/vni-%u:%s", topo->name, link->vni, own->ifname);
	json_t *one =
		json_pack("{s:O, s:i, s:s, s:s, s:O, s:o}", "name", near, "mtu", (int)link->mtu,
			  "admin", link->is_up ? "up" : "down", "type", "patch", "peer", far,
			  "switch", json_sprintf("%s/%s", topo->name, own->node));
	json_t *two =
		json_pack("{s:o, s:i, s:s, s:s, s:o}", "name", far, "mtu", (int)link->mtu, "admin",
			  link->is_up ? "up" : "down", "type", "patch", "peer", near);
	json_t *vlan = desired_vlan(&link->vlan);

	if (vlan != NULL)
		json_object_set_new(one, "vlan", vlan);
	desired_impair_set(one, topo, link, end);
	desired_segment_attach(two, topo, link);
	json_array_append_new(ports, one);
	json_array_append_new(ports, two);
}

/* A cable is watched from both ends where netloom is at both, unless its machines shall see a carrier whatever happens. */
static void liveness_set(const struct topo *topo, const struct topo_link *link, json_t *vni)
{
	static const char *const words[] = {[TOPO_LIVENESS_OFF] = "off",
					    [TOPO_LIVENESS_ON] = "on",
					    [TOPO_LIVENESS_AUTO] = "auto"};
	bool is_netloom = topo->hosts[span_link_host_towards(topo, link)].is_managed;
	enum topo_liveness mode = link->liveness;

	if (mode == TOPO_LIVENESS_DEFAULT)
		mode = is_netloom && !link->carrier_always ? TOPO_LIVENESS_ON : TOPO_LIVENESS_OFF;
	json_object_set_new(vni, "liveness", json_string(words[mode]));
	if (link->liveness_ms != 0)
		json_object_set_new(vni, "liveness_ms", json_integer(link->liveness_ms));
	if (link->liveness_multiplier != 0)
		json_object_set_new(vni, "liveness_multiplier",
				    json_integer(link->liveness_multiplier));
}

static void segment_add(const struct topo *topo, const struct topo_link *link, json_t *switches,
			json_t *ports, json_t *vnis)
{
	json_t *vni;

	json_array_append_new(switches,
			      json_pack("{s:o, s:b, s:s}", "name", segment_name(topo, link),
					"learning", 0, "reserved", "forward"));
	vni = json_pack("{s:I, s:o, s:i, s:[o], s:i, s:s, s:b}", "vni", (json_int_t)link->vni,
			"switch", segment_name(topo, link), "vlan", SEGMENT_VLAN, "vteps",
			desired_vtep_name(topo, span_link_host_towards(topo, link)), "mtu",
			(int)link->mtu, "tag", "keep", "learning", 0);
	liveness_set(topo, link, vni);
	json_array_append_new(vnis, vni);
	for (int end = 0; end < 2; end++) {
		const struct topo_node *node = &topo->nodes[link->ends[end].node_index];

		if (node->kind == TOPO_SWITCH && span_node_is_here(topo, node))
			segment_patch_add(topo, link, end, ports);
	}
}

static json_t *vni_object(const struct topo *topo, const struct topo_node *node,
			  const struct topo_vni *vni)
{
	static const char *const tags[] = {
		[TOPO_TAG_STRIP] = "strip", [TOPO_TAG_KEEP] = "keep", [TOPO_TAG_REFUSE] = "refuse"};
	json_t *vteps = json_array();

	for (size_t i = 0; i < topo->n_hosts; i++) {
		if ((int)i != topo->self && ((node->hosts >> i) & 1) != 0)
			json_array_append_new(vteps, desired_vtep_name(topo, i));
	}
	return json_pack(
		"{s:I, s:o, s:i, s:o, s:i, s:I, s:I, s:b, s:b, s:b, s:b, s:b, s:s}", "vni",
		(json_int_t)vni->vni, "switch", json_sprintf("%s/%s", topo->name, node->name),
		"vlan", (int)vni->vid, "vteps", vteps, "mtu", (int)vni->mtu, "bum_limit",
		(json_int_t)vni->bum_limit, "too_big_limit", (json_int_t)vni->too_big_limit,
		"flood", vni->flood, "learning", vni->learning, "suppress", vni->suppress,
		"announce", vni->announce, "learn_vteps", vni->learn_vteps, "tag", tags[vni->tag]);
}

static json_t *uplink_port_name(const struct topo *topo)
{
	const struct topo_host *self = &topo->hosts[topo->self];

	return json_sprintf("%s/%s:%s", topo->name, self->name, uplink_name(self->uplink));
}

static void uplink_add(const struct topo *topo, json_t *ports)
{
	const struct topo_host *self = &topo->hosts[topo->self];
	const struct topo_uplink *uplink = self->uplink;
	json_t *local = json_array();
	json_t *port;

	for (size_t i = 0; i < self->n_vteps; i++)
		json_array_append_new(local, json_string(self->vteps[i].text));
	port = json_pack("{s:o, s:s, s:o, s:i, s:s*, s:s*, s:s*, s:s*}", "name",
			 uplink_port_name(topo), "type", "uplink", "local", local, "udp_port",
			 (int)self->udp_port, "ifname", uplink->ifname, "pci", uplink->pci, "mode",
			 uplink->mode, "source_ports", uplink->source_ports);
	if (uplink->shortcut)
		json_object_set_new(port, "shortcut", json_true());
	if (uplink->mtu != 0)
		json_object_set_new(port, "mtu", json_integer(uplink->mtu));
	for (size_t i = 0; i < uplink->addresses.n; i++) {
		if (i == 0)
			json_object_set_new(port, "addresses", json_array());
		json_array_append_new(json_object_get(port, "addresses"),
				      json_string(uplink->addresses.items[i]));
	}
	json_array_append_new(ports, port);
}

static json_t *vtep_object(const struct topo *topo, size_t host, const char *address)
{
	const struct topo_host *other = &topo->hosts[host];
	json_t *vtep =
		json_pack("{s:o, s:o, s:s, s:i, s:s*}", "name", desired_vtep_name(topo, host),
			  "uplink", uplink_port_name(topo), "remote", address, "udp_port",
			  (int)other->udp_port, "checksum", other->checksum);

	if (other->dscp >= 0)
		json_object_set_new(vtep, "dscp", json_integer(other->dscp));
	return vtep;
}

static void vteps_add(const struct topo *topo, json_t *ports, json_t *vteps)
{
	for (size_t i = 0; i < topo->n_hosts; i++) {
		const struct topo_vtep *vtep = span_vtep(topo, i, (size_t)topo->self);

		if ((int)i == topo->self || vtep == NULL ||
		    !span_hosts_talk(topo, i, (size_t)topo->self))
			continue;
		json_array_append_new(vteps, vtep_object(topo, i, vtep->text));
	}
	if (json_array_size(vteps) > 0)
		uplink_add(topo, ports);
}

void desired_overlay_add(const struct topo *topo, json_t *switches, json_t *ports, json_t *vteps,
			 json_t *vnis)
{
	if (topo->n_hosts == 0 || topo->self < 0)
		return;
	vteps_add(topo, ports, vteps);
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];

		for (size_t k = 0; k < node->n_vnis && span_node_is_here(topo, node); k++)
			json_array_append_new(vnis, vni_object(topo, node, &node->vnis[k]));
	}
	for (size_t i = 0; i < topo->n_links; i++) {
		const struct topo_link *link = &topo->links[i];

		if (span_link_crosses(topo, link) && span_link_is_here(topo, link))
			segment_add(topo, link, switches, ports, vnis);
	}
}
