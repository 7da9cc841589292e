/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtual machine as those see it who build and run it: main.c, vcpu.c, control.c, x86/. Devices include vm.h.
 */
#ifndef VM_MACHINE_H
#define VM_MACHINE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "irq.h"
#include "mem.h"
#include "vm.h"
#include "x86/cpuid.h"
#include "x86/hotplug.h"
#include "x86/serial.h"

#define VM_CPUS_MAX 64

struct boot_entry;
struct event;
struct vcpu;

struct vm_config {
	const char *name; /* borrowed for the VM's life */
	uint64_t memory_bytes;
	bool hugepages;
	unsigned int n_cpus;
	const char *serial_log; /* NULL: no COM1 */
	bool bare;		/* no interrupt controllers, no firmware tables: for microguests */
};

struct vm {
	struct vm_config config;
	int kvm_fd; /* -1: detached, no KVM */
	int fd;
	size_t run_bytes; /* of each vCPU's shared page */
	struct guest_mem mem;
	struct irq_routes irq;
	struct pci_bus *pci;
	struct hotplug hotplug;
	struct event_base *events;
	struct serial serial;
	struct cpuid_table *cpuid; /* of the host, until the vCPUs are made */
	unsigned int n_vcpus;
	struct vcpu *vcpus;
	sem_t vcpus_ready, vcpus_go; /* threads that wait, and how many may go on */

	/* Set once by vm_end(), from any thread. */
	pthread_mutex_t end_lock;
	atomic_bool ending; /* vCPU threads leave their loop */
	enum vm_exit end_code;
	char end_reason[256];
	int end_fd; /* eventfd, wakes the main thread */
	struct event *end_event;
};

/**
 * vm_new() - Memory, KVM's side of the machine, PCI bus, serial port
 * Return: NULL with @err set. Free with vm_free().
 */
struct vm *vm_new(const struct vm_config *config, struct err *err);

/** vm_cpus_new() - Make the vCPUs; the first starts at @entry, the others wait for its INIT */
int vm_cpus_new(struct vm *vm, const struct boot_entry *entry, struct err *err);

/** vm_start() - Start the vCPUs' threads; the guest does not run yet */
int vm_start(struct vm *vm, struct err *err);

/** vm_run() - Run the guest and serve events until vm_end(). Return: its code. Main thread */
enum vm_exit vm_run(struct vm *vm);

/** vm_power_button_press() - What the guest sees as a press of the ACPI power button */
void vm_power_button_press(struct vm *vm);

/** vm_hotplug_ring() - Have the guest look at the hotplug controller */
void vm_hotplug_ring(struct vm *vm);

/** vm_mmio64_base() - Start of the window for 64-bit BARs, behind all RAM */
uint64_t vm_mmio64_base(const struct vm *vm);

#endif
