/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the virtio PCI transport: shared by pci.c (BAR, capabilities) and pci_common.c (common configuration). */
#ifndef VM_VIRTIO_PCI_H
#define VM_VIRTIO_PCI_H

#include <stdatomic.h>

#include "pci/pci.h"
#include "virtio/virtio.h"

#define VIRTIO_PCI_COMMON_BYTES 0x3c /* up to queue_notify_data and queue_reset */

struct event;

struct virtio_pci_kick {
	struct virtio_dev *dev;
	uint16_t index;
	struct event *event; /* NULL for queues whose kick fd is read by somebody else */
};

struct virtio_pci {
	struct pci_dev pci; /* first: the bus knows us by it */
	struct virtio_dev *dev;
	uint16_t cfg_cap;   /* the PCI_CFG capability in config space */
	uint64_t kicks_gpa; /* BAR address the ioeventfds are registered for, 0: they are not */
	atomic_uchar isr;
	atomic_uchar config_generation;
	_Atomic uint16_t config_vector;
	/* under dev->lock */
	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint64_t driver_features; /* as written; becomes dev->acked at FEATURES_OK */
	uint16_t queue_select;
	struct virtio_pci_kick kicks[VIRTIO_QUEUES_MAX];
};

extern const struct virtio_transport_ops virtio_pci_transport_ops;

uint64_t virtio_pci_common_read(struct virtio_pci *transport, uint32_t offset, unsigned int bytes);
void virtio_pci_common_write(struct virtio_pci *transport, uint32_t offset, unsigned int bytes,
			     uint64_t value);
void virtio_pci_kicks_place(struct virtio_pci *transport);

#endif
