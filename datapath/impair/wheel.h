/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which impaired direction has something due next: one per worker, over the directions that it owns.
 *
 * A heap of directions by time, with each direction's place in it, so that a time can be moved. A worker that puts a frame
 * into a direction of another kicks it: a bit, and, if that worker sleeps, its wake fd. Bits of directions that have gone mean
 * nothing: the owner looks each up in its snapshot.
 */
#ifndef DATAPATH_IMPAIR_WHEEL_H
#define DATAPATH_IMPAIR_WHEEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WHEEL_IDS_MAX (2 * 8192) /* two directions of each port */

struct wheel {
	/* any worker */
	_Atomic bool is_kicked;
	_Atomic bool is_asleep; /* its owner's; whoever kicks it then wakes it */
	_Atomic uint64_t kicks[WHEEL_IDS_MAX / 64];
	/* the owner's */
	uint32_t n;
	struct {
		uint64_t due_ns;
		uint32_t id;
	} heap[WHEEL_IDS_MAX];
	uint16_t place[WHEEL_IDS_MAX]; /* in the heap + 1, 0: not there */
};

/** wheel_new() - Return: NULL without memory; free() it */
struct wheel *wheel_new(void);

/** wheel_set() - The owner: direction @id has something due at @due_ns, or nothing (UINT64_MAX) */
void wheel_set(struct wheel *wheel, uint32_t id, uint64_t due_ns);

/** wheel_first() - The owner: the direction that is due first. Return: when; UINT64_MAX if there is none. */
uint64_t wheel_first(const struct wheel *wheel, uint32_t *id);

/** wheel_kick() - Any worker. Return: whether the owner sleeps and must be woken. */
bool wheel_kick(struct wheel *wheel, uint32_t id);

/**
 * wheel_kicked() - The owner: call @look for each direction that was kicked since
 * @n_ids: as many there are
 */
void wheel_kicked(struct wheel *wheel, uint32_t n_ids, void (*look)(uint32_t id, void *arg),
		  void *arg);

#endif
