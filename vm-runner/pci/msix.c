/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MSI-X: PCI Local Bus 3.0 §6.8.2.
 *
 * Theory of operation
 *
 * A vector is live when MSI-X is enabled, the function is not masked and the vector is not masked.
 * Devices in this process notify a live vector by sending its message; for a masked one the pending bit
 * is set, and the message follows at unmask.
 *
 * A vector with an irqfd is signalled by another process. While live, KVM serves its eventfd through a
 * route of its own; while not, the eventfd is taken from KVM, so that it counts what arrives: it is the
 * pending bit, and KVM delivers it as soon as the eventfd is bound again. The eventfd is the same all its
 * life: the other process never hears of masking.
 *
 * Changes only mark the bus dirty; pci_msix_sync() sets all routes with one KVM_SET_GSI_ROUTING, and does
 * nothing for vectors whose message did not change or that are masked.
 */
#include "pci/bus.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "doorbell.h"

#define CAP_ID_MSIX	 0x11
#define CONTROL_ENABLE	 0x8000
#define CONTROL_MASK_ALL 0x4000
#define VECTOR_MASKED	 0x1
#define ENTRY_BYTES	 16
#define TABLE_BIR_BAR0	 0

void pci_add_msix(struct pci_dev *dev, uint16_t n_vectors, uint32_t table_off, uint32_t pba_off)
{
	uint8_t body[10] = {0};
	uint16_t size = (uint16_t)(n_vectors - 1);
	uint32_t table = table_off | TABLE_BIR_BAR0, pba = pba_off | TABLE_BIR_BAR0;

	memcpy(body, &size, 2);
	memcpy(body + 2, &table, 4);
	memcpy(body + 6, &pba, 4);
	dev->msix_cap = pci_add_cap(dev, CAP_ID_MSIX, body, sizeof(body));
	if (!dev->msix_cap)
		return;
	dev->wmask[dev->msix_cap + 3] = (CONTROL_ENABLE | CONTROL_MASK_ALL) >> 8;
	dev->n_vectors = n_vectors;
	dev->msix_table_off = table_off;
	dev->msix_pba_off = pba_off;
	for (unsigned int i = 0; i < n_vectors; i++) {
		dev->vectors[i].control = VECTOR_MASKED;
		dev->vectors[i].irqfd = -1;
	}
}

static bool msix_enabled(const struct pci_dev *dev)
{
	return dev->msix_cap && dev->cfg[dev->msix_cap + 3] & CONTROL_ENABLE >> 8;
}

static bool vector_live(const struct pci_dev *dev, const struct pci_msix_vector *vector)
{
	return msix_enabled(dev) && !(dev->cfg[dev->msix_cap + 3] & CONTROL_MASK_ALL >> 8) &&
	       !(vector->control & VECTOR_MASKED);
}

static struct irq_msi vector_msi(const struct pci_msix_vector *vector)
{
	return (struct irq_msi){vector->addr_lo, vector->addr_hi, vector->data};
}

/* The entry or its mask changed. Context: MSI-X lock. */
static void vector_update(struct pci_dev *dev, struct pci_msix_vector *vector)
{
	struct irq_msi msi = vector_msi(vector);

	if (vector->irqfd >= 0) {
		dev->bus->msix_dirty = true;
	} else if (vector->pending && vector_live(dev, vector)) {
		vector->pending = false;
		irq_msi_send(dev->bus->irq, &msi);
	}
}

static void vector_unbind_if_dead(struct pci_dev *dev, struct pci_msix_vector *vector)
{
	if (!vector->bound || vector_live(dev, vector))
		return;
	(void)irq_fd_bind(dev->bus->irq, vector->gsi, vector->irqfd, false);
	vector->bound = false;
}

static void vector_bind(struct pci_dev *dev, struct pci_msix_vector *vector)
{
	int rc;

	if (vector->bound || vector->irqfd < 0 || !vector_live(dev, vector))
		return;
	rc = irq_fd_bind(dev->bus->irq, vector->gsi, vector->irqfd, true);
	if (rc)
		log_error("PCI %02x.%x: cannot bind an interrupt: %s", dev->devfn >> 3,
			  dev->devfn & 7, strerror(-rc));
	vector->bound = rc == 0;
}

void pci_msix_sync(struct pci_bus *bus)
{
	int rc;

	bus->msix_dirty = false;
	for (uint16_t i = 0; i < bus->n_devs; i++) {
		struct pci_dev *dev = bus->devs[bus->devfns[i]];

		for (uint16_t v = 0; v < dev->n_vectors; v++) {
			struct irq_msi msi = vector_msi(&dev->vectors[v]);

			if (dev->vectors[v].irqfd < 0)
				continue;
			vector_unbind_if_dead(dev, &dev->vectors[v]);
			if (vector_live(dev, &dev->vectors[v]))
				irq_route_set(bus->irq, dev->vectors[v].gsi, &msi);
		}
	}
	rc = irq_routes_commit(bus->irq);
	if (rc)
		log_error("KVM refused the interrupt routes: %s", strerror(-rc));
	for (uint16_t i = 0; i < bus->n_devs; i++) {
		struct pci_dev *dev = bus->devs[bus->devfns[i]];

		for (uint16_t v = 0; v < dev->n_vectors; v++)
			vector_bind(dev, &dev->vectors[v]);
	}
}

void pci_msix_control_written(struct pci_dev *dev)
{
	pthread_mutex_lock(&dev->bus->msix_lock);
	for (uint16_t v = 0; v < dev->n_vectors; v++)
		vector_update(dev, &dev->vectors[v]);
	pthread_mutex_unlock(&dev->bus->msix_lock);
}

static bool table_covers(const struct pci_dev *dev, uint64_t offset)
{
	return offset >= dev->msix_table_off &&
	       offset - dev->msix_table_off < (uint64_t)dev->n_vectors * ENTRY_BYTES;
}

bool pci_msix_covers(const struct pci_dev *dev, uint64_t offset)
{
	/* The PBA is whole 64-bit words (§6.8.2.5). */
	return dev->n_vectors && (table_covers(dev, offset) ||
				  (offset >= dev->msix_pba_off &&
				   offset - dev->msix_pba_off < (dev->n_vectors + 63U) / 64 * 8));
}

static bool vector_pending(const struct pci_msix_vector *vector)
{
	struct pollfd poll_fd = {.fd = vector->irqfd, .events = POLLIN};

	if (vector->irqfd < 0)
		return vector->pending;
	return !vector->bound && poll(&poll_fd, 1, 0) == 1;
}

static uint64_t pba_read(const struct pci_dev *dev, uint64_t offset, unsigned int bytes)
{
	uint64_t bits = 0;

	for (uint16_t v = 0; v < dev->n_vectors; v++)
		if (vector_pending(&dev->vectors[v]))
			bits |= UINT64_C(1) << v;
	if (offset + bytes > 8)
		return 0;
	bits >>= offset * 8;
	return bytes == 8 ? bits : bits & ((UINT64_C(1) << bytes * 8) - 1);
}

static uint32_t *vector_field(struct pci_msix_vector *vector, uint64_t offset)
{
	switch (offset % ENTRY_BYTES / 4) {
	case 0:
		return &vector->addr_lo;
	case 1:
		return &vector->addr_hi;
	case 2:
		return &vector->data;
	default:
		return &vector->control;
	}
}

uint64_t pci_msix_bar_read(struct pci_dev *dev, uint64_t offset, unsigned int bytes)
{
	uint64_t value = 0, at = offset - dev->msix_table_off;

	pthread_mutex_lock(&dev->bus->msix_lock);
	if (!table_covers(dev, offset)) {
		value = pba_read(dev, offset - dev->msix_pba_off, bytes);
	} else if (bytes >= 4 && at % bytes == 0) {
		struct pci_msix_vector *vector = &dev->vectors[at / ENTRY_BYTES];

		value = *vector_field(vector, at);
		if (bytes == 8)
			value |= (uint64_t)*vector_field(vector, at + 4) << 32;
	}
	pthread_mutex_unlock(&dev->bus->msix_lock);
	return value;
}

void pci_msix_bar_write(struct pci_dev *dev, uint64_t offset, unsigned int bytes, uint64_t value)
{
	uint64_t at = offset - dev->msix_table_off;
	struct pci_msix_vector *vector;

	/* Only whole words or pairs are defined (§6.8.2); the PBA is read-only. */
	if (!table_covers(dev, offset) || bytes < 4 || at % bytes)
		return;
	pthread_mutex_lock(&dev->bus->msix_lock);
	vector = &dev->vectors[at / ENTRY_BYTES];
	*vector_field(vector, at) = (uint32_t)value;
	if (bytes == 8)
		*vector_field(vector, at + 4) = (uint32_t)(value >> 32);
	vector->addr_lo &= ~3U;
	vector->control &= VECTOR_MASKED;
	vector_update(dev, vector);
	pthread_mutex_unlock(&dev->bus->msix_lock);
}

void pci_msix_notify(struct pci_dev *dev, uint16_t index)
{
	struct pci_msix_vector *vector;
	int rc;

	if (index >= dev->n_vectors)
		return;
	vector = &dev->vectors[index];
	pthread_mutex_lock(&dev->bus->msix_lock);
	if (vector->irqfd >= 0) {
		rc = doorbell_ring(vector->irqfd);
		if (rc)
			log_error("cannot signal an interrupt: %s", strerror(-rc));
	} else if (msix_enabled(dev)) {
		vector->pending = true;
		vector_update(dev, vector);
	}
	pthread_mutex_unlock(&dev->bus->msix_lock);
}

/* Context: MSI-X lock. */
static int vector_irqfd_open(struct pci_dev *dev, struct pci_msix_vector *vector)
{
	int gsi, fd;

	if (vector->irqfd >= 0)
		return vector->irqfd;
	fd = eventfd(vector->pending, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	gsi = irq_gsi_new(dev->bus->irq);
	if (gsi < 0) {
		close(fd);
		return gsi;
	}
	vector->pending = false;
	vector->irqfd = fd;
	vector->gsi = (uint32_t)gsi;
	vector_update(dev, vector);
	return fd;
}

int pci_msix_irqfd(struct pci_dev *dev, uint16_t index)
{
	int fd;

	if (index >= dev->n_vectors)
		return -EINVAL;
	pthread_mutex_lock(&dev->bus->msix_lock);
	fd = vector_irqfd_open(dev, &dev->vectors[index]);
	/* Inside an access of the guest, the routes of all vectors are set together when it ends. */
	if (dev->bus->msix_dirty && !pci_bus_is_mine(dev->bus))
		pci_msix_sync(dev->bus);
	pthread_mutex_unlock(&dev->bus->msix_lock);
	return fd;
}

void pci_msix_free(struct pci_dev *dev)
{
	for (uint16_t v = 0; v < dev->n_vectors; v++) {
		struct pci_msix_vector *vector = &dev->vectors[v];

		if (vector->irqfd < 0)
			continue;
		if (vector->bound)
			(void)irq_fd_bind(dev->bus->irq, vector->gsi, vector->irqfd, false);
		irq_gsi_free(dev->bus->irq, vector->gsi);
		close(vector->irqfd);
		vector->irqfd = -1;
		vector->bound = false;
	}
}
