/* SPDX-License-Identifier: BSD-3-Clause */
/* What the guest's CPUID instruction says. */
#ifndef VM_X86_CPUID_H
#define VM_X86_CPUID_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CPUID_ENTRIES_MAX 256

/* struct kvm_cpuid2 with room. */
struct cpuid_table {
	uint32_t nent, padding;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/** cpuid_supported() - What KVM can give on this host. Return: 0 or -errno */
int cpuid_supported(int kvm_fd, struct cpuid_table *table, struct err *err);

struct cpuid_cpu {
	unsigned int apic_id, n_cpus;
	unsigned int tsc_khz; /* 0 unknown */
	bool tsc_deadline;    /* KVM_CAP_TSC_DEADLINE_TIMER */
};

/** cpuid_fit() - Make the table of the host that of one vCPU: one socket, one thread per core */
void cpuid_fit(struct cpuid_table *table, const struct cpuid_cpu *cpu);

/** cpuid_address_bits() - Width of a guest physical address */
unsigned int cpuid_address_bits(const struct cpuid_table *table);

#endif
