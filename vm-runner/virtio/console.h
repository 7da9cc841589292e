/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-console with ports: virtio 1.2 §5.3. Port 0 is the guest's hvc0, the others are byte streams by name.
 *
 * Each port is a Unix stream socket that we listen on, with one client at a time:
 * - console: the newest client takes over; the one before is told so in a line and disconnected. What the
 *   guest prints never waits: without a client, or behind a client that does not read, it is dropped
 *   (but it is in the log).
 * - named ports: the next client waits, connected, until the one before has left. A client that does not
 *   read stops its own port only: the guest's writers on that port wait, nothing is lost.
 */
#ifndef VM_VIRTIO_CONSOLE_H
#define VM_VIRTIO_CONSOLE_H

#include "base/err.h"

#define CONSOLE_PORTS_MAX     16 /* named ones */
#define CONSOLE_PORT_NAME_MAX 64
/* The console's log is cut to its newer half when it reaches this. */

struct virtio_dev;
struct vm;

struct console_options {
	const char *socket; /* NULL: nobody can attach */
	const char *log;    /* file, appended to, made when missing; NULL: none */
};

/**
 * console_new() - Make the console; its sockets listen at once
 * Return: a device to hand to virtio_pci_plug(), which owns it from then on; NULL with @err set.
 */
struct virtio_dev *console_new(struct vm *vm, const struct console_options *options,
			       struct err *err);

/**
 * console_port_add() - Add a named port, e.g. org.qemu.guest_agent.0, before virtio_pci_plug()
 * @name:   at most CONSOLE_PORT_NAME_MAX - 1 bytes of printable ASCII, unique
 * @socket: path we listen on
 */
int console_port_add(struct virtio_dev *dev, const char *name, const char *socket, struct err *err);

#endif
