/* SPDX-License-Identifier: BSD-3-Clause */
/* See nic.h. */
#include "nic.h"

#define VIRTIO_NET    1
#define F_MAC	      (UINT64_C(1) << 5)
#define F_EVENT_IDX   (UINT64_C(1) << 29)
#define F_IN_ORDER    (UINT64_C(1) << 35)
#define NO_NOTIFY     1 /* in used->flags */
#define NO_INTERRUPT  1 /* in avail->flags */
#define DEVICE_WRITES 2

static void ring_alloc(struct nic_ring *ring, uint16_t index, uint16_t size, uint32_t frame_max)
{
	ring->size = size;
	ring->index = index;
	ring->desc = guest_alloc(size * sizeof(struct nic_desc));
	ring->avail = guest_alloc(2 * (3 + (size_t)size));
	ring->used = guest_alloc(6 + sizeof(struct nic_used) * size);
	ring->buffer_bytes = (frame_max + NIC_VNET + 63) & ~63U;
	ring->buffers = guest_alloc((size_t)ring->buffer_bytes * size);
}

static void ring_start(struct nic_ring *ring, struct nic *nic)
{
	memset((void *)ring->avail, 0, 2 * (3 + (size_t)ring->size));
	memset((void *)ring->used, 0, 6 + sizeof(struct nic_used) * ring->size);
	ring->next = ring->published = ring->seen = 0;
	ring->event_idx = nic->features & F_EVENT_IDX;
	for (uint16_t i = 0; i < ring->size; i++) {
		uint8_t *buffer = ring->buffers + (size_t)i * ring->buffer_bytes;

		memset(buffer, 0, NIC_VNET);
		ring->desc[i] = (struct nic_desc){(uint64_t)buffer, ring->buffer_bytes,
						  ring->index == 0 ? DEVICE_WRITES : 0, 0};
		ring->avail[2 + i] = i;
	}
	/* We poll. With event idx, the event is left where it is reached once in 65536 frames. */
	ring->avail[0] = NO_INTERRUPT;
	ring->doorbell = virtio_queue(&nic->device, ring->index, ring->size, ring->desc,
				      (const void *)ring->avail, (const void *)ring->used);
}

void nic_start(struct nic *nic)
{
	nic->features = virtio_negotiate(&nic->device, F_MAC | F_EVENT_IDX | F_IN_ORDER);
	ring_start(&nic->rx, nic);
	ring_start(&nic->tx, nic);
	virtio_go(&nic->device);
	nic->rx.next = nic->rx.size;
	nic_rx_done(nic, 0);
}

bool nic_open(struct nic *nic, unsigned int nth, uint16_t ring_size, uint32_t frame_max)
{
	if (!virtio_find(VIRTIO_NET, nth, &nic->device))
		return false;
	guest_check(ring_size > 0 && ring_size <= NIC_RING_MAX && !(ring_size & (ring_size - 1)),
		    20, "the ring's size is a power of 2");
	ring_alloc(&nic->rx, 0, ring_size, frame_max);
	ring_alloc(&nic->tx, 1, ring_size, frame_max);
	for (int i = 0; i < 6; i++)
		nic->mac[i] = guest_read8(nic->device.device_cfg + (unsigned int)i);
	nic_start(nic);
	return true;
}

/* Has the other side asked to be told? virtio 1.2 §2.7.7 and §2.7.10 */
static bool ring_wants_doorbell(const struct nic_ring *ring, uint16_t old)
{
	uint16_t event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->event_idx)
		return !(ring->used[0] & NO_NOTIFY);
	event = ring->used[2 + 4 * ring->size];
	return (uint16_t)(ring->next - event - 1) < (uint16_t)(ring->next - old);
}

static void ring_publish(struct nic_ring *ring)
{
	uint16_t old = ring->published;

	if (ring->next == old)
		return;
	__atomic_store_n(&ring->avail[1], ring->next, __ATOMIC_RELEASE);
	ring->published = ring->next;
	if (ring_wants_doorbell(ring, old))
		guest_write16(ring->doorbell, ring->index);
}

uint16_t nic_tx_room(struct nic *nic)
{
	struct nic_ring *ring = &nic->tx;
	uint16_t used = __atomic_load_n(&ring->used[1], __ATOMIC_ACQUIRE);

	/* In order, so that the oldest buffer is the next to be free: every switch we know does so. */
	ring->seen = used;
	return (uint16_t)(ring->size - (uint16_t)(ring->next - used));
}

void nic_tx_send(struct nic *nic, uint16_t n)
{
	nic->tx.next = (uint16_t)(nic->tx.next + n);
	ring_publish(&nic->tx);
}

uint16_t nic_rx_waiting(struct nic *nic, uint16_t max)
{
	uint16_t used = __atomic_load_n(&nic->rx.used[1], __ATOMIC_ACQUIRE);
	uint16_t n = (uint16_t)(used - nic->rx.seen);

	return n < max ? n : max;
}

void nic_rx_done(struct nic *nic, uint16_t n)
{
	struct nic_ring *ring = &nic->rx;
	const struct nic_used *used = (const struct nic_used *)(ring->used + 2);

	for (uint16_t i = 0; i < n; i++)
		ring->avail[2 + ((uint16_t)(ring->next + i) & (ring->size - 1))] =
			(uint16_t)used[(uint16_t)(ring->seen + i) & (ring->size - 1)].id;
	ring->seen = (uint16_t)(ring->seen + n);
	ring->next = (uint16_t)(ring->next + n);
	ring_publish(ring);
}
