/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Route netlink sockets in this or another network namespace. This folder is the only user of libnl.
 */
#ifndef CONTROL_NL_SOCKET_H
#define CONTROL_NL_SOCKET_H

#include "base/err.h"

struct nl_sock;

/**
 * nl_netns_open() - Open a network namespace by name or path
 * @netns: a name as `ip netns` knows it (/run/netns/NAME), or an absolute path such as /proc/PID/ns/net
 * @fd:	   out, owned by the caller
 *
 * Return: 0 or -errno with @err filled.
 */
int nl_netns_open(const char *netns, int *fd, struct err *err);

/**
 * nl_socket_open() - A connected NETLINK_ROUTE socket
 * @netns_fd: namespace it shall speak for, -1: the caller's
 * @sock:     out, owned by the caller: nl_socket_close()
 *
 * The socket of another namespace is made by a short-lived thread, so that the caller never leaves its own.
 * Return: 0 or -errno with @err filled.
 */
int nl_socket_open(int netns_fd, struct nl_sock **sock, struct err *err);
void nl_socket_close(struct nl_sock *sock);

/** nl_failure() - libnl's error code as a negative errno */
int nl_failure(int nl_error);

#endif
