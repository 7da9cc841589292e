/* SPDX-License-Identifier: BSD-3-Clause */
/* Unix stream sockets that the VM serves. Main thread. */
#ifndef VM_SOCK_H
#define VM_SOCK_H

#include "base/err.h"

/**
 * sock_listen() - Listen on a path
 * @path: at most 107 bytes; a socket that nobody listens on any more is replaced, one that is in use is not
 *
 * The socket is non-blocking, close-on-exec, mode 0660.
 * Return: fd, or -errno with @err naming the path.
 */
int sock_listen(const char *path, struct err *err);

/** sock_accept() - Return: the next client, non-blocking and close-on-exec, or -errno (-EAGAIN: none) */
int sock_accept(int listen_fd);

/** sock_unlisten() - Close and remove; NULL path or fd -1 is fine */
void sock_unlisten(int fd, const char *path);

#endif
