/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the model's mirrors to the snapshot's: filters are compiled once, counters last as long as a mirror is not changed.
 * Control thread only.
 */
#ifndef CONTROL_EYES_MIRRORS_H
#define CONTROL_EYES_MIRRORS_H

#include "model.h"

struct mirrors;

/** mirrors_new() - None yet. Return: NULL without memory. */
struct mirrors *mirrors_new(void);
/** mirrors_free() - No snapshot names any; NULL is fine */
void mirrors_free(struct mirrors *mirrors);

/** mirrors_build() - Fill a new snapshot's mirrors. One that has no port to send to copies nothing. */
void mirrors_build(struct mirrors *mirrors, struct snapshot *snapshot, const struct model *model);

/** mirrors_published() - Let go of what the published snapshot, of @model, does not name */
void mirrors_published(struct mirrors *mirrors, const struct model *model);

/** mirrors_copies() - How many frames a mirror has copied since it was set */
uint64_t mirrors_copies(const struct mirrors *mirrors, const struct model_mirror *mirror);

#endif
