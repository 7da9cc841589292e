/* SPDX-License-Identifier: BSD-3-Clause */
/* Eventfds shared with a peer; see doorbell.h. */
#include "doorbell.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

static bool ready(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & events;
}

int doorbell_ring(int fd)
{
	uint64_t one = 1;

	if (!ready(fd, POLLOUT))
		return 0;
	return write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN ? -errno : 0;
}

bool doorbell_take(int fd)
{
	uint64_t n;
	struct iovec iov = {.iov_base = &n, .iov_len = sizeof(n)};
	ssize_t got;

	if (!ready(fd, POLLIN))
		return false;
	/* The peer may have taken it since. */
	got = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	if (got < 0 && errno == EOPNOTSUPP) /* before Linux 5.8 */
		got = read(fd, &n, sizeof(n));
	return got == sizeof(n);
}
