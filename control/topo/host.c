/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "topo/span.h"
#include "topo/suggest.h"
#include "topo/uplink.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NAMES_TEXT_SIZE 200
#define DSCP_MAX	63

/* Why an address cannot be a VTEP, NULL if it can. */
static const char *vtep_unfit(const struct topo_vtep *vtep)
{
	static const uint8_t zero[16];
	static const uint8_t loopback6[16] = {[15] = 1};
	const uint8_t *b = vtep->bytes;

	if (memcmp(b, zero, sizeof(zero)) == 0 || (vtep->family == AF_INET && b[0] == 0))
		return "the unspecified address";
	if (vtep->family == AF_INET6)
		return b[0] == 0xff				      ? "a multicast address"
		       : memcmp(b, loopback6, sizeof(loopback6)) == 0 ? "a loopback address"
								      : NULL;
	if (b[0] == 127)
		return "a loopback address";
	if (b[0] >= 224)
		return b[0] < 240 ? "a multicast address" : "a reserved or broadcast address";
	return NULL;
}

static void vtep_read(const struct value_reader *r, const struct tree_node *value,
		      struct topo_host *host)
{
	struct topo_vtep vtep = {.family = AF_INET, .line = value->line};
	const char *unfit;

	if (!value_string(r, "vtep", value, &vtep.text))
		return;
	if (inet_pton(AF_INET, vtep.text, vtep.bytes) != 1) {
		vtep.family = AF_INET6;
		if (inet_pton(AF_INET6, vtep.text, vtep.bytes) != 1) {
			diag_error(r->diags, value->line,
				   "%s: `vtep: %.60s` is no address like 192.0.2.1 or 2001:db8::1",
				   r->who, vtep.text);
			return;
		}
	}
	unfit = vtep_unfit(&vtep);
	if (unfit != NULL) {
		diag_error(r->diags, value->line,
			   "%s: `vtep: %.60s` is %s; give the host's own unicast address, that the "
			   "others reach",
			   r->who, vtep.text, unfit);
		return;
	}
	for (size_t i = 0; i < host->n_vteps; i++) {
		if (host->vteps[i].family == vtep.family) {
			diag_error(r->diags, value->line,
				   "%s: two %s addresses; `vtep` has at most one IPv4 and one IPv6 "
				   "address",
				   r->who, vtep.family == AF_INET ? "IPv4" : "IPv6");
			return;
		}
	}
	host->vteps[host->n_vteps++] = vtep;
}

static void host_read(struct arena *arena, const struct tree_node *name,
		      const struct tree_node *value, struct topo_host *host,
		      struct diag_list *diags)
{
	static const char *const keys[] = {"vtep", "uplink", "udp-port", "dscp", "checksum"};
	static const char *const checksums[] = {"auto", "on", "zero"};
	struct value_reader r = {.arena = arena,
				 .diags = diags,
				 .who = arena_printf(arena, "host \"%s\"", name->text)};
	const struct tree_node *item;
	unsigned int number;

	host->name = name->text;
	host->line = name->line;
	host->udp_port = TOPO_VXLAN_PORT;
	host->dscp = -1;
	if (!value_is_kind(&r, name->text, value, TREE_MAP))
		return;
	value_keys_check(&r, value, keys, ARRAY_SIZE(keys));
	item = tree_find(value, "vtep");
	if (item == NULL) {
		diag_error(diags, name->line,
			   "%s has no `vtep`; write the address the other hosts reach it at, like "
			   "vtep: 192.0.2.1",
			   r.who);
	} else if (item->kind == TREE_SEQUENCE) {
		if (item->n == 0)
			diag_error(diags, item->line, "%s: `vtep` lists no address", r.who);
		for (size_t i = 0; i < item->n; i++)
			vtep_read(&r, item->items[i], host);
	} else {
		vtep_read(&r, item, host);
	}
	item = tree_find(value, "uplink");
	if (item != NULL)
		host->uplink = uplink_read(&r, item);
	host->is_managed = item != NULL;
	item = tree_find(value, "udp-port");
	if (item != NULL)
		value_uint(&r, "udp-port", item, 1, 65535, &host->udp_port);
	item = tree_find(value, "dscp");
	if (item != NULL && strcmp(item->text, "inherit") != 0 &&
	    value_uint(&r, "dscp", item, 0, DSCP_MAX, &number))
		host->dscp = (int)number;
	item = tree_find(value, "checksum");
	if (item != NULL &&
	    value_choice(&r, "checksum", item, checksums, ARRAY_SIZE(checksums), &number))
		host->checksum = checksums[number];
}

void hosts_read(struct topo *topo, const struct value_reader *r, const struct tree_node *value)
{
	if (!value_is_kind(r, "hosts", value, TREE_MAP))
		return;
	if (value->n > TOPO_HOSTS_MAX) {
		diag_error(r->diags, value->line, "%zu hosts; a lab is on at most %d", value->n,
			   TOPO_HOSTS_MAX);
		return;
	}
	topo->hosts = arena_alloc(&topo->arena, value->n * sizeof(*topo->hosts));
	for (size_t i = 0; i < value->n; i++) {
		const struct tree_node *name = value->items[2 * i];

		if (!value_is_name(name->text, TOPO_NAME_MAX)) {
			diag_error(r->diags, name->line,
				   "host name \"%.60s\" is not 1 to %d of A-Z a-z 0-9 . _ -",
				   name->text, TOPO_NAME_MAX);
			continue;
		}
		host_read(&topo->arena, name, value->items[2 * i + 1],
			  &topo->hosts[topo->n_hosts++], r->diags);
	}
}

/* "hostA, hostB", at most as much as fits. */
static const char *host_names(const struct topo *topo, char text[NAMES_TEXT_SIZE])
{
	text[0] = '\0';
	for (size_t i = 0; i < topo->n_hosts; i++) {
		if (strlen(text) + TOPO_NAME_MAX + 8 > NAMES_TEXT_SIZE) {
			strcat(text, ", ...");
			break;
		}
		strcat(text, i > 0 ? ", " : "");
		strcat(text, topo->hosts[i].name);
	}
	return text;
}

static int host_index(const struct topo *topo, const char *name)
{
	for (size_t i = 0; i < topo->n_hosts; i++) {
		if (strcmp(topo->hosts[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

int host_find(const struct topo *topo, const struct value_reader *r, unsigned int line,
	      const char *name)
{
	const char *names[TOPO_HOSTS_MAX];
	char text[NAMES_TEXT_SIZE];
	const char *meant;
	int found = host_index(topo, name);

	if (found >= 0)
		return found;
	if (topo->n_hosts == 0) {
		diag_error(r->diags, line,
			   "%s: host \"%.60s\" is not defined: the file has no `hosts`", r->who,
			   name);
		return -1;
	}
	for (size_t i = 0; i < topo->n_hosts; i++)
		names[i] = topo->hosts[i].name;
	meant = suggest_word(name, names, topo->n_hosts);
	if (meant != NULL)
		diag_error(r->diags, line,
			   "%s: host \"%.60s\" is not defined in `hosts`; did you mean \"%s\"?",
			   r->who, name, meant);
	else
		diag_error(r->diags, line, "%s: host \"%.60s\" is not defined in `hosts` (%s)",
			   r->who, name, host_names(topo, text));
	return -1;
}

static void host_add(const struct topo *topo, const struct value_reader *r,
		     const struct tree_node *value, struct topo_node *node)
{
	const char *name;
	int found;

	if (!value_string(r, "host", value, &name))
		return;
	found = host_find(topo, r, value->line, name);
	if (found >= 0)
		node->hosts |= UINT64_C(1) << found;
}

void host_of_node_read(const struct topo *topo, const struct value_reader *r,
		       const struct tree_node *value, struct topo_node *node)
{
	char text[NAMES_TEXT_SIZE];

	if (value == NULL && topo->n_hosts == 0)
		return;
	if (value == NULL && node->kind == TOPO_SWITCH && node->vnis != NULL) {
		node->hosts = UINT64_MAX >> (64 - topo->n_hosts);
		return;
	}
	if (value == NULL) {
		diag_error(r->diags, node->line,
			   "node \"%s\" has no `host`; write on which it is: %s", node->name,
			   host_names(topo, text));
		return;
	}
	if (value->kind != TREE_SEQUENCE) {
		host_add(topo, r, value, node);
		return;
	}
	for (size_t i = 0; i < value->n; i++)
		host_add(topo, r, value->items[i], node);
	if (node->kind != TOPO_SWITCH && value->n != 1)
		diag_error(r->diags, value->line,
			   "%s: only a switch can be on several hosts; write one name", r->who);
	else if (value->n == 0)
		diag_error(r->diags, value->line, "%s: `host` lists no host", r->who);
}

static void addresses_check(const struct topo *topo, struct diag_list *diags)
{
	for (size_t i = 0; i < topo->n_hosts * TOPO_HOST_VTEPS_MAX; i++) {
		const struct topo_host *host = &topo->hosts[i / TOPO_HOST_VTEPS_MAX];
		const struct topo_vtep *vtep = &host->vteps[i % TOPO_HOST_VTEPS_MAX];

		if (i % TOPO_HOST_VTEPS_MAX >= host->n_vteps)
			continue;
		for (size_t k = 0; k < i; k++) {
			const struct topo_host *other = &topo->hosts[k / TOPO_HOST_VTEPS_MAX];
			const struct topo_vtep *theirs = &other->vteps[k % TOPO_HOST_VTEPS_MAX];

			if (k % TOPO_HOST_VTEPS_MAX < other->n_vteps &&
			    theirs->family == vtep->family &&
			    memcmp(theirs->bytes, vtep->bytes, sizeof(vtep->bytes)) == 0)
				diag_error(diags, vtep->line,
					   "host \"%s\": the VTEP address %s is host \"%s\"'s "
					   "already (line %u); each host has its own",
					   host->name, vtep->text, other->name, theirs->line);
		}
	}
}

static void pair_check(const struct topo *topo, size_t a, size_t b, struct diag_list *diags)
{
	const struct topo_host *one = &topo->hosts[a];
	const struct topo_host *two = &topo->hosts[b];

	if (one->n_vteps > 0 && two->n_vteps > 0 && span_vtep(topo, a, b) == NULL)
		diag_error(diags, two->line,
			   "host \"%s\" and host \"%s\" have no VTEP addresses of the same family "
			   "(%s, %s), and a part of the lab is on both; give both an IPv4 or both "
			   "an IPv6 address",
			   two->name, one->name, two->vteps[0].text, one->vteps[0].text);
}

void hosts_check(const struct topo *topo, struct diag_list *diags)
{
	addresses_check(topo, diags);
	for (size_t i = 0; i < topo->n_hosts; i++) {
		const struct topo_host *host = &topo->hosts[i];

		for (size_t k = 0; k < i; k++) {
			if (span_hosts_talk(topo, i, k))
				pair_check(topo, k, i, diags);
		}
		for (size_t k = 0; k < topo->n_nodes && !host->is_managed; k++) {
			const struct topo_node *node = &topo->nodes[k];

			if (node->hosts != UINT64_C(1) << i)
				continue;
			diag_error(diags, host->line,
				   "host \"%s\" has no `uplink`, and node \"%s\" is on it; write "
				   "the interface that has its VTEP address, like uplink: eth0",
				   host->name, node->name);
			break;
		}
	}
}

int host_select(struct topo *topo, const char *name, struct err *err)
{
	char text[NAMES_TEXT_SIZE];

	topo->self = -1;
	if (topo->n_hosts == 0 && name == NULL)
		return 0;
	if (topo->n_hosts == 0)
		return err_set(err, EINVAL, "lab \"%s\" has no `hosts`; leave out `--host %.60s`",
			       topo->name, name);
	if (name == NULL)
		return err_set(err, EINVAL,
			       "lab \"%s\" is on several hosts: say which one this is, with --host "
			       "and one of %s",
			       topo->name, host_names(topo, text));
	topo->self = host_index(topo, name);
	if (topo->self < 0)
		return err_set(err, EINVAL, "lab \"%s\" has no host \"%.60s\"; --host is one of %s",
			       topo->name, name, host_names(topo, text));
	if (!topo->hosts[topo->self].is_managed) {
		topo->self = -1;
		return err_set(err, EINVAL,
			       "host \"%s\" has no `uplink`: the file says that netloom does not "
			       "run there",
			       name);
	}
	return 0;
}
