/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See uplink_port.h. rx runs on one worker, uplink_send() on any, the rest on control.
 *
 * Theory of operation
 *   The packet socket is always there and takes any packet for us that reaches the kernel. AF_XDP, where it is used, is in front of it and
 *   takes packets before they do; so it may come, go and be made anew while traffic flows. Workers find it behind one
 *   pointer, and it is freed a grace period after the pointer has changed. One epoll set holds all sockets: its fd, which never changes, is what the
 *   worker sleeps on.
 */
#include "uplink_port.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "uplink_frame.h"
#include "uplink_nic.h"
#include "uplink_packet.h"
#include "uplink_socket.h"
#include "uplink_tx.h"
#include "uplink_xdp.h"
#include "vxlan/overlay.h"
#include "vxlan/tunnel_rx.h"

#define PACKET_LOOK_EVERY                                                                          \
	32 /* rx calls with AF_XDP to one look at the packet socket, a system call */

struct uplink_port {
	struct port port; /* first: see port.h */
	struct uplink_config config;
	int fd; /* the packet socket */
	int epoll_fd;
	uint8_t n_udp;
	int udp_fds[UPLINK_LOCALS_MAX];
	_Atomic(struct uplink_xdp *) xdp; /* control writes; NULL: the packet socket alone */
	_Atomic bool usable;

	/* the rx worker's */
	struct uplink_packet *packet;
	uint32_t n_calls;
	struct frame_seg segs[FRAME_BURST][FRAME_SEGS_MAX];
	struct pull_scratch scratch;
	struct reply replies[FRAME_BURST];

	/* control's */
	int ifindex;
	struct uplink_xdp_key
		tried; /* AF_XDP was, and could not be had; not again until this changes */
	char io_detail[128];
	char detail[128];
};

static struct uplink_port *uplink_of(struct port *port)
{
	return (struct uplink_port *)port;
}

static struct uplink_xdp *xdp_of(struct uplink_port *uplink)
{
	return atomic_load_explicit(&uplink->xdp, memory_order_acquire);
}

/* One that has come since rx holds nothing; one that went was not freed yet, and its chunks go with it. */
static void uplink_rx_release(struct port *port, uint16_t queue)
{
	struct uplink_xdp *xdp = xdp_of(uplink_of(port));

	(void)queue;
	if (xdp != NULL)
		uplink_xdp_release(xdp);
}

static uint16_t uplink_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
			  uint16_t max)
{
	struct uplink_port *uplink = uplink_of(port);
	struct uplink_xdp *xdp = xdp_of(uplink);
	uint16_t n = 0, n_replies;

	if (max > FRAME_BURST)
		max = FRAME_BURST;
	n_replies = overlay_reply_pop(frames, uplink->replies, max);
	frames += n_replies;
	max = (uint16_t)(max - n_replies);
	if (xdp != NULL)
		n = uplink_xdp_rx(xdp, frames, uplink->segs, max);
	if (xdp == NULL || ++uplink->n_calls % PACKET_LOOK_EVERY == 0)
		n = (uint16_t)(n + uplink_packet_rx(uplink->packet, port, worker, frames + n,
						    uplink->segs + n, (uint16_t)(max - n)));
	uplink_frames_count(port, queue, frames, n);
	n = (uint16_t)(n_replies + tunnel_rx(overlay_view_current(), port, worker, frames, n,
					     &uplink->scratch));
	if (n == 0)
		uplink_rx_release(port, queue); /* nothing but what was refused */
	return n;
}

static int uplink_rx_fd(struct port *port, uint16_t queue)
{
	(void)queue;
	return uplink_of(port)->epoll_fd;
}

static bool uplink_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	struct uplink_port *uplink = uplink_of(port);
	struct pollfd pollfd = {.fd = uplink->epoll_fd, .events = POLLIN};

	(void)queue;
	if (!armed)
		return false;
	return overlay_reply_waits() || uplink_packet_waits(uplink->packet) ||
	       (poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLIN) != 0);
}

void uplink_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len)
{
	struct uplink_port *uplink = uplink_of(port);
	struct uplink_xdp *xdp = xdp_of(uplink);
	uint32_t packets;
	uint64_t bytes;

	if (port->ops == &uplink_nic_ops) {
		uplink_nic_send(port, outs, n, outer_len);
		return;
	}
	if (!atomic_load_explicit(&uplink->usable, memory_order_relaxed)) {
		for (uint16_t i = 0; i < n; i++)
			outs[i].drop = DROP_NOT_CONNECTED;
		return;
	}
	packets = xdp != NULL ? uplink_xdp_tx(xdp, outs, n, outer_len, &bytes)
			      : uplink_tx(uplink->fd, outs, n, outer_len, &bytes);
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
	uplink_xdp_free(xdp_of(uplink));
	for (uint8_t i = 0; i < uplink->n_udp; i++)
		close(uplink->udp_fds[i]);
	if (uplink->fd >= 0)
		close(uplink->fd);
	if (uplink->epoll_fd >= 0)
		close(uplink->epoll_fd);
	uplink_packet_free(uplink->packet);
	free(uplink);
}

static void uplink_status(struct port *port, struct port_status *status)
{
	struct uplink_port *uplink = uplink_of(port);

	memset(status, 0, sizeof(*status));
	status->connected = uplink->ifindex != 0;
	status->running = atomic_load(&uplink->usable);
	status->n_queues = 1;
	status->n_connects = 1;
	status->io = xdp_of(uplink) != NULL ? "af_xdp" : "af_packet";
	snprintf(status->io_detail, sizeof(status->io_detail), "%s", uplink->io_detail);
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
	.rx_is_call = true,
	.rx_for_others = true,
};

static int sockets_open(struct uplink_port *uplink, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN};
	int ret = uplink_socket_udp_all(&uplink->config, uplink->udp_fds, &uplink->n_udp, err);

	if (ret != 0)
		return ret;
	ret = uplink_socket_packet(uplink->config.udp_port, &uplink->fd, err);
	if (ret != 0)
		return ret;
	uplink->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (uplink->epoll_fd < 0 ||
	    epoll_ctl(uplink->epoll_fd, EPOLL_CTL_ADD, uplink->fd, &event) != 0)
		return err_set(err, errno, "no file descriptor to wait for packets: %s",
			       strerror(errno));
	return 0;
}

int uplink_port_new(const struct port_spec *spec, const struct uplink_config *config,
		    struct port **out, struct err *err)
{
	struct uplink_port *uplink = calloc(1, sizeof(*uplink));
	int ret;

	if (uplink == NULL)
		return err_set(err, ENOMEM, "port \"%s\": no memory", spec->name);
	port_init(&uplink->port, &uplink_port_ops, spec);
	uplink->config = *config;
	uplink->fd = -1;
	uplink->epoll_fd = -1;
	ret = sockets_open(uplink, err);
	if (ret != 0)
		goto undo;
	uplink->packet = uplink_packet_new(uplink->fd);
	if (uplink->packet == NULL) {
		ret = err_set(err, ENOMEM, "port \"%s\": no memory for packets", spec->name);
		goto undo;
	}
	*out = &uplink->port;
	return 0;

undo:
	uplink_close(&uplink->port);
	return ret;
}

static void io_say(struct uplink_port *uplink, const char *io, const char *detail)
{
	if (strcmp(uplink->io_detail, detail) == 0)
		return;
	snprintf(uplink->io_detail, sizeof(uplink->io_detail), "%s", detail);
	log_info("uplink \"%s\": %s on %s: %s", uplink->port.spec.name, io,
		 uplink->port.spec.ifname, detail);
}

static void xdp_detach(struct uplink_port *uplink)
{
	struct uplink_xdp *xdp = atomic_exchange(&uplink->xdp, NULL);

	if (xdp == NULL)
		return;
	uplink_xdp_watch(xdp, uplink->epoll_fd, false);
	port_quiesce();
	uplink_xdp_free(xdp);
}

static void xdp_attach(struct uplink_port *uplink, const struct uplink_xdp_key *key,
		       bool is_virtual)
{
	struct err err = {.text = ""};
	struct uplink_xdp *xdp = uplink_xdp_new(key, &uplink->config, is_virtual,
						uplink->config.mode == UPLINK_AF_XDP, &err);
	char text[sizeof(uplink->io_detail)];
	int ret;

	uplink->tried = *key;
	if (xdp != NULL) {
		ret = uplink_xdp_watch(xdp, uplink->epoll_fd, true);
		if (ret == 0) {
			uplink_xdp_explain(xdp, text, sizeof(text));
			atomic_store_explicit(&uplink->xdp, xdp, memory_order_release);
			io_say(uplink, "AF_XDP", text);
			port_peer_changed(&uplink->port);
			return;
		}
		uplink_xdp_free(xdp);
		err_set(&err, -ret, "cannot wait for its sockets: %s", strerror(-ret));
	}
	snprintf(text, sizeof(text), "no AF_XDP: %.110s", err.text);
	io_say(uplink, "AF_PACKET", text);
}

/*
 * Interfaces without hardware hand over TCP that nobody has cut or summed. Only a packet socket can take it so, and it is
 * several times faster that way than cut into AF_XDP's packets: bench/README.md has the figures.
 */
static void xdp_follow(struct uplink_port *uplink, const struct uplink_link *link)
{
	struct uplink_xdp *xdp = xdp_of(uplink);
	struct uplink_xdp_key key = {.ifindex = 0};

	if (uplink->config.shortcut) {
		io_say(uplink, "AF_PACKET", "as its shortcut needs");
		return;
	}
	if (uplink->config.mode == UPLINK_AF_PACKET) {
		io_say(uplink, "AF_PACKET", "as configured");
		return;
	}
	if (link->ifindex != 0)
		uplink_xdp_key(uplink->port.spec.ifname, link, &key);
	if (xdp != NULL) {
		if (uplink_xdp_key_equal(uplink_xdp_key_of(xdp), &key))
			return;
		xdp_detach(uplink);
	}
	if (!link->usable)
		return;
	if (uplink->config.mode == UPLINK_AUTO && link->is_virtual) {
		io_say(uplink, "AF_PACKET",
		       "an interface without hardware passes TCP uncut to packet sockets only");
		return;
	}
	if (uplink->config.mode == UPLINK_AF_XDP || !uplink_xdp_key_equal(&uplink->tried, &key))
		xdp_attach(uplink, &key, link->is_virtual);
}

void uplink_port_follow(struct port *port, const struct uplink_link *link)
{
	struct uplink_port *uplink = uplink_of(port);
	bool usable = link->usable;
	char text[sizeof(uplink->detail)];

	if (port->ops == &uplink_nic_ops) {
		uplink_nic_follow(port, link);
		return;
	}
	snprintf(text, sizeof(text), "%s", link->detail);
	if (uplink->ifindex != link->ifindex) {
		int ret = uplink_socket_bind(uplink->fd, link->ifindex,
					     uplink->config.shortcut ? ETH_P_IP : ETH_P_ALL);

		uplink->ifindex = ret == 0 ? link->ifindex : 0;
		if (ret != 0) {
			usable = false;
			snprintf(text, sizeof(text), "cannot listen on interface %s: %s",
				 port->spec.ifname, strerror(-ret));
		}
	}
	xdp_follow(uplink, link);
	if (usable && uplink->config.mode == UPLINK_AF_XDP && xdp_of(uplink) == NULL) {
		usable = false;
		snprintf(text, sizeof(text), "%.90s; mode \"auto\" would do without",
			 uplink->io_detail);
	}
	if (atomic_load(&uplink->usable) == usable && strcmp(uplink->detail, text) == 0)
		return;
	if (usable)
		uplink_socket_recover(uplink->fd);
	atomic_store(&uplink->usable, usable);
	memcpy(uplink->detail, text, sizeof(text));
	port_peer_changed(port);
}
