/* SPDX-License-Identifier: BSD-3-Clause */
#include "eyes/eyes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "eyes/mirrors.h"
#include "eyes/sflow.h"

struct eyes {
	struct apply *apply;
	struct mirrors *mirrors;
	struct sflows *sflows;
	uint64_t used; /* slots */
	LIST_HEAD(eyes_watchers, eyes_watcher) watchers;
};

struct eyes *eyes_new(struct apply *apply, struct event_base *base)
{
	struct eyes *eyes = calloc(1, sizeof(*eyes));

	if (eyes == NULL)
		return NULL;
	eyes->apply = apply;
	LIST_INIT(&eyes->watchers);
	eyes->mirrors = mirrors_new();
	eyes->sflows = sflows_new(base, eyes);
	if (eyes->mirrors != NULL && eyes->sflows != NULL)
		return eyes;
	eyes_free(eyes);
	return NULL;
}

void eyes_close(struct eyes *eyes)
{
	sflows_free(eyes->sflows);
	eyes->sflows = NULL;
}

void eyes_free(struct eyes *eyes)
{
	if (eyes == NULL)
		return;
	sflows_free(eyes->sflows);
	mirrors_free(eyes->mirrors);
	free(eyes);
}

void eyes_sync(struct eyes *eyes)
{
	sflows_sync(eyes->sflows, apply_model(eyes->apply));
}

const struct mirrors *eyes_mirrors(const struct eyes *eyes)
{
	return eyes->mirrors;
}

const struct sflows *eyes_sflows(const struct eyes *eyes)
{
	return eyes->sflows;
}

const struct apply *eyes_apply(const struct eyes *eyes)
{
	return eyes->apply;
}

const struct model *eyes_model(const struct eyes *eyes)
{
	return apply_model(eyes->apply);
}

static bool target_matches(const char *target, const struct model *model,
			   const struct model_port *port)
{
	if (strcmp(target, port->spec.name) == 0)
		return true;
	if (model_port_find(model, target) != NULL)
		return false;
	if (port->attachment == MODEL_ON_SWITCH && strcmp(target, port->target) == 0)
		return true;
	return model_switch_find(model, target) == NULL && strcmp(target, port->owner) == 0;
}

bool eyes_matches(const struct eyes_select *select, const struct model *model,
		  const struct model_port *port)
{
	for (uint16_t i = 0; i < select->n_targets; i++) {
		if (target_matches(select->targets[i], model, port))
			return true;
	}
	return false;
}

static bool target_exists(const struct model *model, const char *target)
{
	if (model_port_find(model, target) != NULL || model_switch_find(model, target) != NULL)
		return true;
	for (size_t i = 0; i < model->n_ports; i++) {
		if (strcmp(model->ports[i]->owner, target) == 0)
			return true;
	}
	return false;
}

int eyes_check(const struct eyes *eyes, const struct eyes_select *select, struct err *err)
{
	for (uint16_t i = 0; i < select->n_targets; i++) {
		if (!target_exists(eyes_model(eyes), select->targets[i]))
			return err_set(err, ENOENT,
				       "there is no port, switch or lab \"%s\"; `netloom show "
				       "ports` lists the ports",
				       select->targets[i]);
	}
	return 0;
}

int eyes_add(struct eyes *eyes, struct eyes_watcher *watcher, struct err *err)
{
	if (~eyes->used == 0)
		return err_set(err, EBUSY, "%d captures, traces and samplers run already: end one",
			       PROBES_MAX);
	watcher->eyes = eyes;
	watcher->slot = (unsigned int)__builtin_ctzll(~eyes->used);
	eyes->used |= UINT64_C(1) << watcher->slot;
	LIST_INSERT_HEAD(&eyes->watchers, watcher, next);
	if (apply_republish(eyes->apply) == 0)
		return 0;
	LIST_REMOVE(watcher, next);
	eyes->used &= ~(UINT64_C(1) << watcher->slot);
	return err_set(err, ENOMEM, "out of memory");
}

int eyes_refresh(struct eyes_watcher *watcher)
{
	return apply_republish(watcher->eyes->apply);
}

void eyes_remove(struct eyes_watcher *watcher)
{
	struct eyes *eyes = watcher->eyes;

	LIST_REMOVE(watcher, next);
	if (apply_republish(eyes->apply) != 0) {
		/* The workers still have it: it must stay, and so must its slot. */
		log_error("out of memory: a capture that has ended cannot be freed");
		return;
	}
	eyes->used &= ~(UINT64_C(1) << watcher->slot);
	probe_free(watcher->probe);
	watcher->probe = NULL;
}

void eyes_build(struct snapshot *snapshot, const struct model *model, void *arg)
{
	struct eyes *eyes = arg;
	struct eyes_watcher *watcher;

	mirrors_build(eyes->mirrors, snapshot, model);
	LIST_FOREACH (watcher, &eyes->watchers, next) {
		/* cppcheck-suppress uninitvar; it does not know LIST_FOREACH */
		uint64_t bit = UINT64_C(1) << watcher->slot;

		snapshot->probes[watcher->slot] = watcher->probe;
		for (size_t i = 0; i < model->n_ports; i++) {
			const struct model_port *port = model->ports[i];

			if (!eyes_matches(&watcher->select, model, port))
				continue;
			for (int point = 0; point < PROBE_POINTS; point++) {
				if (watcher->select.points[point])
					snapshot->ports[port->index].watch[point] |= bit;
			}
			if (watcher->select.points[PROBE_IN])
				snapshot->watched_in |= bit;
		}
		if (watcher->probe->trace)
			snapshot->traces |= bit;
		snapshot->is_watched = true;
	}
}

void eyes_published(struct eyes *eyes, const struct model *model)
{
	struct eyes_watcher *watcher;

	mirrors_published(eyes->mirrors, model);
	LIST_FOREACH (watcher, &eyes->watchers, next) {
		if (watcher->published != NULL)
			watcher->published(watcher, model);
	}
}
