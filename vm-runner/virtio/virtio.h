/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device as its transport sees it: virtio 1.2 §2 (facilities) and §4.1 (PCI).
 *
 * Devices know nothing of PCI: they are given queues, features and a way to notify. The transport knows nothing of what a
 * device does. Devices that work their queues themselves use queue.h; virtio-net hands its queues to a vhost-user back-end.
 *
 * Threads: all callbacks run under the PCI bus lock on a vCPU thread, except queue_kicked, which runs on the main thread
 * (its ioeventfd is in the event loop).
 */
#ifndef VM_VIRTIO_H
#define VM_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define VIRTIO_QUEUES_MAX 35 /* 16 pairs, a control queue, and spare for virtio-console's ports */
#define VIRTIO_QUEUE_SIZE_MAX 1024

struct vm;
struct virtio_dev;

/* As the driver programmed it. */
struct virtio_queue {
	uint16_t size_max; /* set by the device */
	uint16_t size;
	bool enabled;
	uint16_t vector; /* PCI_MSIX_NONE without */
	uint64_t desc, driver, device; /* guest physical addresses */
	int kick_fd; /* eventfd, owned by the transport, signalled by KVM */
	/* worked by queue.h */
	uint16_t last_avail;
	uint16_t last_used;
	bool broken; /* the driver put nonsense in it; ignored until reset */
};

struct virtio_dev_ops {
	uint16_t device_id; /* virtio 1.2 §5 */
	const char *name;
	uint64_t (*features)(struct virtio_dev *dev); /* offered, without VIRTIO_F_VERSION_1 which the transport adds */
	void (*config_read)(struct virtio_dev *dev, uint32_t offset, void *data, uint32_t bytes);
	void (*config_write)(struct virtio_dev *dev, uint32_t offset, const void *data, uint32_t bytes);
	/* DRIVER_OK with dev->acked features. Must not block on a peer. Return: 0, or -errno: the transport sets DEVICE_NEEDS_RESET. */
	int (*activate)(struct virtio_dev *dev);
	/* Status 0 or VM reset: forget queues; the transport has disabled them. */
	void (*reset)(struct virtio_dev *dev);
	/* The guest kicked queue @index. NULL for queues whose kick_fd was handed away. */
	void (*queue_kicked)(struct virtio_dev *dev, uint16_t index);
	void (*free)(struct virtio_dev *dev);
};

struct virtio_transport_ops {
	/* Interrupt for a queue that has used buffers, any thread. */
	void (*notify_queue)(struct virtio_dev *dev, uint16_t index);
	/* Config space changed: bump generation, interrupt. Any thread. */
	void (*notify_config)(struct virtio_dev *dev);
	/* Call fd for a vhost back-end; owned by the transport, never changes. -errno when there is none. */
	int (*queue_irqfd)(struct virtio_dev *dev, uint16_t index);
	/* The queue's kick fd is served by somebody else: take it out of our loop (@handed true) or back. */
	void (*queue_hand_over)(struct virtio_dev *dev, uint16_t index, bool handed);
	/* Set DEVICE_NEEDS_RESET and tell the driver. */
	void (*needs_reset)(struct virtio_dev *dev);
};

struct virtio_dev {
	const struct virtio_dev_ops *ops;
	const struct virtio_transport_ops *transport; /* set when plugged in */
	void *transport_data;
	struct vm *vm;
	uint64_t acked; /* features the driver accepted */
	uint8_t status;
	uint16_t n_queues;
	struct virtio_queue queues[VIRTIO_QUEUES_MAX];
};

/**
 * virtio_pci_plug() - Give a device a PCI function (virtio 1.2 §4.1, modern only) and take ownership of it
 * @slot: as in pci_bus_add()
 */
int virtio_pci_plug(struct vm *vm, struct virtio_dev *dev, int slot, struct err *err);

#endif
