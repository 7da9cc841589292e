/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See uplink_packet.h. The uplink's worker.
 *
 * Packets are received into FRAME_BURST slots with one recvmmsg. A slot may hold a row: UDP datagrams that nobody has cut yet, because
 * the sender's kernel left that to a NIC and none was on the way. If it is one TCP flow it becomes one large frame again (merge.h), else it is cut, and what does not fit
 * into one burst waits in its slot for the next: slots are only received into again when all have been used up.
 */
#include "uplink_packet.h"

#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tap_vnet.h"
#include "uplink_frame.h"
#include "uplink_tx.h"
#include "checksum.h"
#include "vxlan/merge.h"
#include "vxlan/vxlan.h"
#include "vxlan/wire.h"

#define SLOT_BYTES   (FRAME_LEN_MAX + 1) /* one more, to notice what is too long */
#define SLOTS_BYTES  ((size_t)FRAME_BURST * SLOT_BYTES)
#define OUTER4_FRONT (VXLAN_OUTER_LEN4 - VXLAN_HDR_LEN) /* Ethernet, IP, UDP */
#define OUTER6_FRONT (VXLAN_OUTER_LEN6 - VXLAN_HDR_LEN)

#define ROWS_BURST    2
#define ROW_BYTES_MIN 16384

struct uplink_packet {
	int fd;
	uint8_t *slots;	   /* FRAME_BURST * SLOT_BYTES, touched as they are used */
	uint16_t n_slots;  /* received */
	uint16_t slot;	   /* the next to use */
	bool rows;	   /* the last were large */
	uint32_t row_done; /* payload bytes of it already given out, if it is a row */
	struct virtio_net_hdr vnet[FRAME_BURST];
	struct iovec iov[FRAME_BURST][2];
	struct mmsghdr msgs[FRAME_BURST];
};

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
static bool row_next(struct uplink_packet *packet, uint8_t *bytes, uint32_t len,
		     const struct virtio_net_hdr *vnet, struct frame *f, struct frame_seg *segs)
{
	uint16_t front = row_front(bytes, len, vnet);
	uint32_t part;

	if (front == 0 || packet->row_done >= len - front)
		return false;
	if (packet->row_done == 0 &&
	    merge_row(bytes, len, front, vnet->gso_size,
		      (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0, f, segs)) {
		outer_lengths(f, front);
		packet->row_done = len - front;
		return true;
	}
	part = len - front - packet->row_done;
	if (part > vnet->gso_size)
		part = vnet->gso_size;
	uplink_frame_empty(f);
	f->hdr_len = front;
	f->len = front;
	memcpy(f->hdr, bytes, front);
	/* the row's checksum was the kernel's to make or to check */
	f->offload.flags = FRAME_CSUM_VALID;
	uplink_frame_fill(f, segs, bytes + front + packet->row_done, part);
	outer_lengths(f, front);
	packet->row_done += part;
	return true;
}

static void slots_receive(struct uplink_packet *packet)
{
	int got;

	packet->slot = 0;
	packet->row_done = 0;
	for (uint16_t i = 0; i < packet->n_slots; i++)
		packet->msgs[i].msg_hdr.msg_flags = 0;
	/* Rows come a few at a time: what is received should still be in the cache when it is sent. */
	got = recvmmsg(packet->fd, packet->msgs, packet->rows ? ROWS_BURST : FRAME_BURST,
		       MSG_DONTWAIT, NULL);
	packet->n_slots = got > 0 ? (uint16_t)got : 0;
	packet->rows = got > 0 && packet->msgs[got - 1].msg_len > ROW_BYTES_MIN;
}

/* The next frame out of the slots. Return: false when they are used up. */
static bool slots_next(struct uplink_packet *packet, struct port *port, uint16_t worker,
		       struct frame *f, struct frame_seg *segs)
{
	while (packet->slot < packet->n_slots) {
		const struct virtio_net_hdr *vnet = &packet->vnet[packet->slot];
		uint8_t *bytes = packet->slots + (size_t)packet->slot * SLOT_BYTES;
		uint32_t got = packet->msgs[packet->slot].msg_len, len = got - sizeof(*vnet);
		bool is_row = vnet->gso_type == UPLINK_GSO_UDP_L4;

		if (got < sizeof(*vnet) || len > FRAME_LEN_MAX) {
			port_drop(port, worker, DROP_OVERSIZE, 1);
		} else if (is_row) {
			if (row_next(packet, bytes, len, vnet, f, segs))
				return true;
			if (packet->row_done == 0)
				port_drop(port, worker, DROP_BAD_OFFLOAD, 1);
		} else {
			uplink_frame_empty(f);
			uplink_frame_fill(f, segs, bytes, len);
			packet->slot++;
			if (tap_vnet_read(vnet, &f->offload))
				return true;
			port_drop(port, worker, DROP_BAD_OFFLOAD, 1);
			continue;
		}
		packet->slot++;
		packet->row_done = 0;
	}
	return false;
}

static void slots_init(struct uplink_packet *packet)
{
	for (uint16_t i = 0; i < FRAME_BURST; i++) {
		packet->iov[i][0] = (struct iovec){&packet->vnet[i], sizeof(packet->vnet[i])};
		packet->iov[i][1] =
			(struct iovec){packet->slots + (size_t)i * SLOT_BYTES, SLOT_BYTES};
		packet->msgs[i].msg_hdr =
			(struct msghdr){.msg_iov = packet->iov[i], .msg_iovlen = 2};
	}
}

struct uplink_packet *uplink_packet_new(int fd)
{
	struct uplink_packet *packet = calloc(1, sizeof(*packet));

	if (packet == NULL)
		return NULL;
	packet->fd = fd;
	packet->slots = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (packet->slots == MAP_FAILED) {
		free(packet);
		return NULL;
	}
	slots_init(packet);
	return packet;
}

void uplink_packet_free(struct uplink_packet *packet)
{
	if (packet == NULL)
		return;
	munmap(packet->slots, SLOTS_BYTES);
	free(packet);
}

bool uplink_packet_waits(const struct uplink_packet *packet)
{
	return packet->slot < packet->n_slots;
}

uint16_t uplink_packet_rx(struct uplink_packet *packet, struct port *port, uint16_t worker,
			  struct frame *frames, struct frame_seg (*segs)[FRAME_SEGS_MAX],
			  uint16_t max)
{
	uint16_t n = 0;

	if (!uplink_packet_waits(packet))
		slots_receive(packet);
	while (n < max && slots_next(packet, port, worker, &frames[n], segs[n]))
		n++;
	return n;
}
