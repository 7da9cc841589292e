/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See uplink_xdp.h. Receiving is one worker's, in turns over all queues. Any worker sends, on the queue of its own number, so that a
 * queue's lock is only waited for where workers outnumber queues.
 */
#include "uplink_xdp.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uplink_frame.h"
#include "vxlan/packet.h"
#include "vxlan/unfilled.h"
#include "xdp_program.h"
#include "xdp_socket.h"

#define FRAME_OVERHEAD 18 /* Ethernet header and a VLAN tag */
#define ROOM_TRIES     16 /* kicks before a frame is dropped for want of a chunk */

struct queue {
	struct xdp_socket socket;
	uint32_t n_held;
	struct xdp_desc held[FRAME_BURST]; /* given out until the release */
	atomic_flag tx_lock;
} __attribute__((aligned(64)));

struct uplink_xdp {
	struct uplink_xdp_key key;
	int map_fd, link_fd;
	bool native;
	bool may_be_unfilled; /* checksums of packets that never were on a wire */
	uint32_t n_open;      /* queues, of key.n_queues */
	uint32_t turn;	      /* queue to begin with */
	struct queue queues[];
};

/* Receive queues as the driver has them; 1 if it does not say. */
static uint32_t queues_count(const char *ifname)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (char *)&channels};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t n = 1;

	if (fd < 0)
		return 1;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCETHTOOL, &ifr) == 0)
		n = channels.rx_count + channels.combined_count;
	close(fd);
	return n > 0 ? n : 1;
}

void uplink_xdp_key(const char *ifname, const struct uplink_link *link, struct uplink_xdp_key *key)
{
	memset(key, 0, sizeof(*key));
	key->ifindex = link->ifindex;
	key->n_queues = queues_count(ifname);
	key->chunk_bytes = xdp_socket_chunk(link->mtu + FRAME_OVERHEAD);
	memcpy(key->mac, link->mac, sizeof(key->mac));
}

bool uplink_xdp_key_equal(const struct uplink_xdp_key *a, const struct uplink_xdp_key *b)
{
	return a->ifindex == b->ifindex && a->n_queues == b->n_queues &&
	       a->chunk_bytes == b->chunk_bytes && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

static int sockets_open(struct uplink_xdp *xdp, struct err *err)
{
	int ret;

	while (xdp->n_open < xdp->key.n_queues) {
		struct queue *queue = &xdp->queues[xdp->n_open];

		ret = xdp_socket_open(&queue->socket, xdp->key.ifindex, xdp->n_open,
				      xdp->key.chunk_bytes, !xdp->native, err);
		if (ret != 0)
			return ret;
		atomic_flag_clear(&queue->tx_lock);
		xdp->n_open++;
		ret = xdp_program_map_set(xdp->map_fd, xdp->n_open - 1, queue->socket.fd);
		if (ret != 0)
			return err_set(err, -ret, "the map of AF_XDP sockets takes none: %s",
				       strerror(-ret));
	}
	return 0;
}

static int attach(struct uplink_xdp *xdp, const struct uplink_config *config, struct err *err)
{
	struct xdp_filter filter = {
		.config = config,
		.len_max = xdp->key.chunk_bytes - XDP_SOCKET_HEADROOM,
	};
	int ret;

	memcpy(filter.mac, xdp->key.mac, sizeof(filter.mac));
	xdp->map_fd = xdp_program_map(xdp->key.n_queues, err);
	if (xdp->map_fd < 0)
		return xdp->map_fd;
	ret = sockets_open(xdp, err);
	if (ret != 0)
		return ret;
	xdp->link_fd = xdp_program_attach(&filter, xdp->map_fd, xdp->key.ifindex, xdp->native, err);
	return xdp->link_fd < 0 ? xdp->link_fd : 0;
}

static struct uplink_xdp *try(const struct uplink_xdp_key *key, const struct uplink_config *config,
			      bool is_virtual, bool native, struct err *err)
{
	size_t bytes = sizeof(struct uplink_xdp) + key->n_queues * sizeof(struct queue);
	struct uplink_xdp *xdp = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	if (xdp == NULL) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	memset(xdp, 0, bytes);
	xdp->key = *key;
	xdp->native = native;
	xdp->may_be_unfilled = is_virtual;
	xdp->map_fd = -1;
	xdp->link_fd = -1;
	if (attach(xdp, config, err) == 0)
		return xdp;
	uplink_xdp_free(xdp);
	return NULL;
}

struct uplink_xdp *uplink_xdp_new(const struct uplink_xdp_key *key,
				  const struct uplink_config *config, bool is_virtual, bool generic,
				  struct err *err)
{
	struct uplink_xdp *xdp;
	struct err second = {.text = ""};

	if (key->n_queues > UPLINK_XDP_QUEUES_MAX) {
		err_set(err, E2BIG,
			"the interface has %u receive queues, at most %d are used; `ethtool -L` "
			"sets fewer",
			key->n_queues, UPLINK_XDP_QUEUES_MAX);
		return NULL;
	}
	if (key->chunk_bytes == 0) {
		err_set(err, EMSGSIZE,
			"frames of the interface's MTU do not fit a page; %d is the most",
			XDP_SOCKET_CHUNK_MAX - XDP_SOCKET_HEADROOM - FRAME_OVERHEAD);
		return NULL;
	}
	xdp = try(key, config, is_virtual, true, err);
	if (xdp == NULL && generic)
		xdp = try(key, config, is_virtual, false, &second);
	return xdp;
}

void uplink_xdp_free(struct uplink_xdp *xdp)
{
	if (xdp == NULL)
		return;
	if (xdp->link_fd >= 0)
		close(xdp->link_fd);
	for (uint32_t i = 0; i < xdp->n_open; i++)
		xdp_socket_close(&xdp->queues[i].socket);
	if (xdp->map_fd >= 0)
		close(xdp->map_fd);
	free(xdp);
}

const struct uplink_xdp_key *uplink_xdp_key_of(const struct uplink_xdp *xdp)
{
	return &xdp->key;
}

void uplink_xdp_explain(const struct uplink_xdp *xdp, char *text, size_t size)
{
	snprintf(text, size, "%s, %s, %u queue%s", xdp->native ? "in the driver" : "generic",
		 xdp_socket_is_zero_copy(&xdp->queues[0].socket) ? "zero-copy" : "one copy",
		 xdp->key.n_queues, xdp->key.n_queues == 1 ? "" : "s");
}

int uplink_xdp_watch(const struct uplink_xdp *xdp, int epoll_fd, bool watch)
{
	for (uint32_t i = 0; i < xdp->n_open; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		if (epoll_ctl(epoll_fd, watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
			      xdp->queues[i].socket.fd, &event) != 0)
			return -errno;
	}
	return 0;
}

uint16_t uplink_xdp_rx(struct uplink_xdp *xdp, struct frame *frames,
		       struct frame_seg (*segs)[FRAME_SEGS_MAX], uint16_t max)
{
	uint16_t n = 0;

	for (uint32_t i = 0; i < xdp->n_open && n < max; i++) {
		struct queue *queue = &xdp->queues[(xdp->turn + i) % xdp->n_open];

		queue->n_held =
			xdp_socket_receive(&queue->socket, queue->held, (uint32_t)(max - n));
		for (uint32_t j = 0; j < queue->n_held; j++, n++) {
			uint8_t *bytes = queue->socket.memory + queue->held[j].addr;
			uint32_t len = queue->held[j].len;

			uplink_frame_empty(&frames[n]);
			if (xdp->may_be_unfilled && unfilled_complete(bytes, len))
				frames[n].offload.flags = FRAME_NEEDS_CSUM;
			uplink_frame_fill(&frames[n], segs[n], bytes, len);
		}
	}
	xdp->turn++;
	return n;
}

void uplink_xdp_release(struct uplink_xdp *xdp)
{
	for (uint32_t i = 0; i < xdp->n_open; i++) {
		struct queue *queue = &xdp->queues[i];

		xdp_socket_give_back(&queue->socket, queue->held, queue->n_held);
		queue->n_held = 0;
	}
}

bool uplink_xdp_waits(const struct uplink_xdp *xdp)
{
	for (uint32_t i = 0; i < xdp->n_open; i++) {
		if (xdp_socket_waits(&xdp->queues[i].socket))
			return true;
	}
	return false;
}

/* Return: false when no chunk comes free. */
static bool room_make(struct xdp_socket *socket)
{
	xdp_socket_reap(socket);
	for (int i = 0; i < ROOM_TRIES && socket->n_free == 0; i++) {
		if (xdp_socket_kick(socket) != 0)
			return false;
		xdp_socket_reap(socket);
	}
	return socket->n_free > 0;
}

/* All packets of a frame. Return: how many. */
static uint32_t frame_put(struct xdp_socket *socket, struct frame_out *out, uint8_t outer_len,
			  uint64_t *bytes)
{
	struct packet_cursor c;
	uint32_t n = 0, len;

	out->drop = (uint8_t)packet_start(&c, out, outer_len);
	if (out->drop != DROP_NONE)
		return 0;
	while (!packet_is_done(&c)) {
		if (socket->n_free == 0 && !room_make(socket)) {
			out->drop = DROP_NO_ROOM;
			break;
		}
		len = packet_next(&c, xdp_socket_room(socket), socket->chunk_bytes);
		if (len == 0) {
			out->drop = DROP_VXLAN_TOO_BIG;
			break;
		}
		xdp_socket_put(socket, len);
		*bytes += len;
		n++;
	}
	return n;
}

static uint32_t worker_number(void)
{
	static _Atomic uint32_t next;
	static _Thread_local uint32_t number; /* + 1 */

	if (number == 0)
		number = atomic_fetch_add(&next, 1) + 1;
	return number - 1;
}

uint32_t uplink_xdp_tx(struct uplink_xdp *xdp, struct frame_out *outs, uint16_t n,
		       uint8_t outer_len, uint64_t *bytes)
{
	struct queue *queue = &xdp->queues[worker_number() % xdp->n_open];
	uint32_t packets = 0;

	*bytes = 0;
	while (atomic_flag_test_and_set_explicit(&queue->tx_lock, memory_order_acquire))
		__builtin_ia32_pause();
	xdp_socket_reap(&queue->socket);
	for (uint16_t i = 0; i < n; i++)
		packets += frame_put(&queue->socket, &outs[i], outer_len, bytes);
	atomic_flag_clear_explicit(&queue->tx_lock, memory_order_release);
	xdp_socket_kick(&queue->socket);
	return packets;
}
