/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single values of a lab file: sizes, numbers, addresses, names. Each reader says in @diags what is wrong
 * with a value, where, and how to write it right, and then leaves its result untouched. One thread.
 *
 * @who opens the sentence: `node "h1"`, `link "h1:eth1"`, `defaults`.
 */
#ifndef TOPO_VALUE_H
#define TOPO_VALUE_H

#include "topo/topo.h"
#include "topo/tree.h"

struct value_reader {
	struct arena *arena;
	struct diag_list *diags;
	const char *who;
};

/** value_string() - A scalar's text; false and a finding when it is a list or map, or empty */
bool value_string(const struct value_reader *r, const char *key, const struct tree_node *value,
		  const char **out);

/** value_uint() - A whole number between min and max */
bool value_uint(const struct value_reader *r, const char *key, const struct tree_node *value,
		unsigned int min, unsigned int max, unsigned int *out);

/** value_bool() - true, false, yes, no, on, off */
bool value_bool(const struct value_reader *r, const char *key, const struct tree_node *value,
		bool *out);

/** value_memory() - 256M, 1G, 512 (MiB): MiB in @out */
bool value_memory(const struct value_reader *r, const struct tree_node *value, unsigned int *out);

/** value_seconds() - 5, 5s, 2m */
bool value_seconds(const struct value_reader *r, const char *key, const struct tree_node *value,
		   unsigned int max, unsigned int *out);

/** value_choice() - One of @words; its index in @out */
bool value_choice(const struct value_reader *r, const char *key, const struct tree_node *value,
		  const char *const *words, size_t n_words, unsigned int *out);

/** value_strings() - A list of scalars, or one scalar */
bool value_strings(const struct value_reader *r, const char *key, const struct tree_node *value,
		   struct topo_strings *out);

/** value_pairs() - A map of scalars; pairs whose key @out already has are left out (inheritance) */
bool value_pairs(const struct value_reader *r, const char *key, const struct tree_node *value,
		 struct topo_pairs *out);

/** value_vid() - A VLAN id; 0, 4095 and more are refused with the reason */
bool value_vid(const struct value_reader *r, const struct tree_node *value, const char *text,
	       uint16_t *out);

/** value_cidr() - ADDRESS/PREFIX of @family into @out */
bool value_cidr(const struct value_reader *r, const char *key, const struct tree_node *value,
		int family, struct topo_address *out);

/** value_keys_check() - A finding for each key of @map that is not in @keys, with a suggestion */
void value_keys_check(const struct value_reader *r, const struct tree_node *map,
		      const char *const *keys, size_t n_keys);

/** value_is_name() - 1 to @max of `A-Z a-z 0-9 . _ -`, not starting with `.` or `-` */
bool value_is_name(const char *text, size_t max);

/** value_is_kind() - The node is of that kind; a finding otherwise */
bool value_is_kind(const struct value_reader *r, const char *key, const struct tree_node *value,
		   enum tree_kind kind);

#endif
