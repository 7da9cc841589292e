/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest is told about itself: /etc/netloom/node.conf, in a cpio archive behind the image's initrd.
 *
 *   hostname NAME | mac IF MAC | mtu IF BYTES | address IF CIDR | gateway IF ADDRESS
 *
 * One line each, words without spaces or shell characters (names and addresses were checked by the lab
 * file's reader). The guest's init does the rest. One thread.
 */
#ifndef LAB_NODECONF_H
#define LAB_NODECONF_H

#include "base/err.h"
#include "topo/topo.h"

/** nodeconf_text() - The file's text, in the node's arena */
const char *nodeconf_text(struct arena *arena, const struct topo_node *node);

/** nodeconf_write() - The cpio archive with the file, at @path. Return: 0 or -errno */
int nodeconf_write(const char *path, const struct topo_node *node, struct err *err);

/**
 * nodeconf_script() - A shell script that gives a running guest the addresses of the model
 *
 * For `up` after an edit that changes nothing but addresses or cards: takes away the addresses that the file no longer has, and
 * adds those that are missing.
 */
const char *nodeconf_script(struct arena *arena, const struct topo_node *node);

/** nodeconf_plug_script() - A shell script that waits for the node's cards and names them as at boot, after hotplug */
const char *nodeconf_plug_script(struct arena *arena, const struct topo_node *node);

/** nodeconf_gateway_ifname() - The interface whose subnet holds the next hop; the first one if none does */
const char *nodeconf_gateway_ifname(const struct topo_node *node, const char *gateway);

#endif
