/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shortcuts (tap/shortcut.h): which stations have one, and that nobody notices but by speed.
 *
 * Whom the FDB knows behind a TAP port, and whom behind a VTEP, is told to the kernel, which then forwards TCP between them by itself. Everything
 * begins and ends here:
 * - before a change is published all shortcuts go, and what is still right after it comes back: no frame is
 *   forwarded by what was true before;
 * - a station that moved, aged or was forgotten loses its own within TICK_MS, as does a port whose link went down;
 * - what the kernel has forwarded is added to the counters of ports, VTEPs and VNIs, and keeps the stations from ageing.
 *
 * All is checked every TICK_MS; the FDB is only walked when something in it, or around it, has changed. Control thread only.
 */
#ifndef CONTROL_SHORTCUTS_H
#define CONTROL_SHORTCUTS_H

#include <jansson.h>

#include "control.h"

struct shortcuts;

/** shortcuts_new() - Nothing has one yet. Return: owned by the caller, NULL without memory. */
struct shortcuts *shortcuts_new(struct control *control);
void shortcuts_free(struct shortcuts *shortcuts);

/* @shortcuts may be NULL in all below: there are none. */

/** shortcuts_withdraw() - From now on netloomd sees all frames; before a change, while all ports are there */
void shortcuts_withdraw(struct shortcuts *shortcuts);

/** shortcuts_return() - The workers have @model, and in a moment, when it is apply_model(), those that are right in it come back */
void shortcuts_return(struct shortcuts *shortcuts, const struct model *model);

/** shortcuts_soon() - Something has changed that shortcuts depend on: look in a moment, not at the next tick */
void shortcuts_soon(struct shortcuts *shortcuts);

/** shortcuts_print() - New reference: what is to be told of those through the uplink with this index */
json_t *shortcuts_print(const struct shortcuts *shortcuts, uint16_t uplink);

#endif
