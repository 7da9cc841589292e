/* links: vm base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that writes anything it likes into config space, BARs and the config ports of a bus with a virtio
 * device and a plain one on it, while the host raises interrupts.
 *
 * Input: records of 12 bytes: what, size, where (4), value (4), two of flavour. Addresses are mostly bent towards
 * things that exist, or a random walk would never find a BAR that moves.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/quiet.h"
#include "pci/bus.h"
#include "virtio/rng.h"
#include "virtio/virtio.h"
#include "vm.h"

#define RECORD_BYTES 12
#define RECORDS_MAX  512
#define BAR_BYTES    0x4000

enum what { WHAT_ECAM, WHAT_BAR, WHAT_PORT, WHAT_RAW, WHAT_NOTIFY, WHAT_IRQFD, N_WHATS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t bar_read(struct pci_dev *dev, uint64_t offset, unsigned int bytes)
{
	if (offset + bytes > dev->bar_bytes || (bytes & (bytes - 1)) || bytes > 8)
		abort(); /* the bus promised otherwise */
	return offset;
}

static void bar_write(struct pci_dev *dev, uint64_t offset, unsigned int bytes, uint64_t value)
{
	(void)value;
	bar_read(dev, offset, bytes);
}

static void bar_moved(struct pci_dev *dev, uint64_t gpa)
{
	if (gpa != dev->bar_gpa || gpa & (dev->bar_bytes - 1))
		abort();
}

static const struct pci_dev_ops plain_ops = {
	.bar_read = bar_read, .bar_write = bar_write, .bar_moved = bar_moved};

static void record_play(struct pci_bus *bus, struct pci_dev *plain, const uint8_t *record)
{
	unsigned int bytes = record[1] % 9, slot = record[10] & 3;
	struct pci_dev *dev = bus->devs[slot << 3];
	uint8_t data[8] = {0};
	uint32_t where;

	memcpy(&where, record + 2, 4);
	memcpy(data, record + 6, 4);
	switch (record[0] % N_WHATS) {
	case WHAT_ECAM:
		pci_bus_mmio(bus, PCI_ECAM_BASE + (slot << 15) + (where & 0xfff), data, bytes,
			     record[11] & 1);
		break;
	case WHAT_BAR:
		if (dev)
			pci_bus_mmio(bus, dev->bar_gpa + (where & 0x7fff), data, bytes,
				     record[11] & 1);
		break;
	case WHAT_PORT:
		pci_bus_pio(bus, (uint16_t)(0xcf0 + (where & 0x1f)), data, bytes, record[11] & 1);
		break;
	case WHAT_RAW:
		pci_bus_mmio(bus, (uint64_t)where << (record[11] >> 2), data, bytes,
			     record[11] & 1);
		break;
	case WHAT_NOTIFY:
		pci_msix_notify(plain, (uint16_t)where);
		break;
	default:
		pci_msix_irqfd(plain, (uint16_t)where);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pci_ids ids = {.vendor = 1, .device = 2, .class = 3};
	struct vm *vm = vm_new_detached(2 << 20);
	struct virtio_dev *rng = vm ? rng_new(vm, NULL) : NULL;
	static struct pci_dev plain;

	if (!rng || virtio_pci_plug(vm, rng, 1, NULL))
		abort();
	pci_dev_init(&plain, &plain_ops, &ids, BAR_BYTES);
	pci_add_msix(&plain, 8, 0x2000, 0x3000);
	if (pci_bus_add(vm_pci(vm), &plain, 2, NULL))
		abort();
	for (size_t n = 0; n < RECORDS_MAX && size >= RECORD_BYTES; n++) {
		record_play(vm_pci(vm), &plain, data);
		data += RECORD_BYTES;
		size -= RECORD_BYTES;
	}
	vm_free(vm);
	return 0;
}
