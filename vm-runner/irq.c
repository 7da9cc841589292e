/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * KVM's interrupt routing; see irq.h. The table is kept whole here because KVM wants it whole.
 */
#include "irq.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static unsigned int n_msi_max(int vm_fd)
{
	int n = vm_fd < 0 ? 0 : ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING);

	/* 1 in the oldest kernels, which said only that there is such a thing: those had 1024. */
	if (vm_fd >= 0 && n <= IRQ_IOAPIC_PINS)
		n = 1024;
	if (vm_fd < 0 || n - IRQ_IOAPIC_PINS > IRQ_MSI_MAX)
		return IRQ_MSI_MAX;
	return (unsigned int)n - IRQ_IOAPIC_PINS;
}

void irq_routes_init(struct irq_routes *irq, int vm_fd)
{
	memset(irq, 0, sizeof(*irq));
	irq->vm_fd = vm_fd;
	irq->n_msi_max = n_msi_max(vm_fd);
	irq->changed = vm_fd >= 0;
	pthread_mutex_init(&irq->lock, NULL);
}

int irq_gsi_new(struct irq_routes *irq)
{
	int gsi = -ENOSPC;
	unsigned int i = 0;

	pthread_mutex_lock(&irq->lock);
	while (i < irq->n_msi && irq->used[i])
		i++;
	if (i < irq->n_msi_max) {
		irq->used[i] = true;
		if (i == irq->n_msi)
			irq->n_msi++;
		gsi = (int)(IRQ_IOAPIC_PINS + i);
	}
	pthread_mutex_unlock(&irq->lock);
	return gsi;
}

void irq_gsi_free(struct irq_routes *irq, uint32_t gsi)
{
	uint32_t i = gsi - IRQ_IOAPIC_PINS;

	pthread_mutex_lock(&irq->lock);
	if (i < irq->n_msi) {
		irq->changed |= irq->routed[i];
		irq->used[i] = irq->routed[i] = false;
	}
	pthread_mutex_unlock(&irq->lock);
}

void irq_route_set(struct irq_routes *irq, uint32_t gsi, const struct irq_msi *msi)
{
	uint32_t i = gsi - IRQ_IOAPIC_PINS;

	pthread_mutex_lock(&irq->lock);
	if (i < irq->n_msi && (!irq->routed[i] || memcmp(&irq->msi[i], msi, sizeof(*msi)))) {
		irq->msi[i] = *msi;
		irq->routed[i] = true;
		irq->changed = true;
	}
	pthread_mutex_unlock(&irq->lock);
}

static int routes_commit_locked(struct irq_routes *irq)
{
	struct kvm_irq_routing *table;
	struct kvm_irq_routing_entry *entry;
	int rc = 0;

	irq->n_commits++;
	irq->changed = false;
	if (irq->vm_fd < 0)
		return 0;
	table = calloc(1,
		       sizeof(*table) + (IRQ_IOAPIC_PINS + irq->n_msi) * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	entry = table->entries;
	for (unsigned int pin = 0; pin < IRQ_IOAPIC_PINS; pin++, entry++) {
		entry->gsi = pin;
		entry->type = KVM_IRQ_ROUTING_IRQCHIP;
		entry->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entry->u.irqchip.pin = pin;
	}
	for (unsigned int i = 0; i < irq->n_msi; i++) {
		if (!irq->routed[i])
			continue;
		entry->gsi = IRQ_IOAPIC_PINS + i;
		entry->type = KVM_IRQ_ROUTING_MSI;
		entry->u.msi.address_lo = irq->msi[i].addr_lo;
		entry->u.msi.address_hi = irq->msi[i].addr_hi;
		entry->u.msi.data = irq->msi[i].data;
		entry++;
	}
	table->nr = (uint32_t)(entry - table->entries);
	if (ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, table) < 0) {
		rc = -errno;
		irq->changed = true;
	}
	free(table);
	return rc;
}

int irq_routes_commit(struct irq_routes *irq)
{
	int rc = 0;

	pthread_mutex_lock(&irq->lock);
	if (irq->changed)
		rc = routes_commit_locked(irq);
	pthread_mutex_unlock(&irq->lock);
	return rc;
}

int irq_fd_bind(struct irq_routes *irq, uint32_t gsi, int fd, bool bind)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = gsi,
		.flags = bind ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	if (irq->vm_fd >= 0 && ioctl(irq->vm_fd, KVM_IRQFD, &irqfd) < 0)
		return -errno;
	return 0;
}

void irq_msi_send(struct irq_routes *irq, const struct irq_msi *msi)
{
	struct kvm_msi message = {
		.address_lo = msi->addr_lo,
		.address_hi = msi->addr_hi,
		.data = msi->data,
	};

	__atomic_fetch_add(&irq->n_sent, 1, __ATOMIC_RELAXED);
	/* A message to nowhere is the guest's own mistake. */
	if (irq->vm_fd >= 0)
		(void)ioctl(irq->vm_fd, KVM_SIGNAL_MSI, &message);
}

void irq_line_set(struct irq_routes *irq, uint32_t pin, bool high)
{
	struct kvm_irq_level level = {.irq = pin, .level = high};

	if (irq->vm_fd >= 0)
		(void)ioctl(irq->vm_fd, KVM_IRQ_LINE, &level);
}
