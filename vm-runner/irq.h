/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * KVM's interrupt routing: which global interrupt (GSI) reaches which IOAPIC pin or MSI message.
 *
 * KVM takes the whole table at once and waits for all vCPUs to let go of the old one, so changes are
 * collected and committed together, and a commit without a change costs nothing.
 *
 * Threads: any; the table has its own lock.
 */
#ifndef VM_IRQ_H
#define VM_IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define IRQ_IOAPIC_PINS 24
#define IRQ_MSI_MAX	4072 /* with the pins, the 4096 routes that KVM accepts at most */

struct irq_msi {
	uint32_t addr_lo, addr_hi, data;
};

struct irq_routes {
	int vm_fd; /* borrowed; -1: nothing is told to KVM (tests) */
	pthread_mutex_t lock;
	bool changed;		/* since the last commit */
	unsigned int n_msi_max; /* what this KVM has room for, IRQ_MSI_MAX at most */
	unsigned int n_msi;	/* GSIs behind the IOAPIC's that were ever given out */
	unsigned int n_commits; /* how often KVM was given a table */
	unsigned int n_sent;	/* messages sent with irq_msi_send() */
	struct irq_msi msi[IRQ_MSI_MAX];
	bool used[IRQ_MSI_MAX];
	bool routed[IRQ_MSI_MAX];
};

/**
 * irq_routes_init() - An empty table. @vm_fd is a KVM VM with an irqchip, borrowed, or -1
 *
 * To be committed before the guest runs: KVM's own first table leads to an 8259, too, which a guest that knows of none
 * does not mask, and an interrupt during its boot would be taken for an exception.
 */
void irq_routes_init(struct irq_routes *irq, int vm_fd);

/** irq_gsi_new() - A GSI for MSI messages. Return: the GSI, or -ENOSPC */
int irq_gsi_new(struct irq_routes *irq);

/** irq_gsi_free() - Give a GSI back; nothing may be bound to it any more. Its route goes with the next commit */
void irq_gsi_free(struct irq_routes *irq, uint32_t gsi);

/** irq_route_set() - Remember where @gsi goes; takes effect at irq_routes_commit() */
void irq_route_set(struct irq_routes *irq, uint32_t gsi, const struct irq_msi *msi);

/** irq_routes_commit() - Hand the table to KVM if it changed. Return: 0 or -errno */
int irq_routes_commit(struct irq_routes *irq);

/** irq_fd_bind() - Let signals on eventfd @fd raise @gsi inside the kernel, or stop that. Return: 0 or -errno */
int irq_fd_bind(struct irq_routes *irq, uint32_t gsi, int fd, bool bind);

/** irq_msi_send() - Deliver one message now */
void irq_msi_send(struct irq_routes *irq, const struct irq_msi *msi);

/** irq_line_set() - Drive an IOAPIC pin */
void irq_line_set(struct irq_routes *irq, uint32_t pin, bool high);

#endif
