/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One PCI segment, one bus, ECAM and the CF8/CFC ports: PCI Local Bus 3.0, PCIe base spec for the extended config space.
 *
 * A device has one 64-bit memory BAR (BAR0, with MSI-X table and PBA inside) and an MSI-X capability; what is behind the BAR
 * is its ops. The bus does config space, BAR placement, MSI-X masking and routing; the device never sees a vector's
 * address or data.
 *
 * Threads: config and BAR accesses come from vCPU threads, one at a time per bus (bus lock), so ops need no lock against each
 * other. pci_msix_notify() may be called from any thread and takes no bus lock.
 */
#ifndef VM_PCI_H
#define VM_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define PCI_CFG_BYTES                                                                              \
	256 /* we have no extended capabilities: the rest of a function's ECAM page reads 0 */
#define PCI_SLOTS                                                                                  \
	32 /* slot 0 is the host bridge; functions beyond 31 share slots, see pci_bus_add() */
#define PCI_MSIX_MAX  64
#define PCI_MSIX_NONE 0xffff

struct vm;
struct pci_bus;
struct pci_dev;

struct pci_dev_ops {
	/* BAR0 accesses outside the MSI-X table and PBA. 1, 2, 4 or 8 bytes, inside the BAR. */
	uint64_t (*bar_read)(struct pci_dev *dev, uint64_t offset, unsigned int bytes);
	void (*bar_write)(struct pci_dev *dev, uint64_t offset, unsigned int bytes, uint64_t value);
	/* BAR0 became visible at @gpa (memory decoding on), or invisible (@gpa 0). Register ioeventfds here. May be NULL. */
	void (*bar_moved)(struct pci_dev *dev, uint64_t gpa);
	/* After a config write inside a device specific capability. May be NULL. */
	void (*cfg_written)(struct pci_dev *dev, uint16_t offset, unsigned int bytes);
	/* Before a config read of a device specific capability: refresh data registers. May be NULL. */
	void (*cfg_reading)(struct pci_dev *dev, uint16_t offset, unsigned int bytes);
	/* The VM ends: let go of peers and flush. The vCPUs have stopped. May be NULL. */
	void (*reset)(struct pci_dev *dev);
	/* The bus is freed, or the device was removed; the last call, without bus lock. NULL when it is not on the heap. */
	void (*free)(struct pci_dev *dev);
};

struct pci_msix_vector {
	uint32_t addr_lo, addr_hi, data, control; /* the table entry, as the guest wrote it */
	bool pending; /* notified while masked; with an irqfd the eventfd itself remembers */
	bool bound;   /* irqfd is served by KVM now: unmasked, and its route equals the entry */
	int irqfd;    /* eventfd, -1 until pci_msix_irqfd() */
	uint32_t gsi; /* route owned by this vector, valid when irqfd >= 0 */
};

struct pci_dev {
	const struct pci_dev_ops *ops;
	struct pci_bus *bus; /* set by pci_bus_add() */
	uint8_t devfn;
	uint16_t next_cap; /* where pci_add_cap() puts the next capability */
	uint8_t cfg[PCI_CFG_BYTES];
	uint8_t wmask[PCI_CFG_BYTES]; /* bits the guest may change */
	uint64_t bar_bytes;	      /* power of two, 0: no BAR */
	uint64_t bar_gpa;	      /* 0 while not decoded */
	uint16_t n_vectors;
	uint32_t msix_table_off, msix_pba_off;	      /* in BAR0 */
	uint16_t msix_cap;			      /* offset in cfg, 0 without */
	struct pci_msix_vector vectors[PCI_MSIX_MAX]; /* under the bus's MSI-X lock */
};

struct pci_ids {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint8_t revision, prog_if, subclass, class;
};

/** pci_dev_init() - Header of an endpoint; the bus assigns BAR0's address before the guest runs */
void pci_dev_init(struct pci_dev *dev, const struct pci_dev_ops *ops, const struct pci_ids *ids,
		  uint64_t bar_bytes);

/**
 * pci_add_cap() - Append a capability
 * @body: bytes behind the two header bytes (id, next), copied
 * Return: offset of the capability in config space, 0 if there is no room.
 */
uint16_t pci_add_cap(struct pci_dev *dev, uint8_t id, const void *body, uint8_t body_bytes);

/** pci_add_msix() - MSI-X capability; table and PBA lie in BAR0 at the given offsets */
void pci_add_msix(struct pci_dev *dev, uint16_t n_vectors, uint32_t table_off, uint32_t pba_off);

/**
 * pci_bus_add() - Plug a device in
 * @slot: 1..31 for a slot of its own (stable addresses: the caller gives them out in a fixed order), or -1 for the next free one.
 *        When slots run out, further devices become functions 1..7 of the last ones (multi-function bit set).
 */
int pci_bus_add(struct pci_bus *bus, struct pci_dev *dev, int slot, struct err *err);

/**
 * pci_bus_remove() - Pull a device out, and free it
 *
 * Only function 0 of a slot where there is no other: see pci_slot_devices(). Main thread; nobody else may use the device.
 */
void pci_bus_remove(struct pci_dev *dev);

/** pci_slot_devices() - How many functions a slot has */
unsigned int pci_slot_devices(struct pci_bus *bus, unsigned int slot);

/** pci_msix_notify() - Raise a vector, or remember it in the PBA while masked. PCI_MSIX_NONE does nothing. Any thread. */
void pci_msix_notify(struct pci_dev *dev, uint16_t vector);

/**
 * pci_msix_irqfd() - An eventfd that raises @vector in the kernel, for a vhost back-end's call fd
 *
 * The same fd for the life of the device: masking re-routes, the fd never changes. While the vector is masked, signals on it are kept and delivered at unmask.
 * Return: fd owned by the device, or -errno.
 */
int pci_msix_irqfd(struct pci_dev *dev, uint16_t vector);

/** pci_vm() - The VM the bus belongs to, for guest memory and ioeventfds */
struct vm *pci_vm(const struct pci_dev *dev);

#endif
