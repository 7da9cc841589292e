/* SPDX-License-Identifier: BSD-3-Clause */
/* A host's `uplink`: the interface towards the other hosts, the kernel's or a card that netloomd drives itself. One thread. */
#ifndef TOPO_UPLINK_H
#define TOPO_UPLINK_H

#include "topo/topo.h"
#include "topo/tree.h"
#include "topo/value.h"

/**
 * uplink_read() - Read `uplink`: an interface's name, or a map
 *
 * Return: in @r's arena; NULL with findings when it names nothing.
 */
const struct topo_uplink *uplink_read(const struct value_reader *r, const struct tree_node *value);

/** uplink_name() - What it is called: its interface, or its PCI address */
const char *uplink_name(const struct topo_uplink *uplink);

#endif
