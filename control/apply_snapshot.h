/* SPDX-License-Identifier: BSD-3-Clause */
/* The model with its live ports, as the workers want it. Control thread only. */
#ifndef CONTROL_APPLY_SNAPSHOT_H
#define CONTROL_APPLY_SNAPSHOT_H

#include "apply.h"

/**
 * apply_snapshot_build() - Make the snapshot of a model
 * @live: by port index; a port that is neither open nor a patch is left out, and a wire to it is cut
 * Return: owned by the caller, NULL without memory.
 */
struct snapshot *apply_snapshot_build(const struct model *model, const struct live_port *live,
				      uint64_t generation);

#endif
