/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A microguest that uses the machine's device model as a driver would: finds virtio-rng by ECAM, starts it and reads
 * random bytes through its queue, by polling. Says what it did on COM1; ends with 0, or with the number of the check
 * that failed. Built and run by tests/e2e/test_microguest.sh.
 */
#include <stdint.h>

#include "x86/microguest_abi.h"

#define RNG_ID		0x10441af4 /* virtio 1.2 §4.1.2.1: 0x1040 + 4 */
#define POLLS_MAX	200000
#define QUEUE_SIZE	8
#define CAP_VENDOR	0x09
#define CFG_COMMON	1
#define CFG_NOTIFY	2
#define STATUS_OK	0x0f /* ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK */
#define STATUS_FEATURES 0x0b

struct common_cfg {
	uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
	uint16_t config_msix_vector, num_queues;
	uint8_t device_status, config_generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	uint64_t queue_desc, queue_driver, queue_device;
};

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

static void port_write(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void say(const char *text)
{
	while (*text)
		port_write(MICROGUEST_PORT_TEXT, (uint8_t)*text++);
}

static void __attribute__((noreturn)) end(uint8_t code)
{
	for (;;)
		port_write(MICROGUEST_PORT_EXIT, code);
}

static void check(int good, uint8_t number, const char *what)
{
	say(good ? "ok: " : "FAILED: ");
	say(what);
	say("\n");
	if (!good)
		end(number);
}

static uint32_t read32(uint64_t address)
{
	return *(volatile uint32_t *)address;
}

static uint8_t read8(uint64_t address)
{
	return *(volatile uint8_t *)address;
}

static uint64_t ecam(const struct microguest_params *params, unsigned int slot, unsigned int offset)
{
	return params->ecam_base + (slot << 15) + offset;
}

/* The address of one of the device's structures. */
static uint64_t structure_find(uint64_t cfg, uint64_t bar, uint8_t type, uint32_t *multiplier)
{
	for (uint8_t at = read8(cfg + 0x34); at; at = read8(cfg + at + 1)) {
		if (read8(cfg + at) != CAP_VENDOR || read8(cfg + at + 3) != type)
			continue;
		*multiplier = read32(cfg + at + 16);
		return bar + read32(cfg + at + 8);
	}
	return 0;
}

static void device_start(volatile struct common_cfg *common)
{
	int polls = 0;

	common->device_status = 0;
	while (common->device_status != 0 && polls++ < POLLS_MAX)
		;
	check(common->device_status == 0, 4, "the device resets");
	common->device_status = 3;
	common->device_feature_select = 1;
	check(common->device_feature & 1, 5, "it offers VIRTIO_F_VERSION_1");
	common->driver_feature_select = 0;
	common->driver_feature = 0;
	common->driver_feature_select = 1;
	common->driver_feature = 1;
	common->device_status = STATUS_FEATURES;
	check(common->device_status == STATUS_FEATURES, 6, "it takes the features");
	common->queue_select = 0;
	check(common->queue_size >= QUEUE_SIZE, 7, "it has a queue");
	common->queue_size = QUEUE_SIZE;
	common->queue_desc = (uint64_t)desc;
	common->queue_driver = (uint64_t)&avail;
	common->queue_device = (uint64_t)&used;
	common->queue_enable = 1;
	common->device_status = STATUS_OK;
	check(common->device_status == STATUS_OK, 8, "it runs");
}

void start(const struct microguest_params *params);

void start(const struct microguest_params *params)
{
	uint64_t cfg = 0, bar, common, notify;
	uint32_t multiplier = 0, unused;
	int polls = 0, ones = 0;

	check(params->magic == MICROGUEST_MAGIC && params->version == MICROGUEST_VERSION, 1,
	      "the parameters are there");
	check(read32(ecam(params, 0, 8)) >> 16 == 0x0600, 2, "slot 0 is a host bridge");
	for (unsigned int slot = 1; slot < 32 && !cfg; slot++)
		if (read32(ecam(params, slot, 0)) == RNG_ID)
			cfg = ecam(params, slot, 0);
	check(cfg != 0, 3, "virtio-rng is found");
	*(volatile uint16_t *)(cfg + 4) = 6; /* memory, bus master */
	bar = (read32(cfg + 0x10) & ~0xfU) | (uint64_t)read32(cfg + 0x14) << 32;
	common = structure_find(cfg, bar, CFG_COMMON, &unused);
	notify = structure_find(cfg, bar, CFG_NOTIFY, &multiplier);
	check(common && notify, 9, "its structures are found");
	device_start((volatile struct common_cfg *)common);

	desc[0].address = (uint64_t)random_bytes;
	desc[0].length = sizeof(random_bytes);
	desc[0].flags = 2; /* the device writes */
	avail.ring[0] = 0;
	__atomic_store_n(&avail.index, 1, __ATOMIC_RELEASE);
	*(volatile uint16_t *)(notify + ((volatile struct common_cfg *)common)->queue_notify_off *
						multiplier) = 0;
	while (__atomic_load_n((volatile uint16_t *)&used.index, __ATOMIC_ACQUIRE) == 0 &&
	       polls++ < POLLS_MAX * 1000)
		;
	check(used.index == 1 && used.ring[0].length > 0, 10, "the queue is served");
	for (unsigned int i = 0; i < sizeof(random_bytes); i++)
		ones += random_bytes[i] != 0;
	check(ones > 0, 11, "random bytes came");
	if (params->args[0] == 'f') /* "fault": show what becomes of a wild pointer */
		*(volatile int *)8 = 1;
	say("PCI-PROBE-DONE\n");
	end(0);
}
