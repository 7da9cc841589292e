/* links: vm base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices that come and go on a bus whose guest writes anything it likes into config spaces, BARs and the hotplug
 * controller, also while they leave. Whatever it does: a device goes when it was wanted back and ejected, never else.
 *
 * Input: records of 8 bytes: what, slot, where (2), value (4).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/quiet.h"
#include "machine.h"
#include "pci/bus.h"
#include "virtio/rng.h"
#include "virtio/virtio.h"
#include "x86/io.h"
#include "x86/layout.h"

#define RECORD_BYTES 8
#define RECORDS_MAX  512
#define FIRST_SLOT   8
#define N_SLOTS	     4

enum what {
	WHAT_ADD,
	WHAT_WANT,
	WHAT_KEEP,
	WHAT_IRQFD,
	WHAT_NOTIFY,
	WHAT_REGISTER,
	WHAT_REGISTER_ODD,
	WHAT_CONFIG,
	WHAT_BAR,
	N_WHATS
};

struct slot {
	struct virtio_dev *dev;
	bool wanted;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slot slots[N_SLOTS];

static void add(struct vm *vm, unsigned int i)
{
	if (slots[i].dev)
		return;
	slots[i].dev = rng_new(vm, NULL);
	if (!slots[i].dev || virtio_pci_plug(vm, slots[i].dev, (int)(FIRST_SLOT + i), NULL))
		abort();
	hotplug_arrive(&vm->hotplug, FIRST_SLOT + i);
}

/* The main thread's part, after each access. */
static void ejected_serve(struct vm *vm)
{
	uint32_t ejected = hotplug_ejected_take(&vm->hotplug);

	if (ejected & ~(((UINT32_C(1) << N_SLOTS) - 1) << FIRST_SLOT))
		abort();
	for (unsigned int i = 0; i < N_SLOTS; i++) {
		if (!(ejected >> (FIRST_SLOT + i) & 1))
			continue;
		if (!slots[i].dev || !slots[i].wanted)
			abort();
		virtio_pci_unplug(slots[i].dev);
		slots[i] = (struct slot){0};
		if (pci_slot_devices(vm_pci(vm), FIRST_SLOT + i))
			abort();
	}
}

static void guest_access(struct vm *vm, unsigned int what, unsigned int i, uint16_t where,
			 uint8_t *data)
{
	struct pci_dev *pci = vm_pci(vm)->devs[(FIRST_SLOT + i) << 3];
	bool write = where & 0x8000;

	switch (what) {
	case WHAT_REGISTER:
		io_port(vm, (uint16_t)(LAYOUT_PORT_HOTPLUG + where % 4 * 4), data, 4, write);
		break;
	case WHAT_REGISTER_ODD:
		io_port(vm, (uint16_t)(LAYOUT_PORT_HOTPLUG - 4 + where % 24), data,
			1U << where / 24 % 3, write);
		break;
	case WHAT_CONFIG:
		pci_bus_mmio(vm_pci(vm),
			     PCI_ECAM_BASE + ((uint64_t)(FIRST_SLOT + i) << 15) + (where & 0xff),
			     data, 4, write);
		break;
	default:
		if (pci && pci->bar_gpa)
			pci_bus_mmio(vm_pci(vm), pci->bar_gpa + (where & 0x7fff), data, 4, write);
	}
}

static void record_play(struct vm *vm, const uint8_t *record)
{
	unsigned int what = record[0] % N_WHATS, i = record[1] % N_SLOTS;
	struct pci_dev *pci = vm_pci(vm)->devs[(FIRST_SLOT + i) << 3];
	uint8_t data[4];
	uint16_t where;

	memcpy(&where, record + 2, 2);
	memcpy(data, record + 4, 4);
	switch (what) {
	case WHAT_ADD:
		add(vm, i);
		break;
	case WHAT_WANT:
	case WHAT_KEEP:
		if (!slots[i].dev)
			break;
		slots[i].wanted = what == WHAT_WANT;
		(slots[i].wanted ? hotplug_leave : hotplug_keep)(&vm->hotplug, FIRST_SLOT + i);
		break;
	case WHAT_IRQFD:
		if (pci)
			pci_msix_irqfd(pci, where);
		break;
	case WHAT_NOTIFY:
		if (pci)
			pci_msix_notify(pci, where);
		break;
	default:
		guest_access(vm, what, i, where, data);
	}
	ejected_serve(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm *vm = vm_new_detached(2 << 20);

	if (!vm)
		abort();
	memset(slots, 0, sizeof(slots));
	pci_bus_run(vm_pci(vm));
	for (size_t n = 0; n < RECORDS_MAX && size >= RECORD_BYTES; n++) {
		record_play(vm, data);
		data += RECORD_BYTES;
		size -= RECORD_BYTES;
	}
	vm_free(vm);
	return 0;
}
