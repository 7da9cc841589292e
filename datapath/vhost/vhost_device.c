/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rte_vhost's callbacks, turned into the state of a port; see vhost_device.h for how that is kept safe.
 *
 * Callbacks run on rte_vhost's event thread, on its reconnect thread (new_connection), or on the control thread (in register
 * and unregister). They find their port by handle. rte_vhost holds its own locks around some of them, so
 * none of our locks is held while we call into its register, start and unregister functions.
 */
#include "vhost/vhost_device.h"

#include <errno.h>
#include <rte_log.h>
#include <rte_vhost.h>
#include <string.h>

#include "base/log.h"
#include "vhost/vhost_message.h"
#include "vhost/vhost_sigbus.h"
#include "vhost/vhost_socket.h"

#define BIT(n) (UINT64_C(1) << (n))

/* What is offered to front-ends. Not: dirty logging (live migration), UFO, an IOMMU. */
#define VHOST_FEATURES                                                                             \
	(BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_NET_F_CTRL_VQ) |      \
	 BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | BIT(VIRTIO_NET_F_MQ) |     \
	 BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_NET_F_CSUM) |  \
	 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |  \
	 BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                             \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) |                              \
	 BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MTU) | \
	 BIT(VIRTIO_F_IN_ORDER) | BIT(VIRTIO_F_RING_PACKED))

#define VHOST_PROTOCOL_FEATURES                                                                    \
	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                    \
	 BIT(VHOST_USER_PROTOCOL_F_NET_MTU) | BIT(VHOST_USER_PROTOCOL_F_STATUS) |                  \
	 BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD))

/* All registered devices, and which of them a handle belongs to. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vhost_device *list;
static struct vhost_device *by_vid[RTE_MAX_VHOST_DEVICE];

static struct vhost_device *device_of(int vid)
{
	struct vhost_device *dev;

	pthread_mutex_lock(&list_lock);
	dev = by_vid[vid];
	pthread_mutex_unlock(&list_lock);
	return dev;
}

static struct vhost_device *device_by_path(const char *path)
{
	struct vhost_device *dev;

	for (dev = list; dev != NULL; dev = dev->next) {
		if (strcmp(dev->port.spec.path, path) == 0)
			break;
	}
	return dev;
}

static void suspend_all(struct vhost_device *dev, bool suspended)
{
	for (uint16_t i = 0; i < dev->n_rings; i++)
		dev->rings[i].suspended = suspended;
}

/* Which messages move what; the lock is held. */
static void let_go(struct vhost_device *dev, const struct vhost_message *msg)
{
	uint32_t index = msg->payload.index;

	dev->call_changing = -1;
	switch (msg->request) {
	case VHOST_REQ_RESET_OWNER:
	case VHOST_REQ_SET_MEM_TABLE:
		dev->mem_valid = false;
		suspend_all(dev, true);
		break;
	case VHOST_REQ_SET_INFLIGHT_FD:
		suspend_all(dev, true);
		break;
	case VHOST_REQ_SET_VRING_KICK:
		index &= VHOST_MESSAGE_RING_MASK;
		/* fall through */
	case VHOST_REQ_SET_VRING_NUM:
	case VHOST_REQ_SET_VRING_ADDR:
	case VHOST_REQ_SET_VRING_BASE:
	case VHOST_REQ_GET_VRING_BASE:
		if (index < dev->n_rings)
			dev->rings[index].suspended = true;
		break;
	case VHOST_REQ_SET_VRING_CALL:
		if ((index & VHOST_MESSAGE_RING_MASK) < dev->n_rings)
			dev->call_changing = (int)(index & VHOST_MESSAGE_RING_MASK);
		break;
	default:
		break;
	}
}

static bool is_packed(int vid)
{
	uint64_t features;

	return rte_vhost_get_negotiated_features(vid, &features) == 0 &&
	       features & BIT(VIRTIO_F_RING_PACKED);
}

/* GET_INFLIGHT_FD and SET_INFLIGHT_FD, which are ours alone; no ring is open for the latter, and the lock is held. */
static enum rte_vhost_msg_result inflight_message(struct vhost_device *dev,
						  struct vhost_message *msg)
{
	bool packed = is_packed(dev->vid);
	const char *why;

	if (msg->request == VHOST_REQ_GET_INFLIGHT_FD) {
		why = vhost_inflight_make(msg, packed, dev->n_rings);
		if (why == NULL)
			return RTE_VHOST_MSG_RESULT_REPLY;
	} else {
		vhost_inflight_drop(&dev->inflight);
		vhost_device_mem_forget(dev);
		why = vhost_inflight_take(&dev->inflight, msg, packed, dev->n_rings);
		vhost_message_close_fds(msg);
		if (why == NULL &&
		    vhost_sigbus_add(dev, (uintptr_t)dev->inflight.mapped, dev->inflight.len) == 0)
			return RTE_VHOST_MSG_RESULT_OK;
		vhost_inflight_drop(&dev->inflight);
		if (why == NULL)
			why = "in-flight memory refused: too much memory is shared already";
	}
	vhost_message_close_fds(msg);
	if (!dev->refused)
		log_warning("port %s: %s", dev->port.spec.name, why);
	dev->refused = true;
	atomic_store(&dev->detail, why);
	atomic_fetch_add(&dev->n_bad_rings, 1);
	return RTE_VHOST_MSG_RESULT_ERR;
}

/*
 * Before a message is handled: take our hands off what it may move. A message that is answered here never reaches
 * rte_vhost's handler, which would close the descriptors that came with it: then it is up to us.
 */
static enum rte_vhost_msg_result before_message(int vid, void *data)
{
	enum rte_vhost_msg_result result = RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	struct vhost_device *dev = device_of(vid);
	struct vhost_message *msg = data;

	if (dev == NULL || !vhost_socket_check(dev->socket)) {
		vhost_message_close_fds(msg);
		return RTE_VHOST_MSG_RESULT_ERR;
	}
	if (!vhost_message_is_expected(msg) || atomic_load(&dev->faulted)) {
		vhost_message_close_fds(msg);
		if (!dev->refused)
			log_warning("port %s: message %u of the front-end refused",
				    dev->port.spec.name, msg->request);
		dev->refused = true;
		return RTE_VHOST_MSG_RESULT_ERR;
	}
	if (msg->request == VHOST_REQ_GET_QUEUE_NUM) {
		/* rte_vhost would say 128: frames sent to queues we do not have would be lost. */
		vhost_message_close_fds(msg);
		msg->payload.u64 = dev->port.spec.n_queues;
		msg->size = sizeof(msg->payload.u64);
		return RTE_VHOST_MSG_RESULT_REPLY;
	}
	pthread_mutex_lock(&dev->lock);
	let_go(dev, msg);
	vhost_device_sync(dev);
	if (msg->request == VHOST_REQ_GET_INFLIGHT_FD || msg->request == VHOST_REQ_SET_INFLIGHT_FD)
		result = inflight_message(dev, msg);
	pthread_mutex_unlock(&dev->lock);
	vhost_sigbus_handling(dev);
	return result;
}

/* After a message was handled without an error. */
static enum rte_vhost_msg_result after_message(int vid, void *data)
{
	struct vhost_device *dev = device_of(vid);
	struct vhost_message *msg = data;

	if (dev == NULL)
		return RTE_VHOST_MSG_RESULT_ERR;
	pthread_mutex_lock(&dev->lock);
	if (msg->request == VHOST_REQ_SET_MEM_TABLE)
		dev->mem_valid = true;
	if (msg->request == VHOST_REQ_GET_INFLIGHT_FD)
		vhost_message_close_fds(msg); /* it was sent */
	suspend_all(dev, false);
	vhost_device_sync(dev);
	pthread_mutex_unlock(&dev->lock);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

static int on_new_connection(int vid)
{
	struct vhost_device *dev;
	char path[PORT_PATH_MAX];
	int result = -1;

	if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE ||
	    rte_vhost_get_ifname(vid, path, sizeof(path)) < 0)
		return -1;
	path[sizeof(path) - 1] = '\0';
	pthread_mutex_lock(&list_lock);
	dev = device_by_path(path);
	by_vid[vid] = dev;
	pthread_mutex_unlock(&list_lock);
	if (dev == NULL)
		return -1;
	pthread_mutex_lock(&dev->lock);
	if (dev->vid >= 0) {
		log_warning("port %s: a second front-end at %s refused", dev->port.spec.name, path);
	} else if (rte_vhost_extern_callback_register(vid, &message_ops, NULL) == 0) {
		dev->vid = vid;
		dev->n_connects++;
		dev->socket = vhost_socket_limit(path, dev->port.spec.server);
		if (dev->socket < 0)
			log_warning("port %s: no time limit for the connection at %s",
				    dev->port.spec.name, path);
		result = 0;
		log_info("port %s: front-end connected", dev->port.spec.name);
		port_peer_changed(&dev->port);
	}
	pthread_mutex_unlock(&dev->lock);
	return result;
}

/* All rings closed, as if there had never been a front-end; the lock is held. */
static void device_reset(struct vhost_device *dev)
{
	dev->running = false;
	dev->mem_valid = false;
	for (uint16_t i = 0; i < dev->n_rings; i++) {
		dev->rings[i].ready = false;
		dev->rings[i].suspended = false;
	}
	vhost_device_sync(dev);
	vhost_sigbus_remove(dev);
	vhost_inflight_drop(&dev->inflight);
	vhost_sigbus_gone(dev);
	atomic_store(&dev->faulted, false);
	dev->vid = -1;
	dev->socket = -1;
	dev->refused = false;
	dev->features = 0;
	dev->call_changing = -1;
}

static void on_destroy_connection(int vid)
{
	struct vhost_device *dev = device_of(vid);

	if (dev == NULL)
		return;
	pthread_mutex_lock(&dev->lock);
	if (dev->vid == vid) {
		device_reset(dev);
		log_info("port %s: front-end gone", dev->port.spec.name);
		port_peer_changed(&dev->port);
	}
	pthread_mutex_unlock(&dev->lock);
}

static int on_new_device(int vid)
{
	struct vhost_device *dev = device_of(vid);
	uint64_t features;

	if (dev == NULL || rte_vhost_get_negotiated_features(vid, &features) < 0)
		return -1;
	pthread_mutex_lock(&dev->lock);
	dev->features = features;
	dev->running = true;
	if (!atomic_load(&dev->faulted))
		atomic_store(&dev->detail, NULL);
	vhost_device_sync(dev);
	pthread_mutex_unlock(&dev->lock);
	return 0;
}

static void on_destroy_device(int vid)
{
	struct vhost_device *dev = device_of(vid);

	if (dev == NULL)
		return;
	pthread_mutex_lock(&dev->lock);
	dev->running = false;
	vhost_device_sync(dev);
	pthread_mutex_unlock(&dev->lock);
}

static int on_vring_state_changed(int vid, uint16_t index, int enable)
{
	struct vhost_device *dev = device_of(vid);

	if (dev == NULL || index >= dev->n_rings)
		return 0;
	pthread_mutex_lock(&dev->lock);
	if (dev->call_changing == index && dev->rings[index].opened) {
		/* Announced as a stop and a start; only the call fd differs. */
		if (enable)
			vhost_device_call_changed(dev, index);
	} else {
		dev->rings[index].ready = enable;
		vhost_device_sync(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return 0;
}

static const struct rte_vhost_device_ops device_ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.vring_state_changed = on_vring_state_changed,
	.new_connection = on_new_connection,
	.destroy_connection = on_destroy_connection,
};

static void list_remove(struct vhost_device *dev)
{
	pthread_mutex_lock(&list_lock);
	for (struct vhost_device **at = &list; *at != NULL; at = &(*at)->next) {
		if (*at == dev) {
			*at = dev->next;
			break;
		}
	}
	for (int vid = 0; vid < RTE_MAX_VHOST_DEVICE; vid++) {
		if (by_vid[vid] == dev)
			by_vid[vid] = NULL;
	}
	pthread_mutex_unlock(&list_lock);
}

static int list_add(struct vhost_device *dev, struct err *err)
{
	struct vhost_device *other;
	int result = 0;

	pthread_mutex_lock(&list_lock);
	other = device_by_path(dev->port.spec.path);
	if (other != NULL) {
		result = err_set(err, EADDRINUSE,
				 "port \"%s\": socket %s is already used by port \"%s\"",
				 dev->port.spec.name, dev->port.spec.path, other->port.spec.name);
	} else {
		dev->next = list;
		list = dev;
	}
	pthread_mutex_unlock(&list_lock);
	return result;
}

int vhost_device_register(struct vhost_device *dev, struct err *err)
{
	const struct port_spec *spec = &dev->port.spec;
	uint64_t offered;
	int result;

	rte_log_set_level_pattern("lib.vhost.*",
				  RTE_LOG_CRIT); /* what matters is in our log and in status */
	vhost_sigbus_install();
	result = list_add(dev, err);
	if (result < 0)
		return result;
	if (spec->server) {
		result = vhost_socket_clear_stale(spec->path, err);
		if (result < 0)
			goto unlist;
	}
	if (rte_vhost_driver_register(spec->path, spec->server ? 0 : RTE_VHOST_USER_CLIENT) < 0) {
		result = err_set(err, ENOSPC,
				 "port \"%s\": no more vhost-user sockets (1024) or no memory",
				 spec->name);
		goto unlist;
	}
	if (rte_vhost_driver_get_features(spec->path, &offered) < 0 ||
	    rte_vhost_driver_disable_features(spec->path, offered & ~VHOST_FEATURES) < 0 ||
	    rte_vhost_driver_set_protocol_features(spec->path, VHOST_PROTOCOL_FEATURES) < 0 ||
	    rte_vhost_driver_callback_register(spec->path, &device_ops) < 0) {
		result = err_set(err, EINVAL, "port \"%s\": rte_vhost refused the configuration",
				 spec->name);
		goto unregister;
	}
	if (rte_vhost_driver_start(spec->path) < 0) {
		result = err_set(err, EIO, "port \"%s\": cannot %s %s", spec->name,
				 spec->server ? "listen at" : "connect to", spec->path);
		goto unregister;
	}
	return 0;

unregister:
	rte_vhost_driver_unregister(spec->path);
unlist:
	list_remove(dev);
	return result;
}

void vhost_device_unregister(struct vhost_device *dev)
{
	rte_vhost_driver_unregister(dev->port.spec.path);
	/* rte_vhost stopped a running device; a connection that was still being set up it forgets silently. */
	pthread_mutex_lock(&dev->lock);
	dev->vid = -1;
	device_reset(dev);
	pthread_mutex_unlock(&dev->lock);
	list_remove(dev);
}
