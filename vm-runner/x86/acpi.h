/* SPDX-License-Identifier: BSD-3-Clause */
/* The ACPI tables of the machine: ACPI 6.3, hardware-reduced. */
#ifndef VM_X86_ACPI_H
#define VM_X86_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "mem.h"

#define ACPI_CPUS_MAX 64

struct acpi_machine {
	unsigned int n_cpus;
	unsigned int hotplug_slot,
		n_hotplug_slots; /* PCI slots whose cards come and go, up to 31 */
	bool has_serial;	 /* COM1 is there */
	uint64_t mmio64_base, mmio64_bytes;
};

/**
 * acpi_write() - Put RSDP, XSDT, FADT, MADT, MCFG and DSDT into the guest at LAYOUT_ACPI
 * @rsdp: guest physical address of the RSDP
 */
int acpi_write(const struct acpi_machine *machine, const struct guest_mem *mem, uint64_t *rsdp,
	       struct err *err);

#endif
