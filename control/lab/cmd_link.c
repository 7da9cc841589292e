/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/cmd_link.h"
#include "lab/desired.h"
#include "lab/desired_impair.h"
#include "lab/rpc.h"
#include "lab/stored.h"
#include "topo/span.h"

static const struct topo_link *link_find(const struct topo *topo, const char *node,
					 const char *ifname)
{
	for (size_t i = 0; i < topo->n_links; i++) {
		for (int end = 0; end < 2; end++) {
			if (strcmp(topo->links[i].ends[end].node, node) == 0 &&
			    strcmp(topo->links[i].ends[end].ifname, ifname) == 0)
				return &topo->links[i];
		}
	}
	return NULL;
}

#define CARRIER_WAIT_MS 3000
#define CARRIER_LOOK_MS 10

/* Both ends have been told, as far as there is somebody: netloomd does that after it has answered. */
static int carriers_wait(const char *const *ports, int n, struct err *err)
{
	for (int waited = 0;; waited += CARRIER_LOOK_MS) {
		json_t *result = NULL;
		const json_t *port;
		bool told = true;
		size_t i;
		int rc = rpc_once("port.list", NULL, &result, err);

		if (rc < 0)
			return rc;
		json_array_foreach (json_object_get(result, "ports"), i, port) {
			const char *name = json_string_value(json_object_get(port, "name"));

			for (int k = 0; k < n && name != NULL; k++)
				told &= strcmp(ports[k], name) != 0 ||
					!json_is_false(json_object_get(port, "carrier_told"));
		}
		json_decref(result);
		if (told)
			return 0;
		if (waited >= CARRIER_WAIT_MS)
			return err_set(
				err, ETIMEDOUT,
				"the switch knows, but a VMM could not be told of the carrier "
				"(`netloom log --vmm`)");
		poll(NULL, 0, CARRIER_LOOK_MS);
	}
}

/* What `link set` was told to do. */
struct link_change {
	bool sets_state, up;
	bool sets_impair;
	bool toward[2]; /* what the named end sends; what it receives */
	struct topo_impair impair[2];
};

/* Of @words, the `preset`s and `clear`s or the rest. Return: 0, or exit status with the sentence printed. */
static int words_read(const struct command *command, char *const *words, int n, bool bases,
		      struct link_change *change)
{
	char why[300] = "";

	for (int i = 0; i < n; i++) {
		const char *word = words[i], *value = i + 1 < n ? words[i + 1] : NULL;
		bool is_state = strcmp(word, "up") == 0 || strcmp(word, "down") == 0;
		bool is_clear = strcmp(word, "clear") == 0;

		if (is_state && !bases) {
			if (change->sets_state && change->up != (word[0] == 'u'))
				return cli_usage(command, "`up` and `down` exclude each other");
			change->sets_state = true;
			change->up = word[0] == 'u';
		}
		if (is_clear && bases) {
			topo_impair_clear(&change->impair[0]);
			topo_impair_clear(&change->impair[1]);
		}
		change->sets_impair |= !is_state;
		if (is_state || is_clear)
			continue;
		if (value == NULL && topo_impair_is_word(word))
			return cli_usage(command, "`%s` needs a value", word);
		if (value == NULL)
			return cli_usage(
				command,
				"\"%.40s\" is neither up nor down, nor a WORD with a VALUE", word);
		i++;
		for (int side = 0; side < 2 && bases == (strcmp(word, "preset") == 0); side++) {
			if (!topo_impair_set(&change->impair[side], word,
					     value != NULL ? value : "", side, why, sizeof(why)))
				return cli_usage(command, "%s", why);
		}
	}
	return 0;
}

static int direction_read(const struct command *command, const char *word,
			  struct link_change *change)
{
	if (word == NULL ||
	    (strcmp(word, "in") != 0 && strcmp(word, "out") != 0 && strcmp(word, "both") != 0))
		return cli_usage(command,
				 "--direction is in, out or both, as the named end sees it");
	change->toward[0] = strcmp(word, "in") != 0;
	change->toward[1] = strcmp(word, "out") != 0;
	return 0;
}

/* The object of an end's port in a request, made when it is first asked for. */
static json_t *end_object(json_t *of_end[2], const struct topo *topo, const struct topo_link *link,
			  int end)
{
	const struct topo_end *own = &link->ends[end];
	struct arena arena = {.head = NULL};

	if (of_end[end] == NULL)
		of_end[end] = json_pack("{s:s}", "name",
					desired_port_name(&arena, topo, own->node, own->ifname));
	arena_free(&arena);
	return of_end[end];
}

/* A switch's end of a machine's link has no port of its own, one on another host none here. */
static bool end_has_port(const struct topo *topo, const struct topo_link *link, int end)
{
	const struct topo_node *node = &topo->nodes[link->ends[end].node_index];

	return span_node_is_here(topo, node) &&
	       (node->kind != TOPO_SWITCH || topo_link_is_patch(topo, link) ||
		span_link_crosses(topo, link));
}

/* With what the link has already: what netloomd would refuse is said in the words of `link set`. */
static int impair_check(const struct topo *topo, const struct topo_link *link, int named,
			const struct link_change *change, struct err *err)
{
	json_t *result = NULL;
	int rc = rpc_once("port.list", NULL, &result, err);

	for (int side = 0; side < 2 && rc == 0; side++) {
		int sender = side == 0 ? named : 1 - named;
		const struct topo_end *end = &link->ends[sender];
		struct topo_impair impair;
		const json_t *port;
		const char *fault;

		if (!change->toward[side] ||
		    link_side(topo, link, sender, json_object_get(result, "ports"), &impair,
			      &port) == NULL)
			continue;
		topo_impair_merge(&impair, &change->impair[side]);
		fault = topo_impair_check(&impair);
		if (fault == NULL && topo_impair_is_good(&impair) &&
		    topo_impair_says_how(&change->impair[side]))
			fault = "`distribution`, `order` and `seed` make nothing bad by "
				"themselves; name a `jitter` or a chance with them";
		if (fault != NULL)
			rc = err_set(err, EINVAL, "what %s/%s:%s sends: %s", topo->name, end->node,
				     end->ifname, fault);
	}
	json_decref(result);
	return rc;
}

/* All that was said, at both ends, in one request: it happens whole or not at all. */
static int link_set(const struct topo *topo, const struct topo_link *link, int named,
		    const struct link_change *change, struct err *err)
{
	json_t *ports = json_array(), *of_end[2] = {NULL, NULL}, *impaired = NULL;
	const char *names[2];
	int n = 0, rc = 0;

	if (change->sets_impair)
		rc = impair_check(topo, link, named, change, err);
	for (int side = 0; side < 2 && change->sets_impair; side++) {
		int sender = side == 0 ? named : 1 - named;
		struct impair_place place;

		if (!change->toward[side] || !desired_impair_place(topo, link, sender, &place))
			continue;
		impaired = end_object(of_end, topo, link, place.end);
		json_object_set_new(impaired, place.side,
				    desired_impair_change(&change->impair[side]));
	}
	for (int end = 0; end < 2; end++) {
		if (change->sets_state && end_has_port(topo, link, end)) {
			json_t *port = end_object(of_end, topo, link, end);

			json_object_set_new(port, "admin", json_string(change->up ? "up" : "down"));
			names[n++] = json_string_value(json_object_get(port, "name"));
		}
		if (of_end[end] != NULL)
			json_array_append(ports, of_end[end]);
	}
	if (rc == 0 && change->sets_impair && impaired == NULL)
		rc = err_set(err, ENOENT,
			     "that direction of the link is not on this host; set it where its "
			     "sender is");
	else if (rc == 0)
		rc = rpc_once("port.impair", json_pack("{s:O}", "ports", ports), NULL, err);
	if (rc == 0 && n > 0)
		rc = carriers_wait(names, n, err);
	json_decref(of_end[0]);
	json_decref(of_end[1]);
	json_decref(ports);
	return rc;
}

static int change_apply(const char *lab, const char *node, const char *ifname,
			const struct link_change *change, struct err *err)
{
	struct stored_lab stored;
	const struct topo_link *link;
	int rc = stored_load(lab, &stored, err);

	if (rc < 0)
		return rc;
	link = link_find(&stored.topo, node, ifname);
	if (link == NULL)
		rc = err_set(err, ENOENT,
			     "lab \"%s\" has no link at \"%s:%s\" (`netloom show links %s`)", lab,
			     node, ifname, lab);
	else if (!span_link_is_here(&stored.topo, link))
		rc = err_set(err, ENOENT, "link \"%s:%s\" is not on host \"%s\", which this is",
			     node, ifname, stored.topo.hosts[stored.topo.self].name);
	if (rc == 0)
		rc = link_set(&stored.topo, link,
			      strcmp(link->ends[0].node, node) == 0 &&
					      strcmp(link->ends[0].ifname, ifname) == 0
				      ? 0
				      : 1,
			      change, err);
	topo_free(&stored.topo);
	return rc;
}

static int set_run(const struct command *command, int n, char **words)
{
	struct link_change change = {.toward = {true, true}};
	char ifname[TOPO_IFNAME_MAX + 1], node[TOPO_NAME_MAX + 1], lab[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};
	int rc = 0;

	if (n > 2 && strcmp(words[n - 2], "--direction") == 0) {
		rc = direction_read(command, words[n - 1], &change);
		n -= 2;
	}
	if (rc == 0 && n < 2)
		return cli_usage(command, "what is to be set?");
	if (rc == 0 && cli_node_split(words[0], lab, node, ifname, &err) < 0)
		return cli_usage(command, "%s", err.text);
	if (rc == 0)
		rc = words_read(command, words + 1, n - 1, true, &change);
	if (rc == 0)
		rc = words_read(command, words + 1, n - 1, false, &change);
	if (rc != 0)
		return rc;
	rc = change_apply(lab, node, ifname, &change, &err);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}

int cmd_link(const struct command *command, int argc, char **argv)
{
	bool json = false;
	int n;

	/* Values may begin with a dash, and are to be refused with a better sentence: options by hand. */
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			optind = i;
	}
	while (cli_option(command, argc, argv, "+", NULL) != -1)
		;
	n = argc - optind;
	argv += optind;
	if (n > 1 && strcmp(argv[0], "set") == 0)
		return set_run(command, n - 1, argv + 1);
	if (n < 1 || strcmp(argv[0], "show") != 0)
		return cli_usage(command, "what is to be done: set or show?");
	for (int i = 1; i < n; i++) {
		if (strcmp(argv[i], "--json") != 0)
			continue;
		json = true;
		memmove(&argv[i], &argv[i + 1], (size_t)(n - i - 1) * sizeof(*argv));
		i--;
		n--;
	}
	if (n > 2 || (n == 2 && argv[1][0] == '-'))
		return cli_usage(command, "one lab or one end of a link, please");
	return link_show(command, n == 2 ? argv[1] : NULL, json);
}
