/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening on Unix sockets. A path that exists is only taken over when it is a socket and nobody answers
 * on it: what a killed VM left behind goes away, what a living one uses does not.
 */
#include "sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unix_socket.h"

/* Return: 0 when nobody uses the path: nothing is there, or a socket that does not answer. */
static int stale_check(const char *path, struct err *err)
{
	struct sockaddr_un addr;
	struct stat st;
	int fd, rc;

	if (lstat(path, &st))
		return errno == ENOENT
			       ? 0
			       : err_set(err, errno, "socket %s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "socket %s: something that is not a socket is there",
			       path);
	fd = unix_socket_open(path, &addr, err);
	if (fd < 0)
		return fd;
	rc = connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) ? errno : 0;
	close(fd);
	if (rc != ECONNREFUSED)
		return err_set(err, EADDRINUSE, "socket %s: another process listens on it", path);
	return 0;
}

int sock_listen(const char *path, struct err *err)
{
	int rc;

	if (!*path)
		return err_set(err, EINVAL, "socket: an empty path");
	rc = stale_check(path, err);
	return rc ? rc : unix_socket_listen(path, err);
}

int sock_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void sock_unlisten(int fd, const char *path)
{
	if (fd < 0)
		return;
	close(fd);
	if (path)
		(void)unlink(path);
}
