/* SPDX-License-Identifier: BSD-3-Clause */
/* Links that go down by themselves: `flap: {every_ms, down_ms}` of ports. Control thread only. */
#ifndef CONTROL_FLAP_H
#define CONTROL_FLAP_H

#include "apply.h"

/**
 * flap_is_down() - Is the link down at this moment?
 * @now_ms:  CLOCK_MONOTONIC
 * @next_ms: out: until that changes
 *
 * The last down_ms of each period. Where a period begins is made from the link's names: both ends agree, other links
 * do not.
 */
bool flap_is_down(const struct model_port *port, uint64_t now_ms, uint64_t *next_ms);

/**
 * flap_apply() - Let ports go down and come up that are to, in one snapshot
 * Return: ms until the next one is to, UINT64_MAX if none flaps.
 */
uint64_t flap_apply(struct apply *apply, uint64_t now_ms);

#endif
