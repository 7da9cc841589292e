/* SPDX-License-Identifier: BSD-3-Clause */
/* A vCPU's state before its first instruction. */
#ifndef VM_X86_CPU_H
#define VM_X86_CPU_H

#include "base/err.h"
#include "x86/boot.h"
#include "x86/cpuid.h"

/** cpu_reset_state() - CPUID, MSRs and local APIC, as firmware would leave them. Every vCPU */
int cpu_reset_state(int vcpu_fd, struct cpuid_table *cpuid, struct err *err);

/** cpu_entry_state() - Registers of the boot CPU at the kernel's entry; writes GDT and page tables */
int cpu_entry_state(int vcpu_fd, const struct boot_entry *entry, const struct guest_mem *mem,
		    struct err *err);

#endif
