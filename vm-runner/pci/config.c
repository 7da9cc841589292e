/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One function's config space: PCI Local Bus 3.0 §6. A byte array, and a second one that says which bits the
 * guest may change; the few registers whose writing does something are looked at afterwards.
 */
#include "pci/bus.h"

#include <string.h>

#define CFG_COMMAND	   0x04
#define CFG_STATUS	   0x06
#define CFG_BAR0	   0x10
#define CFG_CAP_POINTER	   0x34
#define CFG_CAPS	   0x40
#define COMMAND_MEMORY	   0x0002
#define COMMAND_BUS_MASTER 0x0004
#define COMMAND_NO_INTX	   0x0400
#define STATUS_CAPS	   0x0010
#define BAR_TYPE_64	   0x4

static uint32_t load(const uint8_t *at, unsigned int bytes)
{
	uint32_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static void store(uint8_t *at, uint32_t value, unsigned int bytes)
{
	memcpy(at, &value, bytes);
}

void pci_dev_init(struct pci_dev *dev, const struct pci_dev_ops *ops, const struct pci_ids *ids,
		  uint64_t bar_bytes)
{
	uint64_t address_bits = ~(bar_bytes - 1);

	memset(dev, 0, sizeof(*dev));
	dev->ops = ops;
	dev->next_cap = CFG_CAPS;
	store(dev->cfg + 0x00, ids->vendor, 2);
	store(dev->cfg + 0x02, ids->device, 2);
	dev->cfg[0x08] = ids->revision;
	dev->cfg[0x09] = ids->prog_if;
	dev->cfg[0x0a] = ids->subclass;
	dev->cfg[0x0b] = ids->class;
	store(dev->cfg + 0x2c, ids->subsystem_vendor, 2);
	store(dev->cfg + 0x2e, ids->subsystem, 2);
	store(dev->wmask + CFG_COMMAND, COMMAND_BUS_MASTER | COMMAND_NO_INTX, 2);
	dev->wmask[0x0c] = 0xff; /* cache line size and interrupt line are plain storage */
	dev->wmask[0x3c] = 0xff;
	dev->bar_bytes = bar_bytes;
	if (!bar_bytes)
		return;
	dev->cfg[CFG_BAR0] = BAR_TYPE_64;
	store(dev->wmask + CFG_BAR0, (uint32_t)address_bits & ~0xfU, 4);
	store(dev->wmask + CFG_BAR0 + 4, (uint32_t)(address_bits >> 32), 4);
	dev->wmask[CFG_COMMAND] |= COMMAND_MEMORY;
}

uint16_t pci_add_cap(struct pci_dev *dev, uint8_t id, const void *body, uint8_t body_bytes)
{
	uint16_t at = dev->next_cap;
	unsigned int end = (at + 2U + body_bytes + 3U) & ~3U;

	if (end > PCI_CFG_BYTES)
		return 0;
	dev->cfg[at] = id;
	dev->cfg[at + 1] = dev->cfg[CFG_CAP_POINTER];
	memcpy(dev->cfg + at + 2, body, body_bytes);
	dev->cfg[CFG_CAP_POINTER] = (uint8_t)at;
	dev->cfg[CFG_STATUS] |= STATUS_CAPS;
	dev->next_cap = (uint16_t)end;
	return at;
}

void pci_config_bar_set(struct pci_dev *dev, uint64_t gpa)
{
	store(dev->cfg + CFG_BAR0, (uint32_t)gpa | BAR_TYPE_64, 4);
	store(dev->cfg + CFG_BAR0 + 4, (uint32_t)(gpa >> 32), 4);
}

static bool window_holds(uint64_t base, uint64_t end, uint64_t gpa, uint64_t bytes)
{
	return gpa >= base && gpa < end && bytes <= end - gpa;
}

/* Where BAR0 is to be decoded as the registers stand, 0 for nowhere. */
static uint64_t bar_wanted(const struct pci_dev *dev)
{
	const struct pci_bus *bus = dev->bus;
	uint64_t gpa = load(dev->cfg + CFG_BAR0, 4) & ~0xfU;

	gpa |= (uint64_t)load(dev->cfg + CFG_BAR0 + 4, 4) << 32;
	if (!dev->bar_bytes || !(dev->cfg[CFG_COMMAND] & COMMAND_MEMORY))
		return 0;
	if (window_holds(PCI_MMIO32_BASE, PCI_MMIO32_END, gpa, dev->bar_bytes) ||
	    window_holds(bus->mmio64_base, bus->mmio64_base + PCI_MMIO64_BYTES, gpa,
			 dev->bar_bytes))
		return gpa;
	return 0;
}

static void bar_update(struct pci_dev *dev)
{
	uint64_t gpa = bar_wanted(dev);

	if (gpa == dev->bar_gpa)
		return;
	if (dev->bar_gpa && gpa && dev->ops->bar_moved) {
		dev->bar_gpa = 0;
		dev->ops->bar_moved(dev, 0);
	}
	dev->bar_gpa = gpa;
	if (dev->ops->bar_moved)
		dev->ops->bar_moved(dev, gpa);
}

static bool overlaps(uint16_t offset, unsigned int bytes, uint16_t start, uint16_t n)
{
	return offset < start + n && start < offset + bytes;
}

uint32_t pci_config_read(struct pci_dev *dev, uint16_t offset, unsigned int bytes)
{
	if (offset + bytes > PCI_CFG_BYTES)
		return 0; /* no extended capabilities: PCIe 4.0 §7.9.1 */
	if (offset + bytes > CFG_CAPS && dev->ops->cfg_reading)
		dev->ops->cfg_reading(dev, offset, bytes);
	return load(dev->cfg + offset, bytes);
}

void pci_config_write(struct pci_dev *dev, uint16_t offset, unsigned int bytes, uint32_t value)
{
	if (offset + bytes > PCI_CFG_BYTES)
		return;
	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t mask = dev->wmask[offset + i];
		uint8_t byte = (uint8_t)(value >> i * 8);

		dev->cfg[offset + i] = (uint8_t)((dev->cfg[offset + i] & ~mask) | (byte & mask));
	}
	if (overlaps(offset, bytes, CFG_COMMAND, 2) || overlaps(offset, bytes, CFG_BAR0, 8))
		bar_update(dev);
	if (dev->msix_cap && overlaps(offset, bytes, dev->msix_cap + 2, 2))
		pci_msix_control_written(dev);
	if (offset + bytes > CFG_CAPS && dev->ops->cfg_written)
		dev->ops->cfg_written(dev, offset, bytes);
}
