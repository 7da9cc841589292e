/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI bus: which function an access is for.
 *
 * Theory of operation
 *
 * Every access of the guest takes the bus lock, finds its function, does its work there, and before the
 * lock is dropped brings KVM's interrupt routes in line with all MSI-X tables (pci_msix_sync()). A driver
 * that starts a card with many queues in one register write so costs one change of the routing table.
 *
 * BARs are placed by us in the 32-bit window, one behind the other, before the guest runs; the guest may
 * move them inside the windows that ACPI's _CRS names. A BAR that the guest puts elsewhere is not decoded.
 * A device that comes while the guest runs has its BAR at 0, as after a reset: where there is room, the guest knows.
 *
 * The main thread plugs and pulls under the bus lock, so an access finds a device whole or not at all.
 *
 * Invariant: dev->bar_gpa is where BAR0 is decoded now, and the device was told of it by bar_moved().
 */
#include "pci/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BAR_ALIGN_MIN 0x1000

static _Thread_local const struct pci_bus *bus_held;

static void bus_lock(struct pci_bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	bus_held = bus;
}

static void bus_unlock(struct pci_bus *bus)
{
	pthread_mutex_lock(&bus->msix_lock);
	if (bus->msix_dirty)
		pci_msix_sync(bus);
	pthread_mutex_unlock(&bus->msix_lock);
	bus_held = NULL;
	pthread_mutex_unlock(&bus->lock);
}

bool pci_bus_is_mine(const struct pci_bus *bus)
{
	return bus_held == bus;
}

struct vm *pci_vm(const struct pci_dev *dev)
{
	return dev->bus->vm;
}

static void bus_place(struct pci_bus *bus, struct pci_dev *dev, uint8_t devfn)
{
	dev->bus = bus;
	dev->devfn = devfn;
	bus->devs[devfn] = dev;
	bus->devfns[bus->n_devs++] = devfn;
	if (devfn & 7)
		bus->devs[devfn & ~7]->cfg[0x0e] |= 0x80; /* multi-function */
}

struct pci_bus *pci_bus_new(struct vm *vm, struct irq_routes *irq, uint64_t mmio64_base)
{
	/* QEMU's generic host bridge by number: Linux needs its class only. */
	static const struct pci_ids bridge_ids = {
		.vendor = 0x1b36, .device = 0x0008, .class = 0x06, .subclass = 0x00};
	static const struct pci_dev_ops bridge_ops = {0};
	struct pci_bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return NULL;
	bus->vm = vm;
	bus->irq = irq;
	bus->mmio64_base = mmio64_base;
	bus->next_bar_gpa = PCI_MMIO32_BASE;
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->msix_lock, NULL);
	pci_dev_init(&bus->bridge, &bridge_ops, &bridge_ids, 0);
	bus_place(bus, &bus->bridge, 0);
	return bus;
}

void pci_bus_run(struct pci_bus *bus)
{
	bus_lock(bus);
	bus->running = true;
	bus_unlock(bus);
}

void pci_bus_reset(struct pci_bus *bus)
{
	bus_lock(bus);
	for (uint16_t i = bus->n_devs; i > 0; i--) {
		struct pci_dev *dev = bus->devs[bus->devfns[i - 1]];

		if (dev->ops->reset)
			dev->ops->reset(dev);
	}
	bus_unlock(bus);
}

void pci_bus_free(struct pci_bus *bus)
{
	if (!bus)
		return;
	for (uint16_t i = bus->n_devs; i > 0; i--) {
		struct pci_dev *dev = bus->devs[bus->devfns[i - 1]];

		pci_msix_free(dev);
		if (dev->ops->free)
			dev->ops->free(dev);
	}
	pthread_mutex_destroy(&bus->lock);
	pthread_mutex_destroy(&bus->msix_lock);
	free(bus);
}

/* A slot of its own while there are any, then functions 1 to 7 of the slots from the last one down. */
static int bus_devfn_free(const struct pci_bus *bus)
{
	for (unsigned int slot = 1; slot < PCI_SLOTS; slot++)
		if (!bus->devs[slot << 3])
			return (int)(slot << 3);
	for (unsigned int slot = PCI_SLOTS - 1; slot > 0; slot--)
		for (unsigned int fn = 1; fn < 8; fn++)
			if (!bus->devs[slot << 3 | fn])
				return (int)(slot << 3 | fn);
	return -1;
}

/* Context: bus lock held. */
static int bus_add(struct pci_bus *bus, struct pci_dev *dev, int slot, struct err *err)
{
	uint64_t align = dev->bar_bytes < BAR_ALIGN_MIN ? BAR_ALIGN_MIN : dev->bar_bytes;
	uint64_t gpa = (bus->next_bar_gpa + align - 1) & ~(align - 1);
	bool placed = dev->bar_bytes && !bus->running;
	int devfn;

	if (slot == 0 || slot >= PCI_SLOTS || slot < -1)
		return err_set(err, EINVAL, "PCI slot %d is not between 1 and %d", slot,
			       PCI_SLOTS - 1);
	devfn = slot > 0 ? slot << 3 : bus_devfn_free(bus);
	if (devfn < 0)
		return err_set(err, ENOSPC, "no PCI slot is left for another device");
	if (bus->devs[devfn])
		return err_set(err, EEXIST, "PCI slot %d is taken", slot);
	if (placed && gpa + dev->bar_bytes > PCI_MMIO32_END)
		return err_set(err, ENOSPC, "no PCI address space is left for another device");
	bus_place(bus, dev, (uint8_t)devfn);
	if (placed) {
		bus->next_bar_gpa = gpa + dev->bar_bytes;
		pci_config_bar_set(dev, gpa);
	}
	return 0;
}

int pci_bus_add(struct pci_bus *bus, struct pci_dev *dev, int slot, struct err *err)
{
	int rc;

	bus_lock(bus);
	rc = bus_add(bus, dev, slot, err);
	bus_unlock(bus);
	return rc;
}

unsigned int pci_slot_devices(struct pci_bus *bus, unsigned int slot)
{
	unsigned int n = 0;

	bus_lock(bus);
	for (unsigned int fn = 0; slot < PCI_SLOTS && fn < 8; fn++)
		n += bus->devs[slot << 3 | fn] != NULL;
	bus_unlock(bus);
	return n;
}

static void bus_forget(struct pci_bus *bus, const struct pci_dev *dev)
{
	uint16_t at = 0;

	while (bus->devfns[at] != dev->devfn)
		at++;
	bus->n_devs--;
	memmove(bus->devfns + at, bus->devfns + at + 1, (size_t)bus->n_devs - at);
	bus->devs[dev->devfn] = NULL;
}

void pci_bus_remove(struct pci_dev *dev)
{
	struct pci_bus *bus = dev->bus;

	bus_lock(bus);
	bus_forget(bus, dev);
	if (dev->bar_gpa && dev->ops->bar_moved) {
		dev->bar_gpa = 0;
		dev->ops->bar_moved(dev, 0);
	}
	pthread_mutex_lock(&bus->msix_lock);
	pci_msix_free(dev);
	pthread_mutex_unlock(&bus->msix_lock);
	bus_unlock(bus);
	if (dev->ops->free)
		dev->ops->free(dev);
}

static uint32_t ones(unsigned int bytes)
{
	return bytes >= 4 ? UINT32_MAX : (1U << bytes * 8) - 1;
}

/* One config access of 1, 2 or 4 bytes; an absent function reads all ones. */
static void config_access(struct pci_bus *bus, uint8_t devfn, uint16_t offset, void *data,
			  unsigned int bytes, bool write)
{
	struct pci_dev *dev = bus->devs[devfn];
	uint32_t value = 0;

	if (write) {
		memcpy(&value, data, bytes);
		if (dev)
			pci_config_write(dev, offset, bytes, value);
		return;
	}
	value = dev ? pci_config_read(dev, offset, bytes) : ones(bytes);
	memcpy(data, &value, bytes);
}

static void ecam_access(struct pci_bus *bus, uint64_t offset, void *data, unsigned int bytes,
			bool write)
{
	uint8_t *at = data;

	/* Drivers use aligned accesses of at most 4 bytes; anything else is cut into such. */
	while (bytes) {
		unsigned int chunk = bytes >= 4 && offset % 4 == 0   ? 4
				     : bytes >= 2 && offset % 2 == 0 ? 2
								     : 1;

		config_access(bus, (uint8_t)(offset >> 12), (uint16_t)(offset & 0xfff), at, chunk,
			      write);
		at += chunk;
		offset += chunk;
		bytes -= chunk;
	}
}

static void bar_access(struct pci_dev *dev, uint64_t offset, void *data, unsigned int bytes,
		       bool write)
{
	bool msix = pci_msix_covers(dev, offset);
	uint64_t value = 0;

	if (write) {
		memcpy(&value, data, bytes);
		if (msix)
			pci_msix_bar_write(dev, offset, bytes, value);
		else
			dev->ops->bar_write(dev, offset, bytes, value);
		return;
	}
	value = msix ? pci_msix_bar_read(dev, offset, bytes)
		     : dev->ops->bar_read(dev, offset, bytes);
	memcpy(data, &value, bytes);
}

static struct pci_dev *bus_bar_find(const struct pci_bus *bus, uint64_t gpa, unsigned int bytes)
{
	for (uint16_t i = 0; i < bus->n_devs; i++) {
		struct pci_dev *dev = bus->devs[bus->devfns[i]];

		if (dev->bar_gpa && gpa >= dev->bar_gpa && gpa - dev->bar_gpa < dev->bar_bytes &&
		    bytes <= dev->bar_bytes - (gpa - dev->bar_gpa))
			return dev;
	}
	return NULL;
}

bool pci_bus_mmio(struct pci_bus *bus, uint64_t gpa, void *data, unsigned int bytes, bool write)
{
	struct pci_dev *dev;
	bool found = true;

	if (bytes == 0 || bytes > 8)
		return false;
	bus_lock(bus);
	if (gpa >= PCI_ECAM_BASE && gpa - PCI_ECAM_BASE <= PCI_ECAM_BYTES - bytes) {
		ecam_access(bus, gpa - PCI_ECAM_BASE, data, bytes, write);
	} else {
		dev = bytes & (bytes - 1) ? NULL : bus_bar_find(bus, gpa, bytes);
		if (dev)
			bar_access(dev, gpa - dev->bar_gpa, data, bytes, write);
		else
			found = false;
	}
	bus_unlock(bus);
	return found;
}

bool pci_bus_pio(struct pci_bus *bus, uint16_t port, void *data, unsigned int bytes, bool write)
{
	uint16_t offset;
	bool found = true;

	if (bytes == 0 || bytes > 4 || port < 0xcf8 || port + bytes > 0xd00)
		return false;
	bus_lock(bus);
	if (port == 0xcf8 && bytes == 4) {
		if (write)
			memcpy(&bus->cf8, data, 4);
		else
			memcpy(data, &bus->cf8, 4);
	} else if (port < 0xcfc || !(bus->cf8 & 0x80000000)) {
		found = false;
	} else if (bus->cf8 & 0x00ff0000) { /* another bus: nobody is there */
		if (!write)
			memset(data, 0xff, bytes);
	} else {
		offset = (uint16_t)((bus->cf8 & 0xfc) + (port & 3));
		config_access(bus, (uint8_t)(bus->cf8 >> 8), offset, data, bytes, write);
	}
	bus_unlock(bus);
	return found;
}
