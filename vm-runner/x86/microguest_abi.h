/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between a microguest and vm-runner; included by both.
 *
 * A microguest is a static freestanding x86-64 ELF, linked at 2 MiB or above, that runs in ring 3 with all of the first
 * 4 GiB mapped one to one: RAM, PCI BARs and ECAM are plain pointers, ports may be used (IOPL 3). The first 2 MiB belong
 * to the VMM, and page 0 is absent. It is entered with rdi = struct microguest_params, a stack of 64 KiB that ends below
 * 2 MiB, interrupts off; rdtsc is the host's where KVM lets us say so. Text goes to COM1 (--serial), the end to MICROGUEST_PORT_EXIT.
 */
#ifndef VM_X86_MICROGUEST_ABI_H
#define VM_X86_MICROGUEST_ABI_H

#include <stdint.h>

#define MICROGUEST_MAGIC     0x74736575676f726dULL
#define MICROGUEST_VERSION   1
#define MICROGUEST_ARGS_MAX  1024
#define MICROGUEST_LOAD_MIN  0x200000
#define MICROGUEST_PORT_EXIT 0x610 /* one byte: 0 ends the VM with status 0, anything else with 5 */
#define MICROGUEST_PORT_TRAP 0x611 /* written by the VMM's own fault handlers */
#define MICROGUEST_PORT_WAIT                                                                       \
	0x612 /* one byte: the CPU is not needed for so many tenths of a millisecond */
#define MICROGUEST_PORT_TEXT 0x3f8

struct microguest_params {
	uint64_t magic;
	uint32_t version;
	uint32_t bytes;	       /* of this structure; a newer VMM only appends */
	uint64_t memory_bytes; /* RAM from 0 up to here, or to 3 GiB; the rest is out of reach */
	uint64_t ecam_base;    /* one bus */
	uint64_t bar_base, bar_end;	/* where BARs may be put */
	uint64_t tsc_khz;		/* 0: unknown */
	char args[MICROGUEST_ARGS_MAX]; /* --append */
	uint64_t shared_base; /* the file of --shared, which others on the host see, too; 0: none */
	uint64_t shared_bytes;
};

#endif
