/* SPDX-License-Identifier: BSD-3-Clause */
/* See guest.h. What the microguest's code expects around it, instead of a virtual machine: memory, and cards that take every answer. */
#include "floor/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "guests/traffic_card.h"

#define MEMORY_BYTES (32U << 20)
#define FRAME_MAX    2048
#define PAGE	     4096
#define RING_PACKED  (UINT64_C(1) << 34)

struct guest_ring guest_rings[GUEST_CARDS][2];

static struct card cards[GUEST_CARDS];
static struct traffic_nic shared[GUEST_CARDS];
static uint8_t *memory;
static size_t memory_used;
static uint16_t doorbell;

void guest_check(bool good, uint8_t number, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "floor: not so: %s (%u)\n", what, number);
	exit(1);
}

void *guest_alloc(size_t bytes)
{
	uint8_t *at = memory + memory_used;

	memory_used += (bytes + PAGE - 1) / PAGE * PAGE;
	guest_check(memory_used <= MEMORY_BYTES, 1, "the memory is large enough");
	return at;
}

bool virtio_find(unsigned int id, unsigned int nth, struct virtio_device *device)
{
	static uint8_t macs[GUEST_CARDS][8] = {{2, 0, 0, 0, 0, 0}, {2, 0, 0, 1, 0, 0}};

	(void)id;
	device->device_cfg = (uint64_t)macs[nth];
	device->notify_multiplier = nth;
	return true;
}

uint64_t virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
	(void)device;
	return wanted & ~RING_PACKED;
}

uint64_t virtio_queue(struct virtio_device *device, uint16_t index, uint16_t size, const void *desc,
		      const void *driver, const void *used)
{
	(void)size;
	guest_rings[device->notify_multiplier][index] = (struct guest_ring){
		(void *)(uintptr_t)desc, (void *)(uintptr_t)driver, (void *)(uintptr_t)used};
	return (uint64_t)&doorbell;
}

void virtio_go(struct virtio_device *device)
{
	(void)device;
}

uint8_t *guest_start(uint32_t size, size_t *bytes)
{
	*bytes = MEMORY_BYTES;
	memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	guest_check(memory != MAP_FAILED, 2, "there is memory");
	for (unsigned int i = 0; i < GUEST_CARDS; i++) {
		struct card *card = &cards[i];

		nic_open(&card->nic, i, GUEST_RING, FRAME_MAX);
		card->shared = &shared[i];
		memcpy(&card->mac, card->nic.mac, 6);
		card->orders = (struct traffic_orders){.role = TRAFFIC_GENERATE | TRAFFIC_SINK,
						       .size = size,
						       .flows = 1,
						       .stream = i,
						       .burst = GUEST_BURST};
		memcpy(card->orders.src, card->nic.mac, 6);
		memcpy(card->orders.dst, card->nic.mac, 6);
		card->orders.dst[3] = (uint8_t)!i;
		card->mark = STAMP_MARK;
		card->unprepared = GUEST_RING;
	}
	return memory;
}

void guest_work(void)
{
	for (int i = 0; i < GUEST_CARDS; i++) {
		traffic_receive(&cards[i]);
		traffic_send(&cards[i]);
	}
}
