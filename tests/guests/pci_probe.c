/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A microguest that uses the machine's device model as a driver would: finds virtio-rng by ECAM, starts it and reads
 * random bytes through its queue, by polling. Says what it did on COM1; ends with 0, or with the number of the check
 * that failed. Run by tests/e2e/test_microguest.sh.
 */
#include "guest.h"

#define VIRTIO_RNG 4
#define POLLS_MAX  200000000
#define QUEUE_SIZE 8

static struct {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
} desc[QUEUE_SIZE] __attribute__((aligned(16)));

static struct {
	uint16_t flags, index, ring[QUEUE_SIZE];
} avail __attribute__((aligned(2)));

static struct {
	uint16_t flags, index;
	struct {
		uint32_t id, length;
	} ring[QUEUE_SIZE];
} used __attribute__((aligned(4)));

static uint8_t random_bytes[64];

void start(const struct microguest_params *params)
{
	struct virtio_device rng;
	uint64_t doorbell;
	int polls = 0, ones = 0;

	guest_init(params);
	guest_check(guest_read32(params->ecam_base + 8) >> 16 == 0x0600, 2,
		    "slot 0 is a host bridge");
	guest_check(virtio_find(VIRTIO_RNG, 0, &rng), 3, "virtio-rng and its structures are found");
	virtio_negotiate(&rng, 0);
	doorbell = virtio_queue(&rng, 0, QUEUE_SIZE, desc, &avail, &used);
	virtio_go(&rng);
	guest_check(true, 9, "it resets, takes features, has a queue and runs");

	desc[0].address = (uint64_t)random_bytes;
	desc[0].length = sizeof(random_bytes);
	desc[0].flags = 2; /* the device writes */
	avail.ring[0] = 0;
	__atomic_store_n(&avail.index, 1, __ATOMIC_RELEASE);
	guest_write16(doorbell, 0);
	while (__atomic_load_n((volatile uint16_t *)&used.index, __ATOMIC_ACQUIRE) == 0 &&
	       polls++ < POLLS_MAX)
		;
	guest_check(used.index == 1 && used.ring[0].length > 0, 10, "the queue is served");
	for (unsigned int i = 0; i < sizeof(random_bytes); i++)
		ones += random_bytes[i] != 0;
	guest_check(ones > 0, 11, "random bytes came");
	if (guest_arg("fault", 0)) /* show what becomes of a wild pointer */
		*(volatile int *)guest_arg("fault", 0) = 1;
	guest_say("PCI-PROBE-DONE\n");
	guest_end(0);
}
