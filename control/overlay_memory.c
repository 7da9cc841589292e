/* SPDX-License-Identifier: BSD-3-Clause */
/* See overlay_memory.h. */
#include "overlay_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct vtep_info {
	char name[PORT_NAME_MAX];
	uint16_t slot;
	struct overlay_way way;
};

struct vni_info {
	uint32_t vni;
	uint16_t slot;
	struct overlay_vni_state state;
};

struct overlay_memory {
	struct vtep_info *vteps; /* sorted by name, as the model's */
	size_t n_vteps;
	struct vni_info *vnis; /* sorted by VNI */
	size_t n_vnis;
};

static int vni_compare(const void *a, const void *b)
{
	const struct vni_info *x = a, *y = b;

	return x->vni < y->vni ? -1 : x->vni > y->vni;
}

static struct vni_info *vni_find(const struct overlay_memory *memory, uint32_t vni)
{
	const struct vni_info key = {.vni = vni};

	return memory == NULL || memory->n_vnis == 0
		       ? NULL
		       : bsearch(&key, memory->vnis, memory->n_vnis, sizeof(key), vni_compare);
}

static int vtep_compare(const void *a, const void *b)
{
	return strcmp(((const struct vtep_info *)a)->name, ((const struct vtep_info *)b)->name);
}

static const struct vtep_info *vtep_find(const struct overlay_memory *memory, const char *name)
{
	struct vtep_info key = {.slot = 0};

	snprintf(key.name, sizeof(key.name), "%s", name);
	return memory == NULL || memory->n_vteps == 0
		       ? NULL
		       : bsearch(&key, memory->vteps, memory->n_vteps, sizeof(key), vtep_compare);
}

/*
 * Slots of counters: one is kept while its object lives. Those of objects that go are given to new ones only where there are not enough
 * others: the workers may still count the last frames there.
 */
struct slots {
	bool *used; /* [max] */
	uint32_t max;
	uint16_t next;
};

static bool slots_init(struct slots *slots, uint32_t max)
{
	*slots = (struct slots){.used = calloc(max, sizeof(*slots->used)), .max = max};
	return slots->used != NULL;
}

/* A free one. There is one: no more objects than @max are let in. */
static uint16_t slots_take(struct slots *slots)
{
	while (slots->used[slots->next])
		slots->next++;
	slots->used[slots->next] = true;
	return slots->next;
}

static bool vnis_remember(struct overlay_memory *memory, const struct overlay_memory *old,
			  struct overlay_spec *spec)
{
	const uint32_t n = spec->spec.n_vnis;
	struct vni_info *vnis = memory->vnis;
	struct slots slots;

	if (!slots_init(&slots, VTEP_VNIS_MAX))
		return false;
	for (size_t i = 0; old != NULL && i < old->n_vnis; i++)
		slots.used[old->vnis[i].slot] = old->n_vnis + n <= slots.max;
	for (uint32_t i = 0; i < n; i++) {
		const struct vni_info *before = vni_find(old, spec->vnis[i].vni);

		vnis[i].vni = spec->vnis[i].vni;
		vnis[i].slot = before != NULL ? before->slot : VTEP_NONE;
		if (before != NULL)
			slots.used[before->slot] = true;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (vnis[i].slot == VTEP_NONE) {
			vnis[i].slot = slots_take(&slots);
			memset(overlay_counters(vnis[i].slot), 0, sizeof(struct overlay_counters));
		}
		spec->vnis[i].slot = vnis[i].slot;
	}
	memory->n_vnis = n;
	qsort(vnis, n, sizeof(*vnis), vni_compare);
	free(slots.used);
	return true;
}

static bool vteps_remember(struct overlay_memory *memory, const struct overlay_memory *old,
			   const struct model *model, struct overlay_spec *spec)
{
	struct vtep_info *vteps = memory->vteps;
	struct slots slots;

	if (!slots_init(&slots, VTEP_PEERS_MAX))
		return false;
	for (size_t i = 0; old != NULL && i < old->n_vteps; i++)
		slots.used[old->vteps[i].slot] = old->n_vteps + model->n_vteps <= slots.max;
	for (size_t i = 0; i < model->n_vteps; i++) {
		const struct vtep_info *before = vtep_find(old, model->vteps[i]->name);

		memcpy(vteps[i].name, model->vteps[i]->name, PORT_NAME_MAX);
		vteps[i].slot = before != NULL ? before->slot : VTEP_NONE;
		if (before != NULL)
			slots.used[before->slot] = true;
	}
	for (size_t i = 0; i < model->n_vteps; i++) {
		if (vteps[i].slot != VTEP_NONE)
			continue;
		vteps[i].slot = slots_take(&slots);
		memset(overlay_vtep_counters(vteps[i].slot), 0,
		       sizeof(struct overlay_vtep_counters));
	}
	memory->n_vteps = model->n_vteps;
	for (uint16_t i = 0; i < spec->spec.n_peers; i++)
		spec->peers[i].slot = vteps[spec->peer_vtep[i]].slot;
	free(slots.used);
	return true;
}

struct overlay_memory *overlay_memory_new(const struct overlay_memory *old,
					  const struct model *model, struct overlay_spec *spec)
{
	struct overlay_memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return NULL;
	memory->vteps = calloc(model->n_vteps + 1, sizeof(*memory->vteps));
	memory->vnis = calloc(spec->spec.n_vnis + 1, sizeof(*memory->vnis));
	if (memory->vteps != NULL && memory->vnis != NULL && vnis_remember(memory, old, spec) &&
	    vteps_remember(memory, old, model, spec))
		return memory;
	overlay_memory_free(memory);
	return NULL;
}

void overlay_memory_free(struct overlay_memory *memory)
{
	if (memory == NULL)
		return;
	free(memory->vteps);
	free(memory->vnis);
	free(memory);
}

static void changes_log(const struct overlay_memory *memory, const struct overlay_memory *old)
{
	for (size_t i = 0; i < memory->n_vteps; i++) {
		const struct vtep_info *now = &memory->vteps[i];
		const struct overlay_way *before = overlay_memory_way(old, now->name);

		if (now->way.usable && !before->usable)
			log_info("vtep \"%s\": reachable", now->name);
		else if (strcmp(before->detail, now->way.detail) != 0)
			log_info("vtep \"%s\": %s", now->name, now->way.detail);
	}
	for (size_t i = 0; i < memory->n_vnis; i++) {
		const struct vni_info *now = &memory->vnis[i];
		const struct overlay_vni_state *before = overlay_memory_vni_state(old, now->vni);

		if (strcmp(before->detail, now->state.detail) != 0)
			log_info("vni %u: %s", now->vni,
				 now->state.detail[0] != '\0' ? now->state.detail : "up");
	}
}

void overlay_memory_judge(struct overlay_memory *memory, const struct overlay_memory *old,
			  const struct model *model, const struct overlay_way *ways)
{
	for (size_t i = 0; i < memory->n_vteps; i++)
		memory->vteps[i].way = ways[i];
	for (size_t i = 0; i < model->n_vnis; i++) {
		struct vni_info *info = vni_find(memory, model->vnis[i]->vni);

		if (info != NULL)
			overlay_vni_judge(model, model->vnis[i], ways, &info->state);
	}
	changes_log(memory, old);
}

const struct overlay_way *overlay_memory_way(const struct overlay_memory *memory, const char *vtep)
{
	static const struct overlay_way none = {.detail = "not known yet"};
	const struct vtep_info *found = vtep_find(memory, vtep);

	return found != NULL ? &found->way : &none;
}

const struct overlay_vtep_counters *
overlay_memory_vtep_counters(const struct overlay_memory *memory, const char *vtep)
{
	const struct vtep_info *found = vtep_find(memory, vtep);

	return found != NULL ? overlay_vtep_counters(found->slot) : NULL;
}

const struct overlay_vni_state *overlay_memory_vni_state(const struct overlay_memory *memory,
							 uint32_t vni)
{
	static const struct overlay_vni_state none = {.state = OVERLAY_DOWN};
	const struct vni_info *found = vni_find(memory, vni);

	return found != NULL ? &found->state : &none;
}

const struct overlay_counters *overlay_memory_vni_counters(const struct overlay_memory *memory,
							   uint32_t vni)
{
	const struct vni_info *found = vni_find(memory, vni);

	return found != NULL ? overlay_counters(found->slot) : NULL;
}
