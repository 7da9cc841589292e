/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening /dev/net/tun: one file per queue, with a virtio-net header, non-blocking. Control thread.
 */
#ifndef TAP_TAP_DEVICE_H
#define TAP_TAP_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TAP_DEVICE_NAME_MAX 16 /* with the NUL: IFNAMSIZ */

/**
 * tap_device_open() - Make (or attach to) a TAP interface in the caller's network namespace
 * @name:     wanted name, "" lets the kernel choose
 * @n_queues: files to open, all queues of the interface
 * @fds:      out, owned by the caller; the interface goes away with the last of them unless it is persistent
 * @err:      says what to change: rights, module, name taken, held by another process
 *
 * Return: 0 or -errno.
 */
int tap_device_open(const char *name, uint16_t n_queues, int *fds, struct err *err);

/** tap_device_name() - Present name of the interface behind a queue. Return: 0, -ENODEV when it was deleted */
int tap_device_name(int fd, char name[TAP_DEVICE_NAME_MAX]);

#endif
