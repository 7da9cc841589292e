/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VMM's own door, NODE/control.sock: QEMU's machine protocol (QMP) or vm-runner's control socket. What
 * the lab needs of either: the power button. One thread.
 */
#ifndef LAB_CONTROL_H
#define LAB_CONTROL_H

#include <stdbool.h>

#include "base/err.h"

/** control_power_button() - Ask the guest to power off; returns at once. Return: 0 or -errno */
int control_power_button(const char *lab, const char *node, struct err *err);

#endif
