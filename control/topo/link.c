/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/link.h"

#include <string.h>

#include "topo/span.h"
#include "topo/tap.h"
#include "topo/value.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define LINK_QUEUES_MAX 8

static void vlan_member_add(struct topo_vlan *vlan, unsigned int vid)
{
	vlan->members[vid / 64] |= UINT64_C(1) << (vid % 64);
}

/* One item of a trunk list: 10 or 10-20. */
static void trunk_item_read(const struct value_reader *r, const struct tree_node *item,
			    struct topo_vlan *vlan)
{
	const char *dash;
	const char *text;
	uint16_t first;
	uint16_t last;

	if (!value_string(r, "trunk", item, &text))
		return;
	dash = strchr(text, '-');
	if (dash == NULL) {
		if (value_vid(r, item, text, &first))
			vlan_member_add(vlan, first);
		return;
	}
	text = arena_strndup(r->arena, text, (size_t)(dash - text));
	if (!value_vid(r, item, text, &first) || !value_vid(r, item, dash + 1, &last))
		return;
	if (last < first) {
		diag_error(r->diags, item->line, "%s: VLAN range %u-%u runs backwards", r->who,
			   first, last);
		return;
	}
	for (unsigned int vid = first; vid <= last; vid++)
		vlan_member_add(vlan, vid);
}

static void trunk_read(const struct value_reader *r, const struct tree_node *trunk,
		       struct topo_vlan *vlan)
{
	vlan->mode = TOPO_VLAN_TRUNK;
	if (trunk->kind == TREE_SCALAR && strcmp(trunk->text, "all") == 0) {
		vlan->is_all = true;
		return;
	}
	if (trunk->kind == TREE_SCALAR) {
		trunk_item_read(r, trunk, vlan);
		return;
	}
	if (!value_is_kind(r, "trunk", trunk, TREE_SEQUENCE))
		return;
	if (trunk->n == 0)
		diag_error(r->diags, trunk->line,
			   "%s: `trunk` lists no VLAN; write [10, 20-29] or all", r->who);
	for (size_t i = 0; i < trunk->n; i++)
		trunk_item_read(r, trunk->items[i], vlan);
}

static void vlan_read(const struct value_reader *r, const struct tree_node *value,
		      struct topo_vlan *vlan)
{
	static const char *const keys[] = {"access", "trunk", "native", "tunnel", "tpid"};
	static const char *const tpids[] = {"802.1q", "802.1ad"};
	const struct tree_node *access = tree_find(value, "access");
	const struct tree_node *trunk = tree_find(value, "trunk");
	const struct tree_node *tunnel = tree_find(value, "tunnel");
	const struct tree_node *native = tree_find(value, "native");
	const struct tree_node *tpid = tree_find(value, "tpid");
	unsigned int choice;
	const char *text;

	if (!value_is_kind(r, "vlan", value, TREE_MAP))
		return;
	value_keys_check(r, value, keys, ARRAY_SIZE(keys));
	if ((access != NULL) + (trunk != NULL) + (tunnel != NULL) != 1) {
		diag_error(r->diags, value->line,
			   "%s: `vlan` needs exactly one of `access`, `trunk` and `tunnel`",
			   r->who);
		return;
	}
	if (trunk == NULL && (native != NULL || tpid != NULL))
		diag_error(r->diags, (native != NULL ? native : tpid)->line,
			   "%s: `%s` belongs to a `trunk`", r->who,
			   native != NULL ? "native" : "tpid");
	if (access != NULL) {
		vlan->mode = TOPO_VLAN_ACCESS;
		if (value_string(r, "access", access, &text))
			value_vid(r, access, text, &vlan->vid);
	} else if (tunnel != NULL) {
		vlan->mode = TOPO_VLAN_TUNNEL;
		if (value_string(r, "tunnel", tunnel, &text))
			value_vid(r, tunnel, text, &vlan->vid);
	} else {
		trunk_read(r, trunk, vlan);
		if (native != NULL && value_string(r, "native", native, &text) &&
		    value_vid(r, native, text, &vlan->native))
			vlan_member_add(vlan, vlan->native);
		if (tpid != NULL &&
		    value_choice(r, "tpid", tpid, tpids, ARRAY_SIZE(tpids), &choice))
			vlan->is_stag = choice == 1;
	}
}

static bool end_read(const struct value_reader *r, const struct tree_node *value,
		     struct topo_end *end)
{
	const char *colon;
	const char *text;

	if (!value_string(r, "endpoints", value, &text))
		return false;
	colon = strchr(text, ':');
	if (colon == NULL || colon == text || colon[1] == '\0') {
		diag_error(r->diags, value->line,
			   "%s: endpoint \"%.80s\" is not \"NODE:INTERFACE\", like \"h1:eth1\"",
			   r->who, text);
		return false;
	}
	end->node = arena_strndup(r->arena, text, (size_t)(colon - text));
	end->ifname = colon + 1;
	if (value_is_name(end->ifname, TOPO_IFNAME_MAX) && strcmp(end->ifname, "lo") != 0)
		return true;
	diag_error(r->diags, value->line,
		   "%s: interface name \"%.60s\" is not 1 to %d of A-Z a-z 0-9 . _ - (and not lo)",
		   r->who, end->ifname, TOPO_IFNAME_MAX);
	return false;
}

static bool ends_read(struct value_reader *r, const struct tree_node *ends, bool has_host,
		      struct topo_link *link)
{
	bool good;

	if (ends == NULL) {
		diag_error(r->diags, link->line,
			   "link without `endpoints`; write endpoints: [\"h1:eth1\", \"sw1:p1\"]");
		return false;
	}
	if (!value_is_kind(r, "endpoints", ends, TREE_SEQUENCE))
		return false;
	if (has_host && ends->n != 1) {
		diag_error(r->diags, ends->line,
			   "link: with `host`, which is one end, `endpoints` names the other one: "
			   "[\"sw1:p1\"]");
		return false;
	}
	if (ends->n == 1 && !has_host) {
		diag_error(r->diags, ends->line,
			   "link: port \"%.80s\" has no peer; `endpoints` names both ends",
			   ends->items[0]->text);
		return false;
	}
	if (ends->n != 2 && !has_host) {
		diag_error(r->diags, ends->line, "link: `endpoints` has %zu ends; a cable has two",
			   ends->n);
		return false;
	}
	good = end_read(r, ends->items[0], &link->ends[0]);
	if (!has_host)
		good = end_read(r, ends->items[1], &link->ends[1]) && good;
	if (good)
		r->who = arena_printf(r->arena, "link \"%s:%s\"", link->ends[0].node,
				      link->ends[0].ifname);
	return good;
}

/* Of the cable, or of the host's interface on it. */
static void mtu_read(const struct value_reader *r, const struct tree_node *value,
		     struct topo_link *link)
{
	const struct tree_node *own = tree_find(value, "mtu");
	const struct tree_node *of_host = tree_find(tree_find(value, "host"), "mtu");

	if (own != NULL && of_host != NULL)
		diag_error(r->diags, of_host->line,
			   "%s: `mtu` is given twice, for the link and for `host`", r->who);
	else if (own != NULL || of_host != NULL)
		value_uint(r, "mtu", own != NULL ? own : of_host, TOPO_MTU_MIN, TOPO_MTU_MAX,
			   &link->mtu);
}

bool link_read(struct topo *topo, const struct tree_node *value, struct topo_link *link,
	       struct diag_list *diags)
{
	static const char *const keys[] = {"endpoints", "host",	  "vlan",     "vni",
					   "mtu",	"queues", "admin",    "impair",
					   "carrier",	"flap",	  "liveness", "labels"};
	static const char *const admin_words[] = {"down", "up"};
	static const char *const carrier_words[] = {"follow", "always"};
	struct value_reader r = {.arena = &topo->arena, .diags = diags, .who = "link"};
	const struct tree_node *host;
	const struct tree_node *item;
	unsigned int choice;
	bool good;

	link->line = value->line;
	link->mtu = TOPO_MTU_DEFAULT;
	link->queues = 1;
	link->is_up = true;
	if (!value_is_kind(&r, "links", value, TREE_MAP))
		return false;
	host = tree_find(value, "host");
	good = ends_read(&r, tree_find(value, "endpoints"), host != NULL, link);
	if (good && host != NULL)
		good = tap_of_link_read(topo, &r, host, link);
	value_keys_check(&r, value, keys, ARRAY_SIZE(keys));
	item = tree_find(value, "vlan");
	if (item != NULL)
		vlan_read(&r, item, &link->vlan);
	item = tree_find(value, "vni");
	if (item != NULL && span_vni_read(&r, item, &link->vni))
		link->vni_line = item->line;
	mtu_read(&r, value, link);
	item = tree_find(value, "queues");
	if (item != NULL)
		value_uint(&r, "queues", item, 1, LINK_QUEUES_MAX, &link->queues);
	item = tree_find(value, "admin");
	if (item != NULL &&
	    value_choice(&r, "admin", item, admin_words, ARRAY_SIZE(admin_words), &choice))
		link->is_up = choice == 1;
	item = tree_find(value, "impair");
	if (item != NULL)
		link_impair_read(&r, item, link);
	item = tree_find(value, "carrier");
	if (item != NULL &&
	    value_choice(&r, "carrier", item, carrier_words, ARRAY_SIZE(carrier_words), &choice))
		link->carrier_always = choice == 1;
	item = tree_find(value, "liveness");
	if (item != NULL)
		link_liveness_read(&r, item, link);
	item = tree_find(value, "flap");
	if (item != NULL)
		link_flap_read(&r, item, link);
	item = tree_find(value, "labels");
	if (item != NULL)
		value_pairs(&r, "labels", item, &link->labels);
	return good;
}
