/* SPDX-License-Identifier: BSD-3-Clause */
/* The subjects of `netloom show`: fetch a list from netloomd, print it as a table. One thread. */
#ifndef LAB_SHOW_H
#define LAB_SHOW_H

#include <jansson.h>

#include "base/err.h"
#include "lab/rpc.h"
#include "lab/term.h"

struct show_subject {
	const char *name;
	/* @lab: only this one, or NULL for all. @list: out, new reference, a JSON list */
	int (*fetch)(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
	/* @list: borrowed */
	void (*print)(const json_t *list, const char *lab);
};

int show_ports_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_ports_print(const json_t *list, const char *lab);
int show_fdb_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_fdb_print(const json_t *list, const char *lab);
int show_switches_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_switches_print(const json_t *list, const char *lab);
int show_links_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_links_print(const json_t *list, const char *lab);
int show_drops_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_drops_print(const json_t *list, const char *lab);

int show_cycles_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_cycles_print(const json_t *list, const char *lab);

int show_workers_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_workers_print(const json_t *list, const char *lab);

int show_uplinks_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_uplinks_print(const json_t *list, const char *lab);
int show_vteps_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_vteps_print(const json_t *list, const char *lab);
int show_vnis_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_vnis_print(const json_t *list, const char *lab);
int show_neighbours_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_neighbours_print(const json_t *list, const char *lab);

int show_mirrors_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_mirrors_print(const json_t *list, const char *lab);
int show_sflows_fetch(struct rpc *rpc, const char *lab, json_t **list, struct err *err);
void show_sflows_print(const json_t *list, const char *lab);

/** show_list_fetch() - Objects of one list method; @lab: only those it owns, or NULL */
int show_list_fetch(struct rpc *rpc, const char *method, const char *key, const char *lab,
		    json_t **list, struct err *err);
/** show_table() - Print a list as a table; @add fills the row of one item */
void show_table(const json_t *list, const char *const *headings,
		void (*add)(struct table *table, const json_t *item));
/** show_names() - A list of strings with commas */
void show_names(const json_t *list, char *text, size_t size);

/** show_vlan_text() - "access 10", "trunk 10,20-29 native 1", "tunnel 7" of an RPC vlan object */
void show_vlan_text(const json_t *vlan, char *text, size_t size);

#endif
