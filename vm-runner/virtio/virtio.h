/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device as its transport sees it: virtio 1.2 §2 (facilities) and §4.1 (PCI).
 *
 * Devices know nothing of PCI: they are given queues, features and a way to notify. The transport knows
 * nothing of what a device does. Devices that work their queues themselves use queue.h; virtio-net hands
 * its data queues to a vhost-user back-end.
 *
 * Threads and locking: one mutex per device, dev->lock, guards everything in struct virtio_dev and every
 * callback runs with it held: most on a vCPU thread inside a register access (the PCI bus lock is held
 * around it, too), queue_kicked on the main thread. A device's own threads take dev->lock themselves.
 * Nobody may wait for a peer, a disk or the event loop with dev->lock held: a vCPU waits for it.
 */
#ifndef VM_VIRTIO_H
#define VM_VIRTIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define VIRTIO_QUEUES_MAX                                                                          \
	36 /* 16 pairs of virtio-net and a control queue; 16 extra console ports */
#define VIRTIO_QUEUE_SIZE_MAX 1024
#define VIRTIO_NO_VECTOR      0xffff

/* virtio 1.2 §2.1 */
#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER	  2
#define VIRTIO_STATUS_DRIVER_OK	  4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED	  128

/* virtio 1.2 §6, bit numbers */
#define VIRTIO_RING_INDIRECT_DESC 28
#define VIRTIO_RING_EVENT_IDX	  29
#define VIRTIO_VERSION_1	  32
#define VIRTIO_RING_PACKED	  34

#define VIRTIO_BIT(n) (UINT64_C(1) << (n))

struct vm;
struct virtio_dev;

/* As the driver programmed it. The transport checked nothing but the size: addresses are hostile. */
struct virtio_queue {
	uint16_t size_max; /* set by the device before it is plugged in */
	bool kick_external; /* set by the device: it or a peer reads kick_fd, the event loop does not */
	uint16_t size;	    /* 1..size_max; a power of two unless packed */
	bool enabled;
	uint16_t vector;	       /* VIRTIO_NO_VECTOR without */
	uint64_t desc, driver, device; /* guest physical addresses */
	int kick_fd; /* non-blocking eventfd, owned by the transport, signalled by KVM; lives as long as the device */
	/* worked by queue.h */
	uint16_t last_avail; /* split: free-running; packed: where in the ring */
	uint16_t last_used;
	bool avail_flipped, used_flipped; /* packed: our wrap counters are 0 */
	bool unsignalled;		  /* packed: something was pushed since */
	uint16_t signalled_used;	  /* last_used at the last interrupt, for EVENT_IDX */
	bool broken;			  /* the driver put nonsense in it; ignored until reset */
};

struct virtio_dev_ops {
	uint16_t device_id; /* virtio 1.2 §5 */
	const char *name;
	/* Offered, without VIRTIO_F_VERSION_1 which the transport adds. Constant from ACKNOWLEDGE to reset. */
	uint64_t (*features)(struct virtio_dev *dev);
	/* Offset and length lie inside config_bytes. NULL when there is nothing to read or write. */
	void (*config_read)(struct virtio_dev *dev, uint32_t offset, void *data, uint32_t bytes);
	void (*config_write)(struct virtio_dev *dev, uint32_t offset, const void *data,
			     uint32_t bytes);
	/* DRIVER_OK with dev->acked features. Return: 0, or -errno: the transport sets DEVICE_NEEDS_RESET. */
	int (*activate)(struct virtio_dev *dev);
	/*
	 * The driver wrote status 0: let go of the queues. Return: true when that is done; false when a peer must
	 * let go first: the device calls transport->reset_done() later, and until then the driver, which has to
	 * poll (virtio 1.2 §2.4.2), reads a status that is not 0.
	 */
	bool (*reset)(struct virtio_dev *dev);
	/* The guest kicked queue @index. Main thread. NULL when all queues are kick_external. */
	void (*queue_kicked)(struct virtio_dev *dev, uint16_t index);
	/* The VM ends, the vCPUs have stopped: flush, and let go of peers. May be NULL. No lock held. */
	void (*shutdown)(struct virtio_dev *dev);
	/* The last call. No lock held. */
	void (*free)(struct virtio_dev *dev);
};

struct virtio_transport_ops {
	/* Interrupt for a queue that has used buffers. Any thread, with or without dev->lock. */
	void (*notify_queue)(struct virtio_dev *dev, uint16_t index);
	/* Config space changed: bump its generation, interrupt. Any thread, with or without dev->lock. */
	void (*notify_config)(struct virtio_dev *dev);
	/*
	 * Call fd for a vhost back-end, owned by the transport: the same one as long as the queue's vector stays.
	 * -ENOENT when the driver gave the queue no vector: it polls.
	 */
	int (*queue_irqfd)(struct virtio_dev *dev, uint16_t index);
	/* The reset that ops->reset() put off is done. dev->lock held. */
	void (*reset_done)(struct virtio_dev *dev);
	/* Set DEVICE_NEEDS_RESET and tell the driver. dev->lock held. */
	void (*needs_reset)(struct virtio_dev *dev);
};

/* Embedded first in each device. */
struct virtio_dev {
	const struct virtio_dev_ops *ops;
	const struct virtio_transport_ops *transport; /* set when plugged in */
	void *transport_data;
	struct vm *vm;
	char id[64]; /* for logs: "virtio-net eth1" */
	pthread_mutex_t lock;
	uint64_t acked; /* features the driver accepted; final at FEATURES_OK */
	uint8_t status;
	bool resetting;		    /* the driver wrote 0, ops->reset() has not finished */
	uint32_t config_bytes;	    /* size of the device's config space, set by the device */
	uint16_t n_queues;	    /* set by the device */
	atomic_uint n_queue_errors; /* queues marked broken so far */
	struct virtio_queue queues[VIRTIO_QUEUES_MAX];
};

/**
 * virtio_dev_init() - What all devices start with
 * @name: shown in logs behind the kind of device, truncated; may be NULL
 *
 * The device then sets n_queues, queues[].size_max and config_bytes.
 */
void virtio_dev_init(struct virtio_dev *dev, const struct virtio_dev_ops *ops, struct vm *vm,
		     const char *name);

/** virtio_dev_fini() - For ops->free(), when no thread uses the device any more */
void virtio_dev_fini(struct virtio_dev *dev);

static inline bool virtio_has(const struct virtio_dev *dev, unsigned int bit)
{
	return dev->acked & VIRTIO_BIT(bit);
}

/**
 * virtio_config_copy() - Serve a config read from a struct
 * @config: @config_bytes bytes; what lies behind them reads 0
 */
void virtio_config_copy(const void *config, uint32_t config_bytes, uint32_t offset, void *data,
			uint32_t bytes);

/**
 * virtio_pci_plug() - Give a device a PCI function (virtio 1.2 §4.1, modern only) and take ownership of it
 * @slot: as in pci_bus_add()
 *
 * Main thread. Return: 0, or -errno with @err set: the device is freed then, too.
 */
int virtio_pci_plug(struct vm *vm, struct virtio_dev *dev, int slot, struct err *err);

/** virtio_pci_slot() - Where it was plugged in */
unsigned int virtio_pci_slot(const struct virtio_dev *dev);

/** virtio_pci_unplug() - Pull it out and free it, while the guest runs. No thread but the main one may use it */
void virtio_pci_unplug(struct virtio_dev *dev);

#endif
