/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom link show`: what is wrong with the cables of the labs, on purpose, and what that has done so far. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lab/cli.h"
#include "lab/cmd_link.h"
#include "lab/desired.h"
#include "lab/desired_impair.h"
#include "lab/rpc.h"
#include "lab/rundir.h"
#include "lab/stored.h"
#include "lab/term.h"
#include "topo/span.h"

#define TEXT_MAX 400

static const json_t *port_find(const json_t *ports, const char *name)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		const char *this = json_string_value(json_object_get(port, "name"));

		if (this != NULL && name != NULL && strcmp(this, name) == 0)
			return port;
	}
	return NULL;
}

static json_t *end_name(const struct topo_link *link, int end)
{
	return json_sprintf("%s:%s", link->ends[end].node, link->ends[end].ifname);
}

const char *link_side(const struct topo *topo, const struct topo_link *link, int sender,
		      const json_t *ports, struct topo_impair *impair, const json_t **port)
{
	struct arena arena = {.head = NULL};
	struct impair_place place;
	const struct topo_end *own;

	if (!desired_impair_place(topo, link, sender, &place))
		return NULL;
	own = &link->ends[place.end];
	*port = port_find(ports, desired_port_name(&arena, topo, own->node, own->ifname));
	arena_free(&arena);
	desired_impair_parse(json_object_get(json_object_get(*port, "impair"), place.side), impair);
	return place.side;
}

/* One direction; NULL if it is not on this host. */
static json_t *direction_json(const struct topo *topo, const struct topo_link *link, int sender,
			      const json_t *ports)
{
	const json_t *port, *side, *stats;
	struct topo_impair impair;
	char text[TEXT_MAX];
	const char *place = link_side(topo, link, sender, ports, &impair, &port);
	json_t *object;

	if (place == NULL)
		return NULL;
	side = json_object_get(json_object_get(port, "impair"), place);
	stats = json_object_get(json_object_get(port, "impaired"), place);
	topo_impair_text(&impair, text, sizeof(text));
	object = json_pack("{s:s, s:o, s:o, s:s}", "lab", topo->name, "from",
			   end_name(link, sender), "to", end_name(link, 1 - sender), "text", text);
	json_object_set_new(object, "impair", side != NULL ? json_deep_copy(side) : json_object());
	if (stats != NULL)
		json_object_set_new(object, "counters", json_deep_copy(stats));
	return object;
}

static bool is_wanted(const struct topo_link *link, const char *node, const char *ifname)
{
	for (int end = 0; end < 2; end++) {
		if ((node == NULL || strcmp(link->ends[end].node, node) == 0) &&
		    (ifname == NULL || strcmp(link->ends[end].ifname, ifname) == 0))
			return true;
	}
	return false;
}

static int lab_add(json_t *list, const char *lab, const char *node, const char *ifname,
		   const json_t *ports, struct err *err)
{
	struct stored_lab stored;
	size_t before = json_array_size(list);
	int rc = stored_load(lab, &stored, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < stored.topo.n_links; i++) {
		const struct topo_link *link = &stored.topo.links[i];

		for (int sender = 0; sender < 2 && is_wanted(link, node, ifname); sender++) {
			json_t *object = direction_json(&stored.topo, link, sender, ports);

			if (object != NULL)
				json_array_append_new(list, object);
		}
	}
	topo_free(&stored.topo);
	if (node != NULL && json_array_size(list) == before)
		return err_set(err, ENOENT,
			       "lab \"%s\" has no link at \"%s:%s\" (`netloom show links %s`)", lab,
			       node, ifname, lab);
	return 0;
}

static int all_add(json_t *list, const json_t *ports)
{
	char **labs;
	int n = rundir_labs(&labs, NULL);

	for (int i = 0; i < n; i++)
		lab_add(list, labs[i], NULL, NULL, ports, NULL);
	rundir_names_free(labs, n > 0 ? n : 0);
	return 0;
}

static long long counter(const json_t *direction, const char *name)
{
	return (long long)json_integer_value(
		json_object_get(json_object_get(direction, "counters"), name));
}

static void list_print(const json_t *list)
{
	static const char *const headings[] = {"LAB",	"FROM",	    "TO",     ">FRAMES",
					       ">LOST", ">FULL",    ">TWICE", ">CORRUPT",
					       ">WAIT", "IMPAIRED", NULL};
	static const char *const counters[] = {"frames",     "lost",	  "queue_full",
					       "duplicated", "corrupted", "held_frames"};
	struct table table;
	const json_t *item;
	size_t i;

	table_init(&table, headings);
	json_array_foreach (list, i, item) {
		const char *text = json_string_value(json_object_get(item, "text"));
		bool is_good = text == NULL || text[0] == '\0';

		table_add(&table, "%s", json_string_value(json_object_get(item, "lab")));
		table_add(&table, "%s", json_string_value(json_object_get(item, "from")));
		table_add(&table, "%s", json_string_value(json_object_get(item, "to")));
		for (size_t k = 0; k < sizeof(counters) / sizeof(counters[0]); k++) {
			if (is_good)
				table_add(&table, "-");
			else
				table_add(&table, "%lld", counter(item, counters[k]));
		}
		table_add(&table, "%s", is_good ? "no" : text);
	}
	table_print(&table, stdout);
}

int link_show(const struct command *command, const char *where, bool json)
{
	char node[TOPO_NAME_MAX + 1] = "", ifname[TOPO_IFNAME_MAX + 1] = "", lab[TOPO_NAME_MAX + 1];
	bool is_end = where != NULL && strchr(where, '/') != NULL;
	struct err err = {.text = ""};
	json_t *result = NULL, *list;
	const json_t *ports;
	int rc;

	if (is_end && cli_node_split(where, lab, node, ifname, &err) < 0)
		return cli_usage(command, "%s", err.text);
	rc = rpc_once("port.list", NULL, &result, &err);
	if (rc < 0)
		return cli_fail(rc, &err);
	ports = json_object_get(result, "ports");
	list = json_array();
	if (where == NULL)
		rc = all_add(list, ports);
	else
		rc = lab_add(list, is_end ? lab : where, is_end ? node : NULL,
			     is_end ? ifname : NULL, ports, &err);
	json_decref(result);
	if (rc == 0 && json)
		return cli_print_json(list);
	if (rc == 0)
		list_print(list);
	json_decref(list);
	return rc < 0 ? cli_fail(rc, &err) : CLI_OK;
}
