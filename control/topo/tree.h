/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A YAML 1.1 document as a tree that still knows its line numbers. libyaml parses; this builds and bounds.
 *
 * Bounds, because the file is outside input: size, depth, number of nodes, and the number of nodes after
 * aliases are followed (each node carries its weight, so a "billion laughs" file is refused when it is
 * read, not when it is walked). Duplicate keys are an error here, as YAML says and most parsers do not.
 * One thread.
 */
#ifndef TOPO_TREE_H
#define TOPO_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "topo/arena.h"
#include "topo/diag.h"

#define TREE_FILE_BYTES_MAX (4u << 20)
#define TREE_DEPTH_MAX	    24
#define TREE_WEIGHT_MAX	    200000

enum tree_kind { TREE_SCALAR, TREE_SEQUENCE, TREE_MAP };

struct tree_node {
	enum tree_kind kind;
	unsigned int line; /* 1-based */
	bool is_quoted;	   /* a scalar in quotes is a string whatever it looks like */
	const char *text;  /* scalar: NUL-terminated UTF-8; else "" */
	size_t n;	   /* sequence: items; map: pairs */
	struct tree_node *
		*items; /* sequence: n; map: 2n, key and value in turn; keys are scalars */
	size_t weight;	/* nodes below and including this one, aliases followed */
};

/**
 * tree_parse() - Read one YAML document
 * @arena: owns the tree
 * @text:  bytes, need not be NUL-terminated
 * @len:   bytes
 * @diags: syntax errors go here, with the line
 *
 * Return: the root, or NULL when there is no usable document (then @diags says why).
 */
struct tree_node *tree_parse(struct arena *arena, const char *text, size_t len,
			     struct diag_list *diags);

/** tree_find() - The value of a key of a map; NULL when absent or when @map is no map (or NULL) */
struct tree_node *tree_find(const struct tree_node *map, const char *key);

/** tree_kind_name() - "a list", "a map", "a value" for sentences */
const char *tree_kind_name(enum tree_kind kind);

#endif
