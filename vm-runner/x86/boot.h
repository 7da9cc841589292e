/* SPDX-License-Identifier: BSD-3-Clause */
/* From files to a guest that can be started: kernel, initrd, command line, and the page that describes them. */
#ifndef VM_X86_BOOT_H
#define VM_X86_BOOT_H

#include <stdint.h>

#include "base/err.h"
#include "mem.h"
#include "x86/kernel.h"

struct boot_files {
	const char *kernel;
	const char *const *initrds;
	unsigned int n_initrds;
	const char *cmdline;
};

/* How the first vCPU is started; the others wait for its INIT. */
struct boot_entry {
	enum kernel_entry kind;
	uint64_t rip;
	uint64_t info; /* PVH start info, or zero page */
};

/** boot_load() - Fill guest memory. @rsdp is where the ACPI tables start */
int boot_load(const struct boot_files *files, const struct guest_mem *mem, uint64_t rsdp,
	      struct boot_entry *entry, struct err *err);

#endif
