/* SPDX-License-Identifier: BSD-3-Clause */
/* A lab's mirrors as netloomd wants them, and the analysers they lead to as ports. */
#ifndef LAB_DESIRED_MIRROR_H
#define LAB_DESIRED_MIRROR_H

#include <jansson.h>

#include "topo/topo.h"

/**
 * desired_mirrors_add() - Add to lists of `apply`
 * @ports: those of the lab are in it already; what is not among them is on another host, and left out
 */
void desired_mirrors_add(const struct topo *topo, const json_t *switches, json_t *ports,
			 json_t *mirrors);

#endif
