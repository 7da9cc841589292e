/* SPDX-License-Identifier: BSD-3-Clause */
/* The packed ring of nic.h: virtio 1.2 §2.8. Private to nic.c, and to who misuses it (hostile_packed.c). */
#ifndef GUESTS_NIC_PACKED_H
#define GUESTS_NIC_PACKED_H

#include "nic.h"

#define NIC_DEVICE_WRITES 2 /* of both kinds of descriptors */
#define NIC_PACKED_AVAIL  (1U << 7)
#define NIC_PACKED_USED	  (1U << 15)

/** nic_packed_flags() - Of a descriptor that is made available at @count, which counts on for ever */
static inline uint16_t nic_packed_flags(const struct nic_ring *ring, uint16_t count)
{
	return (count & ring->size ? NIC_PACKED_USED : NIC_PACKED_AVAIL) |
	       (ring->index == 0 ? NIC_DEVICE_WRITES : 0);
}

/** nic_packed_rest() - The second half of a descriptor */
static inline uint64_t nic_packed_rest(uint32_t length, uint16_t id, uint16_t flags)
{
	return length | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

/** nic_packed_used() - Has the buffer made available at @count been given back? @rest: the descriptor as it is */
static inline bool nic_packed_used(const struct nic_ring *ring, uint16_t count, uint64_t *rest)
{
	const uint64_t both = (uint64_t)(NIC_PACKED_AVAIL | NIC_PACKED_USED) << 48;

	*rest = __atomic_load_n(&ring->packed_desc[count & (ring->size - 1)].rest,
				__ATOMIC_ACQUIRE);
	return (*rest & both) == (count & ring->size ? 0 : both);
}

/** nic_packed_start() - Descriptors as they are before the first one is made available; memory is cleared */
void nic_packed_start(struct nic_ring *ring);

/** nic_packed_publish() - Make the buffers from @published to @next available */
void nic_packed_publish(struct nic_ring *ring);

/** nic_packed_wants_doorbell() - Has the other side asked to be told of one of those from @old to @published? §2.8.10 */
bool nic_packed_wants_doorbell(const struct nic_ring *ring, uint16_t old);

/** nic_packed_sent() - Move @seen behind what has been given back of a transmit ring */
void nic_packed_sent(struct nic_ring *ring);

/** nic_packed_look() - Move @known behind what has come, and remember what was said of it */
void nic_packed_look(struct nic_ring *ring);

#endif
