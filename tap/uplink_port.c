/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See uplink_port.h. rx runs on one worker, uplink_send() on any, the rest on control.
 *
 * Packets are received into FRAME_BURST slots with one recvmmsg. A slot may hold a row: UDP datagrams that nobody has cut yet, because
 * the sender's kernel left that to a NIC and none was on the way. If it is one TCP flow it becomes one large frame again (merge.h), else it is cut, and what does not fit
 * into one burst waits in its slot for the next: slots are only received into again when all have been used up.
 */
#include "uplink_port.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap_vnet.h"
#include "uplink_socket.h"
#include "uplink_tx.h"
#include "vxlan/checksum.h"
#include "vxlan/merge.h"
#include "vxlan/overlay.h"
#include "vxlan/tunnel_rx.h"
#include "vxlan/wire.h"

#define SLOT_BYTES   (FRAME_LEN_MAX + 1) /* one more, to notice what is too long */
#define SLOTS_BYTES  ((size_t)FRAME_BURST * SLOT_BYTES)
#define OUTER4_FRONT (VXLAN_OUTER_LEN4 - VXLAN_HDR_LEN) /* Ethernet, IP, UDP */
#define OUTER6_FRONT (VXLAN_OUTER_LEN6 - VXLAN_HDR_LEN)

struct uplink_port {
	struct port port; /* first: see port.h */
	int fd;
	uint8_t n_udp;
	int udp_fds[UPLINK_LOCALS_MAX];

	/* the rx worker's */
	uint8_t *slots;	   /* FRAME_BURST * SLOT_BYTES, touched as they are used */
	uint16_t n_slots;  /* received */
	uint16_t slot;	   /* the next to use */
	uint32_t row_done; /* payload bytes of it already given out, if it is a row */
	struct virtio_net_hdr vnet[FRAME_BURST];
	struct iovec iov[FRAME_BURST][2];
	struct mmsghdr msgs[FRAME_BURST];
	struct frame_seg segs[FRAME_BURST][FRAME_SEGS_MAX];
	struct pull_scratch scratch;
	struct reply replies[FRAME_BURST];

	/* control's */
	int ifindex;
	bool usable;
	char detail[128];
};

static struct uplink_port *uplink_of(struct port *port)
{
	return (struct uplink_port *)port;
}

static void frame_empty(struct frame *f)
{
	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM;
}

/* @len bytes as a frame: the first ones copied, the rest where they are. */
static void frame_fill(struct frame *f, struct frame_seg *seg, const uint8_t *bytes, uint32_t len)
{
	uint16_t room = (uint16_t)(FRAME_HDR_MAX - f->hdr_len);
	uint16_t part = len < room ? (uint16_t)len : room;

	memcpy(f->hdr + f->hdr_len, bytes, part);
	f->hdr_len = (uint16_t)(f->hdr_len + part);
	f->len += len;
	if (len > part) {
		*seg = (struct frame_seg){bytes + part, len - part};
		f->segs = seg;
		f->n_segs = 1;
	}
}

/* Bytes in front of the UDP payload of a row; 0 if it is none. */
static uint16_t row_front(const uint8_t *bytes, uint32_t len, const struct virtio_net_hdr *vnet)
{
	uint16_t type, front;

	if (len < OUTER6_FRONT || vnet->gso_size == 0)
		return 0;
	type = wire_get16(bytes + 12);
	if (type == WIRE_TYPE_IP4 && bytes[WIRE_ETH_LEN] == 0x45)
		front = OUTER4_FRONT;
	else if (type == WIRE_TYPE_IP6 && bytes[WIRE_ETH_LEN + 6] == WIRE_PROTO_UDP)
		front = OUTER6_FRONT;
	else
		return 0;
	return len > front ? front : 0;
}

/* A frame made of part of a row, or of a row that was merged, says its own length outside. */
static void outer_lengths(struct frame *f, uint16_t front)
{
	uint16_t udp_len = (uint16_t)(f->len - front + WIRE_UDP_LEN);
	uint8_t *ip = f->hdr + WIRE_ETH_LEN;

	wire_put16(f->hdr + front - 4, udp_len);
	if (front == OUTER6_FRONT) {
		wire_put16(ip + 4, udp_len);
		return;
	}
	wire_put16(ip + 2, (uint16_t)(udp_len + WIRE_IP4_LEN));
	memset(ip + 10, 0, 2);
	checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
}

/* The next frame of a row: all of it, or its next datagram. Return: false when there is none left. */
static bool row_next(struct uplink_port *uplink, uint8_t *bytes, uint32_t len,
		     const struct virtio_net_hdr *vnet, struct frame *f, struct frame_seg *segs)
{
	uint16_t front = row_front(bytes, len, vnet);
	uint32_t part;

	if (front == 0 || uplink->row_done >= len - front)
		return false;
	if (uplink->row_done == 0 && merge_row(bytes, len, front, vnet->gso_size, f, segs)) {
		outer_lengths(f, front);
		uplink->row_done = len - front;
		return true;
	}
	part = len - front - uplink->row_done;
	if (part > vnet->gso_size)
		part = vnet->gso_size;
	frame_empty(f);
	f->hdr_len = front;
	f->len = front;
	memcpy(f->hdr, bytes, front);
	/* the row's checksum was the kernel's to make or to check */
	f->offload.flags = FRAME_CSUM_VALID;
	frame_fill(f, segs, bytes + front + uplink->row_done, part);
	outer_lengths(f, front);
	uplink->row_done += part;
	return true;
}

static void slots_receive(struct uplink_port *uplink)
{
	int got;

	uplink->slot = 0;
	uplink->row_done = 0;
	for (uint16_t i = 0; i < uplink->n_slots; i++)
		uplink->msgs[i].msg_hdr.msg_flags = 0;
	got = recvmmsg(uplink->fd, uplink->msgs, FRAME_BURST, MSG_DONTWAIT, NULL);
	uplink->n_slots = got > 0 ? (uint16_t)got : 0;
}

/* The next frame out of the slots. Return: false when they are used up. */
static bool slots_next(struct uplink_port *uplink, uint16_t worker, struct frame *f,
		       struct frame_seg *segs)
{
	while (uplink->slot < uplink->n_slots) {
		const struct virtio_net_hdr *vnet = &uplink->vnet[uplink->slot];
		uint8_t *bytes = uplink->slots + (size_t)uplink->slot * SLOT_BYTES;
		uint32_t got = uplink->msgs[uplink->slot].msg_len, len = got - sizeof(*vnet);
		bool is_row = vnet->gso_type == UPLINK_GSO_UDP_L4;

		if (got < sizeof(*vnet) || len > FRAME_LEN_MAX) {
			port_drop(&uplink->port, worker, DROP_OVERSIZE, 1);
		} else if (is_row) {
			if (row_next(uplink, bytes, len, vnet, f, segs))
				return true;
			if (uplink->row_done == 0)
				port_drop(&uplink->port, worker, DROP_BAD_OFFLOAD, 1);
		} else {
			frame_empty(f);
			frame_fill(f, segs, bytes, len);
			uplink->slot++;
			if (tap_vnet_read(vnet, &f->offload))
				return true;
			port_drop(&uplink->port, worker, DROP_BAD_OFFLOAD, 1);
			continue;
		}
		uplink->slot++;
		uplink->row_done = 0;
	}
	return false;
}

static uint16_t uplink_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
			  uint16_t max)
{
	struct uplink_port *uplink = uplink_of(port);
	const struct overlay_view *view = overlay_view_current();
	uint16_t n = 0, n_replies;

	(void)queue;
	if (max > FRAME_BURST)
		max = FRAME_BURST;
	n_replies = overlay_reply_pop(frames, uplink->replies, max);
	if (uplink->slot >= uplink->n_slots)
		slots_receive(uplink);
	while (n_replies + n < max &&
	       slots_next(uplink, worker, &frames[n_replies + n], uplink->segs[n]))
		n++;
	return (uint16_t)(n_replies +
			  tunnel_rx(view, port, worker, &frames[n_replies], n, &uplink->scratch));
}

static void uplink_rx_release(struct port *port, uint16_t queue)
{
	/* Slots are received into again once all have been used: there is nothing to give back. */
	(void)port;
	(void)queue;
}

static int uplink_rx_fd(struct port *port, uint16_t queue)
{
	(void)queue;
	return uplink_of(port)->fd;
}

static bool uplink_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	struct uplink_port *uplink = uplink_of(port);
	struct pollfd pollfd = {.fd = uplink->fd, .events = POLLIN};

	(void)queue;
	if (!armed)
		return false;
	return overlay_reply_waits() || uplink->slot < uplink->n_slots ||
	       (poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLIN) != 0);
}

void uplink_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len)
{
	uint64_t bytes;
	uint32_t packets = uplink_tx(uplink_of(port)->fd, outs, n, outer_len, &bytes);

	overlay_count(&port->txq[0].pkts, packets);
	overlay_count(&port->txq[0].bytes, bytes);
}

static int uplink_open(const struct port_spec *spec, struct port **out, struct err *err)
{
	(void)out;
	return err_set(err, EINVAL, "port \"%s\": an uplink needs its VTEP addresses", spec->name);
}

static void uplink_close(struct port *port)
{
	struct uplink_port *uplink = uplink_of(port);

	if (uplink == NULL)
		return;
	for (uint8_t i = 0; i < uplink->n_udp; i++)
		close(uplink->udp_fds[i]);
	if (uplink->fd >= 0)
		close(uplink->fd);
	if (uplink->slots != NULL)
		munmap(uplink->slots, SLOTS_BYTES);
	free(uplink);
}

static void uplink_status(struct port *port, struct port_status *status)
{
	const struct uplink_port *uplink = uplink_of(port);

	memset(status, 0, sizeof(*status));
	status->connected = uplink->ifindex != 0;
	status->running = uplink->usable;
	status->n_queues = 1;
	status->n_connects = 1;
	snprintf(status->detail, sizeof(status->detail), "%s", uplink->detail);
}

static const struct port_ops uplink_port_ops = {
	.type = "uplink",
	.open = uplink_open,
	.close = uplink_close,
	.status = uplink_status,
	.rx = uplink_rx,
	.rx_release = uplink_rx_release,
	.rx_fd = uplink_rx_fd,
	.rx_arm = uplink_rx_arm,
	.rx_for_others = true,
};

static void slots_init(struct uplink_port *uplink)
{
	for (uint16_t i = 0; i < FRAME_BURST; i++) {
		uplink->iov[i][0] = (struct iovec){&uplink->vnet[i], sizeof(uplink->vnet[i])};
		uplink->iov[i][1] =
			(struct iovec){uplink->slots + (size_t)i * SLOT_BYTES, SLOT_BYTES};
		uplink->msgs[i].msg_hdr =
			(struct msghdr){.msg_iov = uplink->iov[i], .msg_iovlen = 2};
	}
}

int uplink_port_new(const struct port_spec *spec, const struct uplink_config *config,
		    struct port **out, struct err *err)
{
	struct uplink_port *uplink = calloc(1, sizeof(*uplink));
	int ret;

	if (uplink == NULL)
		return err_set(err, ENOMEM, "port \"%s\": no memory", spec->name);
	port_init(&uplink->port, &uplink_port_ops, spec);
	uplink->fd = -1;
	uplink->slots = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (uplink->slots == MAP_FAILED) {
		uplink->slots = NULL;
		ret = err_set(err, ENOMEM, "port \"%s\": no memory for packets", spec->name);
		goto undo;
	}
	slots_init(uplink);
	for (uint8_t i = 0; i < config->n_locals; i++) {
		ret = uplink_socket_udp(&config->locals[i], config->udp_port, &uplink->udp_fds[i],
					err);
		if (ret != 0)
			goto undo;
		uplink->n_udp++;
	}
	ret = uplink_socket_packet(config->udp_port, &uplink->fd, err);
	if (ret != 0)
		goto undo;
	*out = &uplink->port;
	return 0;

undo:
	uplink_close(&uplink->port);
	return ret;
}

void uplink_port_follow(struct port *port, int ifindex, bool usable, const char *detail)
{
	struct uplink_port *uplink = uplink_of(port);
	char text[sizeof(uplink->detail)];

	snprintf(text, sizeof(text), "%s", detail);
	if (uplink->ifindex != ifindex) {
		int ret = uplink_socket_bind(uplink->fd, ifindex);

		uplink->ifindex = ret == 0 ? ifindex : 0;
		if (ret != 0) {
			usable = false;
			snprintf(text, sizeof(text), "cannot listen on interface %s: %s",
				 port->spec.ifname, strerror(-ret));
		}
	}
	if (uplink->usable == usable && strcmp(uplink->detail, text) == 0)
		return;
	uplink->usable = usable;
	memcpy(uplink->detail, text, sizeof(text));
	port_peer_changed(port);
}
