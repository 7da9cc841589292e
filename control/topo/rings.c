/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed rings are the guest's choice: the card offers them, and Linux takes what it is offered. QEMU's cards keep no in-flight state
 * (its vhost-user network front-end never asks for it), so that a switch that went away cannot take such rings up again.
 */
#include "topo/rings.h"

#include <string.h>

#include "topo/suggest.h"

static bool layout_read(const struct value_reader *r, const char *key,
			const struct tree_node *value, bool *packed)
{
	static const char *const words[] = {"split", "packed"};
	unsigned int choice;

	if (!value_choice(r, key, value, words, 2, &choice))
		return false;
	*packed = choice == 1;
	return true;
}

void rings_read(const struct value_reader *r, const struct tree_node *value, struct topo_node *node)
{
	node->rings_line = value->line;
	if (value->kind == TREE_SCALAR) {
		layout_read(r, "rings", value, &node->rings_packed);
		return;
	}
	if (!value_is_kind(r, "rings", value, TREE_MAP))
		return;
	if (value->n > TOPO_NICS_MAX) {
		diag_error(r->diags, value->line, "%s: `rings` names more than %d interfaces",
			   r->who, TOPO_NICS_MAX);
		return;
	}
	node->rings = arena_alloc(r->arena, (value->n + 1) * sizeof(*node->rings));
	for (size_t i = 0; i < value->n; i++) {
		struct topo_rings rings = {.ifname = value->items[2 * i]->text,
					   .line = value->items[2 * i]->line};

		if (layout_read(r, rings.ifname, value->items[2 * i + 1], &rings.packed))
			node->rings[node->n_rings++] = rings;
	}
}

static void nic_assign(struct topo_node *node, const struct topo_rings *rings,
		       struct diag_list *diags)
{
	const char *names[TOPO_NICS_MAX], *meant;

	for (size_t i = 0; i < node->n_nics; i++) {
		names[i] = node->nics[i].name;
		if (strcmp(names[i], rings->ifname) == 0) {
			node->nics[i].packed = rings->packed;
			return;
		}
	}
	meant = suggest_word(rings->ifname, names, node->n_nics);
	diag_error(diags, rings->line,
		   "node \"%s\": `rings` names interface \"%.40s\", which has no link%s%s%s",
		   node->name, rings->ifname, meant != NULL ? "; did you mean \"" : "",
		   meant != NULL ? meant : "", meant != NULL ? "\"?" : "");
}

void rings_assign(struct topo_node *node, struct diag_list *diags)
{
	for (size_t i = 0; i < node->n_nics; i++)
		node->nics[i].packed = node->rings_packed;
	for (size_t i = 0; i < node->n_rings; i++)
		nic_assign(node, &node->rings[i], diags);
	for (size_t i = 0; i < node->n_nics && node->vmm == TOPO_VMM_QEMU; i++) {
		if (!node->nics[i].packed)
			continue;
		diag_warning(diags, node->rings_line,
			     "node \"%s\": in QEMU, packed rings do not outlive a restart of the "
			     "switch; "
			     "the guest's driver has to be restarted then",
			     node->name);
		return;
	}
}
