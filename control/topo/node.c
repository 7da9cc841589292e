/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/node.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "topo/host.h"
#include "topo/rings.h"
#include "topo/span.h"
#include "topo/value.h"

#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define AGEING_MAX_S   1000000 /* IEEE 802.1Q-2018 table 8-6 */
#define ADDRESSES_MAX  256
#define NETNS_NAME_MAX 255

static const char *const kind_words[] = {
	[TOPO_SWITCH] = "switch", [TOPO_VM] = "vm", [TOPO_TAP] = "tap"};
static const char *const vmm_words[] = {
	[TOPO_VMM_AUTO] = "auto", [TOPO_VMM_RUNNER] = "vm-runner", [TOPO_VMM_QEMU] = "qemu"};

static const char *const vm_keys[] = {
	"agent", "append",    "cpu",   "disk",		"env",	 "exec", "gateway", "group",
	"host",	 "hugepages", "image", "ipv4",		"ipv6",	 "kind", "labels",  "memory",
	"mtu",	 "position",  "rings", "startup-delay", "vcpus", "vmm",	 "wait-for"};
static const char *const switch_keys[] = {"ageing",   "group",	  "host",      "kind", "labels",
					  "position", "reserved", "peer-port", "vxlan"};
static const char *const tap_keys[] = {"group",	 "host", "ipv4",  "ipv6",    "kind",
				       "labels", "mtu",	 "netns", "position"};
/* What defaults, kinds and groups may hold: all, as they are for nodes of all kinds. */
static const char *const layer_keys[] = {
	"agent",  "append", "cpu",	 "disk",   "env",      "exec",	    "gateway",
	"group",  "host",   "hugepages", "image",  "ipv4",     "ipv6",	    "kind",
	"labels", "memory", "mtu",	 "netns",  "position", "rings",	    "startup-delay",
	"vcpus",  "vmm",    "wait-for",	 "ageing", "reserved", "peer-port", "vxlan"};

/* The maps a node's values come from, nearest first. */
struct layers {
	const struct tree_node *maps[4];
	const char *who[4];
	size_t n;
};

static const struct tree_node *layers_find(const struct layers *l, const char *key,
					   struct value_reader *r)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct tree_node *value = tree_find(l->maps[i], key);

		if (value != NULL) {
			r->who = l->who[i];
			return value;
		}
	}
	return NULL;
}

static void layers_add(struct layers *l, const struct tree_node *map, const char *who)
{
	if (map == NULL || map->kind != TREE_MAP)
		return;
	l->maps[l->n] = map;
	l->who[l->n++] = who;
}

static void image_read(const struct value_reader *r, const struct tree_node *value,
		       struct topo_node *node)
{
	static const char *const keys[] = {"kernel", "initrd"};
	const struct tree_node *kernel = tree_find(value, "kernel");
	const struct tree_node *initrd = tree_find(value, "initrd");

	if (value->kind == TREE_SCALAR && strcmp(value->text, "debian") == 0)
		return;
	if (value->kind != TREE_MAP) {
		diag_error(r->diags, value->line,
			   "%s: `image` is `debian` (the default) or a map {kernel: FILE, initrd: "
			   "FILE}",
			   r->who);
		return;
	}
	value_keys_check(r, value, keys, ARRAY_SIZE(keys));
	if (kernel != NULL)
		value_string(r, "kernel", kernel, &node->kernel);
	if (initrd != NULL)
		value_string(r, "initrd", initrd, &node->initrd);
}

static void disk_read(const struct value_reader *r, const struct tree_node *value,
		      struct topo_node *node)
{
	static const char *const keys[] = {"file", "format", "mode"};
	static const char *const formats[] = {"auto", "raw", "qcow2"};
	static const char *const modes[] = {"overlay", "write", "readonly"};
	const struct tree_node *item;
	struct topo_disk *disk = arena_alloc(r->arena, sizeof(*disk));
	unsigned int choice;

	if (value->kind == TREE_SCALAR) {
		if (value_string(r, "disk", value, &disk->file))
			node->disk = disk;
		return;
	}
	if (!value_is_kind(r, "disk", value, TREE_MAP))
		return;
	value_keys_check(r, value, keys, ARRAY_SIZE(keys));
	item = tree_find(value, "format");
	if (item != NULL && value_choice(r, "format", item, formats, ARRAY_SIZE(formats), &choice))
		disk->format = (enum topo_disk_format)choice;
	item = tree_find(value, "mode");
	if (item != NULL && value_choice(r, "mode", item, modes, ARRAY_SIZE(modes), &choice))
		disk->mode = (enum topo_disk_mode)choice;
	item = tree_find(value, "file");
	if (item == NULL)
		diag_error(r->diags, value->line, "%s: `disk` needs a `file`", r->who);
	else if (value_string(r, "file", item, &disk->file))
		node->disk = disk;
}

void node_addresses_read(const struct value_reader *r, const char *key, int family,
			 const struct tree_node *value, struct topo_node *node)
{
	if (!value_is_kind(r, key, value, TREE_MAP))
		return;
	for (size_t i = 0; i < value->n; i++) {
		const char *ifname = value->items[2 * i]->text;
		const struct tree_node *item = value->items[2 * i + 1];
		size_t n = item->kind == TREE_SEQUENCE ? item->n : 1;

		for (size_t k = 0; k < n; k++) {
			struct topo_address address = {.ifname = ifname};
			const struct tree_node *one =
				item->kind == TREE_SEQUENCE ? item->items[k] : item;

			if (!value_cidr(r, ifname, one, family, &address))
				continue;
			if (node->n_addresses == ADDRESSES_MAX) {
				diag_error(r->diags, one->line, "%s: more than %d addresses",
					   r->who, ADDRESSES_MAX);
				return;
			}
			/* Full at each power of two: doubles. */
			if ((node->n_addresses & (node->n_addresses - 1)) == 0)
				node->addresses = arena_grow(
					r->arena, node->addresses,
					node->n_addresses * sizeof(*node->addresses),
					(node->n_addresses * 2 + 1) * sizeof(*node->addresses));
			node->addresses[node->n_addresses++] = address;
		}
	}
}

static void gateways_check(const struct value_reader *r, const struct tree_node *value,
			   const struct topo_node *node)
{
	uint8_t bytes[16];

	for (size_t i = 0; i < node->gateways.n; i++) {
		const char *text = node->gateways.items[i];

		if (inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
			diag_error(r->diags, value->line,
				   "%s: `gateway: %.60s` is not an address like 10.0.10.254",
				   r->who, text);
	}
}

static void reserved_read(const struct value_reader *r, const struct tree_node *value,
			  struct topo_node *node)
{
	static const char *const words[] = {"drop", "forward", "peer"};
	unsigned int choice;

	node->reserved_is_set = true;
	if (value->kind == TREE_SCALAR) {
		if (value_choice(r, "reserved", value, words, 2, &choice)) {
			for (size_t i = 0; i < 16; i++)
				node->reserved[i] = (enum topo_reserved)choice;
		}
		return;
	}
	if (!value_is_kind(r, "reserved", value, TREE_MAP))
		return;
	for (size_t i = 0; i < value->n; i++) {
		const char *key = value->items[2 * i]->text;
		char *end;
		unsigned long nibble = strtoul(key, &end, 16);

		if (strlen(key) != 2 || *end != '\0' || nibble > 15) {
			diag_error(
				r->diags, value->items[2 * i]->line,
				"%s: `reserved` names the last byte of 01:80:C2:00:00:0X, \"00\" "
				"to \"0f\", not \"%.20s\"",
				r->who, key);
			continue;
		}
		if (value_choice(r, key, value->items[2 * i + 1], words, 3, &choice))
			node->reserved[nibble] = (enum topo_reserved)choice;
	}
}

static void switch_read(const struct layers *l, struct value_reader *r, struct topo_node *node)
{
	const struct tree_node *value;

	node->ageing_s = 300;
	value = layers_find(l, "ageing", r);
	if (value != NULL)
		value_seconds(r, "ageing", value, AGEING_MAX_S, &node->ageing_s);
	value = layers_find(l, "reserved", r);
	if (value != NULL)
		reserved_read(r, value, node);
	value = layers_find(l, "peer-port", r);
	if (value != NULL && value_string(r, "peer-port", value, &node->peer_port))
		node->peer_port_line = value->line;
	value = layers_find(l, "vxlan", r);
	if (value != NULL)
		span_vxlan_read(r, value, node);
	for (size_t i = 0; i < 16 && node->peer_port == NULL; i++) {
		if (node->reserved[i] == TOPO_RESERVED_PEER) {
			diag_error(r->diags, node->line,
				   "node \"%s\": `reserved: peer` needs `peer-port`, the port that "
				   "gets those frames",
				   node->name);
			break;
		}
	}
}

static void network_read(const struct layers *l, struct value_reader *r, struct topo_node *node)
{
	const struct tree_node *value;

	value = layers_find(l, "ipv4", r);
	if (value != NULL)
		node_addresses_read(r, "ipv4", AF_INET, value, node);
	value = layers_find(l, "ipv6", r);
	if (value != NULL)
		node_addresses_read(r, "ipv6", AF_INET6, value, node);
	value = layers_find(l, "mtu", r);
	if (value != NULL)
		value_uint(r, "mtu", value, TOPO_MTU_MIN, TOPO_MTU_MAX, &node->mtu);
	if (node->kind != TOPO_VM)
		return;
	value = layers_find(l, "gateway", r);
	if (value != NULL && value_strings(r, "gateway", value, &node->gateways))
		gateways_check(r, value, node);
}

bool node_netns_read(const struct value_reader *r, const struct tree_node *value,
		     const char **netns)
{
	const char *text;

	if (!value_string(r, "netns", value, &text))
		return false;
	if (text[0] != '/' && !value_is_name(text, NETNS_NAME_MAX)) {
		diag_error(
			r->diags, value->line,
			"%s: `netns: %.60s` is neither a name as `ip netns` has it nor an absolute "
			"path",
			r->who, text);
		return false;
	}
	*netns = text;
	return true;
}

static void tap_read(const struct layers *l, struct value_reader *r, struct topo_node *node)
{
	const struct tree_node *value = layers_find(l, "netns", r);

	if (value != NULL)
		node_netns_read(r, value, &node->netns);
	network_read(l, r, node);
}

static void vm_machine_read(const struct layers *l, struct value_reader *r, struct topo_node *node)
{
	const struct tree_node *value;
	unsigned int choice;

	node->memory_mib = TOPO_MEMORY_DEFAULT;
	node->cpus = 1;
	node->has_agent = true;
	value = layers_find(l, "image", r);
	if (value != NULL)
		image_read(r, value, node);
	value = layers_find(l, "memory", r);
	if (value != NULL && value_memory(r, value, &node->memory_mib))
		node->memory_line = value->line;
	value = layers_find(l, "vcpus", r);
	if (value != NULL)
		value_uint(r, "vcpus", value, 1, TOPO_CPUS_MAX, &node->cpus);
	else if ((value = layers_find(l, "cpu", r)) != NULL)
		value_uint(r, "cpu", value, 1, TOPO_CPUS_MAX, &node->cpus);
	value = layers_find(l, "vmm", r);
	if (value != NULL &&
	    value_choice(r, "vmm", value, vmm_words, ARRAY_SIZE(vmm_words), &choice))
		node->vmm = (enum topo_vmm)choice;
	value = layers_find(l, "rings", r);
	if (value != NULL)
		rings_read(r, value, node);
	value = layers_find(l, "disk", r);
	if (value != NULL)
		disk_read(r, value, node);
	value = layers_find(l, "append", r);
	if (value != NULL)
		value_string(r, "append", value, &node->append);
	value = layers_find(l, "hugepages", r);
	if (value != NULL)
		value_bool(r, "hugepages", value, &node->hugepages);
	value = layers_find(l, "agent", r);
	if (value != NULL)
		value_bool(r, "agent", value, &node->has_agent);
}

static void vm_start_read(const struct layers *l, struct value_reader *r, struct topo_node *node)
{
	const struct tree_node *value;

	value = layers_find(l, "startup-delay", r);
	if (value != NULL)
		value_seconds(r, "startup-delay", value, 3600, &node->startup_delay_s);
	value = layers_find(l, "wait-for", r);
	if (value != NULL)
		value_strings(r, "wait-for", value, &node->wait_for);
	value = layers_find(l, "exec", r);
	if (value != NULL)
		value_strings(r, "exec", value, &node->exec);
}

static void pairs_merge(const struct layers *l, struct value_reader *r, const char *key,
			struct topo_pairs *out)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct tree_node *value = tree_find(l->maps[i], key);

		r->who = l->who[i];
		if (value != NULL)
			value_pairs(r, key, value, out);
	}
}

/* The group's map, from the node's own `group` or the defaults'. */
static void group_add(struct layers *l, struct value_reader *r, const struct tree_node *topology,
		      const struct tree_node *own, const struct tree_node *defaults)
{
	const struct tree_node *groups = tree_find(topology, "groups");
	const struct tree_node *value = tree_find(own, "group");
	const struct tree_node *group;
	const char *name;

	if (value == NULL)
		value = tree_find(defaults, "group");
	if (value == NULL || !value_string(r, "group", value, &name))
		return;
	group = tree_find(groups, name);
	if (group == NULL)
		diag_error(r->diags, value->line, "%s: group \"%.60s\" is not defined in `groups`",
			   r->who, name);
	else
		layers_add(l, group, arena_printf(r->arena, "group \"%s\"", name));
}

static void keys_check(const struct value_reader *r, enum topo_kind kind,
		       const struct tree_node *value)
{
	if (kind == TOPO_VM)
		value_keys_check(r, value, vm_keys, ARRAY_SIZE(vm_keys));
	else if (kind == TOPO_TAP)
		value_keys_check(r, value, tap_keys, ARRAY_SIZE(tap_keys));
	else
		value_keys_check(r, value, switch_keys, ARRAY_SIZE(switch_keys));
}

static void vm_read(const struct layers *l, struct value_reader *r, struct topo_node *node)
{
	pairs_merge(l, r, "env", &node->env);
	vm_machine_read(l, r, node);
	network_read(l, r, node);
	vm_start_read(l, r, node);
}

void node_read(struct topo *topo, const struct tree_node *topology, const struct tree_node *name,
	       const struct tree_node *value, struct topo_node *node, struct diag_list *diags)
{
	struct arena *arena = &topo->arena;
	const struct tree_node *defaults = tree_find(topology, "defaults");
	const struct tree_node *kind;
	const struct tree_node *host;
	struct value_reader r = {.arena = arena, .diags = diags};
	struct layers layers = {.n = 0};
	unsigned int choice;

	node->name = name->text;
	node->line = name->line;
	r.who = arena_printf(arena, "node \"%s\"", name->text);
	node->kind = TOPO_VM;
	if (value->kind != TREE_MAP && (value->kind != TREE_SCALAR || value->text[0] != '\0')) {
		value_is_kind(&r, name->text, value, TREE_MAP);
		return;
	}
	layers_add(&layers, value, r.who);
	group_add(&layers, &r, topology, value, defaults);
	layers_add(&layers, defaults, "defaults");
	kind = layers_find(&layers, "kind", &r);
	if (kind == NULL) {
		diag_error(diags, name->line,
			   "node \"%s\" has no `kind`; write `kind: switch`, `kind: vm` or `kind: "
			   "tap`",
			   name->text);
		return;
	}
	if (!value_choice(&r, "kind", kind, kind_words, ARRAY_SIZE(kind_words), &choice))
		return;
	node->kind = (enum topo_kind)choice;
	/* The kind's map comes before the defaults. */
	if (layers.n > 0 && layers.maps[layers.n - 1] == defaults)
		layers.n--;
	layers_add(&layers, tree_find(tree_find(topology, "kinds"), kind_words[choice]),
		   arena_printf(arena, "kind \"%s\"", kind_words[choice]));
	layers_add(&layers, defaults, "defaults");

	r.who = arena_printf(arena, "node \"%s\"", name->text);
	keys_check(&r, node->kind, value);
	pairs_merge(&layers, &r, "labels", &node->labels);
	if (node->kind == TOPO_SWITCH)
		switch_read(&layers, &r, node);
	else if (node->kind == TOPO_TAP)
		tap_read(&layers, &r, node);
	else
		vm_read(&layers, &r, node);
	host = layers_find(&layers, "host", &r);
	host_of_node_read(topo, &r, host, node);
}

void node_layers_check(struct arena *arena, const struct tree_node *topology,
		       struct diag_list *diags)
{
	const struct tree_node *defaults = tree_find(topology, "defaults");
	struct value_reader r = {.arena = arena, .diags = diags, .who = "defaults"};
	static const char *const parents[] = {"kinds", "groups"};

	if (defaults != NULL && defaults->text[0] == '\0' && defaults->kind == TREE_SCALAR)
		defaults = NULL;
	if (defaults != NULL && value_is_kind(&r, "defaults", defaults, TREE_MAP))
		value_keys_check(&r, defaults, layer_keys, ARRAY_SIZE(layer_keys));
	for (size_t p = 0; p < ARRAY_SIZE(parents); p++) {
		const struct tree_node *parent = tree_find(topology, parents[p]);

		r.who = "topology";
		if (parent == NULL || !value_is_kind(&r, parents[p], parent, TREE_MAP))
			continue;
		if (p == 0) {
			r.who = "kinds";
			value_keys_check(&r, parent, kind_words, ARRAY_SIZE(kind_words));
		}
		for (size_t i = 0; i < parent->n; i++) {
			r.who = arena_printf(arena, "%s \"%.60s\"", p == 0 ? "kind" : "group",
					     parent->items[2 * i]->text);
			if (value_is_kind(&r, parent->items[2 * i]->text, parent->items[2 * i + 1],
					  TREE_MAP))
				value_keys_check(&r, parent->items[2 * i + 1], layer_keys,
						 ARRAY_SIZE(layer_keys));
		}
	}
}
