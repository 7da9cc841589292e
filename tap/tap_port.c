/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port on top of a TAP interface's queues. See tap_port.h.
 *
 * A received frame's first bytes are read straight into struct frame, the rest into a slot of the queue: FRAME_BURST slots, reused
 * at the next rx(). Writes need no lock: the kernel takes each frame whole, and a flow keeps to one queue and worker.
 *
 * The interface can be deleted by anybody at any time. Every call then fails with EBADFD; the first worker to see it marks the
 * port as gone, which takes its fds out of every worker's sleep, and status() says what happened.
 */
#include "tap_port.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tap_device.h"
#include "tap_vnet.h"

/* One byte more than allowed, to notice what is too long. */
#define SLOT_BYTES (FRAME_LEN_MAX - FRAME_HDR_MAX + 1)

#define BURST_BYTES (128 << 10)

struct tap_queue {
	int fd;
	uint8_t *slots; /* FRAME_BURST * SLOT_BYTES, touched as they are used */
	struct frame_seg segs[FRAME_BURST];
};

struct tap_port {
	struct port port;	/* first: see port.h */
	_Atomic bool gone;	/* the interface was deleted; set by any thread, never cleared */
	_Atomic int last_error; /* errno of a write that failed for any other reason, 0: none */
	char name[TAP_DEVICE_NAME_MAX]; /* the last that control asked for, for messages */
	uint16_t n_queues;
	struct tap_queue queues[];
};

static struct tap_port *tap_of(struct port *port)
{
	return (struct tap_port *)port;
}

static const struct tap_port *tap_of_const(const struct port *port)
{
	return (const struct tap_port *)port;
}

static void tap_close(struct port *port)
{
	struct tap_port *tap = tap_of(port);

	if (tap == NULL)
		return;
	for (uint16_t q = 0; q < tap->n_queues; q++) {
		if (tap->queues[q].fd >= 0)
			close(tap->queues[q].fd);
		if (tap->queues[q].slots != NULL)
			munmap(tap->queues[q].slots, (size_t)FRAME_BURST * SLOT_BYTES);
	}
	free(tap);
}

static int tap_open(const struct port_spec *spec, struct port **out, struct err *err)
{
	struct tap_port *tap;
	int fds[PORT_QUEUES_MAX];
	int ret;

	if (spec->n_queues == 0 || spec->n_queues > PORT_QUEUES_MAX)
		return err_set(err, EINVAL, "port \"%s\": %u queues; a tap has 1 to %u", spec->name,
			       spec->n_queues, PORT_QUEUES_MAX);
	tap = calloc(1, sizeof(*tap) + spec->n_queues * sizeof(tap->queues[0]));
	if (tap == NULL)
		return err_set(err, ENOMEM, "port \"%s\": no memory", spec->name);
	port_init(&tap->port, &tap_port_ops, spec);
	tap->n_queues = spec->n_queues;
	for (uint16_t q = 0; q < tap->n_queues; q++)
		tap->queues[q].fd = -1;
	for (uint16_t q = 0; q < tap->n_queues; q++) {
		void *slots = mmap(NULL, (size_t)FRAME_BURST * SLOT_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (slots == MAP_FAILED) {
			ret = err_set(err, ENOMEM, "port \"%s\": no memory for its queues",
				      spec->name);
			goto undo;
		}
		tap->queues[q].slots = slots;
	}
	ret = tap_device_open(spec->ifname, spec->n_queues, fds, err);
	if (ret != 0)
		goto undo;
	for (uint16_t q = 0; q < tap->n_queues; q++)
		tap->queues[q].fd = fds[q];
	tap_device_name(fds[0], tap->name);
	/* The kernel finishes any of these for us. */
	atomic_store(&tap->port.tx_offloads,
		     PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_ECN);
	*out = &tap->port;
	return 0;

undo:
	tap_close(&tap->port);
	return ret;
}

static void tap_mark_gone(struct tap_port *tap)
{
	if (atomic_exchange(&tap->gone, true))
		return;
	atomic_fetch_add(&tap->port.rx_generation, 1);
	port_peer_changed(&tap->port);
}

static bool tap_is_gone(const struct tap_port *tap)
{
	return atomic_load_explicit(&tap->gone, memory_order_relaxed);
}

/* One frame into @f, which is zeroed but for buf. Return: bytes read with the header in front, 0: none waits. */
static size_t queue_read(struct tap_port *tap, struct tap_queue *queue, uint16_t slot,
			 struct frame *f, struct virtio_net_hdr *vnet)
{
	uint8_t *rest = queue->slots + (size_t)slot * SLOT_BYTES;
	struct iovec iov[3] = {{vnet, sizeof(*vnet)},
			       {f->buf + FRAME_HDR_ROOM, FRAME_HDR_MAX},
			       {rest, SLOT_BYTES}};
	ssize_t got = readv(queue->fd, iov, 3);

	if (got < 0 && (errno == EBADFD || errno == ENODEV))
		tap_mark_gone(tap);
	if (got < (ssize_t)sizeof(*vnet))
		return 0;
	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	f->len = (uint32_t)(got - (ssize_t)sizeof(*vnet));
	f->hdr_len = f->len < FRAME_HDR_MAX ? (uint16_t)f->len : FRAME_HDR_MAX;
	if (f->len > f->hdr_len) {
		queue->segs[slot] = (struct frame_seg){rest, f->len - f->hdr_len};
		f->segs = &queue->segs[slot];
		f->n_segs = 1;
	}
	return (size_t)got;
}

static uint16_t tap_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
		       uint16_t max)
{
	struct tap_port *tap = tap_of(port);
	struct virtio_net_hdr vnet;
	uint16_t n = 0, refused = 0;
	uint32_t bytes = 0;

	if (queue >= tap->n_queues || tap_is_gone(tap))
		return 0;
	if (max > FRAME_BURST)
		max = FRAME_BURST;
	/*
	 * What is refused counts against the burst as well, so that a flood of it cannot hold the worker. A burst of large frames ends
	 * early: what is read should still be in the cache when it is sent.
	 */
	while (n + refused < max && bytes < BURST_BYTES) {
		struct frame *f = &frames[n];

		if (queue_read(tap, &tap->queues[queue], n, f, &vnet) == 0)
			break;
		if (f->len > 0 && f->len <= FRAME_LEN_MAX && tap_vnet_read(&vnet, &f->offload)) {
			bytes += f->len;
			n++;
			continue;
		}
		refused++;
		if (f->len == 0)
			port_drop(port, worker, DROP_RUNT, 1);
		else
			port_drop(port, worker,
				  f->len > FRAME_LEN_MAX ? DROP_OVERSIZE : DROP_BAD_OFFLOAD, 1);
	}
	return n;
}

static void tap_rx_release(struct port *port, uint16_t queue)
{
	/* Slots are reused by the next rx(): there is nothing to give back. */
	(void)port;
	(void)queue;
}

/* Return: DROP_NONE, or why the kernel did not take the frame. */
static enum drop_reason queue_write(struct tap_port *tap, int fd, const struct frame_out *out)
{
	const struct frame *f = out->f;
	struct iovec iov[3 + FRAME_SEGS_MAX];
	struct virtio_net_hdr vnet;
	int n = 0;

	if (out->skip > f->hdr_len || f->n_segs > FRAME_SEGS_MAX)
		return DROP_WRITE_FAILED;
	tap_vnet_write(out, &vnet);
	iov[n++] = (struct iovec){&vnet, sizeof(vnet)};
	iov[n++] = (struct iovec){(void *)(uintptr_t)out->prefix, out->prefix_len};
	iov[n++] = (struct iovec){f->hdr + out->skip, (size_t)(f->hdr_len - out->skip)};
	for (uint16_t i = 0; i < f->n_segs; i++)
		iov[n++] = (struct iovec){(void *)(uintptr_t)f->segs[i].base, f->segs[i].len};
	if (writev(fd, iov, n) >= 0)
		return DROP_NONE;
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_NO_ROOM;
	case EIO: /* the interface is down */
		return DROP_NOT_CONNECTED;
	case EBADFD:
	case ENODEV:
		tap_mark_gone(tap);
		return DROP_NOT_CONNECTED;
	default:
		atomic_store(&tap->last_error, errno);
		return DROP_WRITE_FAILED;
	}
}

static void tap_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct tap_port *tap = tap_of(port);
	int fd = tap->queues[queue % tap->n_queues].fd;

	for (uint16_t i = 0; i < n; i++)
		out[i].drop = (uint8_t)(tap_is_gone(tap) ? DROP_NOT_CONNECTED
							 : queue_write(tap, fd, &out[i]));
}

static int tap_rx_fd(struct port *port, uint16_t queue)
{
	const struct tap_port *tap = tap_of_const(port);

	/* A deleted interface's fd is readable for ever: nobody may wait on it. */
	return queue < tap->n_queues && !tap_is_gone(tap) ? tap->queues[queue].fd : -1;
}

static bool tap_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	struct pollfd pollfd = {.fd = tap_rx_fd(port, queue), .events = POLLIN};

	return armed && pollfd.fd >= 0 && poll(&pollfd, 1, 0) > 0;
}

static void tap_status(struct port *port, struct port_status *status)
{
	struct tap_port *tap = tap_of(port);
	struct pollfd pollfd = {.fd = tap->queues[0].fd, .events = POLLOUT};
	char name[TAP_DEVICE_NAME_MAX];
	int error = atomic_load(&tap->last_error);

	memset(status, 0, sizeof(*status));
	if (!tap_is_gone(tap) && tap_device_name(tap->queues[0].fd, name) != 0)
		tap_mark_gone(tap);
	status->n_connects = 1;
	if (tap_is_gone(tap)) {
		snprintf(status->detail, sizeof(status->detail),
			 "interface %s was deleted; name the port in a request to make it again",
			 tap->name);
		return;
	}
	status->connected = true;
	status->n_queues = tap->n_queues;
	/* tun reports itself writable only while the interface is up, whichever namespace it is in. */
	status->running = poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLOUT) != 0;
	if (!status->running)
		snprintf(status->detail, sizeof(status->detail),
			 "interface %s is down; `ip link set %s up` in its namespace", name, name);
	else if (error != 0)
		snprintf(status->detail, sizeof(status->detail), "interface %s refused a frame: %s",
			 name, strerror(error));
}

int tap_port_ifname(struct port *port, char name[16])
{
	struct tap_port *tap = tap_of(port);
	int ret = tap_device_name(tap->queues[0].fd, name);

	if (ret == 0)
		memcpy(tap->name, name, sizeof(tap->name));
	return ret;
}

int tap_port_set_carrier(struct port *port, bool on)
{
	unsigned int carrier = on ? 1 : 0;

	return ioctl(tap_of(port)->queues[0].fd, TUNSETCARRIER, &carrier) == 0 ? 0 : -errno;
}

const struct port_ops tap_port_ops = {
	.type = "tap",
	.open = tap_open,
	.close = tap_close,
	.status = tap_status,
	.rx = tap_rx,
	.rx_release = tap_rx_release,
	.tx = tap_tx,
	.rx_fd = tap_rx_fd,
	.rx_arm = tap_rx_arm,
	.rx_is_call = true,
};
