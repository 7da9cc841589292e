/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every microguest needs: text, an end, its arguments, memory that is never given back, PCI by ECAM.
 * Freestanding: there is no libc. One thread, no interrupts.
 */
#ifndef GUESTS_GUEST_H
#define GUESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x86/microguest_abi.h"

/** start() - Where vm-runner enters the program; each microguest has its own, and calls guest_init() first */
void start(const struct microguest_params *params);

/** guest_init() - Remember @params; ends the guest with 1 when they are not those of a VMM we know */
void guest_init(const struct microguest_params *params);

/** guest_say() - Text to COM1 (--serial) */
void guest_say(const char *text);

/** guest_say_number() - @text, then @number in decimal and a newline */
void guest_say_number(const char *text, uint64_t number);

/** guest_end() - End the VM: status 0 for 0, 5 for all else */
void __attribute__((noreturn)) guest_end(uint8_t code);

/** guest_check() - Say what was checked, and end with @number if it does not hold */
void guest_check(bool good, uint8_t number, const char *what);

/** guest_arg() - The number after "@name=" in --append, decimal; @otherwise when it is not there */
uint64_t guest_arg(const char *name, uint64_t otherwise);

/** guest_alloc() - Cleared memory, aligned to 4096; ends the guest when there is no more */
void *guest_alloc(size_t bytes);

/** guest_wait() - Leave the CPU to others for @n tenths of a millisecond, at most 255 */
void guest_wait(uint8_t n);

/* Implemented without libc; the compiler makes calls of them, too. */
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

/* Registers of devices are read and written whole. */
static inline uint32_t guest_read32(uint64_t address)
{
	return *(volatile uint32_t *)address;
}

static inline uint16_t guest_read16(uint64_t address)
{
	return *(volatile uint16_t *)address;
}

static inline uint8_t guest_read8(uint64_t address)
{
	return *(volatile uint8_t *)address;
}

static inline void guest_write16(uint64_t address, uint16_t value)
{
	*(volatile uint16_t *)address = value;
}

static inline uint64_t guest_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* virtio 1.2 §4.1.4.3 */
struct virtio_common_cfg {
	uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
	uint16_t config_msix_vector, num_queues;
	uint8_t device_status, config_generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	uint64_t queue_desc, queue_driver, queue_device;
};

struct virtio_device {
	volatile struct virtio_common_cfg *common;
	uint64_t device_cfg, notify;
	uint32_t notify_multiplier;
};

/**
 * virtio_find() - The @nth virtio device (from 0) with virtio @id, its structures found and its BAR switched on
 * Return: false when there is none.
 */
bool virtio_find(unsigned int id, unsigned int nth, struct virtio_device *device);

/**
 * virtio_negotiate() - Reset the device and agree on what of @wanted it offers (virtio 1.2 §3.1.1)
 *
 * Ends the guest when the device does not offer VIRTIO_F_VERSION_1, or does not take the answer.
 * Return: the features agreed upon. Queues come next, then virtio_go().
 */
uint64_t virtio_negotiate(struct virtio_device *device, uint64_t wanted);

/** virtio_reset() - Reset and wait until the device has done so */
void virtio_reset(struct virtio_device *device);

/** virtio_queue() - Tell the device where queue @index of @size is. Return: the address of its doorbell */
uint64_t virtio_queue(struct virtio_device *device, uint16_t index, uint16_t size, const void *desc,
		      const void *driver, const void *used);

/** virtio_go() - DRIVER_OK */
void virtio_go(struct virtio_device *device);

#endif
