/* SPDX-License-Identifier: BSD-3-Clause */
/* See nic.h: what all rings have in common, and the split one. */
#include "nic.h"

#include "nic_packed.h"

#define VIRTIO_NET    1
#define F_MAC	      (UINT64_C(1) << 5)
#define F_EVENT_IDX   (UINT64_C(1) << 29)
#define F_RING_PACKED (UINT64_C(1) << 34)
#define F_IN_ORDER    (UINT64_C(1) << 35)
#define NO_NOTIFY     1 /* in used->flags */
#define NO_INTERRUPT  1 /* in avail->flags */
#define LINE	      64U

static size_t lines(size_t bytes)
{
	return (bytes + LINE - 1) & ~(size_t)(LINE - 1);
}

static void ring_alloc(struct nic_ring *ring, uint16_t index, uint16_t size, uint32_t frame_max)
{
	static unsigned int n_rings;
	size_t desc = size * sizeof(struct nic_desc), avail = lines(2 * (3 + (size_t)size));
	size_t used = lines(6 + sizeof(struct nic_used) * size), skip = n_rings++ % 48 * LINE;
	uint8_t *memory = guest_alloc(skip + desc + avail + LINE + used);

	/* Not all rings' indices in the same set of the cache, as they were if each began on a page. */
	memory += skip;
	ring->size = size;
	ring->index = index;
	ring->desc = (void *)memory;
	ring->avail = (void *)(memory + lines(desc));
	ring->used = (void *)(memory + lines(desc) + avail + LINE);
	ring->buffer_bytes = (uint32_t)(lines(frame_max + NIC_VNET) | LINE);
	ring->buffers =
		(uint8_t *)guest_alloc(LINE + (size_t)ring->buffer_bytes * size) + LINE - NIC_VNET;
	ring->own = guest_alloc(size * sizeof(struct nic_desc));
}

static void split_start(struct nic_ring *ring)
{
	for (uint16_t i = 0; i < ring->size; i++) {
		ring->desc[i] = (struct nic_desc){
			(uint64_t)ring->buffers + (uint64_t)i * ring->buffer_bytes,
			ring->buffer_bytes, ring->index == 0 ? NIC_DEVICE_WRITES : 0, 0};
		ring->avail[2 + i] = i;
	}
	/* We poll. With event idx, the event is left where it is reached once in 65536 frames. */
	ring->avail[0] = NO_INTERRUPT;
	ring->frames = ring->desc;
	ring->came = (const struct nic_used *)(ring->used + 2);
}

static void ring_start(struct nic_ring *ring, struct nic *nic)
{
	memset((void *)ring->avail, 0, 2 * (3 + (size_t)ring->size));
	memset((void *)ring->used, 0, 6 + sizeof(struct nic_used) * ring->size);
	ring->next = ring->published = ring->rung = ring->seen = ring->known = 0;
	ring->event_idx = nic->features & F_EVENT_IDX;
	ring->in_order = nic->features & F_IN_ORDER;
	ring->packed = nic->features & F_RING_PACKED;
	for (uint16_t i = 0; i < ring->size; i++)
		memset(ring->buffers + (size_t)i * ring->buffer_bytes, 0, NIC_VNET);
	if (ring->packed)
		nic_packed_start(ring);
	else
		split_start(ring);
	ring->doorbell = virtio_queue(&nic->device, ring->index, ring->size, ring->desc,
				      (const void *)ring->avail, (const void *)ring->used);
}

static void ring_publish(struct nic_ring *ring)
{
	if (ring->packed)
		nic_packed_publish(ring);
	else
		__atomic_store_n(&ring->avail[1], ring->next, __ATOMIC_RELEASE);
	ring->published = ring->next;
}

void nic_start(struct nic *nic)
{
	nic->features =
		virtio_negotiate(&nic->device, F_MAC | F_EVENT_IDX | F_RING_PACKED | F_IN_ORDER);
	ring_start(&nic->rx, nic);
	ring_start(&nic->tx, nic);
	virtio_go(&nic->device);
	nic->rx.next = nic->rx.size;
	ring_publish(&nic->rx);
	nic_doorbells(nic);
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

/* virtio 1.2 §2.7.7 and §2.7.10 */
static bool split_wants_doorbell(const struct nic_ring *ring, uint16_t old)
{
	uint16_t event;

	if (!ring->event_idx)
		return !(ring->used[0] & NO_NOTIFY);
	event = ring->used[2 + 4 * ring->size];
	return (uint16_t)(ring->published - event - 1) < (uint16_t)(ring->published - old);
}

/*
 * Has the other side asked to be told? The fence, behind which no index is on its way any more, costs as much as dozens of frames;
 * hence not for each burst.
 */
static void ring_doorbell(struct nic_ring *ring)
{
	uint16_t old = ring->rung;

	if (old == ring->published)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->rung = ring->published;
	if (ring->packed ? nic_packed_wants_doorbell(ring, old) : split_wants_doorbell(ring, old))
		guest_write16(ring->doorbell, ring->index);
}

void nic_doorbells(struct nic *nic)
{
	ring_doorbell(&nic->tx);
	ring_doorbell(&nic->rx);
}

uint16_t nic_tx_room(struct nic *nic, uint16_t enough)
{
	struct nic_ring *ring = &nic->tx;
	uint16_t room = (uint16_t)(ring->size - (uint16_t)(ring->next - ring->seen));

	if (room >= enough)
		return room;
	/* In order, so that the oldest buffer is the next to be free: every switch we know does so. */
	if (ring->packed)
		nic_packed_sent(ring);
	else
		ring->seen = __atomic_load_n(&ring->used[1], __ATOMIC_ACQUIRE);
	return (uint16_t)(ring->size - (uint16_t)(ring->next - ring->seen));
}

void nic_tx_send(struct nic *nic, uint16_t n)
{
	nic->tx.next = (uint16_t)(nic->tx.next + n);
	ring_publish(&nic->tx);
}

uint16_t nic_rx_waiting(struct nic *nic)
{
	struct nic_ring *ring = &nic->rx;

	if (ring->packed)
		nic_packed_look(ring);
	else
		ring->known = __atomic_load_n(&ring->used[1], __ATOMIC_ACQUIRE);
	return (uint16_t)(ring->known - ring->seen);
}

/* In order, the ring of available buffers never changes: what is given back is what stands there. virtio 1.2 §2.7.9 */
static void split_rx_done(struct nic_ring *ring, uint16_t n)
{
	for (uint16_t i = 0; i < n && !ring->in_order; i++)
		ring->avail[2 + ((uint16_t)(ring->next + i) & (ring->size - 1))] =
			(uint16_t)ring->came[(uint16_t)(ring->seen + i) & (ring->size - 1)].id;
}

void nic_rx_done(struct nic *nic, uint16_t n)
{
	struct nic_ring *ring = &nic->rx;

	if (!ring->packed) /* publishing packed buffers looks at what came by itself */
		split_rx_done(ring, n);
	ring->seen = (uint16_t)(ring->seen + n);
	ring->next = (uint16_t)(ring->next + n);
	ring_publish(ring);
}
