/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/tree.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

#define TREE_ANCHORS_MAX 64

struct tree_anchor {
	const char *name;
	struct tree_node *node;
};

struct tree_builder {
	struct arena *arena;
	struct diag_list *diags;
	yaml_parser_t parser;
	struct tree_anchor anchors[TREE_ANCHORS_MAX];
	size_t n_anchors;
	size_t n_nodes;
	bool failed; /* a finding ended the reading */
};

const char *tree_kind_name(enum tree_kind kind)
{
	switch (kind) {
	case TREE_SEQUENCE:
		return "a list";
	case TREE_MAP:
		return "a map";
	default:
		return "a single value";
	}
}

static unsigned int mark_line(const yaml_mark_t *mark)
{
	return mark->line < UINT32_MAX - 1 ? (unsigned int)mark->line + 1 : UINT32_MAX;
}

/* Where a line begins libyaml does not say what it found: a tab looks like the spaces that it is not. */
static const char *tab_hint(const char *problem)
{
	return strstr(problem, "cannot start any token") != NULL
		       ? " (a tab? YAML is indented with spaces)"
		       : "";
}

static void builder_syntax_error(struct tree_builder *b)
{
	const yaml_parser_t *p = &b->parser;

	b->failed = true;
	if (p->error == YAML_MEMORY_ERROR)
		diag_error(b->diags, 0, "out of memory while reading");
	else if (p->error == YAML_READER_ERROR)
		diag_error(b->diags, mark_line(&p->mark),
			   "this is not text in UTF-8 (byte %zu: %s); a lab file is YAML",
			   p->problem_offset, p->problem);
	else if (p->context != NULL)
		diag_error(b->diags, mark_line(&p->problem_mark), "YAML syntax: %s%s, %s (line %u)",
			   p->problem, tab_hint(p->problem), p->context,
			   mark_line(&p->context_mark));
	else
		diag_error(b->diags, mark_line(&p->problem_mark), "YAML syntax: %s", p->problem);
}

/* Next event; NULL when the reading has failed. The caller deletes it. */
static bool builder_next(struct tree_builder *b, yaml_event_t *event)
{
	if (b->failed)
		return false;
	if (!yaml_parser_parse(&b->parser, event)) {
		builder_syntax_error(b);
		return false;
	}
	return true;
}

static struct tree_node *builder_node_new(struct tree_builder *b, enum tree_kind kind,
					  const yaml_event_t *event)
{
	struct tree_node *node;

	if (++b->n_nodes > TREE_WEIGHT_MAX) {
		diag_error(b->diags, mark_line(&event->start_mark),
			   "more than %d values; this is no lab file", TREE_WEIGHT_MAX);
		b->failed = true;
		return NULL;
	}
	node = arena_alloc(b->arena, sizeof(*node));
	node->kind = kind;
	node->line = mark_line(&event->start_mark);
	node->text = "";
	node->weight = 1;
	return node;
}

static void builder_anchor_add(struct tree_builder *b, const yaml_char_t *name,
			       struct tree_node *node)
{
	if (name == NULL)
		return;
	if (b->n_anchors == TREE_ANCHORS_MAX) {
		diag_error(b->diags, node->line, "more than %d anchors (&name)", TREE_ANCHORS_MAX);
		b->failed = true;
		return;
	}
	b->anchors[b->n_anchors].name =
		arena_strndup(b->arena, (const char *)name, strlen((const char *)name));
	b->anchors[b->n_anchors++].node = node;
}

static struct tree_node *builder_alias(struct tree_builder *b, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (size_t i = b->n_anchors; i-- > 0;) {
		if (strcmp(b->anchors[i].name, name) == 0)
			return b->anchors[i].node;
	}
	diag_error(
		b->diags, mark_line(&event->start_mark),
		"alias *%.40s names no anchor above it (write &%.40s at the value that is meant)",
		name, name);
	b->failed = true;
	return NULL;
}

static bool node_append(struct tree_builder *b, struct tree_node *parent, struct tree_node *child,
			size_t *n_items, size_t *capacity)
{
	if (*n_items == *capacity) {
		size_t room = *capacity == 0 ? 4 : *capacity * 2;

		parent->items =
			arena_grow(b->arena, parent->items, *n_items * sizeof(*parent->items),
				   room * sizeof(*parent->items));
		*capacity = room;
	}
	parent->items[(*n_items)++] = child;
	parent->weight += child->weight;
	if (parent->weight <= TREE_WEIGHT_MAX)
		return true;
	diag_error(b->diags, parent->line,
		   "the aliases in here multiply to more than %d values; refused", TREE_WEIGHT_MAX);
	b->failed = true;
	return false;
}

/* Keys seen twice: quadratic, but over one map of bounded size; large maps are compared by hash first. */
static uint32_t key_hash(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

static void map_keys_check(struct tree_builder *b, const struct tree_node *map)
{
	size_t n_slots = 8;
	const struct tree_node **slots;

	while (n_slots < map->n * 2)
		n_slots *= 2;
	slots = arena_alloc(b->arena, n_slots * sizeof(*slots));
	for (size_t i = 0; i < map->n; i++) {
		const struct tree_node *key = map->items[2 * i];
		size_t at = key_hash(key->text) & (n_slots - 1);

		while (slots[at] != NULL && strcmp(slots[at]->text, key->text) != 0)
			at = (at + 1) & (n_slots - 1);
		if (slots[at] != NULL)
			diag_error(b->diags, key->line,
				   "duplicate name: \"%.60s\" is already on line %u", key->text,
				   slots[at]->line);
		else
			slots[at] = key;
	}
}

static struct tree_node *builder_value(struct tree_builder *b, yaml_event_t *event,
				       unsigned int depth);

static struct tree_node *builder_collection(struct tree_builder *b, yaml_event_t *event,
					    unsigned int depth)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	struct tree_node *node = builder_node_new(b, is_map ? TREE_MAP : TREE_SEQUENCE, event);
	const yaml_char_t *anchor =
		is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	size_t n_items = 0;
	size_t capacity = 0;
	yaml_event_t next;

	if (node == NULL)
		return NULL;
	if (depth >= TREE_DEPTH_MAX) {
		diag_error(b->diags, node->line, "nested deeper than %d levels", TREE_DEPTH_MAX);
		b->failed = true;
		return NULL;
	}
	while (builder_next(b, &next)) {
		struct tree_node *child;

		if (next.type == end) {
			yaml_event_delete(&next);
			break;
		}
		child = builder_value(b, &next, depth + 1);
		yaml_event_delete(&next);
		if (child == NULL || !node_append(b, node, child, &n_items, &capacity))
			return NULL;
		if (is_map && n_items % 2 == 1 && child->kind != TREE_SCALAR) {
			diag_error(b->diags, child->line, "a key must be a name, not %s",
				   tree_kind_name(child->kind));
			b->failed = true;
			return NULL;
		}
	}
	if (b->failed)
		return NULL;
	node->n = is_map ? n_items / 2 : n_items;
	if (is_map)
		map_keys_check(b, node);
	/* Known only from here on: an alias inside itself cannot name it, so there are no cycles. */
	builder_anchor_add(b, anchor, node);
	return b->failed ? NULL : node;
}

static struct tree_node *builder_value(struct tree_builder *b, yaml_event_t *event,
				       unsigned int depth)
{
	struct tree_node *node;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node = builder_node_new(b, TREE_SCALAR, event);
		if (node == NULL)
			return NULL;
		if (memchr(event->data.scalar.value, 0, event->data.scalar.length) != NULL) {
			diag_error(b->diags, node->line, "a value contains a NUL byte");
			b->failed = true;
			return NULL;
		}
		node->text = arena_strndup(b->arena, (const char *)event->data.scalar.value,
					   event->data.scalar.length);
		node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		builder_anchor_add(b, event->data.scalar.anchor, node);
		return b->failed ? NULL : node;
	case YAML_ALIAS_EVENT:
		return builder_alias(b, event);
	default:
		return builder_collection(b, event, depth);
	}
}

static struct tree_node *builder_document(struct tree_builder *b)
{
	struct tree_node *root = NULL;
	yaml_event_t event;

	while (builder_next(b, &event)) {
		bool done = event.type == YAML_STREAM_END_EVENT;

		switch (event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
		case YAML_STREAM_END_EVENT:
			break;
		default:
			if (root != NULL) {
				diag_error(b->diags, mark_line(&event.start_mark),
					   "a second document (---); a lab file holds one lab");
				b->failed = true;
			} else {
				root = builder_value(b, &event, 0);
			}
		}
		yaml_event_delete(&event);
		if (done)
			break;
	}
	return b->failed ? NULL : root;
}

struct tree_node *tree_parse(struct arena *arena, const char *text, size_t len,
			     struct diag_list *diags)
{
	struct tree_builder *b;
	struct tree_node *root;

	if (len > TREE_FILE_BYTES_MAX) {
		diag_error(diags, 0, "is %.1f MB; a lab file is at most %u MB", (double)len / 1e6,
			   TREE_FILE_BYTES_MAX >> 20);
		return NULL;
	}
	b = arena_alloc(arena, sizeof(*b));
	b->arena = arena;
	b->diags = diags;
	if (!yaml_parser_initialize(&b->parser)) {
		diag_error(diags, 0, "out of memory");
		return NULL;
	}
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, len);
	root = builder_document(b);
	yaml_parser_delete(&b->parser);
	if (root == NULL && !b->failed)
		diag_error(diags, 0, "is empty; a lab file starts with `name:` and `topology:`");
	return root;
}

struct tree_node *tree_find(const struct tree_node *map, const char *key)
{
	if (map == NULL || map->kind != TREE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->items[2 * i]->text, key) == 0)
			return map->items[2 * i + 1];
	}
	return NULL;
}
