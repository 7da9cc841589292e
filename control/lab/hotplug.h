/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cards of a running VM: plugged and pulled through the VMM's control socket, and named in the guest as at boot.
 * One thread.
 */
#ifndef LAB_HOTPLUG_H
#define LAB_HOTPLUG_H

#include <jansson.h>

#include "base/err.h"
#include "topo/topo.h"

/**
 * hotplug_is_enough() - Whether two specs of a VM differ in nothing but cards, which its VMM can plug and pull
 * @why: out when they do: "cards: +eth3 -eth1"
 */
bool hotplug_is_enough(const json_t *old_spec, const json_t *spec, char *why, size_t size);

/**
 * hotplug_run() - Pull the cards that are not wanted any more, plug the new ones
 * @spec: as the VM shall be; kept with the node, as far as that succeeded
 *
 * The ports of the switch must be there: QEMU waits for it. A guest that does not let go of a card keeps it; that
 * is an error after five seconds in QEMU, after twenty in vm-runner.
 * Return: 0 or -errno with @err.
 */
int hotplug_run(const struct topo *topo, const struct topo_node *node, json_t *spec,
		struct err *err);

#endif
