/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom show uplinks`, `netloom show vteps` and `netloom show vnis`. */
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
static int list_fetch(struct rpc *rpc, const char *method, const char *key, const char *lab,
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

static void list_text(const json_t *list, char *text, size_t size)
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

int show_uplinks_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return list_fetch(rpc, "uplink.list", "uplinks", lab, list, err);
}

void show_uplinks_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"UPLINK",   "INTERFACE", "ADDRESSES", "STATE", "IO",
					       ">RX PKTS", ">TX PKTS",	"WHY",	     NULL};
	struct table table;
	const json_t *uplink;
	char text[128];
	size_t i;

	(void)lab;
	table_init(&table, headings);
	json_array_foreach (list, i, uplink) {
		bool running = json_is_true(json_object_get(uplink, "running"));

		table_add(&table, "%s", text_of(uplink, "name"));
		table_add(&table, "%s", text_of(uplink, "ifname"));
		list_text(json_object_get(uplink, "local"), text, sizeof(text));
		table_add(&table, "%s", text);
		table_add_colour(&table, running ? TERM_GOOD : TERM_BAD, "%s",
				 running ? "up" : "down");
		table_add(&table, "%s", text_of(uplink, "io"));
		table_add(&table, "%lld", number_of(json_object_get(uplink, "rx"), "pkts"));
		table_add(&table, "%lld", number_of(json_object_get(uplink, "tx"), "pkts"));
		table_add(&table, "%s",
			  text_of(uplink,
				  text_of(uplink, "detail")[0] != '\0' ? "detail" : "io_detail"));
	}
	table_print(&table, stdout);
}

int show_vteps_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return list_fetch(rpc, "vtep.list", "vteps", lab, list, err);
}

void show_vteps_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"VTEP",	     "ADDRESS", "UPLINK", "STATE",
					       ">NEXT HOPS", ">MTU",	"WHY",	  NULL};
	struct table table;
	const json_t *vtep;
	size_t i;

	(void)lab;
	table_init(&table, headings);
	json_array_foreach (list, i, vtep) {
		bool usable = json_is_true(json_object_get(vtep, "usable"));

		table_add(&table, "%s", text_of(vtep, "name"));
		table_add(&table, "%s", text_of(vtep, "remote"));
		table_add(&table, "%s", text_of(vtep, "uplink"));
		table_add_colour(&table, usable ? TERM_GOOD : TERM_BAD, "%s",
				 usable ? "reachable" : "unreachable");
		table_add(&table, "%lld of %lld", number_of(vtep, "resolved"),
			  number_of(vtep, "next_hops"));
		table_add(&table, "%lld", number_of(vtep, "mtu"));
		table_add(&table, "%s", text_of(vtep, "detail"));
	}
	table_print(&table, stdout);
}

int show_vnis_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return list_fetch(rpc, "vni.list", "vnis", lab, list, err);
}

void show_vnis_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {">VNI",	    "SWITCH",	 ">VLAN",	"VTEPS",
					       ">RX PKTS",  ">RX BYTES", ">TX PKTS",	">TX BYTES",
					       ">TX DROPS", ">TOO BIG",	 ">SUPPRESSED", NULL};
	struct table table;
	const json_t *vni;
	char vteps[128];
	size_t i;

	(void)lab;
	table_init(&table, headings);
	json_array_foreach (list, i, vni) {
		const json_t *rx = json_object_get(vni, "rx"), *tx = json_object_get(vni, "tx");

		list_text(json_object_get(vni, "vteps"), vteps, sizeof(vteps));
		table_add(&table, "%lld", number_of(vni, "vni"));
		table_add(&table, "%s", text_of(vni, "switch"));
		table_add(&table, "%lld", number_of(vni, "vlan"));
		table_add(&table, "%s", vteps);
		table_add(&table, "%lld", number_of(rx, "pkts"));
		table_add(&table, "%lld", number_of(rx, "bytes"));
		table_add(&table, "%lld", number_of(tx, "pkts"));
		table_add(&table, "%lld", number_of(tx, "bytes"));
		table_add_colour(&table, number_of(vni, "tx_drops") > 0 ? TERM_WARN : TERM_PLAIN,
				 "%lld", number_of(vni, "tx_drops"));
		table_add(&table, "%lld", number_of(vni, "too_big_answers"));
		table_add(&table, "%lld", number_of(vni, "suppressed"));
	}
	table_print(&table, stdout);
}
