/* SPDX-License-Identifier: BSD-3-Clause */
/* A PCI bus without a virtual machine, and a device that remembers what was done to it. */
#ifndef TEST_PCI_RIG_H
#define TEST_PCI_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "pci/bus.h"

#define RIG_BAR_BYTES  0x4000
#define RIG_TABLE_OFF  0x2000
#define RIG_PBA_OFF    0x3000
#define RIG_N_VECTORS  4
#define RIG_DEV_SLOT   5
#define RIG_MMIO64     UINT64_C(0x200000000)
#define RIG_CMD_MEMORY 0x2

struct rig {
	struct irq_routes irq;
	struct pci_bus *bus;
	struct pci_dev dev;
	uint64_t moved_to; /* last bar_moved() */
	unsigned int n_moves, n_writes;
	uint64_t last_offset, last_value;
	unsigned int last_bytes;
};

static struct rig *rig_of(struct pci_dev *dev)
{
	return (struct rig *)((char *)dev - offsetof(struct rig, dev));
}

static uint64_t rig_bar_read(struct pci_dev *dev, uint64_t offset, unsigned int bytes)
{
	(void)dev;
	return offset << 8 | bytes;
}

static void rig_bar_write(struct pci_dev *dev, uint64_t offset, unsigned int bytes, uint64_t value)
{
	struct rig *rig = rig_of(dev);

	rig->n_writes++;
	rig->last_offset = offset;
	rig->last_bytes = bytes;
	rig->last_value = value;
}

static void rig_bar_moved(struct pci_dev *dev, uint64_t gpa)
{
	rig_of(dev)->n_moves++;
	rig_of(dev)->moved_to = gpa;
}

static const struct pci_dev_ops rig_ops = {
	.bar_read = rig_bar_read,
	.bar_write = rig_bar_write,
	.bar_moved = rig_bar_moved,
};

static const struct pci_ids rig_ids = {.vendor = 0x1af4, .device = 0x1041, .class = 2};

static void rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	irq_routes_init(&rig->irq, -1);
	rig->bus = pci_bus_new(NULL, &rig->irq, RIG_MMIO64);
	assert_non_null(rig->bus);
	pci_dev_init(&rig->dev, &rig_ops, &rig_ids, RIG_BAR_BYTES);
	pci_add_msix(&rig->dev, RIG_N_VECTORS, RIG_TABLE_OFF, RIG_PBA_OFF);
	assert_int_equal(pci_bus_add(rig->bus, &rig->dev, RIG_DEV_SLOT, NULL), 0);
}

static void rig_close(struct rig *rig)
{
	pci_bus_free(rig->bus);
}

static inline uint64_t rig_ecam(unsigned int slot, unsigned int offset)
{
	return PCI_ECAM_BASE + (slot << 15) + offset;
}

static inline uint32_t rig_cfg_read(struct rig *rig, unsigned int offset, unsigned int bytes)
{
	uint32_t value = 0;

	assert_true(pci_bus_mmio(rig->bus, rig_ecam(RIG_DEV_SLOT, offset), &value, bytes, false));
	return value;
}

static inline void rig_cfg_write(struct rig *rig, unsigned int offset, unsigned int bytes,
				 uint32_t value)
{
	assert_true(pci_bus_mmio(rig->bus, rig_ecam(RIG_DEV_SLOT, offset), &value, bytes, true));
}

/* Memory decoding on. Return: where BAR0 is. */
static inline uint64_t rig_bar_enable(struct rig *rig)
{
	rig_cfg_write(rig, 4, 2, RIG_CMD_MEMORY);
	return rig->dev.bar_gpa;
}

static inline void rig_bar_put(struct rig *rig, uint64_t offset, unsigned int bytes, uint64_t value)
{
	assert_true(pci_bus_mmio(rig->bus, rig->dev.bar_gpa + offset, &value, bytes, true));
}

static inline uint64_t rig_bar_get(struct rig *rig, uint64_t offset, unsigned int bytes)
{
	uint64_t value = 0;

	assert_true(pci_bus_mmio(rig->bus, rig->dev.bar_gpa + offset, &value, bytes, false));
	return value;
}

#endif
