/* SPDX-License-Identifier: BSD-3-Clause */
/* Confinement of this process before it runs code that is not ours. */
#ifndef VM_SANDBOX_H
#define VM_SANDBOX_H

#include "base/err.h"

/**
 * sandbox_enter() - Give up everything that a running VM does not need; there is no way back
 *
 * All threads exist and all files are open by now. Afterwards no thread, file or connection can be made
 * (clients of our own sockets aside), no program started, no memory made executable, no capability used
 * and no core written. A forbidden system call ends the process with a line in the log.
 *
 * Return: 0 or -errno.
 */
int sandbox_enter(struct err *err);

#endif
