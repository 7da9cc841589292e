/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network cards that come and go while the guest runs, which needs to know no more than ACPI: the hotplug controller
 * (x86/hotplug.h) tells it, and it answers there. Main thread.
 */
#ifndef VM_NET_PLUG_H
#define VM_NET_PLUG_H

#include <stdbool.h>

#include "base/err.h"
#include "devices.h"

/* How long a guest may take to let go of a card; after that the card stays. */
#define NET_PLUG_LEAVE_S 20

/** net_plug_open() - From now on cards can come and go; a machine without ACPI has no use for it */
int net_plug_open(struct devices *devices, struct vm *vm, struct err *err);

/** net_plug_close() - Before the event loop ends; fine without net_plug_open() */
void net_plug_close(struct devices *devices);

/**
 * net_plug_add() - Plug another card in, and have the guest look
 * @net:       as behind --net, with an id; cut up in place
 * @listen_fd: listens on the socket that @net names: the sandbox lets nobody here open one. Set to -1 when it is
 *             taken over
 *
 * Return: 0, or -errno with @err and everything as it was.
 */
int net_plug_add(struct devices *devices, char *net, int *listen_fd, struct err *err);

/**
 * net_plug_remove() - Ask the guest to let go of a card; it is freed, and off the list, when it has
 *
 * Until then net_plug_is_leaving() says so. A guest that does not within NET_PLUG_LEAVE_S keeps the card.
 */
int net_plug_remove(struct devices *devices, struct virtio_dev *nic, struct err *err);

/** net_plug_is_leaving() - The guest has been asked to let go of this card */
bool net_plug_is_leaving(const struct devices *devices, const struct virtio_dev *nic);

#endif
