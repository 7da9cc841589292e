/* SPDX-License-Identifier: BSD-3-Clause */
/* See vhost_socket.h. Runs on rte_vhost's threads, vhost_socket_clear_stale() on the control thread. */
#include "vhost/vhost_socket.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A front-end sends a message at once; this is for one that was preempted in the middle of it. */
#define BLOCK_LIMIT_S 1

int vhost_socket_clear_stale(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, code;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, EEXIST, "%s exists and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "socket: %s", strerror(errno));
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	code = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
	close(fd);
	if (code != ECONNREFUSED)
		return err_set(err, EADDRINUSE, "%s is in use by another process", path);
	unlink(path);
	return 0;
}

/* Is @fd a connected socket whose name, of the end that listened, is @path? */
static bool is_connection(int fd, const char *path, bool server)
{
	struct sockaddr_un address, peer;
	socklen_t len = sizeof(address), peer_len = sizeof(peer);
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	memset(&address, 0, sizeof(address));
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0)
		return false; /* a socket that listens, or is not connected */
	if (server && getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return false;
	if (!server)
		memcpy(&address, &peer, peer_len < sizeof(address) ? peer_len : sizeof(address));
	return address.sun_family == AF_UNIX &&
	       strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0;
}

int vhost_socket_limit(const char *path, bool server)
{
	const struct timeval limit = {.tv_sec = BLOCK_LIMIT_S};
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -1;

	if (dir == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || !is_connection(fd, path, server))
			continue;
		if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
		    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0)
			found = fd;
	}
	closedir(dir);
	return found;
}

bool vhost_socket_check(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

	if (fd < 0 || (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT)))
		return true;
	shutdown(fd, SHUT_RDWR);
	return false;
}
