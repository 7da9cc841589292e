/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's machine protocol (QMP), as far as the lab needs it: the power button, and cards that come and go.
 *
 * A card is three objects in QEMU: a socket (chardev), a network back-end (netdev) and the device. It is there whole or not at
 * all: what was made before QEMU refused the rest is taken away again; what is left of a change that was broken off, by whatever
 * side, is removed before a card of that name is plugged. One thread.
 */
#ifndef LAB_QMP_H
#define LAB_QMP_H

#include <jansson.h>

#include "base/err.h"
#include "lab/jsonline.h"

/** qmp_greet() - First on every connection */
int qmp_greet(struct jsonline *line, struct err *err);

/** qmp_power_button() - Ask the guest to power off; returns at once */
int qmp_power_button(struct jsonline *line, struct err *err);

/** qmp_nic_plug() - See control_nic_plug(); @spec is of the running VM */
int qmp_nic_plug(struct jsonline *line, const json_t *spec, const json_t *nic, const char *folder,
		 struct err *err);

/** qmp_nic_pull() - Remove what is there of a card, if anything; waits until the guest has let go of it */
int qmp_nic_pull(struct jsonline *line, const char *ifname, struct err *err);

#endif
