/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver for virtio-net in a few lines: one pair of rings, polled, no interrupts, no offloads. Split (virtio 1.2 §2.7, nic.c), or
 * packed (§2.8, nic_packed.c) where the card offers it.
 *
 * A descriptor of the transmit ring and its buffer belong together for good, so that a frame's header is written once and
 * only what differs from frame to frame afterwards. A frame begins on a cache line of its own, behind its virtio header, and
 * the distance of buffers is an odd number of lines, so that they spread over a cache's sets, as the buffers of real guests do.
 */
#ifndef GUESTS_NIC_H
#define GUESTS_NIC_H

#include "guest.h"

#define NIC_RING_MAX 1024
#define NIC_VNET     12 /* struct virtio_net_hdr_v1 */

struct nic_desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct nic_used {
	uint32_t id, length;
};

struct nic_packed_desc {
	uint64_t address;
	uint64_t
		rest; /* length | id << 32 | flags << 48: the other side reads and writes it at once */
};

struct nic_ring {
	union {
		struct nic_desc *desc;
		struct nic_packed_desc *packed_desc;
	};
	volatile uint16_t
		*avail; /* split: flags, index, ring[], used_event; packed: offset, flags */
	volatile uint16_t *
		used; /* split: flags, index, then struct nic_used[], avail_event; packed: offset, flags */
	/* By position. Split: the ring's own; packed, where both sides write to the same descriptors: copies. */
	struct nic_desc *frames;     /* tx: @length */
	const struct nic_used *came; /* rx: what the other side has said of frames */
	void *own;		     /* packed: memory for them */
	uint16_t size;
	/* These count on for ever; modulo size they are positions, and @size's bit says in which kind of lap (packed). */
	uint16_t next; /* we are here; what is before @published has been made known */
	uint16_t published;
	uint16_t rung;	/* up to here the other side has been told, if it wants to be */
	uint16_t seen;	/* up to here we have taken back what the other side gave back */
	uint16_t known; /* packed, rx: up to here we know that it did */
	bool packed, event_idx, in_order;
	uint64_t doorbell;
	uint16_t index;
	uint8_t *buffers;
	uint32_t buffer_bytes; /* of each, and from one to the next */
};

struct nic {
	struct virtio_device device;
	uint64_t features;
	uint8_t mac[6];
	struct nic_ring rx, tx;
};

/**
 * nic_open() - Start the @nth card with rings of @ring_size and buffers for frames of @frame_max bytes
 *
 * All receive buffers are available afterwards. Return: false when there is no such card; ends the guest on errors.
 */
bool nic_open(struct nic *nic, unsigned int nth, uint16_t ring_size, uint32_t frame_max);

/** nic_start() - Reset the card and start it anew: rings as nic_open() leaves them, what was in them is lost */
void nic_start(struct nic *nic);

/** nic_doorbells() - Wake the other side if it sleeps; to be called after frames were sent or received, before long */
void nic_doorbells(struct nic *nic);

/**
 * nic_tx_room() - How many frames can be put into nic_tx_frame() now
 *
 * Takes back what was sent; but the ring is only looked at, which takes its cache line from the switch, when there is no room
 * for @enough by what was seen last.
 */
uint16_t nic_tx_room(struct nic *nic, uint16_t enough);

/** nic_tx_frame() - Where the @ahead-th frame from now goes (@ahead < nic_tx_room()) */
static inline uint8_t *nic_tx_frame(struct nic *nic, uint16_t ahead)
{
	uint16_t at = (uint16_t)(nic->tx.next + ahead) & (nic->tx.size - 1);

	return nic->tx.buffers + (size_t)at * nic->tx.buffer_bytes + NIC_VNET;
}

/* Ask for the cache line that will be written next. */
static inline void nic_prefetch_write(const void *line)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
}

/** nic_tx_length() - The @ahead-th frame from now has @bytes */
static inline void nic_tx_length(struct nic *nic, uint16_t ahead, uint32_t bytes)
{
	uint16_t at = (uint16_t)(nic->tx.next + ahead) & (nic->tx.size - 1);

	nic->tx.frames[at].length = NIC_VNET + bytes;
}

/** nic_tx_bytes() - How many bytes the @ahead-th frame from now has */
static inline uint32_t nic_tx_bytes(const struct nic *nic, uint16_t ahead)
{
	return nic->tx.frames[(uint16_t)(nic->tx.next + ahead) & (nic->tx.size - 1)].length -
	       NIC_VNET;
}

/** nic_tx_send() - The next @n frames are ready: publish them; nic_doorbells() wakes the switch if it sleeps */
void nic_tx_send(struct nic *nic, uint16_t n);

/** nic_rx_waiting() - How many frames have come */
uint16_t nic_rx_waiting(struct nic *nic);

/** nic_rx_frame() - The @ahead-th frame that has come, and its length, which is what the other side says */
static inline uint8_t *nic_rx_frame(struct nic *nic, uint16_t ahead, uint32_t *bytes)
{
	struct nic_used came = nic->rx.came[(uint16_t)(nic->rx.seen + ahead) & (nic->rx.size - 1)];

	*bytes = came.length - NIC_VNET;
	return nic->rx.buffers + (size_t)(came.id & (nic->rx.size - 1)) * nic->rx.buffer_bytes +
	       NIC_VNET;
}

/** nic_rx_done() - Give the buffers of the first @n frames back */
void nic_rx_done(struct nic *nic, uint16_t n);

#endif
