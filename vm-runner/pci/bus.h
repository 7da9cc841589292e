/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI bus as the machine sees it: made by vm.c, fed with the accesses that leave the guest.
 * Devices include pci.h instead.
 */
#ifndef VM_PCI_BUS_H
#define VM_PCI_BUS_H

#include <pthread.h>

#include "irq.h"
#include "pci/pci.h"

#define PCI_ECAM_BASE	 UINT64_C(0xe0000000)
#define PCI_ECAM_BYTES	 UINT64_C(0x100000) /* one bus */
#define PCI_MMIO32_BASE	 UINT64_C(0xc0000000)
#define PCI_MMIO32_END	 UINT64_C(0xe0000000) /* first byte behind */
#define PCI_MMIO64_BYTES UINT64_C(0x400000000)

struct pci_bus {
	struct vm *vm;
	struct irq_routes *irq;
	pthread_mutex_t lock;	   /* config spaces, BARs, device ops */
	pthread_mutex_t msix_lock; /* all vectors[]; taken inside lock, never around it */
	bool msix_dirty;	   /* bindings to bring up to date when the access ends */
	uint32_t cf8;
	uint64_t mmio64_base;  /* 64-bit window the guest may move BARs to */
	uint64_t next_bar_gpa; /* where pci_bus_add() puts the next BAR */
	bool running;	       /* the guest places BARs from now on */
	uint16_t n_devs;
	uint8_t devfns[256];	   /* in order of arrival */
	struct pci_dev *devs[256]; /* by devfn */
	struct pci_dev bridge;
};

/**
 * pci_bus_new() - A bus with its host bridge at 00:00.0
 * @vm:          borrowed, for pci_vm(); may be NULL when no device asks
 * @irq:         borrowed
 * @mmio64_base: start of a window of PCI_MMIO64_BYTES that holds no RAM
 */
struct pci_bus *pci_bus_new(struct vm *vm, struct irq_routes *irq, uint64_t mmio64_base);

/** pci_bus_run() - The guest starts: it places the BARs of devices that come from now on */
void pci_bus_run(struct pci_bus *bus);

/** pci_bus_reset() - The vCPUs have stopped: tell every device, in reverse order of arrival */
void pci_bus_reset(struct pci_bus *bus);

/** pci_bus_free() - Frees the devices, too. NULL is fine */
void pci_bus_free(struct pci_bus *bus);

/**
 * pci_bus_mmio() - A load or store of the guest that hit no memory
 * @data: @bytes bytes in guest order, filled for a read
 * Return: false when no ECAM page and no BAR lies there; @data is untouched then.
 * Context: takes the bus lock; any vCPU thread.
 */
bool pci_bus_mmio(struct pci_bus *bus, uint64_t gpa, void *data, unsigned int bytes, bool write);

/** pci_bus_pio() - As pci_bus_mmio(), for ports 0xcf8-0xcff (PCI 3.0 §3.2.2.3.2) */
bool pci_bus_pio(struct pci_bus *bus, uint16_t port, void *data, unsigned int bytes, bool write);

/* config.c: accesses to one function's config space. Context: bus lock held. */
uint32_t pci_config_read(struct pci_dev *dev, uint16_t offset, unsigned int bytes);
void pci_config_write(struct pci_dev *dev, uint16_t offset, unsigned int bytes, uint32_t value);
/* config.c: give BAR0 its first address */
void pci_config_bar_set(struct pci_dev *dev, uint64_t gpa);

/* msix.c. Context: bus lock held, except pci_msix_free(). */
bool pci_msix_covers(const struct pci_dev *dev, uint64_t offset);
uint64_t pci_msix_bar_read(struct pci_dev *dev, uint64_t offset, unsigned int bytes);
void pci_msix_bar_write(struct pci_dev *dev, uint64_t offset, unsigned int bytes, uint64_t value);
/* The capability's control word changed. */
void pci_msix_control_written(struct pci_dev *dev);
/* Bring KVM's routes and irqfds in line with all tables, in one go. */
void pci_msix_sync(struct pci_bus *bus);
void pci_msix_free(struct pci_dev *dev);

/* bus.c: does the calling thread hold this bus's lock? */
bool pci_bus_is_mine(const struct pci_bus *bus);

#endif
