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
#include <sys/un.h>
#include <unistd.h>

#define SOCK_BACKLOG 16
#define SOCK_MODE    0660

/* Return: 0 when the path is free now. */
static int stale_remove(const struct sockaddr_un *addr, struct err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0
				       : err_set(err, errno, "socket %s: %s", addr->sun_path,
						 strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "socket %s: something that is not a socket is there",
			       addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "socket %s: %s", addr->sun_path, strerror(errno));
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	close(fd);
	if (rc != ECONNREFUSED)
		return err_set(err, EADDRINUSE, "socket %s: another process listens on it",
			       addr->sun_path);
	if (unlink(addr->sun_path) && errno != ENOENT)
		return err_set(err, errno, "socket %s: cannot replace it: %s", addr->sun_path,
			       strerror(errno));
	return 0;
}

int sock_listen(const char *path, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, rc;

	if (!*path)
		return err_set(err, EINVAL, "socket: an empty path");
	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, ENAMETOOLONG, "socket %s: the path is longer than %zu bytes",
			       path, sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	rc = stale_remove(&addr, err);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "socket %s: %s", path, strerror(errno));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(path, SOCK_MODE) ||
	    listen(fd, SOCK_BACKLOG)) {
		rc = err_set(err, errno, "socket %s: cannot listen: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	return fd;
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
