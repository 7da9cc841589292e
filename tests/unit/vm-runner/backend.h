/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user back-end for tests, as scripted as the test wants it: it runs in the test's own thread, and
 * turns the VM's event loop while it waits. Include driver.h first.
 */
#ifndef TEST_BACKEND_H
#define TEST_BACKEND_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "vhost/proto.h"

#define BACKEND_FEATURES                                                                           \
	(VIRTIO_BIT(0) | VIRTIO_BIT(1) | VIRTIO_BIT(7) | VIRTIO_BIT(8) | VIRTIO_BIT(11) |          \
	 VIRTIO_BIT(12) | VIRTIO_BIT(15) | VIRTIO_BIT(22) | VIRTIO_BIT(VIRTIO_RING_EVENT_IDX) |    \
	 VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC) | VIRTIO_BIT(VHOST_F_PROTOCOL_FEATURES) |           \
	 VIRTIO_BIT(VIRTIO_VERSION_1))

struct backend_ring {
	uint32_t num, base;
	struct vhost_vring_addr addr;
	int kick_fd, call_fd; /* -1 not given; call_fd -2: polling */
	bool enabled, started;
};

struct backend {
	struct driver *driver;
	int fd;
	uint64_t features, protocol_features, n_pairs;
	uint64_t agreed, status, mtu;
	uint32_t n_regions;
	struct backend_ring rings[32];
	struct vhost_header header; /* of the last message */
	union {
		uint8_t bytes[512];
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct vhost_mem_table mem;
		struct vhost_inflight inflight;
	} payload;
	int fds[8];
	unsigned int n_fds;
	unsigned int n_messages;
	/* in-flight memory */
	struct vhost_inflight inflight; /* as last asked for or given */
	unsigned int n_made, n_taken;	/* times it was asked for, and given */
	uint64_t inflight_bytes;	/* said of it; 0: as made */
	uint64_t inflight_ino;		/* of the memory that was made or given last */
	bool inflight_unsealed, inflight_without_fd;
	uint16_t stopped_at[32]; /* answered to GET_VRING_BASE */
};

static inline void backend_init(struct backend *backend, struct driver *driver)
{
	memset(backend, 0, sizeof(*backend));
	backend->driver = driver;
	backend->fd = -1;
	backend->features = BACKEND_FEATURES;
	backend->protocol_features = 0xffffffffffffffff;
	backend->n_pairs = 16;
	for (int i = 0; i < 32; i++)
		backend->rings[i].kick_fd = backend->rings[i].call_fd = -1;
}

static inline void backend_connect(struct backend *backend, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	backend->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(backend->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static inline void backend_close(struct backend *backend)
{
	if (backend->fd >= 0)
		close(backend->fd);
	backend->fd = -1;
	for (int i = 0; i < 32; i++) {
		if (backend->rings[i].kick_fd >= 0)
			close(backend->rings[i].kick_fd);
		if (backend->rings[i].call_fd >= 0)
			close(backend->rings[i].call_fd);
		backend->rings[i] = (struct backend_ring){.kick_fd = -1, .call_fd = -1};
	}
}

static inline void backend_reply(struct backend *backend, uint32_t request, uint32_t flags,
				 const void *data, uint32_t bytes)
{
	struct vhost_header header = {request, flags, bytes};
	uint8_t out[64];

	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), data, bytes);
	assert_int_equal(send(backend->fd, out, sizeof(header) + bytes, MSG_NOSIGNAL),
			 sizeof(header) + bytes);
}

static inline void backend_reply_u64(struct backend *backend, uint64_t value)
{
	backend_reply(backend, backend->header.request, VHOST_VERSION | VHOST_REPLY, &value, 8);
}

/* Read one message if there is one. Return: 1, 0 none yet, -1 the front-end has hung up. */
static inline int backend_read(struct backend *backend)
{
	struct iovec iov = {&backend->header, sizeof(backend->header)};
	union {
		char bytes[CMSG_SPACE(sizeof(backend->fds))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(backend->fd, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	assert_int_equal(n, sizeof(backend->header));
	assert_in_range(backend->header.size, 0, sizeof(backend->payload));
	if (backend->header.size)
		assert_int_equal(recv(backend->fd, backend->payload.bytes, backend->header.size, 0),
				 backend->header.size);
	backend->n_fds = 0;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg) {
		backend->n_fds = (unsigned int)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(backend->fds, CMSG_DATA(cmsg), backend->n_fds * sizeof(int));
	}
	backend->n_messages++;
	return 1;
}

static inline uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* Make memory for in-flight state and send it along. */
static inline void backend_make_inflight(struct backend *backend)
{
	struct {
		struct vhost_header header;
		struct vhost_inflight inflight;
	} __attribute__((packed))
	answer = {{VHOST_GET_INFLIGHT_FD, VHOST_VERSION | VHOST_REPLY, sizeof(answer.inflight)},
		  backend->payload.inflight};
	struct iovec iov = {&answer, sizeof(answer)};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, 8192), 0);
	if (!backend->inflight_unsealed)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
	if (!backend->inflight_without_fd) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	answer.inflight.bytes = backend->inflight_bytes ? backend->inflight_bytes : 8192;
	backend->inflight = answer.inflight;
	backend->inflight_ino = inode_of(fd);
	backend->n_made++;
	assert_int_equal(sendmsg(backend->fd, &msg, MSG_NOSIGNAL), sizeof(answer));
	close(fd);
}

/* Do what a sound back-end does with the message just read. */
static inline void backend_obey(struct backend *backend)
{
	struct backend_ring *ring = &backend->rings[backend->payload.state.index & 31];

	switch (backend->header.request) {
	case VHOST_GET_FEATURES:
		backend_reply_u64(backend, backend->features);
		break;
	case VHOST_SET_FEATURES:
		assert_int_equal(backend->payload.u64 & ~backend->features, 0);
		backend->agreed = backend->payload.u64;
		break;
	case VHOST_GET_PROTOCOL_FEATURES:
		backend_reply_u64(backend, backend->protocol_features);
		break;
	case VHOST_GET_QUEUE_NUM:
		backend_reply_u64(backend, backend->n_pairs);
		break;
	case VHOST_SET_MEM_TABLE:
		backend->n_regions = backend->payload.mem.n_regions;
		assert_int_equal(backend->n_fds, backend->n_regions);
		for (unsigned int i = 0; i < backend->n_fds; i++)
			close(backend->fds[i]);
		if (backend->header.flags & VHOST_NEED_REPLY)
			backend_reply_u64(backend, 0);
		break;
	case VHOST_SET_VRING_NUM:
		ring->num = backend->payload.state.num;
		break;
	case VHOST_SET_VRING_ADDR:
		ring->addr = backend->payload.addr;
		break;
	case VHOST_SET_VRING_BASE:
		ring->base = backend->payload.state.num;
		break;
	case VHOST_SET_VRING_CALL:
		ring = &backend->rings[backend->payload.u64 & 31];
		ring->call_fd = backend->n_fds ? backend->fds[0] : -2;
		break;
	case VHOST_SET_VRING_KICK:
		ring = &backend->rings[backend->payload.u64 & 31];
		assert_int_equal(backend->n_fds, 1);
		ring->kick_fd = backend->fds[0];
		ring->started = true;
		break;
	case VHOST_SET_VRING_ENABLE:
		ring->enabled = backend->payload.state.num;
		break;
	case VHOST_GET_VRING_BASE: {
		struct vhost_vring_state state = {
			backend->payload.state.index,
			backend->stopped_at[backend->payload.state.index & 31]};

		backend_reply(backend, VHOST_GET_VRING_BASE, VHOST_VERSION | VHOST_REPLY, &state,
			      sizeof(state));
		ring->started = false;
		if (ring->kick_fd >= 0)
			close(ring->kick_fd);
		if (ring->call_fd >= 0)
			close(ring->call_fd);
		ring->kick_fd = ring->call_fd = -1;
		break;
	}
	case VHOST_GET_INFLIGHT_FD:
		backend_make_inflight(backend);
		break;
	case VHOST_SET_INFLIGHT_FD:
		assert_int_equal(backend->n_fds, 1);
		backend->inflight = backend->payload.inflight;
		backend->inflight_ino = inode_of(backend->fds[0]);
		backend->n_taken++;
		close(backend->fds[0]);
		if (backend->header.flags & VHOST_NEED_REPLY)
			backend_reply_u64(backend, 0);
		break;
	case VHOST_NET_SET_MTU:
		backend->mtu = backend->payload.u64;
		break;
	case VHOST_SET_STATUS:
		backend->status = backend->payload.u64;
		break;
	}
}

/* Turn the loop and answer whatever has come. Return: false when the front-end has hung up. */
static inline bool backend_turn(struct backend *backend)
{
	int rc = 0;

	loop_once(backend->driver);
	while (backend->fd >= 0 && (rc = backend_read(backend)) > 0)
		backend_obey(backend);
	return rc >= 0;
}

#define backend_wait(backend, condition)                                                           \
	do {                                                                                       \
		uint64_t backend_end = clock_now_ns() + WAIT_LIMIT_NS;                             \
		while (!(condition)) {                                                             \
			if (clock_now_ns() > backend_end)                                          \
				fail_msg("never: %s", #condition);                                 \
			assert_true(backend_turn(backend));                                        \
			usleep(100);                                                               \
		}                                                                                  \
	} while (0)

/* Wait for the message @request without answering it; those before it are answered. */
static inline void backend_expect(struct backend *backend, uint32_t request)
{
	uint64_t end = clock_now_ns() + WAIT_LIMIT_NS;

	for (;;) {
		int rc = backend_read(backend);

		assert_true(rc >= 0);
		assert_true(clock_now_ns() < end);
		if (rc && backend->header.request == request)
			return;
		if (rc)
			backend_obey(backend);
		loop_once(backend->driver);
	}
}

/* The front-end has to disconnect us. */
static inline void backend_is_dropped(struct backend *backend)
{
	uint64_t end = clock_now_ns() + WAIT_LIMIT_NS;
	int rc;

	while ((rc = backend_read(backend)) >= 0) {
		assert_true(clock_now_ns() < end);
		loop_once(backend->driver);
	}
	backend_close(backend);
}

#endif
