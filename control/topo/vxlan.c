/* SPDX-License-Identifier: BSD-3-Clause */
/* The `vxlan` of a switch: which of its VLANs reach its other hosts, and under which VNI. See span.h. */
#include <stdlib.h>
#include <string.h>

#include "topo/span.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TOO_BIG_LIMIT 1000 /* netloomd's */

/* "vlan 10" and "10", "vni 10010" and "10010" are the same. */
static const char *word_skip(const char *text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(text, word, len) != 0 || text[len] != ' ')
		return text;
	return text + len + strspn(text + len, " ");
}

bool span_vni_read(const struct value_reader *r, const struct tree_node *value, uint32_t *vni)
{
	const char *text;
	char *end;
	unsigned long number;

	if (!value_string(r, "vni", value, &text))
		return false;
	text = word_skip(text, "vni");
	number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0') {
		diag_error(r->diags, value->line, "%s: VNI \"%.40s\" is not a number from 1 to %d",
			   r->who, text, TOPO_VNI_MAX);
		return false;
	}
	if (number == 0 || number > TOPO_VNI_MAX) {
		diag_error(r->diags, value->line,
			   number == 0 ? "%s: VNI %.40s names no network; use 1 to %d"
				       : "%s: VNI %.40s does not fit VXLAN's 24 bits; use 1 to %d",
			   r->who, text, TOPO_VNI_MAX);
		return false;
	}
	*vni = (uint32_t)number;
	return true;
}

static void switch_read(const struct value_reader *r, const struct tree_node *map, const char *key,
			bool *out)
{
	const struct tree_node *item = tree_find(map, key);

	if (item != NULL)
		value_bool(r, key, item, out);
}

static void settings_read(const struct value_reader *r, const struct tree_node *map,
			  struct topo_vni *vni)
{
	static const char *const keys[] = {"vni",	  "mtu",      "bum-limit", "too-big-limit",
					   "flood",	  "learning", "suppress",  "announce",
					   "learn-vteps", "tag"};
	static const char *const tags[] = {
		[TOPO_TAG_STRIP] = "strip", [TOPO_TAG_KEEP] = "keep", [TOPO_TAG_REFUSE] = "refuse"};
	const struct tree_node *item;
	unsigned int choice;

	value_keys_check(r, map, keys, ARRAY_SIZE(keys));
	item = tree_find(map, "mtu");
	if (item != NULL)
		vni->mtu_is_given =
			value_uint(r, "mtu", item, TOPO_MTU_MIN, TOPO_MTU_MAX, &vni->mtu);
	item = tree_find(map, "bum-limit");
	if (item != NULL)
		value_uint(r, "bum-limit", item, 0, UINT32_MAX, &vni->bum_limit);
	item = tree_find(map, "too-big-limit");
	if (item != NULL)
		value_uint(r, "too-big-limit", item, 0, UINT32_MAX, &vni->too_big_limit);
	switch_read(r, map, "flood", &vni->flood);
	switch_read(r, map, "learning", &vni->learning);
	vni->suppress = vni->announce = vni->learning;
	switch_read(r, map, "suppress", &vni->suppress);
	switch_read(r, map, "announce", &vni->announce);
	switch_read(r, map, "learn-vteps", &vni->learn_vteps);
	item = tree_find(map, "tag");
	if (item != NULL && value_choice(r, "tag", item, tags, ARRAY_SIZE(tags), &choice))
		vni->tag = (enum topo_tag)choice;
}

static void vlan_read(const struct value_reader *r, const struct tree_node *key,
		      const struct tree_node *value, struct topo_node *node)
{
	struct topo_vni vni = {.line = key->line,
			       .too_big_limit = TOO_BIG_LIMIT,
			       .flood = true,
			       .learning = true,
			       .suppress = true,
			       .announce = true};
	const struct tree_node *number = value->kind == TREE_MAP ? tree_find(value, "vni") : value;

	if (!value_vid(r, key, word_skip(key->text, "vlan"), &vni.vid))
		return;
	for (size_t i = 0; i < node->n_vnis; i++) {
		if (node->vnis[i].vid == vni.vid) {
			diag_error(r->diags, key->line, "%s: VLAN %u has two VNIs; give it one",
				   r->who, vni.vid);
			return;
		}
	}
	if (value->kind == TREE_MAP)
		settings_read(r, value, &vni);
	if (number == NULL)
		diag_error(r->diags, value->line, "%s: VLAN %u has no `vni`", r->who, vni.vid);
	else if (span_vni_read(r, number, &vni.vni))
		node->vnis[node->n_vnis++] = vni;
}

void span_vxlan_read(const struct value_reader *r, const struct tree_node *value,
		     struct topo_node *node)
{
	/* Also with nothing good in it: then the switch has said that it spans. */
	node->vnis = arena_alloc(r->arena, (value->n + 1) * sizeof(*node->vnis));
	if (value->kind != TREE_MAP) {
		diag_error(r->diags, value->line,
			   "%s: `vxlan` is a map of VLANs and VNIs like { 10: 10010 }", r->who);
		return;
	}
	for (size_t i = 0; i < value->n; i++)
		vlan_read(r, value->items[2 * i], value->items[2 * i + 1], node);
}
