/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio driver for tests: works a device of a VM without KVM through the same register accesses and
 * rings a guest would use. Each test program includes it once; addresses below RINGS_GPA are the test's.
 */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "pci/bus.h"
#include "virtio/virtio.h"
#include "vm.h"

#define MEMORY_BYTES  (4U << 20)
#define RINGS_GPA     0x200000U
#define QUEUE_GPA(q)  (RINGS_GPA + (uint64_t)(q)*0x8000)
#define AVAIL_OFF     0x4000
#define USED_OFF      0x5000
#define BUFFERS_GPA   0x100000U
#define WAIT_LIMIT_NS (10 * CLOCK_NS_PER_SECOND)

/* common configuration, virtio 1.2 §4.1.4.3 */
#define R_DEVICE_FEATURE_SELECT 0x00
#define R_DEVICE_FEATURE	0x04
#define R_DRIVER_FEATURE_SELECT 0x08
#define R_DRIVER_FEATURE	0x0c
#define R_CONFIG_VECTOR		0x10
#define R_NUM_QUEUES		0x12
#define R_STATUS		0x14
#define R_GENERATION		0x15
#define R_QUEUE_SELECT		0x16
#define R_QUEUE_SIZE		0x18
#define R_QUEUE_VECTOR		0x1a
#define R_QUEUE_ENABLE		0x1c
#define R_QUEUE_NOTIFY_OFF	0x1e
#define R_QUEUE_DESC		0x20
#define R_QUEUE_DRIVER		0x28
#define R_QUEUE_DEVICE		0x30
#define R_ISR			0x1000
#define R_DEVICE		0x2000
#define R_NOTIFY		0x3000

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

struct driver {
	struct vm *vm;
	uint64_t cfg; /* ECAM address of the function */
	uint64_t bar;
	uint16_t size[VIRTIO_QUEUES_MAX];
	uint16_t avail[VIRTIO_QUEUES_MAX];
	uint16_t next_desc[VIRTIO_QUEUES_MAX];
	uint16_t used_seen[VIRTIO_QUEUES_MAX];
};

struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static inline uint64_t mmio_read(struct driver *driver, uint64_t gpa, unsigned int bytes)
{
	uint64_t value = 0;

	assert_true(pci_bus_mmio(vm_pci(driver->vm), gpa, &value, bytes, false));
	return value;
}

static inline void mmio_write(struct driver *driver, uint64_t gpa, unsigned int bytes,
			      uint64_t value)
{
	assert_true(pci_bus_mmio(vm_pci(driver->vm), gpa, &value, bytes, true));
}

static inline uint64_t reg_read(struct driver *driver, uint32_t offset, unsigned int bytes)
{
	return mmio_read(driver, driver->bar + offset, bytes);
}

static inline void reg_write(struct driver *driver, uint32_t offset, unsigned int bytes,
			     uint64_t value)
{
	mmio_write(driver, driver->bar + offset, bytes, value);
}

/* Find the function in slot 1 and switch its BAR on. */
static inline void driver_open(struct driver *driver, struct vm *vm)
{
	memset(driver, 0, sizeof(*driver));
	driver->vm = vm;
	driver->cfg = PCI_ECAM_BASE + (1U << 15);
	mmio_write(driver, driver->cfg + 4, 2, 0x0006);
	driver->bar = mmio_read(driver, driver->cfg + 0x10, 4) & ~0xfU;
	driver->bar |= mmio_read(driver, driver->cfg + 0x14, 4) << 32;
}

static inline void loop_once(struct driver *driver)
{
	event_base_loop(vm_events(driver->vm), EVLOOP_NONBLOCK);
}

/* Run the event loop until @condition, which has to become true. */
#define wait_until(driver, condition)                                                              \
	do {                                                                                       \
		uint64_t wait_end = clock_now_ns() + WAIT_LIMIT_NS;                                \
		while (!(condition)) {                                                             \
			if (clock_now_ns() > wait_end)                                             \
				fail_msg("never: %s", #condition);                                 \
			loop_once(driver);                                                         \
			usleep(100);                                                               \
		}                                                                                  \
	} while (0)

static inline void driver_reset(struct driver *driver)
{
	reg_write(driver, R_STATUS, 1, 0);
	wait_until(driver, reg_read(driver, R_STATUS, 1) == 0);
	memset(driver->avail, 0, sizeof(driver->avail));
	memset(driver->next_desc, 0, sizeof(driver->next_desc));
	memset(driver->used_seen, 0, sizeof(driver->used_seen));
}

static inline uint64_t driver_offered(struct driver *driver)
{
	uint64_t features;

	reg_write(driver, R_DEVICE_FEATURE_SELECT, 4, 0);
	features = reg_read(driver, R_DEVICE_FEATURE, 4);
	reg_write(driver, R_DEVICE_FEATURE_SELECT, 4, 1);
	return features | reg_read(driver, R_DEVICE_FEATURE, 4) << 32;
}

/* Reset, ACKNOWLEDGE, DRIVER and FEATURES_OK. Return: whether the device agreed. */
static inline bool driver_negotiate(struct driver *driver, uint64_t features)
{
	features |= VIRTIO_BIT(VIRTIO_VERSION_1);
	driver_reset(driver);
	reg_write(driver, R_STATUS, 1, 1);
	reg_write(driver, R_STATUS, 1, 3);
	reg_write(driver, R_DRIVER_FEATURE_SELECT, 4, 0);
	reg_write(driver, R_DRIVER_FEATURE, 4, (uint32_t)features);
	reg_write(driver, R_DRIVER_FEATURE_SELECT, 4, 1);
	reg_write(driver, R_DRIVER_FEATURE, 4, features >> 32);
	reg_write(driver, R_STATUS, 1, 11);
	return reg_read(driver, R_STATUS, 1) & 8;
}

static inline void driver_queue(struct driver *driver, uint16_t q, uint16_t size)
{
	reg_write(driver, R_QUEUE_SELECT, 2, q);
	reg_write(driver, R_QUEUE_SIZE, 2, size);
	driver->size[q] = (uint16_t)reg_read(driver, R_QUEUE_SIZE, 2);
	memset(mem_at(vm_mem(driver->vm), QUEUE_GPA(q), 0x8000), 0, 0x8000);
	reg_write(driver, R_QUEUE_DESC, 4, QUEUE_GPA(q));
	reg_write(driver, R_QUEUE_DESC + 4, 4, 0);
	reg_write(driver, R_QUEUE_DRIVER, 8, QUEUE_GPA(q) + AVAIL_OFF);
	reg_write(driver, R_QUEUE_DEVICE, 8, QUEUE_GPA(q) + USED_OFF);
	reg_write(driver, R_QUEUE_ENABLE, 2, 1);
}

static inline void driver_ok(struct driver *driver)
{
	reg_write(driver, R_STATUS, 1, 15);
}

static inline void *guest(struct driver *driver, uint64_t gpa)
{
	void *host = mem_at(vm_mem(driver->vm), gpa, 1);

	assert_non_null(host);
	return host;
}

static inline struct ring_desc *ring_desc(struct driver *driver, uint16_t q, uint16_t index)
{
	return (struct ring_desc *)guest(driver, QUEUE_GPA(q)) + index;
}

static inline uint16_t *ring_avail(struct driver *driver, uint16_t q)
{
	return guest(driver, QUEUE_GPA(q) + AVAIL_OFF);
}

static inline uint16_t *ring_used(struct driver *driver, uint16_t q)
{
	return guest(driver, QUEUE_GPA(q) + USED_OFF);
}

/* Put a head into the available ring. */
static inline void ring_offer(struct driver *driver, uint16_t q, uint16_t head)
{
	uint16_t *avail = ring_avail(driver, q);

	avail[2 + driver->avail[q]++ % driver->size[q]] = head;
	__atomic_store_n(&avail[1], driver->avail[q], __ATOMIC_RELEASE);
}

/* Offer a chain of @n parts; parts with DESC_WRITE are the device's to fill. Return: its head. */
static inline uint16_t ring_add(struct driver *driver, uint16_t q, const struct ring_desc *parts,
				unsigned int n)
{
	uint16_t head = driver->next_desc[q];

	for (unsigned int i = 0; i < n; i++) {
		uint16_t index = (uint16_t)((head + i) % driver->size[q]);
		struct ring_desc *desc = ring_desc(driver, q, index);

		*desc = parts[i];
		if (i + 1 < n) {
			desc->flags |= DESC_NEXT;
			desc->next = (uint16_t)((index + 1) % driver->size[q]);
		}
	}
	driver->next_desc[q] = (uint16_t)((head + n) % driver->size[q]);
	ring_offer(driver, q, head);
	return head;
}

static inline void ring_kick(struct driver *driver, uint16_t q)
{
	reg_write(driver, R_NOTIFY + q * 4U, 2, q);
}

static inline uint16_t ring_used_index(struct driver *driver, uint16_t q)
{
	return __atomic_load_n(&ring_used(driver, q)[1], __ATOMIC_ACQUIRE);
}

/* Wait for the next used element. Return: its length; *@head names the chain. */
static inline uint32_t ring_wait(struct driver *driver, uint16_t q, uint32_t *head)
{
	uint32_t element[2];

	wait_until(driver, ring_used_index(driver, q) != driver->used_seen[q]);
	memcpy(element,
	       (uint8_t *)ring_used(driver, q) + 4 + driver->used_seen[q]++ % driver->size[q] * 8,
	       sizeof(element));
	if (head)
		*head = element[0];
	return element[1];
}

#endif
