/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A shortcut through the kernel: TCP between stations behind TAP interfaces and stations behind VTEPs is encapsulated and decapsulated by
 * BPF programs on the TAP interfaces and on the uplink, and does not come to netloomd at all.
 *
 * What user space does for such a frame costs more than all the kernel does with it (bench/README.md, "tcp"). What netloomd knows
 * besides, the programs do not: so they only have stations that control put into their maps (control/shortcuts.h), and leave everything
 * else to netloomd. This file is the kernel's side: maps, and programs on interfaces, by links that go with this process
 * however it ends. It takes Linux 6.6.
 *
 * Control thread only.
 */
#ifndef TAP_SHORTCUT_H
#define TAP_SHORTCUT_H

#include "base/err.h"
#include "shortcut_program.h"

#define SHORTCUT_STATIONS_MAX 1024 /* of either side */

enum shortcut_side { SHORTCUT_NEAR, SHORTCUT_FAR, SHORTCUT_SIDES };

struct shortcut;

/** shortcut_new() - Make the maps. Return: 0, or -errno with @err filled. */
int shortcut_new(struct shortcut **out, struct err *err);

/** shortcut_free() - Links are their owners' to close; NULL is fine */
void shortcut_free(struct shortcut *shortcut);

/**
 * shortcut_put() - Let frames from and to a station take the shortcut
 * @value: struct shortcut_near or shortcut_far
 * Return: 0 or -errno.
 */
int shortcut_put(struct shortcut *shortcut, enum shortcut_side side, const struct shortcut_key *key,
		 const void *value);

/**
 * shortcut_take() - No longer; a frame that is in a program just now still does
 * @counts: out, what it came to; zeros if it was not there
 */
void shortcut_take(struct shortcut *shortcut, enum shortcut_side side,
		   const struct shortcut_key *key, struct shortcut_counts *counts);

/** shortcut_read() - What a station's counters are; zeros if it is not there */
void shortcut_read(struct shortcut *shortcut, enum shortcut_side side,
		   const struct shortcut_key *key, struct shortcut_counts *counts);

/**
 * shortcut_on_tap() - Put the program on a TAP interface whose stations are all in one VNI
 * Return: fd of the link, owned by the caller, closing it takes the program away; or -errno with @err filled.
 */
int shortcut_on_tap(struct shortcut *shortcut, uint32_t ifindex, uint32_t vni, struct err *err);

/** shortcut_on_uplink() - Put the other one on an interface on which we are VTEP and listen on @udp_port. Return: as above. */
int shortcut_on_uplink(struct shortcut *shortcut, uint32_t ifindex, uint16_t udp_port,
		       struct err *err);

#endif
