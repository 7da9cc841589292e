/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The impaired directions of running ports: made and given back with the ports, and named by snapshots. A direction that
 * stays impaired keeps its object, and with it the frames that wait; what changes is in the snapshot. Control thread only.
 */
#ifndef CONTROL_APPLY_IMPAIR_H
#define CONTROL_APPLY_IMPAIR_H

#include "apply.h"

/**
 * apply_impair_open() - Make the directions that @port wants impaired and @live has not yet
 * Return: 0, or -ENOMEM with @err filled; what was made stays with @live.
 */
int apply_impair_open(struct live_port *live, const struct model_port *port, struct err *err);

/** apply_impair_close() - Free those of @live that @kept (NULL: none) has not; no snapshot names them */
void apply_impair_close(struct live_port *live, const struct live_port *kept);

/** apply_impair_fill() - Say in a snapshot which ports are impaired and how. Return: 0 or -ENOMEM. */
int apply_impair_fill(struct snapshot *snapshot, const struct model *model,
		      const struct live_port *live);

#endif
