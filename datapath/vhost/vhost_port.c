/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_ops of vhost-user ports. rx and tx run on the workers and touch only active rings, see vhost_device.h; the
 * rest runs on the control thread.
 */
#include "vhost/vhost_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cycles.h"
#include "vhost/vhost_device.h"

static inline struct vhost_device *device_of_port(struct port *port)
{
	return (struct vhost_device *)port;
}

static int vhost_port_open(const struct port_spec *spec, struct port **out, struct err *err)
{
	size_t n_rings = 2 * (size_t)spec->n_queues;
	size_t size = sizeof(struct vhost_device) + n_rings * sizeof(struct vhost_ring);
	struct vhost_device *dev;
	int result;

	if (spec->path[0] != '/')
		return err_set(err, EINVAL, "port \"%s\": the socket path must be absolute",
			       spec->name);
	if (spec->n_queues == 0 || spec->n_queues > PORT_QUEUES_MAX)
		return err_set(err, EINVAL, "port \"%s\": queues must be 1..%d", spec->name,
			       PORT_QUEUES_MAX);
	size = (size + 63) & ~(size_t)63;
	dev = aligned_alloc(64, size);
	if (dev == NULL)
		return err_set(err, ENOMEM, "port \"%s\": out of memory", spec->name);
	memset(dev, 0, size);
	port_init(&dev->port, &vhost_port_ops, spec);
	pthread_mutex_init(&dev->lock, NULL);
	dev->vid = -1;
	dev->socket = -1;
	dev->call_changing = -1;
	dev->n_rings = (uint16_t)n_rings;
	for (size_t i = 0; i < n_rings; i++) {
		rte_spinlock_init(&dev->rings[i].tx_lock);
		dev->rings[i].kick_fd = -1;
		dev->rings[i].call_fd = -1;
	}
	result = vhost_device_register(dev, err);
	if (result < 0) {
		pthread_mutex_destroy(&dev->lock);
		free(dev);
		return result;
	}
	*out = &dev->port;
	return 0;
}

static void vhost_port_close(struct port *port)
{
	struct vhost_device *dev = device_of_port(port);

	vhost_device_unregister(dev);
	pthread_mutex_destroy(&dev->lock);
	free(dev);
}

static void vhost_port_status(struct port *port, struct port_status *status)
{
	struct vhost_device *dev = device_of_port(port);
	const char *detail;

	memset(status, 0, sizeof(*status));
	pthread_mutex_lock(&dev->lock);
	status->connected = dev->vid >= 0;
	status->n_queues = atomic_load(&dev->n_tx);
	status->running = status->n_queues > 0;
	status->features = dev->running ? dev->features : 0;
	if (dev->rings[0].opened) {
		status->packed = dev->rings[0].ring.packed;
		status->ring_size = dev->rings[0].ring.size;
	}
	status->n_connects = dev->n_connects;
	pthread_mutex_unlock(&dev->lock);
	status->n_bad_rings = atomic_load(&dev->n_bad_rings);
	detail = atomic_load(&dev->detail);
	snprintf(status->detail, sizeof(status->detail), "%s", detail != NULL ? detail : "");
}

static void vhost_port_rx_release(struct port *port, uint16_t queue)
{
	struct vhost_ring *ring = vhost_device_rx_ring(device_of_port(port), queue);

	/* Also when the ring was made inactive after rx: its closing waits for us. */
	if (ring->ring.n_done > 0 && ring_rx_release(&ring->ring))
		vhost_ring_signal(ring);
}

static uint16_t vhost_port_rx(struct port *port, uint16_t queue, uint16_t worker,
			      struct frame *frames, uint16_t max)
{
	struct vhost_device *dev = device_of_port(port);
	struct vhost_ring *ring = vhost_device_rx_ring(dev, queue);
	uint16_t n;

	if (!atomic_load_explicit(&ring->active, memory_order_acquire))
		return 0;
	n = ring_rx(&ring->ring, frames, max, port->drops[worker].by_reason);
	if (ring->ring.broken)
		vhost_ring_break(dev, ring);
	if (n == 0)
		vhost_port_rx_release(port, queue); /* nothing but what was skipped */
	return n;
}

static void vhost_port_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct vhost_device *dev = device_of_port(port);
	uint16_t n_tx = atomic_load_explicit(&dev->n_tx, memory_order_acquire);
	struct vhost_ring *ring;
	bool signal = false;

	if (queue >= n_tx)
		queue = n_tx > 0 ? queue % n_tx : 0;
	ring = vhost_device_tx_ring(dev, queue);
	rte_spinlock_lock(&ring->tx_lock);
	if (atomic_load_explicit(&ring->active, memory_order_acquire)) {
		signal = ring_tx(&ring->ring, out, n);
		if (signal)
			stats_add(&port->txq[queue].wakeups, 1);
		if (ring->ring.broken)
			vhost_ring_break(dev, ring);
	} else {
		for (uint16_t i = 0; i < n; i++)
			out[i].drop = DROP_NOT_CONNECTED;
	}
	rte_spinlock_unlock(&ring->tx_lock);
	if (signal)
		vhost_ring_signal(ring);
	cycles_mark(CYCLES_PUBLISH);
}

static int vhost_port_rx_fd(struct port *port, uint16_t queue)
{
	struct vhost_ring *ring = vhost_device_rx_ring(device_of_port(port), queue);

	/* A stopped ring's guest may kick as it likes: nobody needs to be woken. */
	return atomic_load(&ring->active) ? atomic_load(&ring->kick_fd) : -1;
}

static bool vhost_port_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	struct vhost_ring *ring = vhost_device_rx_ring(device_of_port(port), queue);

	if (!atomic_load_explicit(&ring->active, memory_order_acquire))
		return false;
	/*
	 * The kick fd is not drained: it is watched edge-triggered, and the front-end, which has the same open file, could
	 * make reading it block. A kick after arming is an edge and ends the sleep, even if it comes before the sleep; so does
	 * one from before arming, for nothing, at most once a sleep.
	 */
	return ring_arm(&ring->ring, armed);
}

const struct port_ops vhost_port_ops = {
	.type = "vhost-user",
	.open = vhost_port_open,
	.close = vhost_port_close,
	.status = vhost_port_status,
	.rx = vhost_port_rx,
	.rx_release = vhost_port_rx_release,
	.tx = vhost_port_tx,
	.rx_fd = vhost_port_rx_fd,
	.rx_arm = vhost_port_rx_arm,
};
