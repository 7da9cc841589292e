/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VMM's own door, NODE/control.sock: QEMU's machine protocol (QMP) or vm-runner's control socket. What
 * the lab needs of either: the power button,
 * and cards that come and go. One thread.
 */
#ifndef LAB_CONTROL_H
#define LAB_CONTROL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/** control_power_button() - Ask the guest to power off; returns at once. Return: 0 or -errno */
int control_power_button(const char *lab, const char *node, struct err *err);

/**
 * control_nic_plug() - Give a running VM another card
 * @nic:    of the VM's spec
 * @folder: where its socket is to be; the switch's port for it is there already, QEMU waits for it
 */
int control_nic_plug(const char *lab, const char *node, const json_t *nic, const char *folder,
		     struct err *err);

/** control_nic_pull() - Take a card from a running VM; waits until the guest has let go of it */
int control_nic_pull(const char *lab, const char *node, const char *ifname, struct err *err);

#endif
