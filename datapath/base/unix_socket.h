/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix stream sockets by path: non-blocking, closed by exec. Any thread.
 */
#ifndef BASE_UNIX_SOCKET_H
#define BASE_UNIX_SOCKET_H

#include <sys/un.h>

#include "base/err.h"

/**
 * unix_socket_open() - Make a socket, and the address of a path for it
 * @address: out
 *
 * Return: a descriptor that is neither bound nor connected, or -errno; -ENAMETOOLONG when the path does not fit.
 */
int unix_socket_open(const char *path, struct sockaddr_un *address, struct err *err);

/**
 * unix_socket_listen() - Listen at a path, for owner and group (0660)
 *
 * What is at the path is removed: the caller knows that nobody else uses it.
 *
 * Return: a descriptor, or -errno.
 */
int unix_socket_listen(const char *path, struct err *err);

#endif
