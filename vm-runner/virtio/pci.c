/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio PCI transport, modern only: virtio 1.2 §4.1.
 *
 * Theory of operation
 *
 * BAR0 holds, a page each: the common configuration (pci_common.c), the ISR byte, the device's config
 * space, one notify word per queue, the MSI-X table and its PBA. The PCI_CFG capability is a second way
 * to the first four.
 *
 * A kick of a running device is an ioeventfd: the vCPU does not leave the kernel for it. They are
 * registered when the driver sets DRIVER_OK and not before, because a kernel moves BARs back and forth
 * while it enumerates the bus and each registration waits for all vCPUs; kicks that come without one
 * (through PCI_CFG, or too early) are written to the same eventfd by us.
 *
 * Interrupts go by MSI-X vectors only: there is no INTx.
 *
 * Threads: register accesses on vCPU threads under the bus lock, which take dev->lock; kicks that we
 * serve on the main thread under dev->lock; notifications from anywhere.
 */
#include "virtio/pci.h"

#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "doorbell.h"
#include "vm.h"

#define BAR_BYTES      0x8000
#define COMMON_OFF     0x0000
#define ISR_OFF	       0x1000
#define DEVICE_OFF     0x2000
#define NOTIFY_OFF     0x3000
#define MSIX_TABLE_OFF 0x4000
#define MSIX_PBA_OFF   0x5000
#define PAGE_BYTES     0x1000

/* §4.1.4 */
#define CAP_ID_VENDOR	  0x09
#define CAP_COMMON_CFG	  1
#define CAP_NOTIFY_CFG	  2
#define CAP_ISR_CFG	  3
#define CAP_DEVICE_CFG	  4
#define CAP_PCI_CFG	  5
#define NOTIFY_MULTIPLIER 4

struct virtio_pci_cap {
	uint8_t cap_vndr, cap_next, cap_len, cfg_type, bar, id, padding[2];
	uint32_t offset, length; /* little endian, as all of this */
	uint32_t extra;		 /* notify: multiplier; PCI_CFG: data */
};

static struct virtio_pci *from_pci(struct pci_dev *pci)
{
	return (struct virtio_pci *)pci; /* its first member */
}

/* Let KVM signal the kick fds where the notify words are now, or nowhere. dev->lock held. */
void virtio_pci_kicks_place(struct virtio_pci *transport)
{
	struct virtio_dev *dev = transport->dev;
	uint64_t gpa = dev->status & VIRTIO_STATUS_DRIVER_OK && !dev->resetting
			       ? transport->pci.bar_gpa
			       : 0;

	if (gpa == transport->kicks_gpa)
		return;
	for (uint16_t i = 0; i < dev->n_queues; i++) {
		uint64_t offset = NOTIFY_OFF + (uint64_t)i * NOTIFY_MULTIPLIER;
		int fd = dev->queues[i].kick_fd, rc = 0;

		if (!dev->queues[i].enabled)
			continue;
		if (transport->kicks_gpa)
			(void)vm_ioeventfd(dev->vm, transport->kicks_gpa + offset, fd, false);
		if (gpa)
			rc = vm_ioeventfd(dev->vm, gpa + offset, fd, true);
		if (rc) /* slower, but kicks still arrive through bar_write */
			log_warning("%s: no ioeventfd for queue %u: %s", dev->id, i, strerror(-rc));
	}
	transport->kicks_gpa = gpa;
}

static void kick_write(struct virtio_dev *dev, uint64_t offset)
{
	uint64_t index = offset / NOTIFY_MULTIPLIER;
	int rc;

	if (offset % NOTIFY_MULTIPLIER || index >= dev->n_queues)
		return;
	rc = doorbell_ring(dev->queues[index].kick_fd);
	if (rc)
		log_error("%s: cannot kick: %s", dev->id, strerror(-rc));
}

static void device_config(struct virtio_dev *dev, uint64_t offset, unsigned int bytes, void *data,
			  bool write)
{
	if (offset >= dev->config_bytes)
		return;
	if (bytes > dev->config_bytes - offset)
		bytes = dev->config_bytes - (uint32_t)offset;
	if (write && dev->ops->config_write)
		dev->ops->config_write(dev, (uint32_t)offset, data, bytes);
	else if (!write && dev->ops->config_read)
		dev->ops->config_read(dev, (uint32_t)offset, data, bytes);
}

static uint64_t virtio_bar_read(struct pci_dev *pci, uint64_t offset, unsigned int bytes)
{
	struct virtio_pci *transport = from_pci(pci);
	struct virtio_dev *dev = transport->dev;
	uint64_t value = 0;

	if (offset / PAGE_BYTES != (offset + bytes - 1) / PAGE_BYTES)
		return 0;
	pthread_mutex_lock(&dev->lock);
	switch (offset / PAGE_BYTES) {
	case COMMON_OFF / PAGE_BYTES:
		value = virtio_pci_common_read(transport, (uint32_t)offset, bytes);
		break;
	case ISR_OFF / PAGE_BYTES:
		if (offset == ISR_OFF) /* §4.1.4.5: reading acknowledges */
			value = atomic_exchange(&transport->isr, 0);
		break;
	case DEVICE_OFF / PAGE_BYTES:
		device_config(dev, offset - DEVICE_OFF, bytes, &value, false);
		break;
	}
	pthread_mutex_unlock(&dev->lock);
	return value;
}

static void virtio_bar_write(struct pci_dev *pci, uint64_t offset, unsigned int bytes,
			     uint64_t value)
{
	struct virtio_pci *transport = from_pci(pci);
	struct virtio_dev *dev = transport->dev;

	if (offset / PAGE_BYTES != (offset + bytes - 1) / PAGE_BYTES)
		return;
	pthread_mutex_lock(&dev->lock);
	switch (offset / PAGE_BYTES) {
	case COMMON_OFF / PAGE_BYTES:
		virtio_pci_common_write(transport, (uint32_t)offset, bytes, value);
		break;
	case DEVICE_OFF / PAGE_BYTES:
		device_config(dev, offset - DEVICE_OFF, bytes, &value, true);
		break;
	case NOTIFY_OFF / PAGE_BYTES:
		kick_write(dev, offset - NOTIFY_OFF);
		break;
	}
	pthread_mutex_unlock(&dev->lock);
}

static void virtio_bar_moved(struct pci_dev *pci, uint64_t gpa)
{
	struct virtio_pci *transport = from_pci(pci);

	(void)gpa; /* is pci->bar_gpa by now, or about to be 0 */
	pthread_mutex_lock(&transport->dev->lock);
	if (!gpa && transport->kicks_gpa) {
		/* Called between two places, too: bar_gpa is still the old one then. */
		uint64_t now = pci->bar_gpa;

		pci->bar_gpa = 0;
		virtio_pci_kicks_place(transport);
		pci->bar_gpa = now;
	} else {
		virtio_pci_kicks_place(transport);
	}
	pthread_mutex_unlock(&transport->dev->lock);
}

/*
 * §4.1.4.9: an access through pci_cfg_data is one to the BAR. Only to the pages before the MSI-X table.
 */
static bool cfg_window(struct virtio_pci *transport, uint16_t offset, unsigned int bytes,
		       uint32_t *bar_offset, unsigned int *n)
{
	struct virtio_pci_cap cap;
	uint16_t data = (uint16_t)(transport->cfg_cap + offsetof(struct virtio_pci_cap, extra));

	if (offset >= data + 4 || offset + bytes <= data)
		return false;
	memcpy(&cap, transport->pci.cfg + transport->cfg_cap, sizeof(cap));
	*bar_offset = le32toh(cap.offset);
	*n = le32toh(cap.length);
	return cap.bar == 0 && (*n == 1 || *n == 2 || *n == 4) && *bar_offset % *n == 0 &&
	       *bar_offset < MSIX_TABLE_OFF;
}

static void virtio_cfg_written(struct pci_dev *pci, uint16_t offset, unsigned int bytes)
{
	struct virtio_pci *transport = from_pci(pci);
	uint32_t bar_offset, value;
	unsigned int n;

	if (!cfg_window(transport, offset, bytes, &bar_offset, &n))
		return;
	memcpy(&value, pci->cfg + transport->cfg_cap + offsetof(struct virtio_pci_cap, extra), 4);
	value = le32toh(value);
	if (n < 4)
		value &= (1U << n * 8) - 1;
	virtio_bar_write(pci, bar_offset, n, value);
}

static void virtio_cfg_reading(struct pci_dev *pci, uint16_t offset, unsigned int bytes)
{
	struct virtio_pci *transport = from_pci(pci);
	uint32_t bar_offset, value;
	unsigned int n;

	if (!cfg_window(transport, offset, bytes, &bar_offset, &n))
		return;
	value = htole32((uint32_t)virtio_bar_read(pci, bar_offset, n));
	memcpy(pci->cfg + transport->cfg_cap + offsetof(struct virtio_pci_cap, extra), &value, 4);
}

static void virtio_pci_shutdown(struct pci_dev *pci)
{
	struct virtio_dev *dev = from_pci(pci)->dev;

	if (dev->ops->shutdown)
		dev->ops->shutdown(dev);
}

static void virtio_pci_free(struct pci_dev *pci)
{
	struct virtio_pci *transport = from_pci(pci);
	struct virtio_dev *dev = transport->dev;
	int kick_fds[VIRTIO_QUEUES_MAX];

	for (uint16_t i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		if (transport->kicks[i].event)
			event_free(transport->kicks[i].event);
		kick_fds[i] = dev->queues[i].kick_fd;
	}
	dev->ops->free(dev);
	/* After the device: its threads may have polled them. */
	for (uint16_t i = 0; i < VIRTIO_QUEUES_MAX; i++)
		if (kick_fds[i] >= 0)
			close(kick_fds[i]);
	free(transport);
}

static const struct pci_dev_ops virtio_pci_ops = {
	.bar_read = virtio_bar_read,
	.bar_write = virtio_bar_write,
	.bar_moved = virtio_bar_moved,
	.cfg_written = virtio_cfg_written,
	.cfg_reading = virtio_cfg_reading,
	.reset = virtio_pci_shutdown,
	.free = virtio_pci_free,
};

/* Main thread: the guest kicked a queue that its device works here. */
static void kick_arrived(evutil_socket_t fd, short what, void *data)
{
	struct virtio_pci_kick *kick = data;
	struct virtio_dev *dev = kick->dev;

	(void)what;
	if (!doorbell_take(fd))
		return;
	pthread_mutex_lock(&dev->lock);
	if (dev->status & VIRTIO_STATUS_DRIVER_OK && !dev->resetting &&
	    dev->queues[kick->index].enabled && !dev->queues[kick->index].broken)
		dev->ops->queue_kicked(dev, kick->index);
	pthread_mutex_unlock(&dev->lock);
}

static int kicks_open(struct virtio_pci *transport)
{
	struct virtio_dev *dev = transport->dev;

	for (uint16_t i = 0; i < dev->n_queues; i++) {
		struct virtio_pci_kick *kick = &transport->kicks[i];

		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0)
			return -errno;
		pthread_mutex_lock(&dev->lock); /* the device's own thread may be there already */
		dev->queues[i].size = dev->queues[i].size_max;
		dev->queues[i].kick_fd = fd;
		pthread_mutex_unlock(&dev->lock);
		if (dev->queues[i].kick_external)
			continue;
		kick->dev = dev;
		kick->index = i;
		kick->event =
			event_new(vm_events(dev->vm), fd, EV_READ | EV_PERSIST, kick_arrived, kick);
		if (!kick->event || event_add(kick->event, NULL))
			return -ENOMEM;
	}
	return 0;
}

static uint16_t cap_add(struct virtio_pci *transport, uint8_t type, uint32_t offset,
			uint32_t length, uint32_t extra)
{
	bool long_one = type == CAP_NOTIFY_CFG || type == CAP_PCI_CFG;
	struct virtio_pci_cap cap = {.cap_len = long_one ? 20 : 16,
				     .cfg_type = type,
				     .offset = htole32(offset),
				     .length = htole32(length),
				     .extra = htole32(extra)};

	return pci_add_cap(&transport->pci, CAP_ID_VENDOR, &cap.cap_len, cap.cap_len - 2);
}

static void caps_add(struct virtio_pci *transport)
{
	struct virtio_dev *dev = transport->dev;
	uint16_t at;

	cap_add(transport, CAP_COMMON_CFG, COMMON_OFF, VIRTIO_PCI_COMMON_BYTES, 0);
	cap_add(transport, CAP_ISR_CFG, ISR_OFF, 1, 0);
	if (dev->config_bytes)
		cap_add(transport, CAP_DEVICE_CFG, DEVICE_OFF, dev->config_bytes, 0);
	cap_add(transport, CAP_NOTIFY_CFG, NOTIFY_OFF, dev->n_queues * NOTIFY_MULTIPLIER,
		NOTIFY_MULTIPLIER);
	at = cap_add(transport, CAP_PCI_CFG, 0, 0, 0);
	transport->cfg_cap = at;
	transport->pci.wmask[at + offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(transport->pci.wmask + at + offsetof(struct virtio_pci_cap, offset), 0xff, 12);
	/* One vector per queue and one for config changes. */
	pci_add_msix(&transport->pci, dev->n_queues + 1, MSIX_TABLE_OFF, MSIX_PBA_OFF);
}

/* §4.1.2: vendor 1af4, device 0x1040 + type, revision 1 or more, subsystem id 0x40 or more. */
static struct pci_ids ids_of(const struct virtio_dev *dev)
{
	struct pci_ids ids = {.vendor = 0x1af4,
			      .device = (uint16_t)(0x1040 + dev->ops->device_id),
			      .subsystem_vendor = 0x1af4,
			      .subsystem = 0x1100,
			      .revision = 1,
			      .class = 0xff};

	switch (dev->ops->device_id) {
	case 1: /* network controller, Ethernet */
		ids.class = 0x02;
		break;
	case 2: /* mass storage */
		ids.class = 0x01;
		break;
	case 3: /* communication controller, other */
		ids.class = 0x07;
		ids.subclass = 0x80;
		break;
	}
	return ids;
}

int virtio_pci_plug(struct vm *vm, struct virtio_dev *dev, int slot, struct err *err)
{
	struct virtio_pci *transport = calloc(1, sizeof(*transport));
	struct pci_ids ids = ids_of(dev);
	int rc;

	if (!transport) {
		dev->ops->free(dev);
		return err_set(err, ENOMEM, "%s: no memory", dev->id);
	}
	pci_dev_init(&transport->pci, &virtio_pci_ops, &ids, BAR_BYTES);
	transport->dev = dev;
	transport->config_vector = VIRTIO_NO_VECTOR;
	dev->vm = vm;
	dev->transport_data = transport;
	caps_add(transport);
	dev->transport =
		&virtio_pci_transport_ops; /* a guest that runs finds it as soon as it is on the bus */
	rc = kicks_open(transport);
	if (rc)
		err_set(err, -rc, "%s: cannot make its doorbells: %s", dev->id, strerror(-rc));
	else
		rc = pci_bus_add(vm_pci(vm), &transport->pci, slot, err);
	if (rc) {
		virtio_pci_free(&transport->pci);
		return rc;
	}
	return 0;
}

unsigned int virtio_pci_slot(const struct virtio_dev *dev)
{
	const struct virtio_pci *transport = dev->transport_data;

	return transport->pci.devfn >> 3;
}

void virtio_pci_unplug(struct virtio_dev *dev)
{
	struct virtio_pci *transport = dev->transport_data;

	pci_bus_remove(&transport->pci);
}
