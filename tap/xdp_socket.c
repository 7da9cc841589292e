/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See xdp_socket.h. Opened and closed on control; rx belongs to one worker, tx to whoever holds the owner's lock.
 */
#include "xdp_socket.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_BYTES(chunk) ((size_t)2 * XDP_SOCKET_CHUNKS * (chunk))
#define KICKS_MAX	    64 /* a kick sends 32 packets at least */

#define BUSY_WAIT_US 2000
#define BUSY_TRIES   25

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

static uint32_t shared_get(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void shared_put(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

static uint64_t *address_at(const struct xdp_ring *ring, uint32_t index)
{
	return (uint64_t *)ring->entries + (index & (XDP_SOCKET_CHUNKS - 1));
}

static struct xdp_desc *desc_at(const struct xdp_ring *ring, uint32_t index)
{
	return (struct xdp_desc *)ring->entries + (index & (XDP_SOCKET_CHUNKS - 1));
}

uint32_t xdp_socket_chunk(uint32_t len)
{
	if (len + XDP_SOCKET_HEADROOM <= XDP_SOCKET_CHUNK_MIN)
		return XDP_SOCKET_CHUNK_MIN;
	return len + XDP_SOCKET_HEADROOM <= XDP_SOCKET_CHUNK_MAX ? XDP_SOCKET_CHUNK_MAX : 0;
}

static int ring_map(struct xdp_socket *xs, struct xdp_ring *ring,
		    const struct xdp_ring_offset *offset, size_t entry_bytes, off_t page)
{
	size_t bytes = offset->desc + XDP_SOCKET_CHUNKS * entry_bytes;
	uint8_t *map =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, xs->fd, page);

	if (map == MAP_FAILED)
		return -errno;
	*ring = (struct xdp_ring){
		.producer = (uint32_t *)(void *)(map + offset->producer),
		.consumer = (uint32_t *)(void *)(map + offset->consumer),
		.flags = (uint32_t *)(void *)(map + offset->flags),
		.entries = map + offset->desc,
		.map = map,
		.map_bytes = bytes,
	};
	return 0;
}

static int rings_open(struct xdp_socket *xs)
{
	static const int options[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
				      XDP_TX_RING};
	const int n = XDP_SOCKET_CHUNKS;
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	int ret;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (setsockopt(xs->fd, SOL_XDP, options[i], &n, sizeof(n)) != 0)
			return -errno;
	}
	if (getsockopt(xs->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len) != 0)
		return -errno;
	if (len != sizeof(offsets))
		return -EPROTO;
	ret = ring_map(xs, &xs->fill, &offsets.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	if (ret == 0)
		ret = ring_map(xs, &xs->completion, &offsets.cr, sizeof(uint64_t),
			       (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
	if (ret == 0)
		ret = ring_map(xs, &xs->rx, &offsets.rx, sizeof(struct xdp_desc),
			       XDP_PGOFF_RX_RING);
	if (ret == 0)
		ret = ring_map(xs, &xs->tx, &offsets.tx, sizeof(struct xdp_desc),
			       XDP_PGOFF_TX_RING);
	return ret;
}

static int memory_open(struct xdp_socket *xs)
{
	struct xdp_umem_reg reg = {
		.len = MEMORY_BYTES(xs->chunk_bytes),
		.chunk_size = xs->chunk_bytes,
	};
	void *memory =
		mmap(NULL, reg.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	xs->memory = memory;
	reg.addr = (uint64_t)(uintptr_t)memory;
	return setsockopt(xs->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) == 0 ? 0 : -errno;
}

static void chunks_init(struct xdp_socket *xs)
{
	for (uint32_t i = 0; i < XDP_SOCKET_CHUNKS; i++) {
		*address_at(&xs->fill, i) = (uint64_t)i * xs->chunk_bytes;
		xs->free_chunks[i] = 2 * XDP_SOCKET_CHUNKS - 1 - i;
	}
	xs->fill.mine = XDP_SOCKET_CHUNKS;
	shared_put(xs->fill.producer, xs->fill.mine);
	xs->n_free = XDP_SOCKET_CHUNKS;
}

/* A queue whose last socket was just closed is let go of in the background. */
static int bind_patiently(int fd, const struct sockaddr_xdp *address)
{
	for (int i = 0; bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0; i++) {
		if (errno != EBUSY || i == BUSY_TRIES)
			return -errno;
		usleep(BUSY_WAIT_US);
	}
	return 0;
}

int xdp_socket_open(struct xdp_socket *xs, int ifindex, uint32_t queue, uint32_t chunk_bytes,
		    bool copy, struct err *err)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = (uint16_t)(XDP_USE_NEED_WAKEUP | (copy ? XDP_COPY : 0)),
		.sxdp_ifindex = (uint32_t)ifindex,
		.sxdp_queue_id = queue,
	};
	int ret;

	memset(xs, 0, sizeof(*xs));
	xs->chunk_bytes = chunk_bytes;
	xs->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (xs->fd < 0)
		return err_set(err, errno, "this kernel opens no AF_XDP socket: %s%s",
			       strerror(errno),
			       errno == EPERM ? "; run netloomd as root or with CAP_NET_RAW" : "");
	ret = memory_open(xs);
	if (ret == 0)
		ret = rings_open(xs);
	if (ret == 0) {
		chunks_init(xs);
		ret = bind_patiently(xs->fd, &address);
	}
	if (ret == 0)
		return 0;
	xdp_socket_close(xs);
	if (ret == -EBUSY)
		return err_set(err, -ret,
			       "queue %u of the interface has an AF_XDP socket of another process",
			       queue);
	return err_set(err, -ret, "no AF_XDP socket on queue %u of the interface: %s", queue,
		       strerror(-ret));
}

void xdp_socket_close(struct xdp_socket *xs)
{
	struct xdp_ring *rings[] = {&xs->fill, &xs->completion, &xs->rx, &xs->tx};

	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
		if (rings[i]->map != NULL)
			munmap(rings[i]->map, rings[i]->map_bytes);
	}
	close(xs->fd);
	if (xs->memory != NULL)
		munmap(xs->memory, MEMORY_BYTES(xs->chunk_bytes));
}

bool xdp_socket_is_zero_copy(const struct xdp_socket *xs)
{
	struct xdp_options options = {.flags = 0};
	socklen_t len = sizeof(options);

	return getsockopt(xs->fd, SOL_XDP, XDP_OPTIONS, &options, &len) == 0 &&
	       (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

uint32_t xdp_socket_receive(struct xdp_socket *xs, struct xdp_desc *descs, uint32_t max)
{
	uint32_t n = shared_get(xs->rx.producer) - xs->rx.mine;

	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++)
		descs[i] = *desc_at(&xs->rx, xs->rx.mine + i);
	if (n > 0) {
		xs->rx.mine += n;
		shared_put(xs->rx.consumer, xs->rx.mine);
	}
	return n;
}

void xdp_socket_give_back(struct xdp_socket *xs, const struct xdp_desc *descs, uint32_t n)
{
	if (n == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		*address_at(&xs->fill, xs->fill.mine + i) =
			descs[i].addr & ~(uint64_t)(xs->chunk_bytes - 1);
	xs->fill.mine += n;
	shared_put(xs->fill.producer, xs->fill.mine);
	if ((shared_get(xs->fill.flags) & XDP_RING_NEED_WAKEUP) != 0)
		recvfrom(xs->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

bool xdp_socket_waits(const struct xdp_socket *xs)
{
	return shared_get(xs->rx.producer) != xs->rx.mine;
}

void xdp_socket_reap(struct xdp_socket *xs)
{
	uint32_t n = shared_get(xs->completion.producer) - xs->completion.mine;

	for (uint32_t i = 0; i < n && xs->n_free < XDP_SOCKET_CHUNKS; i++)
		xs->free_chunks[xs->n_free++] =
			(uint32_t)(*address_at(&xs->completion, xs->completion.mine + i) /
				   xs->chunk_bytes);
	xs->completion.mine += n;
	shared_put(xs->completion.consumer, xs->completion.mine);
}

void xdp_socket_put(struct xdp_socket *xs, uint32_t len)
{
	*desc_at(&xs->tx, xs->tx.mine) = (struct xdp_desc){
		.addr = (uint64_t)xs->free_chunks[--xs->n_free] * xs->chunk_bytes, .len = len};
	shared_put(xs->tx.producer, ++xs->tx.mine);
}

int xdp_socket_kick(const struct xdp_socket *xs)
{
	if ((shared_get(xs->tx.flags) & XDP_RING_NEED_WAKEUP) == 0)
		return 0;
	for (int i = 0; i < KICKS_MAX && shared_get(xs->tx.consumer) != shared_get(xs->tx.producer);
	     i++) {
		if (sendto(xs->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) == 0)
			continue;
		if (errno != EAGAIN && errno != EBUSY && errno != ENOBUFS && errno != EINTR)
			return -errno;
	}
	return 0;
}
