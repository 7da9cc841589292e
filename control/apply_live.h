/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing what is behind a port index (struct live_port). Control thread only. */
#ifndef CONTROL_APPLY_LIVE_H
#define CONTROL_APPLY_LIVE_H

#include "apply.h"

/**
 * apply_live_open() - Open a port, or a patch end, with the directions that are to be impaired
 * @live: closed or suspended; new ones are all zeros
 * @why:  empty; names the port when something fails
 *
 * Return: 0, or a negative errno with @live suspended and its error set.
 */
int apply_live_open(struct live_port *live, const struct model_port *port, struct err *why);

/** apply_live_open_again() - Try a port that was left out, if it is time. Return: whether it is open at last. */
bool apply_live_open_again(struct live_port *live, const struct model_port *port);

/** apply_live_suspend() - Close, but remember what was asked for by hand: who polls its queues. No snapshot names it. */
void apply_live_suspend(struct live_port *live);

/** apply_live_close() - Close; no snapshot names it. @live is all zeros afterwards. */
void apply_live_close(struct live_port *live);

#endif
