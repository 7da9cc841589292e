/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening and closing the rings of a vhost-user port as the front-end's state asks for; see vhost_device.h.
 * Runs on rte_vhost's thread (on the control thread when the port is closed), with the device's lock held.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <rte_vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "vhost/vhost_device.h"
#include "vhost/vhost_sigbus.h"

/*
 * Writing 8 bytes into an eventfd that can take no more would block the worker; it is as good as signalled then. O_NONBLOCK
 * does not settle that alone: the front-end has the same open file, and can clear the flag. Asking first leaves a hostile
 * front-end process (no guest can do this) to fill the eventfd in just the moment between the two calls.
 */
void vhost_ring_signal(struct vhost_ring *ring)
{
	const uint64_t one = 1;
	struct pollfd call = {.fd = ring->call_fd, .events = POLLOUT};
	ssize_t written;

	if (poll(&call, 1, 0) != 1 || !(call.revents & POLLOUT))
		return;
	written = write(ring->call_fd, &one, sizeof(one));
	(void)written;
}

void vhost_device_fault(struct vhost_device *dev)
{
	if (!atomic_exchange(&dev->faulted, true)) {
		atomic_fetch_add(&dev->n_bad_rings, 1);
		atomic_store(&dev->detail, "the front-end took away memory that it shares; stopped "
					   "until it connects anew");
	}
	for (uint16_t i = 0; i < dev->n_rings; i++)
		atomic_store(&dev->rings[i].active, false);
	atomic_fetch_add(&dev->port.rx_generation, 1);
	port_peer_changed(&dev->port);
}

void vhost_ring_break(struct vhost_device *dev, struct vhost_ring *ring)
{
	if (!atomic_exchange(&ring->active, false))
		return;
	atomic_fetch_add(&dev->n_bad_rings, 1);
	atomic_store(&dev->detail, "a ring was stopped: its indices contradict its size; "
				   "restart the driver in the guest");
	atomic_fetch_add(&dev->port.rx_generation, 1);
	port_peer_changed(&dev->port);
}

/* A front-end gives us any descriptor it likes: only eventfds are worked with, and never so that they could block us. */
static int eventfd_own(int fd)
{
	char path[32], target[32];
	ssize_t n;
	int own;

	if (fd < 0)
		return -1;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", own);
	n = readlink(path, target, sizeof(target) - 1);
	if (n >= 0) {
		target[n] = '\0';
		if (strcmp(target, "anon_inode:[eventfd]") != 0)
			goto refuse;
	}
	if (fcntl(own, F_SETFL, O_NONBLOCK) < 0)
		goto refuse;
	return own;

refuse:
	close(own);
	return -1;
}

/* The front-end's call fd, or a dummy nobody listens to when it has none. */
static int call_fd_own(int fd)
{
	int own = eventfd_own(fd);

	return own >= 0 ? own : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void vhost_device_call_changed(struct vhost_device *dev, uint16_t index)
{
	struct vhost_ring *ring = &dev->rings[index];
	struct rte_vhost_vring vring;
	int own;

	if (rte_vhost_get_vhost_vring(dev->vid, index, &vring) < 0)
		return;
	own = call_fd_own(vring.callfd);
	if (own < 0)
		return;
	if (dup3(own, ring->call_fd, O_CLOEXEC) < 0)
		log_warning("port %s: cannot take over a call descriptor: %s", dev->port.spec.name,
			    strerror(errno));
	close(own);
	vhost_ring_signal(ring);
}

/* Memory that its file does not cover would be SIGBUS on access; refuse the table instead. It may still shrink later. */
static bool region_is_backed(const struct rte_vhost_mem_region *region)
{
	struct stat st;
	uint64_t start = region->host_user_addr - (uint64_t)(uintptr_t)region->mmap_addr;

	if (region->fd < 0 || fstat(region->fd, &st) < 0)
		return false;
	return (uint64_t)st.st_size >= start + region->size;
}

void vhost_device_mem_forget(struct vhost_device *dev)
{
	vhost_sigbus_remove(dev);
	if (dev->inflight.mapped != NULL) /* it had been there before that */
		vhost_sigbus_add(dev, (uintptr_t)dev->inflight.mapped, dev->inflight.len);
	free(dev->mem);
	dev->mem = NULL;
}

static struct vhost_mem *mem_new(struct vhost_device *dev)
{
	struct rte_vhost_memory *table;
	struct vhost_mem *mem;

	if (rte_vhost_get_mem_table(dev->vid, &table) < 0)
		return NULL;
	mem = calloc(1, sizeof(*mem));
	for (uint32_t i = 0; mem != NULL && i < table->nregions; i++) {
		const struct rte_vhost_mem_region *region = &table->regions[i];

		if (region_is_backed(region) &&
		    vhost_mem_add(mem, region->guest_phys_addr, region->size,
				  (void *)(uintptr_t)region->host_user_addr) == 0 &&
		    vhost_sigbus_add(dev, (uintptr_t)region->mmap_addr, region->mmap_size) == 0)
			continue;
		atomic_store(&dev->detail,
			     "the front-end announced memory that its file does not hold");
		vhost_device_mem_forget(dev);
		free(mem);
		mem = NULL;
	}
	free(table);
	return mem;
}

/* Which of PORT_TX_* a set of feature bits means, in one direction. */
static uint32_t offloads_of(uint64_t features, int csum, int tso4, int tso6, int ecn)
{
	if (!(features >> csum & 1))
		return 0;
	return PORT_TX_CSUM | (features >> tso4 & 1 ? PORT_TX_TSO4 : 0) |
	       (features >> tso6 & 1 ? PORT_TX_TSO6 : 0) | (features >> ecn & 1 ? PORT_TX_ECN : 0);
}

static uint32_t offloads_taken(uint64_t features)
{
	return offloads_of(features, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,
			   VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN);
}

static uint32_t offloads_sent(uint64_t features)
{
	return offloads_of(features, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4,
			   VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN);
}

static void ring_start(struct vhost_device *dev, uint16_t index)
{
	struct vhost_ring *ring = &dev->rings[index];
	bool is_rx = index % 2 == 1;
	struct rte_vhost_vring vring;
	struct ring_setup setup = {
		.packed = dev->features >> VIRTIO_F_RING_PACKED & 1,
		.event_idx = dev->features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.indirect = dev->features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
		.mergeable = dev->features >> VIRTIO_NET_F_MRG_RXBUF & 1,
		.vnet_len = VNET_LEN_OLD,
		.offloads = is_rx ? offloads_sent(dev->features) : offloads_taken(dev->features),
	};
	const char *why;

	if (rte_vhost_get_vhost_vring(dev->vid, index, &vring) < 0 || vring.desc == NULL ||
	    vring.avail == NULL || vring.used == NULL)
		return; /* not mapped yet */
	if (rte_vhost_get_vring_base(dev->vid, index, &setup.next_avail, &setup.next_used) < 0)
		return;
	if (dev->mem == NULL)
		dev->mem = mem_new(dev);
	if (dev->mem == NULL)
		return;
	if (dev->features &
	    (UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF))
		setup.vnet_len = VNET_LEN_MAX;
	setup.mem = dev->mem;
	setup.size = vring.size;
	setup.desc = vring.desc;
	setup.driver = vring.avail;
	setup.device = vring.used;
	setup.inflight = vhost_inflight_ring(&dev->inflight, setup.packed, index, setup.size,
					     &setup.recover);
	if (ring_open(&ring->ring, &setup, &why) < 0) {
		log_warning("port %s: ring %u refused: %s", dev->port.spec.name, index, why);
		atomic_store(&dev->detail, why);
		atomic_fetch_add(&dev->n_bad_rings, 1);
		return;
	}
	dev->inflight.recover &= ~(UINT64_C(1) << index);
	ring->call_fd = call_fd_own(vring.callfd);
	if (ring->call_fd < 0) {
		atomic_store(&dev->detail,
			     "no file descriptors left; raise the limit of open files");
		return;
	}
	atomic_store(&ring->kick_fd, is_rx ? eventfd_own(vring.kickfd) : -1);
	ring_arm(&ring->ring, false);
	ring->opened = true;
	atomic_store(&ring->active, true);
	if (atomic_load(&dev->faulted))
		atomic_store(&ring->active, false); /* in between, by another ring */
	/* Interrupts may have been lost with the previous back-end: let the driver look. */
	vhost_ring_signal(ring);
}

/* The workers have let go: hand our positions over, as SET_VRING_BASE and GET_VRING_BASE speak of them. */
static void ring_finish(struct vhost_device *dev, uint16_t index)
{
	struct vhost_ring *ring = &dev->rings[index];
	uint16_t next_avail, next_used;
	int kick_fd = atomic_exchange(&ring->kick_fd, -1);

	ring_base(&ring->ring, &next_avail, &next_used);
	if (dev->vid >= 0)
		rte_vhost_set_vring_base(dev->vid, index, next_avail, next_used);
	if (ring->ring.broken)
		log_warning("port %s: ring %u was malformed and has been stopped",
			    dev->port.spec.name, index);
	if (kick_fd >= 0)
		close(kick_fd);
	close(ring->call_fd);
	ring->call_fd = -1;
	ring->opened = false;
}

static bool ring_is_wanted(const struct vhost_device *dev, const struct vhost_ring *ring)
{
	return dev->running && dev->mem_valid && ring->ready && !ring->suspended &&
	       !atomic_load(&dev->faulted);
}

/* Senders are mapped onto the pairs from 0 on that can be sent to; what this peer takes may have changed. */
static void device_publish(struct vhost_device *dev)
{
	uint16_t n_tx = 0;

	while (2 * n_tx < dev->n_rings && atomic_load(&vhost_device_tx_ring(dev, n_tx)->active))
		n_tx++;
	atomic_store(&dev->n_tx, n_tx);
	atomic_store(&dev->port.tx_offloads, n_tx > 0 ? offloads_taken(dev->features) : 0);
	atomic_fetch_add(&dev->port.rx_generation, 1);
	port_peer_changed(&dev->port);
}

void vhost_device_sync(struct vhost_device *dev)
{
	bool stopping = false, started = false;

	for (uint16_t i = 0; i < dev->n_rings; i++) {
		struct vhost_ring *ring = &dev->rings[i];

		if (ring->opened && !ring_is_wanted(dev, ring)) {
			atomic_store(&ring->active, false);
			stopping = true;
		}
	}
	if (stopping) {
		device_publish(dev);
		port_quiesce();
		for (uint16_t i = 0; i < dev->n_rings; i++) {
			if (dev->rings[i].opened && !ring_is_wanted(dev, &dev->rings[i]))
				ring_finish(dev, i);
		}
	}
	if (!dev->mem_valid)
		vhost_device_mem_forget(dev);
	for (uint16_t i = 0; i < dev->n_rings; i++) {
		if (dev->rings[i].opened || !ring_is_wanted(dev, &dev->rings[i]))
			continue;
		ring_start(dev, i);
		started |= dev->rings[i].opened;
	}
	if (started)
		device_publish(dev);
}
