/* SPDX-License-Identifier: BSD-3-Clause */
/* One daemon per socket. */
#ifndef CONTROL_LOCK_H
#define CONTROL_LOCK_H

#include "base/err.h"

struct lock;

/**
 * lock_take() - Become the one who serves @socket_path
 *
 * Takes an flock(2) on "@socket_path.lock", which the kernel lets go when we end, however we end.
 * Return: 0, or -EBUSY with @err naming the process that has it, or another -errno.
 */
int lock_take(const char *socket_path, struct lock **out, struct err *err);

/** lock_release() - Remove the file and let go */
void lock_release(struct lock *lock);

#endif
