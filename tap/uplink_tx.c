/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See uplink_tx.h. Packets are written into a buffer of the thread's own and go out with sendmmsg.
 *
 * A frame that a guest left to be segmented is not sent as a row of packets if it can be helped: its segments are laid behind one outer
 * header, and the kernel, or the NIC, cuts the row into UDP datagrams (UDP segmentation offload: all but the last have one
 * size, which is what TCP segments of one frame have). Where nobody needs them cut, as between namespaces, nobody does.
 */
#include "uplink_tx.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "checksum.h"
#include "vxlan/packet.h"
#include "vxlan/vxlan.h"
#include "vxlan/wire.h"

#define BATCH_MAX	 64
#define FLUSH_BYTES	 (32 << 10) /* a row goes while it is in the cache */
#define PACKET_ROOM	 (FRAME_MTU_MAX + 128)
#define ROW_BYTES_MAX	 65000 /* of one UDP GSO packet */
#define ROW_SEGMENTS_MAX 64
#define UDP_HDR_LEN	 8

struct batch {
	uint32_t n;
	uint32_t used;
	uint16_t frame[BATCH_MAX];   /* whose packet it is */
	uint16_t packets[BATCH_MAX]; /* on the wire */
	struct virtio_net_hdr vnet[BATCH_MAX];
	struct iovec iov[BATCH_MAX][2];
	struct mmsghdr msgs[BATCH_MAX];
	uint8_t bytes[FLUSH_BYTES + ROW_BYTES_MAX + PACKET_ROOM + 64];
};

struct tx {
	int fd;
	struct frame_out *outs;
	struct batch *batch;
	uint32_t n_sent;
	uint64_t bytes;
};

bool uplink_tx_rows_known(void)
{
	static _Atomic int known = -1;
	struct utsname system;
	unsigned int major = 0, minor = 0;

	if (known < 0)
		known = uname(&system) == 0 &&
			sscanf(system.release, "%u.%u", &major, &minor) == 2 &&
			(major > 6 || (major == 6 && minor >= 2));
	return known > 0;
}

static pthread_key_t batch_key;

static void batch_key_make(void)
{
	pthread_key_create(&batch_key, free);
}

/* One per thread that ever sent; goes with it. NULL without memory. */
static struct batch *batch_get(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static _Thread_local struct batch *batch;

	if (batch == NULL && pthread_once(&once, batch_key_make) == 0) {
		batch = calloc(1, sizeof(*batch));
		if (pthread_setspecific(batch_key, batch) != 0) {
			free(batch);
			batch = NULL;
		}
	}
	return batch;
}

static enum drop_reason drop_of(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_NO_ROOM;
	case ENETDOWN:
	case ENXIO:
	case ENODEV:
		return DROP_NOT_CONNECTED;
	default:
		return DROP_WRITE_FAILED;
	}
}

static void flush(struct tx *tx)
{
	struct batch *b = tx->batch;
	uint32_t done = 0;

	while (done < b->n) {
		int sent = sendmmsg(tx->fd, b->msgs + done, b->n - done, MSG_DONTWAIT);

		if (sent <= 0) {
			/* The first of the rest was refused; the others get their own chance unless there is no room. */
			tx->outs[b->frame[done]].drop = (uint8_t)drop_of(errno);
			done++;
			continue;
		}
		for (int i = 0; i < sent; i++, done++) {
			tx->n_sent += b->packets[done];
			tx->bytes += b->iov[done][1].iov_len;
		}
	}
	b->n = 0;
	b->used = 0;
}

/* Room for one more message, a whole row if need be. */
static uint8_t *reserve(struct tx *tx)
{
	struct batch *b = tx->batch;

	if (b->n == BATCH_MAX || b->used > FLUSH_BYTES)
		flush(tx);
	return b->bytes + b->used;
}

static struct virtio_net_hdr *commit(struct tx *tx, uint16_t frame, uint32_t len, uint16_t packets)
{
	struct batch *b = tx->batch;
	uint32_t i = b->n++;

	memset(&b->vnet[i], 0, sizeof(b->vnet[i]));
	b->frame[i] = frame;
	b->packets[i] = packets;
	b->iov[i][0] = (struct iovec){&b->vnet[i], sizeof(b->vnet[i])};
	b->iov[i][1] = (struct iovec){b->bytes + b->used, len};
	b->msgs[i].msg_hdr = (struct msghdr){.msg_iov = b->iov[i], .msg_iovlen = 2};
	b->used += (len + 63) & ~63u;
	return &b->vnet[i];
}

/* The outer headers of a whole row: lengths of all, and the pseudo header's sum where the checksum will be. */
static void row_finish(uint8_t *row, uint32_t len, uint8_t outer_len, uint32_t segment,
		       struct virtio_net_hdr *vnet)
{
	bool is_v6 = outer_len == VXLAN_OUTER_LEN6;
	uint8_t *ip = row + WIRE_ETH_LEN;
	uint32_t udp_off = (uint32_t)(outer_len - VXLAN_HDR_LEN - UDP_HDR_LEN);
	uint8_t *udp = row + udp_off;
	uint16_t udp_len = (uint16_t)(len - udp_off), sum;

	wire_put16(udp + 4, udp_len);
	if (is_v6) {
		wire_put16(ip + 4, udp_len);
	} else {
		wire_put16(ip + 2, (uint16_t)(udp_len + WIRE_IP4_LEN));
		memset(ip + 10, 0, 2);
		checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
	}
	sum = checksum_fold(
		checksum_pseudo(is_v6 ? ip + 8 : ip + 12, is_v6 ? 32 : 8, IPPROTO_UDP, udp_len));
	memcpy(udp + 6, &sum, sizeof(sum));
	vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->csum_start = (uint16_t)udp_off;
	vnet->csum_offset = 6;
	vnet->hdr_len = (uint16_t)(udp_off + UDP_HDR_LEN);
	vnet->gso_type = UPLINK_GSO_UDP_L4;
	vnet->gso_size = (uint16_t)segment;
}

/* Several segments behind one outer header. Return: false when the frame is done. */
static bool add_row(struct tx *tx, uint16_t frame, struct packet_cursor *c, uint8_t outer_len)
{
	uint32_t front = (uint32_t)(outer_len - VXLAN_HDR_LEN), len, segment, n = 1;
	bool alone = !uplink_tx_rows_known();
	uint8_t *row = reserve(tx);
	struct virtio_net_hdr *vnet;

	len = packet_next(c, row, PACKET_ROOM);
	if (len == 0)
		return false;
	segment = len - front;
	while (!alone && !packet_is_done(c) && n < ROW_SEGMENTS_MAX &&
	       len + segment <= ROW_BYTES_MAX) {
		uint32_t more = packet_next_inner(c, row + len, PACKET_ROOM);

		if (more == 0)
			return false;
		len += more;
		n++;
	}
	vnet = commit(tx, frame, len, (uint16_t)n);
	if (n > 1)
		row_finish(row, len, outer_len, segment, vnet);
	return !packet_is_done(c);
}

static void add_frame(struct tx *tx, uint16_t frame, uint8_t outer_len)
{
	struct frame_out *out = &tx->outs[frame];
	struct packet_cursor c;
	uint32_t len;

	out->drop = (uint8_t)packet_start(&c, out, outer_len);
	if (out->drop != DROP_NONE)
		return;
	if (c.segmented) {
		while (add_row(tx, frame, &c, outer_len))
			;
	} else {
		len = packet_next(&c, reserve(tx), PACKET_ROOM);
		if (len > 0)
			commit(tx, frame, len, 1);
	}
	if (!packet_is_done(&c))
		out->drop = DROP_VXLAN_TOO_BIG;
}

uint32_t uplink_tx(int fd, struct frame_out *outs, uint16_t n, uint8_t outer_len, uint64_t *bytes)
{
	struct tx tx = {.fd = fd, .outs = outs, .batch = batch_get()};

	if (tx.batch == NULL) {
		for (uint16_t i = 0; i < n; i++)
			outs[i].drop = DROP_NO_MEMORY;
		*bytes = 0;
		return 0;
	}
	for (uint16_t i = 0; i < n; i++)
		add_frame(&tx, i, outer_len);
	flush(&tx);
	*bytes = tx.bytes;
	return tx.n_sent;
}
