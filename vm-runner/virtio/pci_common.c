/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The common configuration structure (virtio 1.2 §4.1.4.3) and the life of a device that is told through
 * it: reset, feature negotiation, queue set-up, DRIVER_OK (§3.1).
 *
 * A read shows an image built for the moment. A write counts only when it covers exactly one field, as
 * §4.1.3.1 asks of drivers (64-bit addresses also in halves); everything else is ignored, as are writes that
 * come too late: features after FEATURES_OK, a queue's set-up once it is enabled, queues after DRIVER_OK.
 *
 * Threads: vCPUs, with dev->lock held; notify_queue and notify_config from anywhere.
 */
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "doorbell.h"
#include "virtio/pci.h"

#define ISR_QUEUE  1
#define ISR_CONFIG 2

struct common_cfg {
	uint32_t device_feature_select;
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t config_msix_vector;
	uint16_t num_queues;
	uint8_t device_status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_msix_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint64_t queue_desc;
	uint64_t queue_driver;
	uint64_t queue_device;
	uint16_t queue_notify_data;
	uint16_t queue_reset;
} __attribute__((packed));

_Static_assert(sizeof(struct common_cfg) == VIRTIO_PCI_COMMON_BYTES, "virtio 1.2 4.1.4.3");
_Static_assert(VIRTIO_NO_VECTOR == PCI_MSIX_NONE, "both are 0xffff");
_Static_assert(VIRTIO_QUEUES_MAX + 1 <= PCI_MSIX_MAX, "a vector per queue");

static uint64_t features_offered(struct virtio_dev *dev)
{
	return dev->ops->features(dev) | VIRTIO_BIT(VIRTIO_VERSION_1);
}

static struct virtio_queue *queue_selected(struct virtio_pci *transport)
{
	return transport->queue_select < transport->dev->n_queues
		       ? &transport->dev->queues[transport->queue_select]
		       : NULL;
}

/* A reset under way reads as anything but 0 (§2.4.2). */
static uint8_t status_shown(const struct virtio_dev *dev)
{
	if (dev->resetting && !dev->status)
		return VIRTIO_STATUS_NEEDS_RESET;
	return dev->status;
}

static uint32_t features_word(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> select * 32) : 0;
}

uint64_t virtio_pci_common_read(struct virtio_pci *transport, uint32_t offset, unsigned int bytes)
{
	struct virtio_dev *dev = transport->dev;
	const struct virtio_queue *queue = queue_selected(transport);
	struct common_cfg cfg = {
		.device_feature_select = htole32(transport->device_feature_select),
		.device_feature = htole32(
			features_word(features_offered(dev), transport->device_feature_select)),
		.driver_feature_select = htole32(transport->driver_feature_select),
		.driver_feature = htole32(features_word(transport->driver_features,
							transport->driver_feature_select)),
		.config_msix_vector = htole16(transport->config_vector),
		.num_queues = htole16(dev->n_queues),
		.device_status = status_shown(dev),
		.config_generation = transport->config_generation,
		.queue_select = htole16(transport->queue_select),
		.queue_msix_vector = htole16(VIRTIO_NO_VECTOR),
	};
	uint64_t value = 0;

	if (queue) { /* one that is not there has size 0 (§4.1.5.1.3) */
		cfg.queue_size = htole16(queue->size);
		cfg.queue_msix_vector = htole16(queue->vector);
		cfg.queue_enable = htole16(queue->enabled);
		cfg.queue_notify_off = htole16(transport->queue_select);
		cfg.queue_desc = htole64(queue->desc);
		cfg.queue_driver = htole64(queue->driver);
		cfg.queue_device = htole64(queue->device);
	}
	virtio_config_copy(&cfg, sizeof(cfg), offset, &value, bytes);
	return value;
}

static void pci_reset_done(struct virtio_dev *dev)
{
	struct virtio_pci *transport = dev->transport_data;

	for (uint16_t i = 0; i < dev->n_queues; i++) {
		struct virtio_queue *queue = &dev->queues[i];
		struct virtio_queue fresh = {.size_max = queue->size_max,
					     .kick_external = queue->kick_external,
					     .size = queue->size_max,
					     .vector = VIRTIO_NO_VECTOR,
					     .kick_fd = queue->kick_fd};

		(void)doorbell_take(queue->kick_fd);
		*queue = fresh;
	}
	transport->config_vector = VIRTIO_NO_VECTOR;
	transport->driver_features = 0;
	transport->isr = 0;
	dev->acked = 0;
	dev->status = 0;
	dev->resetting = false;
}

static void reset_start(struct virtio_pci *transport)
{
	struct virtio_dev *dev = transport->dev;

	if (dev->resetting)
		return;
	dev->resetting = true;
	virtio_pci_kicks_place(transport);
	if (dev->ops->reset(dev))
		pci_reset_done(dev);
}

static void pci_notify_queue(struct virtio_dev *dev, uint16_t index)
{
	struct virtio_pci *transport = dev->transport_data;

	atomic_fetch_or(&transport->isr, ISR_QUEUE);
	pci_msix_notify(&transport->pci,
			__atomic_load_n(&dev->queues[index].vector, __ATOMIC_RELAXED));
}

static void config_interrupt(struct virtio_pci *transport)
{
	atomic_fetch_or(&transport->isr, ISR_CONFIG);
	pci_msix_notify(&transport->pci, transport->config_vector);
}

static void pci_notify_config(struct virtio_dev *dev)
{
	struct virtio_pci *transport = dev->transport_data;

	atomic_fetch_add(&transport->config_generation, 1);
	config_interrupt(transport);
}

static int pci_queue_irqfd(struct virtio_dev *dev, uint16_t index)
{
	struct virtio_pci *transport = dev->transport_data;

	if (dev->queues[index].vector == VIRTIO_NO_VECTOR)
		return -ENOENT;
	return pci_msix_irqfd(&transport->pci, dev->queues[index].vector);
}

/* §2.1.2: with DRIVER_OK set, the driver is told by a config change notification. */
static void pci_needs_reset(struct virtio_dev *dev)
{
	bool told = dev->status & VIRTIO_STATUS_NEEDS_RESET;

	dev->status |= VIRTIO_STATUS_NEEDS_RESET;
	if (!told && dev->status & VIRTIO_STATUS_DRIVER_OK)
		config_interrupt(dev->transport_data);
}

const struct virtio_transport_ops virtio_pci_transport_ops = {
	.notify_queue = pci_notify_queue,
	.notify_config = pci_notify_config,
	.queue_irqfd = pci_queue_irqfd,
	.reset_done = pci_reset_done,
	.needs_reset = pci_needs_reset,
};

static void features_ok(struct virtio_pci *transport)
{
	struct virtio_dev *dev = transport->dev;
	uint64_t wanted = transport->driver_features;

	/* §3.1.1: the driver reads the bit back and gives up if it is not set. */
	if (wanted & ~features_offered(dev) || !(wanted & VIRTIO_BIT(VIRTIO_VERSION_1)))
		return;
	dev->acked = wanted;
	dev->status |= VIRTIO_STATUS_FEATURES_OK;
}

static void driver_ok(struct virtio_pci *transport)
{
	struct virtio_dev *dev = transport->dev;
	int rc = -EPROTO;

	dev->status |= VIRTIO_STATUS_DRIVER_OK;
	if (dev->status & VIRTIO_STATUS_FEATURES_OK)
		rc = dev->ops->activate(dev);
	if (rc) {
		log_warning("%s: the driver's set-up cannot be used: %s", dev->id, strerror(-rc));
		pci_needs_reset(dev);
		return;
	}
	virtio_pci_kicks_place(transport);
}

/* A driver only ever adds bits, or writes 0 (§2.1.1). */
static void status_write(struct virtio_pci *transport, uint8_t status)
{
	struct virtio_dev *dev = transport->dev;
	uint8_t added = status & ~dev->status;

	if (!status) {
		reset_start(transport);
		return;
	}
	dev->status |=
		added & (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FAILED);
	if (added & VIRTIO_STATUS_FEATURES_OK)
		features_ok(transport);
	if (added & VIRTIO_STATUS_DRIVER_OK)
		driver_ok(transport);
}

static uint16_t vector_checked(const struct virtio_pci *transport, uint64_t vector)
{
	/* §4.1.5.1.2.1: NO_VECTOR read back says that it could not be had. */
	return vector < transport->pci.n_vectors ? (uint16_t)vector : VIRTIO_NO_VECTOR;
}

static void driver_feature_write(struct virtio_pci *transport, uint32_t word)
{
	unsigned int shift = transport->driver_feature_select * 32;

	if (transport->driver_feature_select > 1 ||
	    transport->dev->status & VIRTIO_STATUS_FEATURES_OK)
		return;
	transport->driver_features &= ~(UINT64_C(0xffffffff) << shift);
	transport->driver_features |= (uint64_t)word << shift;
}

static void address_write(uint64_t *address, unsigned int half, unsigned int bytes, uint64_t value)
{
	if (bytes == 8)
		*address = value;
	else if (half == 0)
		*address = (*address & ~UINT64_C(0xffffffff)) | (uint32_t)value;
	else
		*address = (*address & UINT64_C(0xffffffff)) | value << 32;
}

static void queue_write(struct virtio_pci *transport, uint32_t offset, unsigned int bytes,
			uint64_t value)
{
	struct virtio_queue *queue = queue_selected(transport);

	if (!queue || queue->enabled || transport->dev->status & VIRTIO_STATUS_DRIVER_OK)
		return;
	switch (offset) {
	case offsetof(struct common_cfg, queue_size):
		/* Split rings need a power of two (§2.7); a bad size leaves the old one to be read back. */
		if (value && value <= queue->size_max &&
		    (!(value & (value - 1)) || virtio_has(transport->dev, VIRTIO_RING_PACKED)))
			queue->size = (uint16_t)value;
		break;
	case offsetof(struct common_cfg, queue_enable):
		queue->enabled = value == 1;
		break;
	case offsetof(struct common_cfg, queue_desc):
	case offsetof(struct common_cfg, queue_desc) + 4:
		address_write(&queue->desc, offset & 4, bytes, value);
		break;
	case offsetof(struct common_cfg, queue_driver):
	case offsetof(struct common_cfg, queue_driver) + 4:
		address_write(&queue->driver, offset & 4, bytes, value);
		break;
	case offsetof(struct common_cfg, queue_device):
	case offsetof(struct common_cfg, queue_device) + 4:
		address_write(&queue->device, offset & 4, bytes, value);
		break;
	}
}

/* Width of the field that starts at @offset, 0 for none the driver may write. */
static unsigned int field_bytes(uint32_t offset)
{
	switch (offset) {
	case offsetof(struct common_cfg, device_status):
		return 1;
	case offsetof(struct common_cfg, config_msix_vector):
	case offsetof(struct common_cfg, queue_select):
	case offsetof(struct common_cfg, queue_size):
	case offsetof(struct common_cfg, queue_msix_vector):
	case offsetof(struct common_cfg, queue_enable):
		return 2;
	case offsetof(struct common_cfg, device_feature_select):
	case offsetof(struct common_cfg, driver_feature_select):
	case offsetof(struct common_cfg, driver_feature):
		return 4;
	}
	return offset >= offsetof(struct common_cfg, queue_desc) &&
			       offset < offsetof(struct common_cfg, queue_notify_data) &&
			       offset % 4 == 0
		       ? 4
		       : 0;
}

void virtio_pci_common_write(struct virtio_pci *transport, uint32_t offset, unsigned int bytes,
			     uint64_t value)
{
	struct virtio_queue *queue = queue_selected(transport);
	bool whole_address = bytes == 8 && offset % 8 == 0 &&
			     offset >= offsetof(struct common_cfg, queue_desc) &&
			     offset < offsetof(struct common_cfg, queue_notify_data);

	if ((bytes != field_bytes(offset) && !whole_address) || transport->dev->resetting)
		return;
	switch (offset) {
	case offsetof(struct common_cfg, device_feature_select):
		transport->device_feature_select = (uint32_t)value;
		break;
	case offsetof(struct common_cfg, driver_feature_select):
		transport->driver_feature_select = (uint32_t)value;
		break;
	case offsetof(struct common_cfg, driver_feature):
		driver_feature_write(transport, (uint32_t)value);
		break;
	case offsetof(struct common_cfg, config_msix_vector):
		transport->config_vector = vector_checked(transport, value);
		break;
	case offsetof(struct common_cfg, device_status):
		status_write(transport, (uint8_t)value);
		break;
	case offsetof(struct common_cfg, queue_select):
		transport->queue_select = (uint16_t)value;
		break;
	case offsetof(struct common_cfg, queue_msix_vector):
		if (queue)
			__atomic_store_n(&queue->vector, vector_checked(transport, value),
					 __ATOMIC_RELAXED);
		break;
	default:
		queue_write(transport, offset, bytes, value);
	}
}
