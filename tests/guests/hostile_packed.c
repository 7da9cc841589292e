/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed rings misused; see hostile.c. Their descriptors are the only index they have: whether one is available, how long its
 * chain is and where the next one begins are in words that this guest rewrites at any time, given back or not.
 */
#include "hostile.h"
#include "nic_packed.h"

#define LOOKS_MAX 50 /* at a descriptor that does not come back, 0.1 ms each */

static void rest_store(struct nic_packed_desc *desc, uint64_t rest)
{
	__atomic_store_n(&desc->rest, rest, __ATOMIC_RELEASE);
}

/* The flags that make position @count available, or, often, others. */
static uint16_t any_flags(const struct nic_ring *ring, uint16_t count)
{
	uint16_t flags = nic_packed_flags(ring, count);

	switch (below(8)) {
	case 0:
		return (uint16_t)any();
	case 1:
		return flags ^ (NIC_PACKED_AVAIL | NIC_PACKED_USED); /* of the other lap */
	case 2:
		return flags ^ NIC_PACKED_USED; /* as if given back, or never offered */
	case 3:
		return flags ^ F_WRITE;
	case 4:
		return flags | F_INDIRECT;
	case 5:
		return below(4) ? flags : flags | F_NEXT;
	default:
		return flags;
	}
}

static void desc_spoil(struct nic_ring *ring, uint16_t count)
{
	struct nic_packed_desc *desc = &ring->packed_desc[count & (RING - 1)];
	uint16_t flags = any_flags(ring, count);
	uint32_t length = any_length();

	desc->address = any_address();
	if (flags & F_INDIRECT && below(4)) {
		desc->address = (uint64_t)table + below(8) / 7 * below(16);
		length = TABLE * sizeof(*table) + below(8) / 7 * below(40);
	}
	rest_store(desc, nic_packed_rest(length, (uint16_t)any(), flags));
}

static uint64_t chain_address(const struct nic_ring *ring, bool first)
{
	if (ring->index == 0)
		return (uint64_t)ring->buffers + below(RING * 1024);
	return (uint64_t)chaff + (first ? below(4) / 3 * below(64) : NIC_VNET + below(1024));
}

/* Flags of tables mean nothing but WRITE, and INDIRECT, which is forbidden there: §2.8.7 */
static void table_spoil(const struct nic_ring *ring)
{
	struct nic_packed_desc *desc = (struct nic_packed_desc *)table;

	for (uint16_t i = 0; i < TABLE; i++) {
		uint16_t flags = below(30) ? (ring->index == 0 ? F_WRITE : 0) : (uint16_t)any();

		desc[i].address = below(12) ? chain_address(ring, i == 0) : any_address();
		rest_store(&desc[i], nic_packed_rest(below(12) ? 1 + below(400) : any_length(),
						     (uint16_t)any(), flags));
	}
}

/* Chains that go round the ring: all available, in their lap or in all of them, and none the last. */
static void loop(struct nic_ring *ring)
{
	uint16_t count = ring->next;

	for (uint16_t i = 0; i < RING; i++) {
		struct nic_packed_desc *desc = &ring->packed_desc[(count + i) & (RING - 1)];

		desc->address = chain_address(ring, true);
		rest_store(desc,
			   nic_packed_rest(60, i, nic_packed_flags(ring, count + i) | F_NEXT));
	}
}

/* A chain, often too long, whose end may never be made available. The first one is written last, as drivers do. */
static void chain(struct nic_ring *ring)
{
	uint16_t n = (uint16_t)(1 + below(below(2) ? 6 : RING / 2));
	bool ends = below(40);

	for (uint16_t left = 0; left < n; left++) {
		uint16_t count = (uint16_t)(ring->next + n - 1 - left);
		struct nic_packed_desc *desc = &ring->packed_desc[count & (RING - 1)];
		uint16_t flags = nic_packed_flags(ring, count) | (left || !ends ? F_NEXT : 0);

		desc->address = chain_address(ring, left == n - 1);
		rest_store(desc, nic_packed_rest(1 + below(200), (uint16_t)any(), flags));
	}
	ring->next = ring->published = (uint16_t)(ring->next + n);
}

/* Others are to be disturbed by nothing but what is wrong with our ring: few frames are for them. */
static uint8_t any_station(void)
{
	return below(16) ? STATION_OURS : (uint8_t)below(4);
}

/* As a driver does it, though lengths, ids and some flags are any. Return: false if the switch does not take the last one. */
static bool offer(struct nic_ring *ring, uint16_t n)
{
	uint64_t rest;

	for (uint16_t i = 0; i < n; i++, ring->next++) {
		uint16_t at = ring->next & (RING - 1);
		uint32_t bytes =
			ring->index == 0 ? ring->buffer_bytes : frame_put(at, any_station());

		if (below(16) == 0) {
			desc_spoil(ring, ring->next);
			continue;
		}
		ring->packed_desc[at].address =
			(uint64_t)ring->buffers + (uint64_t)at * ring->buffer_bytes;
		rest_store(&ring->packed_desc[at],
			   nic_packed_rest(below(16) ? bytes : any_length(),
					   below(4) ? at : (uint16_t)any(),
					   nic_packed_flags(ring, ring->next)));
	}
	ring->published = ring->next;
	guest_write16(ring->doorbell, ring->index);
	if (ring->index == 0 || below(3))
		return true;
	for (int looks = 0; looks < LOOKS_MAX; looks++) {
		if (nic_packed_used(ring, (uint16_t)(ring->next - 1), &rest))
			return true;
		guest_wait(1);
	}
	return false;
}

bool hostile_packed_step(void)
{
	struct nic_ring *ring = below(4) ? &nic.tx : &nic.rx;
	uint16_t at = (uint16_t)below(RING);

	switch (below(12)) {
	case 0: /* what the switch may hold, or read right now */
		desc_spoil(ring, (uint16_t)(ring->next - below(2 * RING)));
		break;
	case 1:
		table_spoil(ring);
		break;
	case 2:
		if (below(50) == 0)
			loop(ring);
		break;
	case 3:
		chain(ring);
		break;
	case 4: /* the header, while it may be read */
		nic.tx.buffers[at * nic.tx.buffer_bytes + below(64)] = (uint8_t)any();
		break;
	case 5: /* a lap ahead, or back: what was never offered, or is the switch's */
		if (below(50) == 0)
			ring->next = (uint16_t)any();
		break;
	case 6: /* when we want to be told, and (which is not ours to write) when the switch does */
		ring->avail[below(2)] = (uint16_t)any();
		if (below(4) == 0)
			((volatile uint16_t *)ring->used)[below(2)] = (uint16_t)any();
		break;
	default:
		return offer(ring, (uint16_t)(1 + below(8)));
	}
	return true;
}
