/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sockets of vhost-user ports: what rte_vhost leaves to chance. Private to datapath/vhost.
 *
 * rte_vhost reads and answers messages of all ports on one thread, with sockets that block: a front-end that sends half a
 * message, or does not read its answers, would hold up everybody, and port.delete would wait for it. rte_vhost does
 * not tell which descriptor a connection has, so it is looked for among our own, and given time limits.
 */
#ifndef DATAPATH_VHOST_VHOST_SOCKET_H
#define DATAPATH_VHOST_VHOST_SOCKET_H

#include <stdbool.h>

#include "base/err.h"

/**
 * vhost_socket_clear_stale() - Remove a socket left by a daemon that was killed
 * Return: 0; -errno with @err filled when something else, or somebody, is at @path.
 */
int vhost_socket_clear_stale(const char *path, struct err *err);

/**
 * vhost_socket_limit() - Find the connection of the port at @path and limit how long it can block
 * @server: we listen at @path
 *
 * Return: its descriptor, borrowed while the connection lasts; -1 if there is none.
 */
int vhost_socket_limit(const char *path, bool server);

/**
 * vhost_socket_check() - Hang up on a peer that lets our answers pile up
 * @fd: as vhost_socket_limit() returned it; -1 is taken for good
 *
 * Called before an answer is sent. Return: false if it was hung up on.
 */
bool vhost_socket_check(int fd);

#endif
