/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A microguest that misuses its network card: descriptors of any address, length and flags, chains that loop, indirect
 * tables that point to themselves, indices that jump, headers rewritten while the switch reads them, resets in between.
 * Packed rings (hostile_packed.c) if the card has them, else split ones (here).
 * The switch may stop the port or drop frames; this guest then resets the card and goes on.
 *
 * --append seed=N rounds=N (100) steps=N (2000, to a round) flip=1 (only rewrite the addresses of otherwise good frames:
 * from the switch's two other stations 02:a1:b2:c3:d4:01 and :02, each in turn)
 */
#include "hostile.h"

#define FRAME_BYTES 60
#define LOOKS_MAX   300000 /* at a ring that does not move */

/* To a station whose address no random byte turns into ours, which would be learned from us: a move, and quite in order. */
static const uint8_t stations[12] = {0x02, 0xa1, 0xb2, 0xc3, 0xd4, 0, 0x02, 0, 0, 0, 0, 9};

struct nic nic;
struct nic_desc *table;
uint8_t *chaff;

static uint64_t state;

uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

uint32_t below(uint32_t n)
{
	return (uint32_t)((any() >> 32) * n >> 32);
}

/* Often nearly right: what is plainly wrong is found by the first check, and goes no deeper. */
uint64_t any_address(void)
{
	switch (below(6)) {
	case 0:
		return any();
	case 1:
		return UINT64_MAX - below(5000);
	case 2:
		return (uint64_t)nic.tx.desc; /* the ring itself */
	case 3:
		return (uint64_t)nic.rx.used;
	default: /* never where a frame's destination would be its source: addresses of stations are not to be learned from us */
		return (uint64_t)nic.tx.buffers + (below(RING * nic.tx.buffer_bytes) & ~3U);
	}
}

uint32_t any_length(void)
{
	switch (below(6)) {
	case 0:
		return (uint32_t)any();
	case 1:
		return 0;
	case 2:
		return below(16);
	case 3:
		return 65536 + below(10000);
	default:
		return NIC_VNET + below(1600);
	}
}

static void desc_spoil(struct nic_desc *desc, uint16_t n)
{
	desc->address = any_address();
	desc->length = any_length();
	desc->flags = below(3) ? (uint16_t)below(8) : (uint16_t)any();
	desc->next = below(4) ? (uint16_t)below(n) : (uint16_t)any();
	if (desc->flags & F_INDIRECT && below(2)) {
		desc->address = (uint64_t)table;
		desc->length = TABLE * sizeof(*table);
	}
}

uint32_t frame_put(uint16_t at, uint8_t station)
{
	uint8_t *frame = nic.tx.buffers + (size_t)at * nic.tx.buffer_bytes + NIC_VNET;

	for (unsigned int i = 0; i < FRAME_BYTES; i++)
		frame[i] = (uint8_t)(i * 7);
	memcpy(frame, stations, sizeof(stations));
	if (station == STATION_OURS)
		memcpy(frame, frame + 6, 6);
	else
		frame[5] = station;
	frame[12] = 0x88;
	frame[13] = 0xb5; /* IEEE 802, for experiments */
	return NIC_VNET + FRAME_BYTES;
}

static void frame_write(uint16_t at, uint8_t station)
{
	uint32_t bytes = frame_put(at, station);

	nic.tx.desc[at] = (struct nic_desc){
		(uint64_t)nic.tx.buffers + (uint64_t)at * nic.tx.buffer_bytes, bytes, 0, 0};
}

static void publish(struct nic_ring *ring, uint16_t by)
{
	ring->next = (uint16_t)(ring->next + by);
	__atomic_store_n(&ring->avail[1], ring->next, __ATOMIC_RELEASE);
	guest_write16(ring->doorbell, ring->index);
}

static void start_over(void)
{
	nic_start(&nic);
	for (uint16_t i = 0; i < RING && !nic.tx.packed; i++)
		frame_write(i, (uint8_t)(1 + i % 2));
}

static void step(void)
{
	struct nic_ring *ring = below(4) ? &nic.tx : &nic.rx;
	uint16_t at = (uint16_t)below(RING);

	switch (below(8)) {
	case 0:
		desc_spoil(&ring->desc[at], RING);
		break;
	case 1:
		for (uint16_t i = 0; i < TABLE; i++)
			desc_spoil(&table[i], TABLE);
		break;
	case 2: /* a ring of descriptors */
		for (uint16_t i = 0; i < RING; i++) {
			ring->desc[i].flags |= F_NEXT;
			ring->desc[i].next = (uint16_t)(i + 1) % RING;
		}
		break;
	case 3:
		ring->avail[2 + at] = (uint16_t)any();
		break;
	case 4: /* the header, while it may be read */
		nic.tx.buffers[at * nic.tx.buffer_bytes + below(64)] = (uint8_t)any();
		break;
	case 5:
		if (below(50) == 0)
			publish(ring, (uint16_t)any());
		break;
	case 6:
		frame_write(at, (uint8_t)below(4));
		break;
	default:
		publish(ring, (uint16_t)(1 + below(8)));
	}
}

/* A good frame whose destination keeps changing between two stations, until the switch has taken it. */
static void flip(void)
{
	uint16_t at = nic.tx.next & (RING - 1);
	volatile uint8_t *last = nic.tx.buffers + (size_t)at * nic.tx.buffer_bytes + NIC_VNET + 5;
	uint32_t looks = 0, bytes = frame_put(at, 1);

	nic_tx_length(&nic, 0, bytes - NIC_VNET);
	nic_tx_send(&nic, 1);
	guest_write16(nic.tx.doorbell, nic.tx.index);
	while (nic_tx_room(&nic, RING) < RING) {
		*last = 1;
		*last = 2;
		if (looks++ > LOOKS_MAX)
			guest_wait(1); /* it may not have connected yet */
	}
}

void start(const struct microguest_params *params)
{
	uint64_t rounds, steps, n_steps = 0;
	bool flips;

	guest_init(params);
	state = guest_arg("seed", 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	rounds = guest_arg("rounds", 100);
	steps = guest_arg("steps", 2000);
	flips = guest_arg("flip", 0);
	guest_check(nic_open(&nic, 0, RING, 2048), 20, "there is a network card");
	table = guest_alloc(TABLE * sizeof(*table));
	chaff = guest_alloc(CHAFF);
	memset(chaff + NIC_VNET, 2, CHAFF - NIC_VNET);
	guest_say(nic.tx.packed ? "packed rings\n" : "split rings\n");
	guest_wait(255);
	for (uint64_t round = 0; round < rounds; round++) {
		bool moves = true;

		start_over();
		for (uint64_t i = 0; i < steps && moves; i++, n_steps++) {
			if (flips)
				flip();
			else if (nic.tx.packed)
				moves = hostile_packed_step();
			else
				step();
		}
	}
	virtio_reset(&nic.device);
	guest_say_number("steps: ", n_steps);
	guest_say("HOSTILE-DONE\n");
	guest_end(0);
}
