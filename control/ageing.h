/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forgetting stations that fell silent: IEEE 802.1Q-2018 §8.8.3.
 *
 * A timer that looks at a part of the table every second, so that the whole table passes in a quarter of the shortest
 * ageing time. It runs only while something learned is in the table: an idle switch costs nothing. Control thread only.
 */
#ifndef CONTROL_AGEING_H
#define CONTROL_AGEING_H

#include <event2/event.h>

#include "apply.h"

struct ageing;

/** ageing_new() - Return: asleep until ageing_wake(); NULL without memory */
struct ageing *ageing_new(struct event_base *base, const struct apply *apply);
void ageing_free(struct ageing *ageing);

/** ageing_wake() - Something may have been learned, or ageing times have changed. Cheap. */
void ageing_wake(struct ageing *ageing);

#endif
