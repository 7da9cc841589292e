/* SPDX-License-Identifier: BSD-3-Clause */
#include "eyes/mirrors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "eyes/eyes.h"
#include "probe/filter.h"
#include "stats.h"

/* A definition that a snapshot names, or is about to. */
struct entry {
	struct mirror mirror;
	struct filter *filter;
	struct model_mirror definition;
	LIST_ENTRY(entry) next;
};

struct mirrors {
	LIST_HEAD(entries, entry) entries;
};

struct mirrors *mirrors_new(void)
{
	struct mirrors *mirrors = calloc(1, sizeof(*mirrors));

	if (mirrors != NULL)
		LIST_INIT(&mirrors->entries);
	return mirrors;
}

static void entry_free(struct entry *entry)
{
	LIST_REMOVE(entry, next);
	filter_free(entry->filter);
	free(entry);
}

void mirrors_free(struct mirrors *mirrors)
{
	if (mirrors == NULL)
		return;
	while (!LIST_EMPTY(&mirrors->entries))
		entry_free(LIST_FIRST(&mirrors->entries));
	free(mirrors);
}

static struct entry *entry_find(const struct mirrors *mirrors,
				const struct model_mirror *definition)
{
	struct entry *entry;

	LIST_FOREACH (entry, &mirrors->entries, next) {
		/* cppcheck-suppress uninitvar; it does not know LIST_FOREACH */
		if (model_mirror_equal(&entry->definition, definition))
			return entry;
	}
	return NULL;
}

static struct entry *entry_get(struct mirrors *mirrors, const struct model_mirror *definition)
{
	struct entry *entry = entry_find(mirrors, definition);
	struct err err = {.text = ""};

	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	LIST_INSERT_HEAD(&mirrors->entries, entry, next);
	entry->definition = *definition;
	entry->mirror.vid = definition->vid;
	entry->mirror.snaplen = definition->snaplen;
	if (definition->filter[0] != '\0' &&
	    filter_compile(definition->filter, &entry->filter, &err) != 0) {
		log_error("mirror \"%s\": %s", definition->name, err.text);
		entry_free(entry);
		return NULL;
	}
	entry->mirror.filter = entry->filter;
	return entry;
}

/* A mirror's ports as a watcher's are named. */
static void select_of(const struct model_mirror *mirror, struct eyes_select *select)
{
	memset(select, 0, sizeof(*select));
	select->n_targets = mirror->of.n;
	memcpy(select->targets, mirror->of.names, sizeof(mirror->of.names));
}

static void mirror_fill(struct snapshot *snapshot, const struct model *model, unsigned int slot,
			const struct model_mirror *mirror, uint16_t to)
{
	uint32_t bit = UINT32_C(1) << slot;
	struct eyes_select select;

	select_of(mirror, &select);
	snapshot->mirror_to[slot] = to;
	for (size_t i = 0; i < model->n_ports; i++) {
		const struct model_port *port = model->ports[i];
		struct port_config *config = &snapshot->ports[port->index];

		if (port->index == to || !eyes_matches(&select, model, port))
			continue;
		if (mirror->in) {
			config->mirror_in |= bit;
			snapshot->mirrored_in |= bit;
		}
		if (mirror->out)
			config->mirror_out |= bit;
	}
}

void mirrors_build(struct mirrors *mirrors, struct snapshot *snapshot, const struct model *model)
{
	for (size_t i = 0; i < model->n_mirrors && i < MIRRORS_MAX; i++) {
		const struct model_mirror *mirror = model->mirrors[i];
		const struct model_port *to = model_port_find(model, mirror->to);
		struct entry *entry;

		if (to == NULL || snapshot->ports[to->index].port == NULL)
			continue;
		entry = entry_get(mirrors, mirror);
		if (entry == NULL)
			continue;
		snapshot->mirrors[i] = &entry->mirror;
		snapshot->is_watched = true;
		mirror_fill(snapshot, model, (unsigned int)i, mirror, to->index);
	}
}

void mirrors_published(struct mirrors *mirrors, const struct model *model)
{
	struct entry *entry, *after;

	for (entry = LIST_FIRST(&mirrors->entries); entry != NULL; entry = after) {
		const struct model_mirror *mirror =
			model_mirror_find(model, entry->definition.name);

		after = LIST_NEXT(entry, next);
		if (mirror == NULL || !model_mirror_equal(mirror, &entry->definition))
			entry_free(entry);
	}
}

uint64_t mirrors_copies(const struct mirrors *mirrors, const struct model_mirror *mirror)
{
	const struct entry *entry = entry_find(mirrors, mirror);
	uint64_t sum = 0;

	for (size_t i = 0; entry != NULL && i < PORT_WORKERS_MAX; i++)
		sum += stats_read(&entry->mirror.n_copies[i]);
	return sum;
}
