/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost-user messages on a socket, with the descriptors that travel beside them. Nothing here waits. */
#ifndef VM_VHOST_WIRE_H
#define VM_VHOST_WIRE_H

#include <sys/types.h>

#include "vhost/proto.h"

/**
 * vhost_wire_send() - Send what is left of a message
 * @n_sent: bytes that are out already; moves on. The first part carries the descriptors
 *
 * Return: 0 when all is out, -EAGAIN when the socket takes no more for now, or another -errno.
 */
int vhost_wire_send(int sock, const struct vhost_message *message, size_t *n_sent);

/**
 * vhost_wire_receive() - Receive into @bytes
 * @fd: where the one descriptor that may come along goes, which the caller owns then; NULL: none may. The kernel discards what
 *      there is no room for
 *
 * Return: as recv(), with errno set.
 */
ssize_t vhost_wire_receive(int sock, void *bytes, size_t n, int *fd);

#endif
