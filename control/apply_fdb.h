/* SPDX-License-Identifier: BSD-3-Clause */
/* The FDB after a change: nothing left of what went, all static entries there. Control thread only. */
#ifndef CONTROL_APPLY_FDB_H
#define CONTROL_APPLY_FDB_H

#include "fdb.h"
#include "model.h"

/**
 * apply_fdb_sync() - Bring the FDB into line with a model that has just been published
 * @old, @next: what ran and what runs; both with indices
 * @replaced:   by port index: another peer may be behind the port now, its learned entries are void
 *
 * Forgotten are entries of ports that are gone, sit on another switch, no longer carry the VLAN, or are
 * administratively down (static and sticky ones stay then), and of switches that are gone. When the table is full of
 * learned entries, those give way to static ones.
 */
void apply_fdb_sync(struct fdb *fdb, const struct model *old, const struct model *next,
		    const bool *replaced);

#endif
