/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See uplink_nic.h. rx runs on one worker, uplink_nic_send() on any, the rest on control.
 *
 * Theory of operation
 *   rx() takes a burst from the card. What is VXLAN for us becomes frames, whose packets are held until the release; the rest is written to
 *   the shadow. Now and then what the kernel sends is read from the shadow and sent.
 *   A worker that is to sleep asks the card for an interrupt and looks once more: what has come in between waits in `early`. Where the
 *   driver has no interrupt, the timer looks once a millisecond; so it does where packets were there again and again and never an
 *   interrupt (DPDK's e1000 with an 82574 promises them and does not set them up). A slow timer carries the card's link over to the shadow, whose
 *   carrier the kernel and netloomd then follow.
 */
#include "uplink_nic.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "base/log.h"
#include "nic_device.h"
#include "nic_match.h"
#include "nic_shadow.h"
#include "nic_tx.h"
#include "uplink_frame.h"
#include "uplink_socket.h"
#include "vxlan/overlay.h"
#include "vxlan/tunnel_rx.h"

#define SHADOW_LOOK_EVERY 32 /* rx calls to one look at the shadow, a system call */
#define SHADOW_BURST	  16
#define INTR_MISSES_MAX	  4
#define LINK_PERIOD_NS	  250000000
#define NO_INTR_PERIOD_NS                                                                          \
	1000000 /* the card is looked at so often when its driver has no interrupt */

struct uplink_nic {
	struct port port; /* first: see port.h */
	struct uplink_config config;
	struct nic_device nic;
	bool nic_open;
	int shadow_fd, epoll_fd, timer_fd;
	uint8_t n_udp;
	int udp_fds[UPLINK_LOCALS_MAX];
	_Atomic bool usable;
	rte_spinlock_t tx_lock;

	/* the rx worker's */
	uint32_t n_calls;
	uint16_t n_early, n_held;
	bool carrier;
	bool just_woke, intr_seen, intr_silent;
	uint16_t
		n_missed; /* times packets were there without an interrupt, while there never was one */
	uint64_t link_ns; /* CLOCK_MONOTONIC_COARSE, when the link was last looked at */
	struct rte_mbuf *early[FRAME_BURST]; /* received when it was to sleep */
	struct rte_mbuf *held[FRAME_BURST];
	struct frame_seg segs[FRAME_BURST][FRAME_SEGS_MAX];
	struct pull_scratch scratch;
	struct reply replies[FRAME_BURST];

	/* control's */
	uint8_t mac[6]; /* as the interface has it */
	int ifindex;
	char detail[128];
};

static struct uplink_nic *nic_of(struct port *port)
{
	return (struct uplink_nic *)port;
}

/* Checksums the card has checked, or that the other side of a virtual one left open. */
static uint8_t csum_flags(const struct rte_mbuf *packet)
{
	switch (packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
	case RTE_MBUF_F_RX_L4_CKSUM_GOOD:
		/* of the inner packet, if the card looked that far */
		return (packet->packet_type & RTE_PTYPE_TUNNEL_MASK) == 0 ? FRAME_CSUM_VALID : 0;
	case RTE_MBUF_F_RX_L4_CKSUM_NONE:
		return FRAME_NEEDS_CSUM;
	default:
		return 0;
	}
}

/* Return: false for more pieces than a frame has room for. */
static bool frame_make(struct frame *f, struct frame_seg *segs, const struct rte_mbuf *packet)
{
	uplink_frame_empty(f);
	uplink_frame_fill(f, segs, rte_pktmbuf_mtod(packet, const uint8_t *), packet->data_len);
	f->segs = segs;
	for (packet = packet->next; packet != NULL; packet = packet->next) {
		if (f->n_segs == FRAME_SEGS_MAX || f->hdr_len < FRAME_HDR_MAX)
			return false;
		segs[f->n_segs++] = (struct frame_seg){rte_pktmbuf_mtod(packet, const uint8_t *),
						       packet->data_len};
		f->len += packet->data_len;
	}
	return true;
}

static void to_shadow(struct uplink_nic *uplink, struct rte_mbuf *packet)
{
	if (rte_pktmbuf_linearize(packet) == 0)
		nic_shadow_write(uplink->shadow_fd, rte_pktmbuf_mtod(packet, void *),
				 packet->data_len);
	rte_pktmbuf_free(packet);
}

static bool is_readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLIN) != 0;
}

/* After a sleep: did the card say what it should have said? */
static void intr_judge(struct uplink_nic *uplink, bool packets)
{
	uplink->just_woke = false;
	if (uplink->intr_seen || uplink->intr_silent || uplink->nic.intr_fd < 0)
		return;
	if (is_readable(uplink->nic.intr_fd))
		uplink->intr_seen = true;
	else if (packets && ++uplink->n_missed == INTR_MISSES_MAX)
		uplink->intr_silent = true;
}

static uint16_t card_rx(struct uplink_nic *uplink, uint16_t worker, struct frame *frames,
			uint16_t max)
{
	struct rte_mbuf *packets[FRAME_BURST];
	uint16_t n = 0, got;

	if (uplink->n_early > 0) {
		got = uplink->n_early < max ? uplink->n_early : max;
		memcpy(packets, uplink->early, got * sizeof(packets[0]));
		uplink->n_early = (uint16_t)(uplink->n_early - got);
		memmove(uplink->early, uplink->early + got, uplink->n_early * sizeof(packets[0]));
	} else {
		got = rte_eth_rx_burst(uplink->nic.port_id, 0, packets, max);
		if (uplink->just_woke)
			intr_judge(uplink, got > 0);
	}
	for (uint16_t i = 0; i < got; i++) {
		if (!nic_match(&uplink->config, uplink->mac,
			       rte_pktmbuf_mtod(packets[i], const uint8_t *),
			       packets[i]->data_len)) {
			to_shadow(uplink, packets[i]);
			continue;
		}
		if (!frame_make(&frames[n], uplink->segs[n], packets[i])) {
			port_drop(&uplink->port, worker, DROP_OVERSIZE, 1);
			rte_pktmbuf_free(packets[i]);
			continue;
		}
		frames[n++].offload.flags = csum_flags(packets[i]);
		uplink->held[uplink->n_held++] = packets[i];
	}
	return n;
}

static void from_shadow(struct uplink_nic *uplink)
{
	for (int i = 0; i < SHADOW_BURST; i++) {
		struct rte_mbuf *packet = rte_pktmbuf_alloc(uplink->nic.pool);
		uint32_t len;

		if (packet == NULL)
			return;
		len = nic_shadow_read(uplink->shadow_fd, rte_pktmbuf_mtod(packet, void *),
				      rte_pktmbuf_tailroom(packet));
		if (len == 0) {
			rte_pktmbuf_free(packet);
			return;
		}
		packet->data_len = (uint16_t)len;
		packet->pkt_len = len;
		rte_spinlock_lock(&uplink->tx_lock);
		nic_tx_packet(&uplink->nic, packet);
		rte_spinlock_unlock(&uplink->tx_lock);
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void link_look(struct uplink_nic *uplink)
{
	uint64_t now = now_ns();
	bool link;

	if (now - uplink->link_ns < LINK_PERIOD_NS)
		return;
	uplink->link_ns = now;
	link = nic_device_link(&uplink->nic);
	if (link != uplink->carrier)
		nic_shadow_carrier(uplink->shadow_fd, link);
	uplink->carrier = link;
}

static void nic_rx_release(struct port *port, uint16_t queue)
{
	struct uplink_nic *uplink = nic_of(port);

	(void)queue;
	rte_pktmbuf_free_bulk(uplink->held, uplink->n_held);
	uplink->n_held = 0;
}

static uint16_t nic_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
		       uint16_t max)
{
	struct uplink_nic *uplink = nic_of(port);
	uint16_t n, n_replies;

	if (max > FRAME_BURST)
		max = FRAME_BURST;
	n_replies = overlay_reply_pop(frames, uplink->replies, max);
	frames += n_replies;
	n = card_rx(uplink, worker, frames, (uint16_t)(max - n_replies));
	if (++uplink->n_calls % SHADOW_LOOK_EVERY == 0) {
		from_shadow(uplink);
		link_look(uplink);
	}
	uplink_frames_count(port, queue, frames, n);
	n = (uint16_t)(n_replies + tunnel_rx(overlay_view_current(), port, worker, frames, n,
					     &uplink->scratch));
	if (n == 0)
		nic_rx_release(port, queue); /* nothing but what was refused */
	return n;
}

static int nic_rx_fd(struct port *port, uint16_t queue)
{
	(void)queue;
	return nic_of(port)->epoll_fd;
}

static void drain(int fd)
{
	uint64_t value;

	while (fd >= 0 && read(fd, &value, sizeof(value)) == sizeof(value))
		;
}

static void timer_set(struct uplink_nic *uplink, bool no_intr)
{
	struct itimerspec when = {.it_value.tv_nsec = no_intr ? NO_INTR_PERIOD_NS : LINK_PERIOD_NS};

	timerfd_settime(uplink->timer_fd, 0, &when, NULL);
}

static bool nic_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	struct uplink_nic *uplink = nic_of(port);

	(void)queue;
	if (!armed) {
		nic_device_intr(&uplink->nic, false);
		uplink->just_woke = true;
		return false;
	}
	if (uplink->n_early > 0 || overlay_reply_waits())
		return true;
	drain(uplink->nic.intr_fd);
	drain(uplink->timer_fd);
	timer_set(uplink, !nic_device_intr(&uplink->nic, true) || uplink->intr_silent);
	uplink->n_early = rte_eth_rx_burst(uplink->nic.port_id, 0, uplink->early, FRAME_BURST);
	return uplink->n_early > 0 || is_readable(uplink->shadow_fd);
}

void uplink_nic_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len)
{
	struct uplink_nic *uplink = nic_of(port);
	uint32_t packets;
	uint64_t bytes;

	if (!atomic_load_explicit(&uplink->usable, memory_order_relaxed)) {
		for (uint16_t i = 0; i < n; i++)
			outs[i].drop = DROP_NOT_CONNECTED;
		return;
	}
	rte_spinlock_lock(&uplink->tx_lock);
	packets = nic_tx_frames(&uplink->nic, outs, n, outer_len, &bytes);
	rte_spinlock_unlock(&uplink->tx_lock);
	overlay_count(&port->txq[0].pkts, packets);
	overlay_count(&port->txq[0].bytes, bytes);
}

static int nic_open(const struct port_spec *spec, struct port **out, struct err *err)
{
	(void)out;
	return err_set(err, EINVAL, "port \"%s\": an uplink needs its VTEP addresses", spec->name);
}

static void nic_close(struct port *port)
{
	struct uplink_nic *uplink = nic_of(port);
	int fds[] = {uplink->shadow_fd, uplink->epoll_fd, uplink->timer_fd};

	rte_pktmbuf_free_bulk(uplink->early, uplink->n_early);
	rte_pktmbuf_free_bulk(uplink->held, uplink->n_held);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	for (uint8_t i = 0; i < uplink->n_udp; i++)
		close(uplink->udp_fds[i]);
	if (uplink->nic_open)
		nic_device_close(&uplink->nic);
	free(uplink);
}

static void nic_status(struct port *port, struct port_status *status)
{
	struct uplink_nic *uplink = nic_of(port);

	memset(status, 0, sizeof(*status));
	status->connected = true;
	status->running = atomic_load(&uplink->usable);
	status->n_queues = 1;
	status->n_connects = 1;
	status->io = "dpdk";
	snprintf(status->io_detail, sizeof(status->io_detail), "%s on %s, %s", uplink->nic.driver,
		 uplink->nic.pci,
		 uplink->nic.intr_fd >= 0 && !uplink->intr_silent
			 ? "with interrupts"
			 : "without interrupts: looked at once a millisecond");
	snprintf(status->detail, sizeof(status->detail), "%s", uplink->detail);
}

const struct port_ops uplink_nic_ops = {
	.type = "uplink",
	.open = nic_open,
	.close = nic_close,
	.status = nic_status,
	.rx = nic_rx,
	.rx_release = nic_rx_release,
	.rx_fd = nic_rx_fd,
	.rx_arm = nic_rx_arm,
	.rx_for_others = true,
};

static int watch(struct uplink_nic *uplink, struct err *err)
{
	int fds[] = {uplink->shadow_fd, uplink->timer_fd, uplink->nic.intr_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		struct epoll_event event = {.events = EPOLLIN};

		if (i == 2 && fds[i] < 0)
			break;
		if (epoll_ctl(uplink->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) != 0)
			return err_set(err, errno, "cannot wait for packets: %s", strerror(errno));
	}
	return 0;
}

static int open_all(struct uplink_nic *uplink, uint32_t mtu, struct err *err)
{
	const struct uplink_config *config = &uplink->config;
	int ret = nic_device_open(&uplink->nic, config->pci, mtu, err);

	if (ret != 0)
		return ret;
	uplink->nic_open = true;
	ret = uplink_socket_udp_all(config, uplink->udp_fds, &uplink->n_udp, err);
	if (ret != 0)
		return ret;
	uplink->shadow_fd = nic_shadow_open(uplink->port.spec.ifname, err);
	if (uplink->shadow_fd < 0)
		return uplink->shadow_fd;
	uplink->carrier = nic_device_link(&uplink->nic);
	nic_shadow_carrier(uplink->shadow_fd, uplink->carrier);
	uplink->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	uplink->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return watch(uplink, err);
}

int uplink_nic_new(const struct port_spec *spec, const struct uplink_config *config, uint32_t mtu,
		   struct port **out, struct err *err)
{
	struct uplink_nic *uplink = calloc(1, sizeof(*uplink));
	int ret;

	if (uplink == NULL)
		return err_set(err, ENOMEM, "port \"%s\": no memory", spec->name);
	port_init(&uplink->port, &uplink_nic_ops, spec);
	uplink->config = *config;
	uplink->shadow_fd = -1;
	uplink->epoll_fd = -1;
	uplink->timer_fd = -1;
	rte_spinlock_init(&uplink->tx_lock);
	ret = open_all(uplink, mtu, err);
	if (ret != 0) {
		nic_close(&uplink->port);
		return ret;
	}
	memcpy(uplink->mac, uplink->nic.mac, sizeof(uplink->mac));
	log_info("uplink \"%s\": DPDK's %s on %s, in the kernel as %s", spec->name,
		 uplink->nic.driver, uplink->nic.pci, spec->ifname);
	*out = &uplink->port;
	return 0;
}

const uint8_t *uplink_nic_mac(const struct port *port)
{
	return ((const struct uplink_nic *)port)->nic.mac;
}

void uplink_nic_follow(struct port *port, const struct uplink_link *link)
{
	struct uplink_nic *uplink = nic_of(port);
	uint32_t mtu_max = nic_device_mtu_max(&uplink->nic);
	bool usable = link->usable;
	char text[sizeof(uplink->detail)];

	snprintf(text, sizeof(text), "%s", link->detail);
	if (usable && memcmp(link->mac, uplink->nic.mac, sizeof(link->mac)) != 0) {
		usable = false;
		snprintf(
			text, sizeof(text),
			"interface %s has another MAC address than its card; `ip link set` it back",
			port->spec.ifname);
	} else if (usable && link->mtu > mtu_max) {
		usable = false;
		snprintf(text, sizeof(text),
			 "the MTU of %s is %u, but the card was set up for %u; set the uplink's "
			 "\"mtu\"",
			 port->spec.ifname, link->mtu, mtu_max);
	}
	if (atomic_load(&uplink->usable) == usable && strcmp(uplink->detail, text) == 0)
		return;
	atomic_store(&uplink->usable, usable);
	memcpy(uplink->detail, text, sizeof(text));
	port_peer_changed(port);
}
