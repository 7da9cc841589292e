/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/reach.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "topo/span.h"

bool reach_subnet_has(const struct topo_address *address, const uint8_t *bytes)
{
	unsigned int bits = address->prefix_len;

	for (unsigned int i = 0; i < bits; i++) {
		unsigned int mask = 0x80u >> (i % 8);

		if ((address->bytes[i / 8] & mask) != (bytes[i / 8] & mask))
			return false;
	}
	return true;
}

/* eth1 -> its NIC and tag 0; eth1.10 -> eth1's NIC and tag 10. */
static const struct topo_nic *nic_of(const struct topo_node *node, const char *ifname,
				     unsigned int *tag)
{
	const struct topo_nic *nic = topo_nic_find(node, ifname);
	char base[TOPO_IFNAME_MAX + 1];
	const char *dot;

	*tag = 0;
	if (nic != NULL)
		return nic;
	dot = strrchr(ifname, '.');
	if (dot == NULL || (size_t)(dot - ifname) >= sizeof(base))
		return NULL;
	memcpy(base, ifname, (size_t)(dot - ifname));
	base[dot - ifname] = '\0';
	*tag = (unsigned int)strtoul(dot + 1, NULL, 10);
	return topo_nic_find(node, base);
}

/* The VLAN in the switch of a frame with that tag (0: none) from a port; 0: refused. */
static unsigned int port_vid(const struct topo_vlan *vlan, unsigned int tag)
{
	switch (vlan->mode) {
	case TOPO_VLAN_ACCESS:
		return tag == 0 ? vlan->vid : 0;
	case TOPO_VLAN_TUNNEL:
		return vlan->vid;
	default:
		if (tag == 0)
			return topo_vlan_untagged(vlan);
		return !vlan->is_stag && topo_vlan_has(vlan, tag) ? tag : 0;
	}
}

/* Instances of a node, a bit for each host; one where the file has no hosts. */
static uint64_t hosts_of(const struct topo_node *node)
{
	return node->hosts != 0 ? node->hosts : 1;
}

/* The other instances of a switch that VXLAN joins to one of @reached. */
static uint64_t vid_span(const struct topo_node *node, unsigned int vid, uint64_t reached)
{
	for (size_t i = 0; i < node->n_vnis && reached != 0; i++) {
		if (node->vnis[i].vid == vid)
			return hosts_of(node);
	}
	return reached;
}

/* Marks every instance of a switch that frames of this VLAN get to from an instance of @start. */
static void vid_flood(const struct topo *topo, size_t start, uint64_t host, unsigned int vid,
		      uint64_t *reached)
{
	bool moved = true;

	reached[start] = vid_span(&topo->nodes[start], vid, host);
	while (moved) {
		moved = false;
		for (size_t i = 0; i < topo->n_links; i++) {
			const struct topo_link *link = &topo->links[i];
			size_t a = link->ends[0].node_index;
			size_t b = link->ends[1].node_index;
			uint64_t on_a, on_b;

			if (!link->is_up || !topo_link_is_patch(topo, link) ||
			    !topo_vlan_has(&link->vlan, vid))
				continue;
			/* On each host that has both, or between the one of each. */
			if (span_link_crosses(topo, link)) {
				on_a = reached[b] != 0 ? hosts_of(&topo->nodes[a]) : 0;
				on_b = reached[a] != 0 ? hosts_of(&topo->nodes[b]) : 0;
			} else {
				on_a = reached[b] & hosts_of(&topo->nodes[a]);
				on_b = reached[a] & hosts_of(&topo->nodes[b]);
			}
			on_a = vid_span(&topo->nodes[a], vid, reached[a] | on_a);
			on_b = vid_span(&topo->nodes[b], vid, reached[b] | on_b);
			moved |= on_a != reached[a] || on_b != reached[b];
			reached[a] = on_a;
			reached[b] = on_b;
		}
	}
}

/* The instance of a switch that a machine's link ends at. */
static uint64_t switch_host(const struct topo *topo, const struct topo_link *link, int end)
{
	uint64_t sw = hosts_of(&topo->nodes[link->ends[1 - end].node_index]);
	uint64_t machine = hosts_of(&topo->nodes[link->ends[end].node_index]);

	return span_link_crosses(topo, link) ? sw : sw & machine;
}

bool reach_frames(const struct topo *topo, const struct topo_node *from, const char *from_if,
		  const struct topo_node *to, const char *to_if)
{
	uint64_t reached[TOPO_ALL_NODES_MAX] = {0};
	const struct topo_link *out_link;
	const struct topo_link *in_link;
	const struct topo_nic *source;
	const struct topo_nic *target;
	unsigned int source_tag;
	unsigned int target_tag;
	unsigned int vid;

	source = nic_of(from, from_if, &source_tag);
	target = nic_of(to, to_if, &target_tag);
	if (source == NULL || target == NULL || source == target)
		return false;
	out_link = &topo->links[source->link];
	in_link = &topo->links[target->link];
	if (!out_link->is_up || !in_link->is_up)
		return false;
	if (topo_link_is_wire(topo, out_link))
		return out_link == in_link && source_tag == target_tag;
	if (topo_link_is_wire(topo, in_link))
		return false;
	vid = port_vid(&out_link->vlan, source_tag);
	/* A tunnel carries the sender's own tag as payload: it must come out at a tunnel, and fit. */
	if (vid == 0 || vid != port_vid(&in_link->vlan, target_tag))
		return false;
	if (source_tag != target_tag &&
	    (out_link->vlan.mode == TOPO_VLAN_TUNNEL || in_link->vlan.mode == TOPO_VLAN_TUNNEL))
		return false;
	vid_flood(topo, out_link->ends[1 - source->end].node_index,
		  switch_host(topo, out_link, source->end), vid, reached);
	return (reached[in_link->ends[1 - target->end].node_index] &
		switch_host(topo, in_link, target->end)) != 0;
}

/* Two interfaces of one kernel: of a VM, or of a host's network namespace. */
static bool is_same_kernel(const struct topo *topo, const struct topo_node *one, const char *one_if,
			   const struct topo_node *two, const char *two_if)
{
	const struct topo_nic *first;
	const struct topo_nic *second;

	if (one->kind != TOPO_TAP || two->kind != TOPO_TAP || one->hosts != two->hosts)
		return one == two;
	first = topo_nic_find(one, one_if);
	second = topo_nic_find(two, two_if);
	return first != NULL && second != NULL &&
	       strcmp(topo_nic_netns(topo, one, first), topo_nic_netns(topo, two, second)) == 0;
}

/* Linux answers for all its addresses on each interface: whether frames get to another one of @to's kernel. */
static bool reach_kernel(const struct topo *topo, const struct topo_node *from, const char *from_if,
			 const struct topo_node *to, const char *to_if)
{
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];

		for (size_t k = 0; k < node->n_addresses; k++) {
			const char *ifname = node->addresses[k].ifname;

			if (is_same_kernel(topo, to, to_if, node, ifname) &&
			    reach_frames(topo, from, from_if, node, ifname))
				return true;
		}
	}
	return false;
}

enum reach reach_addresses(const struct topo *topo, const struct topo_node *from,
			   const struct topo_address *a, const struct topo_node *to,
			   const struct topo_address *b)
{
	bool near;

	if (a->family != b->family)
		return REACH_NO;
	if (is_same_kernel(topo, from, a->ifname, to, b->ifname))
		return REACH_UNKNOWN;
	near = reach_subnet_has(a, b->bytes) && reach_subnet_has(b, a->bytes);
	if (near && reach_frames(topo, from, a->ifname, to, b->ifname))
		return REACH_YES;
	if (!near && (from->gateways.n > 0 || to->gateways.n > 0))
		return REACH_UNKNOWN;
	if (reach_kernel(topo, from, a->ifname, to, b->ifname))
		return REACH_UNKNOWN;
	return REACH_NO;
}
