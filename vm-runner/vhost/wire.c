/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending and receiving in pieces, whatever a socket takes or has; see wire.h. Main thread. */
#include "vhost/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int vhost_wire_send(int sock, const struct vhost_message *message, size_t *n_sent)
{
	size_t header_bytes = sizeof(message->header), n = *n_sent;
	struct iovec iov[2] = {
		{.iov_base = (void *)&message->header, .iov_len = header_bytes},
		{.iov_base = (void *)&message->payload, .iov_len = message->header.size},
	};
	union {
		char bytes[CMSG_SPACE(sizeof(message->fds))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t rc;

	for (int i = 0; i < 2; i++) {
		size_t skip = n < iov[i].iov_len ? n : iov[i].iov_len;

		iov[i].iov_base = (uint8_t *)iov[i].iov_base + skip;
		iov[i].iov_len -= skip;
		n -= skip;
	}
	if (message->n_fds && !*n_sent) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(message->n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(message->n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), message->fds, message->n_fds * sizeof(int));
	}
	rc = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (rc < 0)
		return -errno;
	*n_sent += (size_t)rc;
	return *n_sent == header_bytes + message->header.size ? 0 : -EAGAIN;
}

ssize_t vhost_wire_receive(int sock, void *bytes, size_t n, int *fd)
{
	struct iovec iov = {.iov_base = bytes, .iov_len = n};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	const struct cmsghdr *cmsg;
	ssize_t got;

	if (fd) {
		msg.msg_control = control.bytes;
		msg.msg_controllen =
			CMSG_LEN(sizeof(int)); /* with the padding there is room for two */
	}
	got = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	cmsg = got > 0 && fd ? CMSG_FIRSTHDR(&msg) : NULL;
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(int));
	return got;
}
