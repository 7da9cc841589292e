/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is remembered of each VTEP and VNI from one round of overlay_sync() to the next: its counters' slot, and how it was found.
 * Control thread only.
 */
#ifndef CONTROL_OVERLAY_MEMORY_H
#define CONTROL_OVERLAY_MEMORY_H

#include "overlay_spec.h"
#include "overlay_state.h"
#include "overlay_underlay.h"
#include "vxlan/overlay.h"

struct overlay_memory;

/**
 * overlay_memory_new() - For a model whose round begins
 * @old:  of the round before, NULL: this is the first
 * @spec: of @model; slots are written
 *
 * What was there keeps its slot; the counters of what is new are zero. Nothing is known of how it is until overlay_memory_judge().
 * Return: owned by the caller, NULL without memory.
 */
struct overlay_memory *overlay_memory_new(const struct overlay_memory *old,
					  const struct model *model, struct overlay_spec *spec);
void overlay_memory_free(struct overlay_memory *memory);

/**
 * overlay_memory_judge() - What the round found
 * @memory: of this round, made for @model
 * @old:    what differs from it is logged
 * @ways:   by VTEP of the model
 */
void overlay_memory_judge(struct overlay_memory *memory, const struct overlay_memory *old,
			  const struct model *model, const struct overlay_way *ways);

/* @memory may be NULL in all below: nothing is known yet. */

/** overlay_memory_way() - How a VTEP is reached; never NULL */
const struct overlay_way *overlay_memory_way(const struct overlay_memory *memory, const char *vtep);

/** overlay_memory_vtep_counters() - NULL: there is no such VTEP */
const struct overlay_vtep_counters *
overlay_memory_vtep_counters(const struct overlay_memory *memory, const char *vtep);

/** overlay_memory_vni_state() - How a VNI is; never NULL */
const struct overlay_vni_state *overlay_memory_vni_state(const struct overlay_memory *memory,
							 uint32_t vni);

/** overlay_memory_vni_counters() - NULL: there is no such VNI */
const struct overlay_counters *overlay_memory_vni_counters(const struct overlay_memory *memory,
							   uint32_t vni);

#endif
