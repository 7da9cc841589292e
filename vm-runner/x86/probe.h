/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The probe guest: a few hundred bytes of kernel-mode code that do what every 64-bit kernel does. There are KVMs
 * that run only user-mode code well; a kernel hangs on them or dies in ways that are hard to read.
 */
#ifndef VM_X86_PROBE_H
#define VM_X86_PROBE_H

#include "base/err.h"

/**
 * probe_run() - Run the probe guest in this process
 *
 * May hang with a KVM that does: call it in a child process that has a time limit.
 * Return: 0, or -errno with @err saying what KVM cannot do.
 */
int probe_run(struct err *err);

#endif
