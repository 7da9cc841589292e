/* SPDX-License-Identifier: BSD-3-Clause */
/* `netloom show mirrors` and `sflows`. */
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

/* The first two columns: a name, and what is looked at. */
static void row_begin(struct table *table, const json_t *item)
{
	char of[160];

	show_names(json_object_get(item, "of"), of, sizeof(of));
	table_add(table, "%s", text_of(item, "name"));
	table_add(table, "%s", of);
}

int show_mirrors_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return show_list_fetch(rpc, "mirror.list", "mirrors", lab, list, err);
}

static void mirror_add(struct table *table, const json_t *item)
{
	row_begin(table, item);
	if (json_object_get(item, "vlan") != NULL)
		table_add(table, "%lld", number_of(item, "vlan"));
	else
		table_add(table, "all");
	table_add(table, "%s", text_of(item, "direction"));
	table_add(table, "%s", text_of(item, "to"));
	table_add(table, "%s", text_of(item, "filter"));
	table_add(table, "%lld", number_of(item, "copies"));
	table_add_colour(table, TERM_BAD, "%s", text_of(item, "detail"));
}

void show_mirrors_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"MIRROR", "OF",	    "VLAN",    "DIRECTION", "TO",
					       "FILTER", ">COPIES", "PROBLEM", NULL};

	(void)lab;
	show_table(list, headings, mirror_add);
}

int show_sflows_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err)
{
	return show_list_fetch(rpc, "sflow.list", "sflows", lab, list, err);
}

static void sflow_add(struct table *table, const json_t *item)
{
	row_begin(table, item);
	table_add(table, "%s port %lld", text_of(item, "collector"), number_of(item, "udp_port"));
	table_add(table, "%lld", number_of(item, "rate"));
	table_add(table, "%lld", number_of(item, "samples"));
	table_add(table, "%lld", number_of(item, "datagrams"));
	table_add_colour(table, TERM_BAD, "%s", text_of(item, "detail"));
}

void show_sflows_print(const json_t *list, const char *lab)
{
	static const char *const headings[] = {"SFLOW",	   "OF",	 "COLLECTOR", ">RATE",
					       ">SAMPLES", ">DATAGRAMS", "PROBLEM",   NULL};

	(void)lab;
	show_table(list, headings, sflow_add);
}
