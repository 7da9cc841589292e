/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-net as the driver sees it: features, config space, link, and the moments it starts and stops.
 *
 * Which features to offer is the question a driver asks once, and the switch knows the answer: so the
 * driver's first reset is held back, which virtio allows (a driver polls until the status reads 0, no vCPU
 * waits in us), until a switch has connected, NET_BACKEND_WAIT_MS at most.
 *
 * Threads: driver's accesses on vCPUs under dev.lock; everything else on the main thread.
 */
#include "virtio/net.h"

#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "doorbell.h"
#include "vm.h"
#include "virtio/net_dev.h"

#define DEVICE_ID_NET	   1
#define CONTROL_QUEUE_SIZE 64
#define SPEED_MBIT	   10000 /* a number for those who must have one: LACP, ethtool */
#define DUPLEX_FULL	   1

void net_wake(struct net *net)
{
	uint64_t one = 1;

	/* EAGAIN: woken already. */
	(void)!write(net->wake_fd, &one, sizeof(one));
}

static uint64_t features_now(const struct net *net)
{
	struct net_features_in in = {.offloads = net->offloads,
				     .multiqueue = net->n_pairs > 1,
				     .mtu = net->config.mtu != 0,
				     .packed = net->packed,
				     .backend_known = net->backend_known,
				     .backend_features = net->backend_features};

	return net_features_offered(&in);
}

static uint64_t net_features(struct virtio_dev *dev)
{
	struct net *net = net_from(dev);

	if (!(dev->status & VIRTIO_STATUS_DRIVER))
		net->offered = features_now(net);
	return net->offered;
}

static void net_config_read(struct virtio_dev *dev, uint32_t offset, void *data, uint32_t bytes)
{
	struct net *net = net_from(dev);

	virtio_config_copy(&net->config, sizeof(net->config), offset, data, bytes);
}

uint64_t net_enabled_rings(const struct net *net)
{
	return (UINT64_C(1) << net->n_active_pairs * 2) - 1;
}

void net_carrier_sync(struct net *net)
{
	uint16_t old = le16toh(net->config.status);
	uint16_t new = old & ~(NET_S_LINK_UP | NET_S_ANNOUNCE);

	if (net->link_up && net->backend_up)
		new |= NET_S_LINK_UP | (old & NET_S_ANNOUNCE);
	if (new == old)
		return;
	net->config.status = htole16(new);
	if (net->dev.transport)
		net->dev.transport->notify_config(&net->dev);
}

/*
 * The driver's ring, as the back-end wants it: in our address space. Return: 0; -EFAULT when it is not in memory;
 * -errno when its interrupt cannot be had: without, the driver would wait for ever.
 */
static int ring_translate(struct net *net, uint16_t index)
{
	const struct virtio_queue *queue = &net->dev.queues[index];
	const struct guest_mem *mem = vm_mem(net->dev.vm);
	uint64_t size = queue->size;
	bool packed = virtio_has(&net->dev, VIRTIO_RING_PACKED);
	uint64_t driver_bytes = packed ? 4 : 6 + size * 2, driver_align = packed ? 4 : 2;
	int call_fd = net->dev.transport->queue_irqfd(&net->dev, index);
	struct vhost_ring ring = {.size = queue->size,
				  .desc = mem_at(mem, queue->desc, size * 16),
				  .avail = mem_at(mem, queue->driver, driver_bytes),
				  .used = mem_at(mem, queue->device, packed ? 4 : 6 + size * 8),
				  .kick_fd = queue->kick_fd,
				  .call_fd = call_fd < 0 ? -1 : call_fd};

	if (call_fd < 0 && call_fd != -ENOENT)
		return call_fd;
	if (!ring.desc || !ring.avail || !ring.used || queue->desc % 16 ||
	    queue->driver % driver_align || queue->device % 4)
		return -EFAULT;
	net->run.rings[index] = ring;
	return 0;
}

static int net_activate(struct virtio_dev *dev)
{
	struct net *net = net_from(dev);
	uint16_t n_usable = virtio_has(dev, NET_F_MQ) ? net->n_pairs * 2 : 2, n = 0;
	int rc;

	while (n < n_usable && dev->queues[n].enabled && dev->queues[n + 1].enabled) {
		rc = ring_translate(net, n);
		if (rc == 0)
			rc = ring_translate(net, n + 1);
		if (rc)
			return rc;
		n += 2;
	}
	if (!n)
		return -EINVAL;
	net->run.n_rings = n;
	net->run.mtu = virtio_has(dev, NET_F_MTU) ? le16toh(net->config.mtu) : 0;
	net->n_active_pairs = 1;
	net->guest_offloads = net_features_guest_offloads(dev->acked);
	net->activated = true;
	net_wake(net);
	return 0;
}

void net_reset_finish(struct net *net)
{
	net->activated = false;
	net->run_changed = net->enabled_changed = false;
	net->n_active_pairs = 1;
	net->config.status &= htole16((uint16_t)~NET_S_ANNOUNCE);
	net->offered = features_now(net);
}

static bool net_reset(struct virtio_dev *dev)
{
	struct net *net = net_from(dev);

	net->activated = false;
	net_wake(net);
	if (!net_reset_may_finish(net))
		return false;
	net_reset_finish(net);
	return true;
}

static void net_free(struct virtio_dev *dev)
{
	struct net *net = net_from(dev);
	struct event *events[] = {net->wake, net->wait_over, net->announce, net->control_kick};

	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	vhost_frontend_free(net->frontend);
	if (net->wake_fd >= 0)
		close(net->wake_fd);
	free(net->chain);
	virtio_dev_fini(dev);
	free(net);
}

static const struct virtio_dev_ops net_ops = {
	.device_id = DEVICE_ID_NET,
	.name = "virtio-net",
	.features = net_features,
	.config_read = net_config_read,
	.activate = net_activate,
	.reset = net_reset,
	.free = net_free,
};

static void control_kicked(evutil_socket_t fd, short what, void *data)
{
	struct net *net = data;

	(void)what;
	/* It may have been a data queue's, known to the switch, for the driver before this one. */
	if (!doorbell_take(fd))
		return;
	pthread_mutex_lock(&net->dev.lock);
	if (net->activated)
		net_control_serve(net);
	pthread_mutex_unlock(&net->dev.lock);
	net_backend_sync(net);
}

/*
 * Which queue is the control queue depends on the driver, so its doorbell is watched from here and not by
 * the transport. Main thread.
 */
static void control_watch(struct net *net)
{
	bool activated;
	int fd;

	pthread_mutex_lock(&net->dev.lock);
	activated = net->activated && virtio_has(&net->dev, NET_F_CTRL_VQ);
	fd = net->dev.queues[net_control_index(net)].kick_fd;
	pthread_mutex_unlock(&net->dev.lock);
	if (net->control_kick && (!activated || event_get_fd(net->control_kick) != fd)) {
		event_free(net->control_kick);
		net->control_kick = NULL;
	}
	if (!activated || net->control_kick)
		return;
	net->control_kick =
		event_new(vm_events(net->dev.vm), fd, EV_READ | EV_PERSIST, control_kicked, net);
	if (!net->control_kick || event_add(net->control_kick, NULL))
		log_error("%s: no memory to watch the control queue", net->dev.id);
}

static void woken(evutil_socket_t fd, short what, void *data)
{
	struct net *net = data;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	control_watch(net);
	net_backend_sync(net);
}

static void wait_is_over(evutil_socket_t fd, short what, void *data)
{
	struct net *net = data;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&net->dev.lock);
	net->waited = true;
	pthread_mutex_unlock(&net->dev.lock);
	net_backend_sync(net);
}

/* Have the guest tell the switch its addresses (virtio 1.2 §5.1.6.5.4). */
static void announce_now(evutil_socket_t fd, short what, void *data)
{
	struct net *net = data;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&net->dev.lock);
	if (net->activated && virtio_has(&net->dev, NET_F_GUEST_ANNOUNCE) &&
	    net->config.status & htole16(NET_S_LINK_UP)) {
		net->config.status |= htole16(NET_S_ANNOUNCE);
		net->dev.transport->notify_config(&net->dev);
	}
	pthread_mutex_unlock(&net->dev.lock);
}

static int options_check(const struct net_options *options, struct err *err)
{
	uint16_t size = options->queue_size;

	if (options->mac[0] & 1)
		return err_set(err, EINVAL, "card %s: its MAC address is a group address",
			       options->id);
	if (options->n_pairs > NET_PAIRS_MAX)
		return err_set(err, EINVAL, "card %s: %u queue pairs, at most %u are possible",
			       options->id, options->n_pairs, NET_PAIRS_MAX);
	if (size && (size < 64 || size > VIRTIO_QUEUE_SIZE_MAX || size & (size - 1)))
		return err_set(err, EINVAL,
			       "card %s: a queue size of %u is not a power of two from 64 to %u",
			       options->id, size, VIRTIO_QUEUE_SIZE_MAX);
	if (options->mtu && (options->mtu < NET_MTU_MIN || options->mtu > NET_MTU_MAX))
		return err_set(err, EINVAL, "card %s: an MTU of %u is not in %u to %u", options->id,
			       options->mtu, NET_MTU_MIN, NET_MTU_MAX);
	return 0;
}

static void queues_init(struct net *net, uint16_t queue_size)
{
	net->dev.n_queues = net->n_pairs * 2 + 1;
	for (uint16_t i = 0; i < net->dev.n_queues; i++) {
		net->dev.queues[i].size_max = queue_size ? queue_size : NET_QUEUE_SIZE_DEFAULT;
		net->dev.queues[i].kick_external = true;
	}
	net->dev.queues[net->n_pairs * 2].size_max = CONTROL_QUEUE_SIZE;
}

static int events_init(struct net *net)
{
	struct event_base *events = vm_events(net->dev.vm);
	static const struct timeval wait = {.tv_sec = NET_BACKEND_WAIT_MS / 1000,
					    .tv_usec = NET_BACKEND_WAIT_MS % 1000 * 1000};

	net->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (net->wake_fd < 0)
		return -errno;
	net->wake = event_new(events, net->wake_fd, EV_READ | EV_PERSIST, woken, net);
	net->wait_over = evtimer_new(events, wait_is_over, net);
	net->announce = evtimer_new(events, announce_now, net);
	net->chain = malloc(sizeof(*net->chain));
	if (!net->wake || !net->wait_over || !net->announce || !net->chain ||
	    event_add(net->wake, NULL))
		return -ENOMEM;
	net->waited = net->offloads != NET_OFFLOADS_AUTO;
	if (!net->waited && evtimer_add(net->wait_over, &wait))
		return -ENOMEM;
	return 0;
}

struct virtio_dev *net_new(struct vm *vm, const struct net_options *options, struct err *err)
{
	struct net *net;
	int rc;

	if (options_check(options, err))
		return NULL;
	net = calloc(1, sizeof(*net));
	if (!net) {
		err_set(err, ENOMEM, "card %s: no memory", options->id);
		return NULL;
	}
	virtio_dev_init(&net->dev, &net_ops, vm, options->id);
	snprintf(net->id, sizeof(net->id), "%s", options->id);
	net->offloads = options->offloads;
	net->packed = options->packed;
	net->n_pairs = options->n_pairs ? options->n_pairs : 1;
	net->n_active_pairs = 1;
	net->link_up = options->link_up;
	memcpy(net->config.mac, options->mac, sizeof(net->config.mac));
	net->config.max_virtqueue_pairs = htole16(net->n_pairs);
	net->config.mtu = htole16(options->mtu);
	net->config.speed = htole32(SPEED_MBIT);
	net->config.duplex = DUPLEX_FULL;
	net->dev.config_bytes = sizeof(net->config);
	queues_init(net, options->queue_size);
	rc = events_init(net);
	if (rc)
		err_set(err, -rc, "card %s: %s", options->id, strerror(-rc));
	else
		net->frontend = vhost_frontend_new(vm_events(vm), net->dev.id, options->socket,
						   options->is_listening ? options->listen_fd : -1,
						   vm_mem(vm), &net_backend_ops, net, err);
	if (!net->frontend) {
		net_free(&net->dev);
		return NULL;
	}
	return &net->dev;
}

void net_link_set(struct virtio_dev *dev, bool up)
{
	struct net *net = net_from(dev);

	pthread_mutex_lock(&dev->lock);
	if (up && !net->link_up)
		net_announce_soon(net);
	net->link_up = up;
	net_carrier_sync(net);
	pthread_mutex_unlock(&dev->lock);
}

void net_status(struct virtio_dev *dev, struct net_status *status)
{
	struct net *net = net_from(dev);
	struct vhost_frontend_counters counters = vhost_frontend_counters(net->frontend);

	memset(status, 0, sizeof(*status));
	memcpy(status->id, net->id, sizeof(status->id));
	status->n_connects = counters.n_connects;
	status->n_refused = counters.n_refused;
	pthread_mutex_lock(&dev->lock);
	memcpy(status->mac, net->config.mac, sizeof(status->mac));
	status->link_up = net->link_up;
	status->connected = net->backend_up;
	status->carrier = net->config.status & htole16(NET_S_LINK_UP);
	status->running = net->backend_up && net->given;
	status->n_pairs = net->n_pairs;
	status->n_active_pairs = net->n_active_pairs;
	status->features = dev->acked;
	status->backend_features = net->backend_features;
	pthread_mutex_unlock(&dev->lock);
}
