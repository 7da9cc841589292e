/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "topo/mac.h"
#include "topo/rings.h"
#include "topo/span.h"
#include "topo/suggest.h"
#include "topo/tap.h"

static const char *node_suggest(const struct topo *topo, const char *name)
{
	const char *names[TOPO_ALL_NODES_MAX];

	for (size_t i = 0; i < topo->n_nodes; i++)
		names[i] = topo->nodes[i].name;
	return suggest_word(name, names, topo->n_nodes);
}

static bool end_resolve(const struct topo *topo, const struct topo_link *link, struct topo_end *end,
			const struct tree_node *nodes, struct diag_list *diags)
{
	const struct topo_node *node = topo_node_find(topo, end->node);
	const char *meant;

	if (node != NULL) {
		end->node_index = (size_t)(node - topo->nodes);
		return true;
	}
	if (tree_find(nodes, end->node) != NULL)
		return false; /* it is there, and has been refused already */
	meant = node_suggest(topo, end->node);
	if (meant != NULL)
		diag_error(diags, link->line,
			   "link \"%s:%s\": node \"%.60s\" is not defined in `nodes`; did you mean "
			   "\"%s\"?",
			   link->ends[0].node, link->ends[0].ifname, end->node, meant);
	else
		diag_error(diags, link->line,
			   "link \"%s:%s\": node \"%.60s\" is not defined in `nodes`",
			   link->ends[0].node, link->ends[0].ifname, end->node);
	return false;
}

/* One slot of a hash table of the ends seen so far. */
struct end_slot {
	const struct topo_end *end;
	unsigned int line;
};

static void end_used_check(const struct topo_end *end, unsigned int line, struct end_slot *slots,
			   size_t n_slots, struct diag_list *diags)
{
	uint64_t hash = mac_hash(end->node, end->ifname, "", 0);
	size_t at = (size_t)hash & (n_slots - 1);

	for (; slots[at].end != NULL; at = (at + 1) & (n_slots - 1)) {
		if (strcmp(slots[at].end->node, end->node) == 0 &&
		    strcmp(slots[at].end->ifname, end->ifname) == 0) {
			diag_error(diags, line,
				   "endpoint \"%s:%s\" is used twice; it is already in the link on "
				   "line %u",
				   end->node, end->ifname, slots[at].line);
			return;
		}
	}
	slots[at].end = end;
	slots[at].line = line;
}

static void links_check(struct topo *topo, const struct tree_node *nodes, struct diag_list *diags)
{
	struct end_slot *slots;
	size_t n_slots = 16;
	size_t kept = 0;

	while (n_slots < topo->n_links * 4)
		n_slots *= 2;
	slots = arena_alloc(&topo->arena, n_slots * sizeof(*slots));
	for (size_t i = 0; i < topo->n_links; i++) {
		struct topo_link *link = &topo->links[i];
		bool good = end_resolve(topo, link, &link->ends[0], nodes, diags);

		good = end_resolve(topo, link, &link->ends[1], nodes, diags) && good;
		end_used_check(&link->ends[0], link->line, slots, n_slots, diags);
		end_used_check(&link->ends[1], link->line, slots, n_slots, diags);
		if (!good)
			continue;
		if (topo_link_is_wire(topo, link) && link->vlan.mode != TOPO_VLAN_UNSET)
			diag_error(
				diags, link->line,
				"link \"%s:%s\": a wire without a switch passes every frame "
				"untouched, `vlan` has no meaning on it; put a switch between them",
				link->ends[0].node, link->ends[0].ifname);
		if (topo_link_is_patch(topo, link) &&
		    link->ends[0].node_index == link->ends[1].node_index)
			diag_error(diags, link->line,
				   "link \"%s:%s\": both ends are on the same switch, a loop",
				   link->ends[0].node, link->ends[0].ifname);
	}
	/* Links that point nowhere stay out of the model: those behind may rely on node_index. */
	for (size_t i = 0; i < topo->n_links; i++) {
		struct topo_link *link = &topo->links[i];

		if (topo_node_find(topo, link->ends[0].node) != NULL &&
		    topo_node_find(topo, link->ends[1].node) != NULL)
			topo->links[kept++] = *link;
	}
	topo->n_links = kept;
}

/* eth2 before eth10: digits compare as numbers. */
static int name_compare(const char *a, const char *b)
{
	while (*a != '\0' && *b != '\0') {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			char *end_a;
			char *end_b;
			unsigned long long x = strtoull(a, &end_a, 10);
			unsigned long long y = strtoull(b, &end_b, 10);

			if (x != y)
				return x < y ? -1 : 1;
			a = end_a;
			b = end_b;
			continue;
		}
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		a++;
		b++;
	}
	return (*a != '\0') - (*b != '\0');
}

static int nic_compare(const void *a, const void *b)
{
	const struct topo_nic *left = a;
	const struct topo_nic *right = b;
	int order = name_compare(left->name, right->name);

	return order != 0 ? order : strcmp(left->name, right->name);
}

static void nic_add(struct topo *topo, struct topo_node *node, size_t link, int end,
		    struct diag_list *diags)
{
	struct topo_nic *nic;

	if (node->kind == TOPO_SWITCH)
		return;
	if (node->n_nics == TOPO_NICS_MAX) {
		diag_error(diags, topo->links[link].line, "node \"%s\" has more than %d interfaces",
			   node->name, TOPO_NICS_MAX);
		return;
	}
	if (node->nics == NULL)
		node->nics = arena_alloc(&topo->arena, TOPO_NICS_MAX * sizeof(*node->nics));
	nic = &node->nics[node->n_nics++];
	nic->name = topo->links[link].ends[end].ifname;
	nic->link = link;
	nic->end = end;
	nic->mtu = node->mtu != 0 ? node->mtu : topo->links[link].mtu;
	if (nic->mtu > topo->links[link].mtu)
		diag_error(diags, topo->links[link].line,
			   "node \"%s\": mtu %u is larger than the %u of its link on \"%s\"",
			   node->name, nic->mtu, topo->links[link].mtu, nic->name);
}

static void nics_fill(struct topo *topo, struct diag_list *diags)
{
	for (size_t i = 0; i < topo->n_links; i++) {
		for (int end = 0; end < 2; end++)
			nic_add(topo, &topo->nodes[topo->links[i].ends[end].node_index], i, end,
				diags);
	}
	for (size_t i = 0; i < topo->n_nodes; i++) {
		struct topo_node *node = &topo->nodes[i];

		if (node->n_nics > 0)
			qsort(node->nics, node->n_nics, sizeof(*node->nics), nic_compare);
		rings_assign(node, diags);
	}
	mac_assign(topo);
}

static const char *switch_port_suggest(const struct topo *topo, size_t node, const char *name,
				       bool *found)
{
	const char *names[64];
	size_t n = 0;

	*found = false;
	for (size_t i = 0; i < topo->n_links; i++) {
		for (int end = 0; end < 2; end++) {
			if (topo->links[i].ends[end].node_index != node)
				continue;
			if (strcmp(topo->links[i].ends[end].ifname, name) == 0)
				*found = true;
			if (n < 64)
				names[n++] = topo->links[i].ends[end].ifname;
		}
	}
	return suggest_word(name, names, n);
}

struct address_slot {
	const struct topo_address *address;
	const char *node;
};

static int address_compare(const void *a, const void *b)
{
	const struct topo_address *left = ((const struct address_slot *)a)->address;
	const struct topo_address *right = ((const struct address_slot *)b)->address;
	int order;

	if (left->family != right->family)
		return left->family < right->family ? -1 : 1;
	order = memcmp(left->bytes, right->bytes, left->family == AF_INET ? 4 : 16);
	if (order != 0)
		return order;
	return (left->line > right->line) - (left->line < right->line);
}

static void addresses_twice_check(struct topo *topo, struct diag_list *diags)
{
	struct address_slot *slots;
	size_t n = 0;

	for (size_t i = 0; i < topo->n_nodes; i++)
		n += topo->nodes[i].n_addresses;
	slots = arena_alloc(&topo->arena, n * sizeof(*slots));
	n = 0;
	for (size_t i = 0; i < topo->n_nodes; i++) {
		for (size_t k = 0; k < topo->nodes[i].n_addresses; k++) {
			slots[n].address = &topo->nodes[i].addresses[k];
			slots[n++].node = topo->nodes[i].name;
		}
	}
	if (n > 1)
		qsort(slots, n, sizeof(*slots), address_compare);
	for (size_t i = 1; i < n; i++) {
		const struct topo_address *one = slots[i - 1].address;
		const struct topo_address *two = slots[i].address;

		if (one->family == two->family &&
		    memcmp(one->bytes, two->bytes, one->family == AF_INET ? 4 : 16) == 0)
			diag_warning(
				diags, two->line,
				"node \"%s\": address %s is also on node \"%s\" (line %u); fine "
				"only if no switch joins them",
				slots[i].node, two->text, slots[i - 1].node, one->line);
	}
}

/* eth1.10: VLAN 10 on an interface that has a link. Return: it is one, good or bad. */
static bool vlan_interface_check(const struct topo_node *node, const struct topo_address *address,
				 struct diag_list *diags)
{
	const char *dot = strrchr(address->ifname, '.');
	char base[TOPO_IFNAME_MAX + 1];
	unsigned long vid;
	char *end;

	if (dot == NULL || dot == address->ifname || strlen(address->ifname) > TOPO_IFNAME_MAX)
		return false;
	memcpy(base, address->ifname, (size_t)(dot - address->ifname));
	base[dot - address->ifname] = '\0';
	if (topo_nic_find(node, base) == NULL)
		return false;
	vid = isdigit((unsigned char)dot[1]) ? strtoul(dot + 1, &end, 10) : 0;
	if (vid == 0 || vid > TOPO_VID_MAX || *end != '\0')
		diag_error(diags, address->line,
			   "node \"%s\": \"%s\" is no VLAN interface; it is IF.VLAN with a VLAN "
			   "from 1 to "
			   "%d, like eth1.10",
			   node->name, address->ifname, TOPO_VID_MAX);
	return true;
}

static void vm_check(const struct topo *topo, const struct topo_node *node, struct diag_list *diags)
{
	const char *names[TOPO_NICS_MAX];

	if (node->initrd == NULL && node->memory_line > 0 &&
	    node->memory_mib < TOPO_MEMORY_IMAGE_MIB)
		diag_error(diags, node->memory_line,
			   "node \"%s\": the default image does not fit into %u MiB of memory; it "
			   "needs %d",
			   node->name, node->memory_mib, TOPO_MEMORY_IMAGE_MIB);
	for (size_t i = 0; i < node->n_nics; i++)
		names[i] = node->nics[i].name;
	for (size_t i = 0; i < node->n_addresses; i++) {
		const struct topo_address *address = &node->addresses[i];
		const char *meant;

		if (topo_nic_find(node, address->ifname) != NULL ||
		    vlan_interface_check(node, address, diags))
			continue;
		meant = suggest_word(address->ifname, names, node->n_nics);
		diag_error(diags, address->line,
			   "node \"%s\": interface \"%.40s\" has an address and no link%s%s%s",
			   node->name, address->ifname, meant != NULL ? "; did you mean \"" : "",
			   meant != NULL ? meant : "", meant != NULL ? "\"?" : "");
	}
	for (size_t i = 0; i < node->wait_for.n; i++) {
		const char *name = node->wait_for.items[i];
		const struct topo_node *other = topo_node_find(topo, name);

		if (other == NULL)
			diag_error(diags, node->line,
				   "node \"%s\": `wait-for` names \"%.60s\", which is not defined",
				   node->name, name);
		else if (other->kind != TOPO_VM)
			diag_error(diags, node->line,
				   "node \"%s\": `wait-for` names \"%s\", which is no VM; switches "
				   "and "
				   "TAPs are there before any VM",
				   node->name, name);
		else if (other->hosts != node->hosts)
			diag_error(
				diags, node->line,
				"node \"%s\": `wait-for` names \"%s\", which is on another host; "
				"hosts are brought up one by one",
				node->name, name);
	}
	if (node->disk != NULL && node->disk->format == TOPO_DISK_QCOW2 &&
	    node->vmm == TOPO_VMM_RUNNER)
		diag_error(
			diags, node->line,
			"node \"%s\": vm-runner reads raw disks; write `vmm: qemu`, or convert the "
			"qcow2 file with qemu-img",
			node->name);
}

/* Nodes that wait for each other in a circle would never start. Each round lets go of those that can. */
static void wait_for_check(struct topo *topo, struct diag_list *diags)
{
	bool *started = arena_alloc(&topo->arena, topo->n_nodes * sizeof(*started));
	size_t **waits = arena_alloc(&topo->arena, topo->n_nodes * sizeof(*waits));
	bool moved = true;

	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_strings *names = &topo->nodes[i].wait_for;

		waits[i] = arena_alloc(&topo->arena, names->n * sizeof(*waits[i]));
		for (size_t k = 0; k < names->n; k++) {
			const struct topo_node *other = topo_node_find(topo, names->items[k]);

			waits[i][k] = other != NULL ? (size_t)(other - topo->nodes) : SIZE_MAX;
		}
	}
	while (moved) {
		moved = false;
		for (size_t i = 0; i < topo->n_nodes; i++) {
			bool ready = !started[i];

			for (size_t k = 0; k < topo->nodes[i].wait_for.n && ready; k++)
				ready = waits[i][k] == SIZE_MAX || started[waits[i][k]];
			if (ready) {
				started[i] = true;
				moved = true;
			}
		}
	}
	for (size_t i = 0; i < topo->n_nodes; i++) {
		if (!started[i])
			diag_error(diags, topo->nodes[i].line,
				   "node \"%s\" would never start: `wait-for` goes in a circle",
				   topo->nodes[i].name);
	}
}

void check_topology(struct topo *topo, const struct tree_node *nodes, struct diag_list *diags)
{
	links_check(topo, nodes, diags);
	nics_fill(topo, diags);
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];
		bool found;

		if (node->kind == TOPO_VM) {
			vm_check(topo, node, diags);
		} else if (node->kind == TOPO_SWITCH && node->peer_port != NULL) {
			switch_port_suggest(topo, i, node->peer_port, &found);
			if (!found)
				diag_error(diags, node->peer_port_line,
					   "node \"%s\": `peer-port: %.40s` has no link",
					   node->name, node->peer_port);
		}
	}
	taps_check(topo, diags);
	span_check(topo, diags);
	addresses_twice_check(topo, diags);
	wait_for_check(topo, diags);
}
