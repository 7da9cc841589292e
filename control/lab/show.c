/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab/desired.h"
#include "lab/stored.h"
#include "lab/term.h"

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : otherwise;
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Names of a lab start with "LAB/". */
static bool name_in_lab(const char *name, const char *lab)
{
	size_t len = lab != NULL ? strlen(lab) : 0;

	return lab == NULL || (strncmp(name, lab, len) == 0 && name[len] == '/');
}

/* In a table of one lab, its name goes without saying. */
static const char *name_short(const char *name, const char *lab)
{
	return lab != NULL && name_in_lab(name, lab) ? name + strlen(lab) + 1 : name;
}

static int list_fetch(struct rpc *rpc, const char *method, const char *key, const char *name_key,
		      const char *lab, json_t **list, struct err *err)
{
	json_t *result = NULL;
	const json_t *item;
	size_t i;
	int rc = rpc_call(rpc, method, NULL, &result, err);

	if (rc < 0)
		return rc;
	*list = json_array();
	json_array_foreach (json_object_get(result, key), i, item) {
		if (name_in_lab(text_of(item, name_key, ""), lab))
			json_array_append(*list, (json_t *)item);
	}
	json_decref(result);
	return 0;
}

void show_vlan_text(const json_t *vlan, char *text, size_t size)
{
	const json_t *trunk = json_object_get(vlan, "trunk");
	const json_t *item;
	size_t i;

	text[0] = '\0';
	if (json_object_get(vlan, "access") != NULL) {
		snprintf(text, size, "access %lld", number_of(vlan, "access"));
		return;
	}
	if (json_object_get(vlan, "tunnel") != NULL) {
		snprintf(text, size, "tunnel %lld", number_of(vlan, "tunnel"));
		return;
	}
	if (trunk == NULL)
		return;
	snprintf(text, size, "trunk %s", json_is_string(trunk) ? json_string_value(trunk) : "");
	json_array_foreach (trunk, i, item) {
		size_t used = strlen(text);

		if (json_is_integer(item))
			snprintf(text + used, size - used, "%s%lld", i > 0 ? "," : "",
				 (long long)json_integer_value(item));
		else
			snprintf(text + used, size - used, "%s%s", i > 0 ? "," : "",
				 json_is_string(item) ? json_string_value(item) : "?");
	}
	if (number_of(vlan, "native") > 0)
		snprintf(text + strlen(text), size - strlen(text), " native %lld",
			 number_of(vlan, "native"));
	if (strcmp(text_of(vlan, "tpid", ""), "802.1ad") == 0)
		snprintf(text + strlen(text), size - strlen(text), " 802.1ad");
}

int show_ports_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return list_fetch(rpc, "port.list", "ports", "name", lab, list, err);
}

static long long drops_sum(const json_t *port)
{
	long long sum = 0;
	const char *key;
	json_t *value;

	json_object_foreach (json_object_get(port, "drops"), key, value)
		sum += json_integer_value(value);
	return sum;
}

static void port_state(struct table *table, const json_t *port)
{
	if (strcmp(text_of(port, "admin", "up"), "down") == 0)
		table_add_colour(table, TERM_WARN, "admin down");
	else if (json_is_true(json_object_get(port, "running")))
		table_add_colour(table, TERM_GOOD, "up");
	else if (json_is_true(json_object_get(port, "connected")))
		table_add_colour(table, TERM_WARN, "no driver");
	else
		table_add_colour(table, TERM_BAD, "%s",
				 strcmp(text_of(port, "type", ""), "vhost-user") == 0 ? "no VM"
										      : "down");
}

/*
 * Who polls the port's queues, one number each, and who sends on what waits in its bad link: "0,1 in 1 out 0". Nothing for a port whose frames
 * no worker looks for.
 */
static void workers_text(json_t *port, char *text, size_t size)
{
	const json_t *queue;
	json_t *direction;
	const char *name;
	size_t i;

	text[0] = '\0';
	json_array_foreach (json_object_get(port, "rxq"), i, queue) {
		size_t used = strlen(text);

		if (json_object_get(queue, "worker") != NULL)
			snprintf(text + used, size - used, "%s%lld", i > 0 ? "," : "",
				 number_of(queue, "worker"));
	}
	json_object_foreach (json_object_get(port, "impaired"), name, direction) {
		size_t used = strlen(text);

		/* cppcheck-suppress nullPointerRedundantCheck; it takes the loop's end for its body */
		snprintf(text + used, size - used, "%s%.3s %lld", used > 0 ? " " : "", name,
			 number_of(direction, "worker"));
	}
}

void show_ports_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"PORT",	    "TYPE",	"ATTACHED TO", "VLAN",
					       "STATE",	    ">RX PKTS", ">RX BYTES",   ">TX PKTS",
					       ">TX BYTES", ">DROPS",	"WORKER",      NULL};
	struct table table;
	char vlan[128], workers[96];
	json_t *port;
	size_t i;

	table_init(&table, headings);
	json_array_foreach (list, i, port) {
		const json_t *rx = json_object_get(port, "rx");
		const json_t *tx = json_object_get(port, "tx");
		const char *wire = text_of(port, "wire", NULL);
		const char *peer = text_of(port, "peer", NULL);
		long long drops = drops_sum(port);

		show_vlan_text(json_object_get(port, "vlan"), vlan, sizeof(vlan));
		table_add(&table, "%s", name_short(text_of(port, "name", "?"), lab));
		table_add(&table, "%s", text_of(port, "type", "?"));
		if (wire != NULL)
			table_add(&table, "wire to %s", name_short(wire, lab));
		else if (peer != NULL)
			table_add(&table, "%s, patch to %s",
				  name_short(text_of(port, "switch", "nothing"), lab),
				  name_short(peer, lab));
		else
			table_add(&table, "%s",
				  name_short(text_of(port, "switch", "nothing"), lab));
		table_add(&table, "%s", vlan);
		if (strcmp(text_of(port, "type", ""), "patch") == 0 &&
		    strcmp(text_of(port, "admin", "up"), "up") == 0)
			table_add_colour(&table, TERM_GOOD, "up");
		else
			port_state(&table, port);
		table_add(&table, "%lld", number_of(rx, "pkts"));
		table_add(&table, "%lld", number_of(rx, "bytes"));
		table_add(&table, "%lld", number_of(tx, "pkts"));
		table_add(&table, "%lld", number_of(tx, "bytes"));
		table_add_colour(&table, drops > 0 ? TERM_WARN : TERM_PLAIN, "%lld", drops);
		workers_text(port, workers, sizeof(workers));
		table_add(&table, "%s", workers);
	}
	table_print(&table, stdout);
}

int show_fdb_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return list_fetch(rpc, "fdb.list", "entries", "switch", lab, list, err);
}

void show_fdb_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"SWITCH", ">VLAN", "MAC",   "PORT",
					       "VTEP",	 ">AGE",  "FLAGS", NULL};
	struct table table;
	const json_t *entry;
	char age[32];
	size_t i;

	table_init(&table, headings);
	json_array_foreach (list, i, entry) {
		const json_t *flags = json_object_get(entry, "flags");
		const char *first = json_string_value(json_array_get(flags, 0));
		const char *second = json_string_value(json_array_get(flags, 1));

		table_add(&table, "%s", name_short(text_of(entry, "switch", "?"), lab));
		table_add(&table, "%lld", number_of(entry, "vlan"));
		table_add(&table, "%s", text_of(entry, "mac", "?"));
		table_add(&table, "%s", name_short(text_of(entry, "port", "?"), lab));
		table_add(&table, "%s", name_short(text_of(entry, "vtep", "-"), lab));
		table_add(&table, "%s",
			  first != NULL
				  ? "-"
				  : term_duration(number_of(entry, "age_s"), age, sizeof(age)));
		table_add(&table, "%s%s%s", first != NULL ? first : "", second != NULL ? " " : "",
			  second != NULL ? second : "");
	}
	table_print(&table, stdout);
}

int show_switches_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return list_fetch(rpc, "switch.list", "switches", "name", lab, list, err);
}

void show_switches_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {
		"SWITCH", "OWNER", ">PORTS", ">STATIONS", ">AGEING", "01:80:C2:00:00:0X", NULL};
	struct table table;
	const json_t *sw;
	size_t i;

	table_init(&table, headings);
	json_array_foreach (list, i, sw) {
		const json_t *reserved = json_object_get(sw, "reserved");

		table_add(&table, "%s", name_short(text_of(sw, "name", "?"), lab));
		table_add(&table, "%s", text_of(sw, "owner", "-"));
		table_add(&table, "%lld", number_of(sw, "n_ports"));
		table_add(&table, "%lld", number_of(sw, "fdb_entries"));
		table_add(&table, "%lld s", number_of(sw, "ageing_s"));
		if (json_is_string(reserved))
			table_add(&table, "%s", json_string_value(reserved));
		else
			table_add(&table, "%s", reserved != NULL ? "as set" : "drop");
	}
	table_print(&table, stdout);
}

int show_drops_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return list_fetch(rpc, "drops", "drops", "port", lab, list, err);
}

void show_drops_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"PORT", "REASON", ">FRAMES", "WHAT TO DO", NULL};
	struct table table;
	const json_t *drop;
	size_t i;

	if (json_array_size(list) == 0) {
		puts("no frame was dropped");
		return;
	}
	table_init(&table, headings);
	json_array_foreach (list, i, drop) {
		table_add(&table, "%s", name_short(text_of(drop, "port", "?"), lab));
		table_add_colour(&table, TERM_WARN, "%s", text_of(drop, "reason", "?"));
		table_add(&table, "%lld", number_of(drop, "count"));
		table_add(&table, "%s", text_of(drop, "sentence", ""));
	}
	table_print(&table, stdout);
}
