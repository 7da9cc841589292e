/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom show uplinks`, `vteps`, `vnis` and `neighbours`. */
#include <stdio.h>
#include <string.h>

#include "lab/show.h"
#include "lab/term.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Objects of a lab have its name as owner. */
int show_list_fetch(struct rpc *rpc, const char *method, const char *key, const char *lab,
		    json_t **list, struct err *err)
{
	json_t *result = NULL;
	const json_t *item;
	size_t i;
	int rc = rpc_call(rpc, method, NULL, &result, err);

	if (rc < 0)
		return rc;
	*list = json_array();
	json_array_foreach (json_object_get(result, key), i, item) {
		if (lab == NULL || strcmp(text_of(item, "owner"), lab) == 0)
			json_array_append(*list, (json_t *)item);
	}
	json_decref(result);
	return 0;
}

void show_names(const json_t *list, char *text, size_t size)
{
	const json_t *item;
	size_t i, used = 0;

	text[0] = '\0';
	json_array_foreach (list, i, item) {
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? "," : "",
						 json_string_value(item));
	}
}

void show_table(const json_t *list, const char *const *headings,
		void (*add)(struct table *table, const json_t *item))
{
	struct table table;
	const json_t *item;
	size_t i;

	table_init(&table, headings);
	json_array_foreach (list, i, item)
		add(&table, item);
	table_print(&table, stdout);
}

int show_uplinks_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return show_list_fetch(rpc, "uplink.list", "uplinks", lab, list, err);
}

static void uplink_add(struct table *table, const json_t *uplink)
{
	bool running = json_is_true(json_object_get(uplink, "running"));
	const json_t *shortcuts = json_object_get(uplink, "shortcuts");
	const char *why = shortcuts != NULL ? text_of(shortcuts, "detail") : "";
	char text[128];

	table_add(table, "%s", text_of(uplink, "name"));
	table_add(table, "%s", text_of(uplink, "ifname"));
	show_names(json_object_get(uplink, "local"), text, sizeof(text));
	table_add(table, "%s", text);
	table_add_colour(table, running ? TERM_GOOD : TERM_BAD, "%s", running ? "up" : "down");
	table_add(table, "%s", text_of(uplink, "io"));
	table_add(table, "%lld", number_of(json_object_get(uplink, "rx"), "pkts"));
	table_add(table, "%lld", number_of(json_object_get(uplink, "tx"), "pkts"));
	if (text_of(uplink, "detail")[0] == '\0' && shortcuts != NULL)
		table_add(table, "shortcuts of %lld stations to %lld: %lld packets%s%s",
			  number_of(shortcuts, "stations"), number_of(shortcuts, "far_stations"),
			  number_of(shortcuts, "pkts"), why[0] != '\0' ? "; " : "", why);
	else
		table_add(table, "%s",
			  text_of(uplink,
				  text_of(uplink, "detail")[0] != '\0' ? "detail" : "io_detail"));
}

void show_uplinks_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"UPLINK",   "INTERFACE", "ADDRESSES", "STATE", "IO",
					       ">RX PKTS", ">TX PKTS",	"WHY",	     NULL};

	(void)lab;
	show_table(list, headings, uplink_add);
}

int show_vteps_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return show_list_fetch(rpc, "vtep.list", "vteps", lab, list, err);
}

static void drops_text(const json_t *object, char *text, size_t size)
{
	size_t used = 0;
	const char *reason;
	json_t *count;

	text[0] = '\0';
	json_object_foreach (json_object_get(object, "drops"), reason, count) {
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s %lld",
						 used > 0 ? ", " : "", reason,
						 (long long)json_integer_value(count));
	}
}

static void traffic_add(struct table *table, const json_t *object)
{
	const json_t *rx = json_object_get(object, "rx"), *tx = json_object_get(object, "tx");

	table_add(table, "%lld", number_of(rx, "pkts"));
	table_add(table, "%lld", number_of(rx, "bytes"));
	table_add(table, "%lld", number_of(tx, "pkts"));
	table_add(table, "%lld", number_of(tx, "bytes"));
}

static void vtep_add(struct table *table, const json_t *vtep)
{
	bool usable = json_is_true(json_object_get(vtep, "usable"));
	char drops[256];

	drops_text(vtep, drops, sizeof(drops));
	table_add(table, "%s", text_of(vtep, "name"));
	table_add(table, "%s", text_of(vtep, "remote"));
	table_add(table, "%s", text_of(vtep, "uplink"));
	table_add_colour(table, usable ? TERM_GOOD : TERM_BAD, "%s",
			 usable ? "reachable" : "unreachable");
	table_add(table, "%lld of %lld", number_of(vtep, "resolved"), number_of(vtep, "next_hops"));
	table_add(table, "%lld", number_of(vtep, "mtu"));
	traffic_add(table, vtep);
	table_add(table, "%s", drops);
	table_add(table, "%s", text_of(vtep, "detail"));
}

void show_vteps_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {
		"VTEP",	     "ADDRESS",	 "UPLINK",    "STATE", ">NEXT HOPS", ">MTU", ">RX PKTS",
		">RX BYTES", ">TX PKTS", ">TX BYTES", "DROPS", "WHY",	     NULL};

	(void)lab;
	show_table(list, headings, vtep_add);
}

int show_vnis_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return show_list_fetch(rpc, "vni.list", "vnis", lab, list, err);
}

static void state_add(struct table *table, const char *state)
{
	table_add_colour(table,
			 strcmp(state, "up") == 0     ? TERM_GOOD
			 : strcmp(state, "down") == 0 ? TERM_BAD
						      : TERM_WARN,
			 "%s", state);
}

/* Of a cable: whether it gives a carrier. */
static void cable_add(struct table *table, const json_t *cable)
{
	const char *word = text_of(cable, "carrier");

	if (cable == NULL)
		table_add(table, "-");
	else
		table_add_colour(table,
				 strcmp(word, "up") == 0     ? TERM_GOOD
				 : strcmp(word, "down") == 0 ? TERM_BAD
							     : TERM_WARN,
				 "%s", word);
}

static void vni_add(struct table *table, const json_t *vni)
{
	const json_t *cable = json_object_get(vni, "cable");
	char vteps[128], drops[256];

	show_names(json_object_get(vni, "vteps"), vteps, sizeof(vteps));
	drops_text(vni, drops, sizeof(drops));
	table_add(table, "%lld", number_of(vni, "vni"));
	table_add(table, "%s", text_of(vni, "switch"));
	table_add(table, "%lld", number_of(vni, "vlan"));
	table_add(table, "%s", vteps);
	state_add(table, text_of(vni, "state"));
	cable_add(table, cable);
	table_add(table, "%lld", number_of(vni, "inner_mtu"));
	traffic_add(table, vni);
	table_add(table, "%lld", number_of(vni, "too_big_answers"));
	table_add(table, "%lld", number_of(vni, "suppressed"));
	table_add(table, "%s", drops);
	table_add(table, "%s", text_of(text_of(vni, "detail")[0] != '\0' ? vni : cable, "detail"));
}

void show_vnis_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {">VNI",	      "SWITCH",	  ">VLAN",	"VTEPS",
					       "STATE",	      "CARRIER",  ">INNER MTU", ">RX PKTS",
					       ">RX BYTES",   ">TX PKTS", ">TX BYTES",	">TOO BIG",
					       ">SUPPRESSED", "DROPS",	  "WHY",	NULL};

	(void)lab;
	show_table(list, headings, vni_add);
}

/* Neighbours are nobody's; their VNIs are. */
static bool vni_is_there(const json_t *vnis, long long number)
{
	const json_t *vni;
	size_t i;

	json_array_foreach (vnis, i, vni) {
		if (number_of(vni, "vni") == number)
			return true;
	}
	return false;
}

int show_neighbours_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	json_t *result = NULL, *vnis = NULL;
	const json_t *item;
	size_t i;
	int rc = show_vnis_fetch(rpc, lab, &vnis, err);

	if (rc == 0)
		rc = rpc_call(rpc, "neigh.list", NULL, &result, err);
	if (rc == 0) {
		*list = json_array();
		json_array_foreach (json_object_get(result, "neighbours"), i, item) {
			if (lab == NULL || vni_is_there(vnis, number_of(item, "vni")))
				json_array_append(*list, (json_t *)item);
		}
	}
	json_decref(result);
	json_decref(vnis);
	return rc;
}

static void neighbour_add(struct table *table, const json_t *item)
{
	bool is_static = json_is_true(json_object_get(item, "static"));

	table_add(table, "%lld", number_of(item, "vni"));
	table_add(table, "%s", text_of(item, "ip"));
	table_add(table, "%s", text_of(item, "mac"));
	table_add(table, "%s", text_of(item, "port"));
	table_add(table, "%s", text_of(item, "vtep"));
	if (json_is_true(json_object_get(item, "contested")))
		table_add_colour(table, TERM_WARN, "contested");
	else
		table_add(table, "%s", is_static ? "static" : "overheard");
	table_add(table, "%lld s", number_of(item, "age_s"));
}

void show_neighbours_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {">VNI", "ADDRESS", "MAC",  "PORT",
					       "VTEP", "KIND",	  ">AGE", NULL};

	(void)lab;
	show_table(list, headings, neighbour_add);
}
