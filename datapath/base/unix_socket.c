/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64
#define MODE	0660

int unix_socket_open(const char *path, struct sockaddr_un *address, struct err *err)
{
	size_t len = strlen(path);
	int fd;

	if (len >= sizeof(address->sun_path))
		return err_set(err, ENAMETOOLONG, "socket path %s is longer than %zu bytes", path,
			       sizeof(address->sun_path) - 1);
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, len + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? err_set(err, errno, "socket %s: %s", path, strerror(errno)) : fd;
}

int unix_socket_listen(const char *path, struct err *err)
{
	struct sockaddr_un address;
	int fd = unix_socket_open(path, &address, err), rc;

	if (fd < 0)
		return fd;
	unlink(path);
	/* Nobody can connect before it listens, and then it has its rights. */
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    chmod(path, MODE) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	rc = err_set(err, errno, "socket %s: cannot listen: %s", path, strerror(errno));
	close(fd);
	return rc;
}
