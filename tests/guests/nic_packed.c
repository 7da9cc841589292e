/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See nic_packed.h. One array of descriptors serves both ways, and both sides write to it: what has to be known of a buffer while
 * the other side has it (a frame's length), and of one that came back until it is given anew, is in arrays of our own.
 */
#include "nic_packed.h"

#define EVENT_DISABLE 1
#define EVENT_DESC    2
#define EVENT_WRAP    (1U << 15)

void nic_packed_start(struct nic_ring *ring)
{
	memset(ring->packed_desc, 0, ring->size * sizeof(*ring->packed_desc));
	ring->avail[1] = EVENT_DISABLE; /* we poll */
	if (ring->index == 0)
		ring->came = ring->own;
	else
		ring->frames = ring->own;
	for (uint16_t i = 0; i < ring->size; i++) {
		ring->packed_desc[i].address =
			(uint64_t)ring->buffers + (uint64_t)i * ring->buffer_bytes;
		if (ring->index == 0)
			((struct nic_used *)ring->own)[i] = (struct nic_used){i, 0};
		else
			ring->frames[i].length = ring->buffer_bytes;
	}
}

static uint64_t rest_of(const struct nic_ring *ring, uint16_t count)
{
	uint16_t at = count & (ring->size - 1);
	uint16_t flags = nic_packed_flags(ring, count);

	if (ring->index == 0)
		return nic_packed_rest(ring->buffer_bytes,
				       (uint16_t)ring->came[at].id & (ring->size - 1), flags);
	return nic_packed_rest(ring->frames[at].length, at, flags);
}

void nic_packed_publish(struct nic_ring *ring)
{
	uint16_t first = ring->published;

	if (ring->next == first)
		return;
	/* Whatever came back at a position is given there. In order, that is what always stands there. */
	for (uint16_t i = first; ring->index == 0 && !ring->in_order && i != ring->next; i++) {
		uint16_t at = i & (ring->size - 1);

		ring->packed_desc[at].address =
			(uint64_t)ring->buffers +
			(uint64_t)(ring->came[at].id & (ring->size - 1U)) * ring->buffer_bytes;
	}
	/* The first one last: the other side, which waits for it, finds all of them. */
	for (uint16_t i = first + 1; i != ring->next; i++)
		__atomic_store_n(&ring->packed_desc[i & (ring->size - 1)].rest, rest_of(ring, i),
				 __ATOMIC_RELEASE);
	__atomic_store_n(&ring->packed_desc[first & (ring->size - 1)].rest, rest_of(ring, first),
			 __ATOMIC_RELEASE);
}

bool nic_packed_wants_doorbell(const struct nic_ring *ring, uint16_t old)
{
	uint32_t both = *(const volatile uint32_t *)ring->used;
	uint16_t flags = both >> 16 & 3, event, now = ring->published;
	bool odd_lap = now & ring->size;

	if (flags == EVENT_DISABLE)
		return false;
	if (flags != EVENT_DESC || !ring->event_idx)
		return true;
	/* Where the event is on the axis of @now: in this lap, whose wrap counter is 1 when it is even, or in the one before. */
	event = (uint16_t)((now & ~(ring->size - 1U)) + (both & (EVENT_WRAP - 1)));
	if (!(both & EVENT_WRAP) != odd_lap)
		event -= ring->size;
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

void nic_packed_sent(struct nic_ring *ring)
{
	uint64_t rest;

	while (ring->seen != ring->next && nic_packed_used(ring, ring->seen, &rest)) {
		/* In order, one descriptor may stand for all up to the id it tells: §2.8.9 */
		uint16_t id = (uint16_t)(rest >> 32);
		uint16_t more = ring->in_order ? (uint16_t)(id - ring->seen) & (ring->size - 1) : 0;
		uint16_t left = (uint16_t)(ring->next - ring->seen);

		ring->seen = (uint16_t)(ring->seen + (more < left ? more + 1 : left));
	}
}

void nic_packed_look(struct nic_ring *ring)
{
	struct nic_used *came = ring->own;
	uint64_t rest;

	while ((uint16_t)(ring->known - ring->seen) < ring->size &&
	       nic_packed_used(ring, ring->known, &rest)) {
		came[ring->known & (ring->size - 1)] =
			(struct nic_used){(uint16_t)(rest >> 32), (uint32_t)rest};
		ring->known++;
	}
}
