/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/span.h"

#include <stdlib.h>
#include <string.h>

#include "topo/host.h"
#include "topo/mac.h"

#define PORT_NAME_CHARS 63 /* of a port in netloomd; a tunnel's is LAB/HOST:LAB/SWITCH */
#define VNI_NAME_CHARS	12 /* "vni-16777215", the switch of a link */

bool span_node_is_here(const struct topo *topo, const struct topo_node *node)
{
	return topo->n_hosts == 0 || (topo->self >= 0 && ((node->hosts >> topo->self) & 1) != 0);
}

static uint64_t end_hosts(const struct topo *topo, const struct topo_link *link, int end)
{
	return topo->nodes[link->ends[end].node_index].hosts;
}

bool span_link_crosses(const struct topo *topo, const struct topo_link *link)
{
	return topo->n_hosts > 0 && (end_hosts(topo, link, 0) & end_hosts(topo, link, 1)) == 0;
}

bool span_link_is_here(const struct topo *topo, const struct topo_link *link)
{
	bool first = span_node_is_here(topo, &topo->nodes[link->ends[0].node_index]);
	bool second = span_node_is_here(topo, &topo->nodes[link->ends[1].node_index]);

	return span_link_crosses(topo, link) ? first || second : first && second;
}

size_t span_link_host_towards(const struct topo *topo, const struct topo_link *link)
{
	int far = span_node_is_here(topo, &topo->nodes[link->ends[0].node_index]) ? 1 : 0;

	return (size_t)__builtin_ctzll(end_hosts(topo, link, far));
}

bool span_hosts_talk(const struct topo *topo, size_t a, size_t b)
{
	uint64_t both = UINT64_C(1) << a | UINT64_C(1) << b;

	for (size_t i = 0; i < topo->n_nodes; i++) {
		if (topo->nodes[i].n_vnis > 0 && (topo->nodes[i].hosts & both) == both)
			return true;
	}
	for (size_t i = 0; i < topo->n_links; i++) {
		const struct topo_link *link = &topo->links[i];

		if (span_link_crosses(topo, link) &&
		    (end_hosts(topo, link, 0) | end_hosts(topo, link, 1)) == both)
			return true;
	}
	return false;
}

static const struct topo_vtep *vtep_of_family(const struct topo_host *host, int family)
{
	for (size_t i = 0; i < host->n_vteps; i++) {
		if (host->vteps[i].family == family)
			return &host->vteps[i];
	}
	return NULL;
}

const struct topo_vtep *span_vtep(const struct topo *topo, size_t of, size_t with)
{
	const struct topo_host *first = &topo->hosts[of < with ? of : with];
	const struct topo_host *second = &topo->hosts[of < with ? with : of];

	for (size_t i = 0; i < first->n_vteps; i++) {
		if (vtep_of_family(second, first->vteps[i].family) != NULL)
			return vtep_of_family(&topo->hosts[of], first->vteps[i].family);
	}
	return NULL;
}

/* VNIs that are taken, by open addressing. */
struct vni_slot {
	uint32_t vni; /* 0: free */
	unsigned int line;
};

struct vni_table {
	struct vni_slot *slots;
	size_t mask;
};

static struct vni_slot *vni_slot_find(const struct vni_table *table, uint32_t vni)
{
	size_t at = (vni * 2654435761u) & table->mask;

	while (table->slots[at].vni != 0 && table->slots[at].vni != vni)
		at = (at + 1) & table->mask;
	return &table->slots[at];
}

static void vni_take(const struct vni_table *table, uint32_t vni, unsigned int line,
		     struct diag_list *diags)
{
	struct vni_slot *slot = vni_slot_find(table, vni);

	if (slot->vni == vni)
		diag_error(diags, line,
			   "VNI %u is given twice; it is already on line %u, and each network has "
			   "its own",
			   vni, slot->line);
	else
		*slot = (struct vni_slot){.vni = vni, .line = line};
}

/* A link to choose a VNI for, under a name that does not depend on how the file writes it. */
struct nameless {
	struct topo_link *link;
	const char *ends[2]; /* in the order of the alphabet */
};

static int nameless_compare(const void *a, const void *b)
{
	const struct nameless *left = a;
	const struct nameless *right = b;
	int order = strcmp(left->ends[0], right->ends[0]);

	return order != 0 ? order : strcmp(left->ends[1], right->ends[1]);
}

static void vnis_choose(struct topo *topo, struct nameless *links, size_t n,
			const struct vni_table *table)
{
	if (n > 1)
		qsort(links, n, sizeof(*links), nameless_compare);
	for (size_t i = 0; i < n; i++) {
		struct vni_slot *slot;
		uint32_t vni;

		for (unsigned int round = 0;; round++) {
			uint64_t hash =
				mac_hash(topo->name, links[i].ends[0], links[i].ends[1], round);

			vni = SPAN_CHOSEN_FIRST |
			      (uint32_t)(hash & (TOPO_VNI_MAX - SPAN_CHOSEN_FIRST));
			slot = vni_slot_find(table, vni);
			if (slot->vni == 0)
				break;
		}
		*slot = (struct vni_slot){.vni = vni, .line = links[i].link->line};
		links[i].link->vni = vni;
	}
}

static void vnis_settle(struct topo *topo, struct diag_list *diags)
{
	struct nameless *nameless = arena_alloc(&topo->arena, topo->n_links * sizeof(*nameless));
	struct vni_table table = {.mask = 63};
	size_t n_nameless = 0;
	size_t n = topo->n_links;

	for (size_t i = 0; i < topo->n_nodes; i++)
		n += topo->nodes[i].n_vnis;
	while (table.mask < n * 2)
		table.mask = table.mask * 2 + 1;
	table.slots = arena_alloc(&topo->arena, (table.mask + 1) * sizeof(*table.slots));
	for (size_t i = 0; i < topo->n_nodes; i++) {
		for (size_t k = 0; k < topo->nodes[i].n_vnis; k++)
			vni_take(&table, topo->nodes[i].vnis[k].vni, topo->nodes[i].vnis[k].line,
				 diags);
	}
	for (size_t i = 0; i < topo->n_links; i++) {
		struct topo_link *link = &topo->links[i];
		const struct topo_end *ends = link->ends;
		struct nameless *one = &nameless[n_nameless];
		bool turned;

		if (link->vni != 0) {
			vni_take(&table, link->vni, link->vni_line, diags);
			continue;
		}
		if (!span_link_crosses(topo, link))
			continue;
		one->link = link;
		for (int end = 0; end < 2; end++)
			one->ends[end] = arena_printf(&topo->arena, "%s:%s", ends[end].node,
						      ends[end].ifname);
		turned = strcmp(one->ends[0], one->ends[1]) > 0;
		if (turned) {
			const char *first = one->ends[0];

			one->ends[0] = one->ends[1];
			one->ends[1] = first;
		}
		n_nameless++;
	}
	vnis_choose(topo, nameless, n_nameless, &table);
}

/* Names of switches on a host and of hosts become one name together. */
static void names_check(const struct topo *topo, uint64_t hosts, const char *what, size_t name_len,
			unsigned int line, struct diag_list *diags)
{
	for (size_t i = 0; i < topo->n_hosts; i++) {
		size_t len = 2 * strlen(topo->name) + strlen(topo->hosts[i].name) + name_len + 3;

		if (((hosts >> i) & 1) == 0 || len <= PORT_NAME_CHARS)
			continue;
		diag_error(diags, line,
			   "%s: the names of lab (it counts twice), host \"%s\" and switch are %zu "
			   "characters too long together; shorten one",
			   what, topo->hosts[i].name, len - PORT_NAME_CHARS);
		return;
	}
}

static bool vlan_spans(const struct topo_node *node, unsigned int vid)
{
	for (size_t i = 0; i < node->n_vnis; i++) {
		if (node->vnis[i].vid == vid)
			return true;
	}
	return false;
}

/* Two switches that are on the same hosts are linked on each of them: a VLAN that both span would go round. */
static void loop_check(const struct topo *topo, const struct topo_link *link,
		       struct diag_list *diags)
{
	const struct topo_node *one = &topo->nodes[link->ends[0].node_index];
	const struct topo_node *two = &topo->nodes[link->ends[1].node_index];

	for (size_t i = 0; i < one->n_vnis; i++) {
		unsigned int vid = one->vnis[i].vid;

		if (!topo_vlan_has(&link->vlan, vid) || !vlan_spans(two, vid))
			continue;
		diag_error(diags, link->line,
			   "link \"%s:%s\": it is there on each host that has both switches, and "
			   "both span VLAN %u: a loop; leave the VLAN out of one `vxlan`, or of "
			   "the link",
			   link->ends[0].node, link->ends[0].ifname, vid);
		return;
	}
}

static void link_check(struct topo *topo, struct topo_link *link, struct diag_list *diags)
{
	uint64_t first = end_hosts(topo, link, 0);
	uint64_t second = end_hosts(topo, link, 1);
	const char *who = arena_printf(&topo->arena, "link \"%s:%s\"", link->ends[0].node,
				       link->ends[0].ifname);
	int several = __builtin_popcountll(first) > 1 ? 0 : 1;

	if (first == 0 || second == 0)
		return; /* a node without a host: that has been said */
	if ((first & second) == 0 && (first & (first - 1)) == 0 && (second & (second - 1)) == 0) {
		names_check(topo, first | second, who, VNI_NAME_CHARS, link->line, diags);
		return;
	}
	if ((first & second) == 0) {
		uint64_t other = several == 0 ? second : first;

		diag_error(diags, link->line,
			   "%s: node \"%s\" is on host \"%s\", where switch \"%s\" is not; add it "
			   "to the switch's `host`",
			   who, link->ends[1 - several].node,
			   topo->hosts[__builtin_ctzll(other)].name, link->ends[several].node);
	} else if (link->vni != 0) {
		diag_error(diags, link->vni_line,
			   "%s: both ends are on the same host; `vni` belongs to a link between "
			   "hosts",
			   who);
	}
	if (topo_link_is_patch(topo, link) && (first & second & ((first & second) - 1)) != 0)
		loop_check(topo, link, diags);
}

/* What the underlay must carry for a VLAN: the largest of the switch's links that are in it. */
static void mtus_settle(struct topo *topo)
{
	for (size_t i = 0; i < topo->n_links; i++) {
		const struct topo_link *link = &topo->links[i];

		for (int end = 0; end < 2; end++) {
			struct topo_node *node = &topo->nodes[link->ends[end].node_index];

			for (size_t k = 0; k < node->n_vnis; k++) {
				struct topo_vni *vni = &node->vnis[k];

				if (!vni->mtu_is_given && vni->mtu < link->mtu &&
				    topo_vlan_has(&link->vlan, vni->vid))
					vni->mtu = link->mtu;
			}
		}
	}
	for (size_t i = 0; i < topo->n_nodes; i++) {
		for (size_t k = 0; k < topo->nodes[i].n_vnis; k++) {
			if (topo->nodes[i].vnis[k].mtu == 0)
				topo->nodes[i].vnis[k].mtu = TOPO_MTU_DEFAULT;
		}
	}
}

void span_check(struct topo *topo, struct diag_list *diags)
{
	for (size_t i = 0; i < topo->n_nodes; i++) {
		const struct topo_node *node = &topo->nodes[i];
		bool is_alone = (node->hosts & (node->hosts - 1)) == 0;

		if (node->kind != TOPO_SWITCH || node->hosts == 0)
			continue;
		if (node->vnis == NULL && !is_alone)
			diag_error(diags, node->line,
				   "node \"%s\" is on several hosts and says no VLAN that joins "
				   "them; write vxlan: { 10: 10010 }, VLAN and VNI",
				   node->name);
		if (node->n_vnis > 0 && is_alone)
			diag_warning(diags, node->line,
				     "node \"%s\": `vxlan` reaches no other host; the switch is "
				     "on one host only",
				     node->name);
		if (node->n_vnis > 0)
			names_check(topo, node->hosts,
				    arena_printf(&topo->arena, "node \"%s\"", node->name),
				    strlen(node->name), node->line, diags);
	}
	for (size_t i = 0; i < topo->n_links; i++) {
		const struct topo_link *link = &topo->links[i];

		link_check(topo, &topo->links[i], diags);
		if (link->liveness_line != 0 && !span_link_crosses(topo, link))
			diag_error(diags, link->liveness_line,
				   "link \"%s:%s\": `liveness` belongs to a link between hosts; "
				   "within a host both ends are known",
				   link->ends[0].node, link->ends[0].ifname);
	}
	mtus_settle(topo);
	vnis_settle(topo, diags);
	hosts_check(topo, diags);
}
