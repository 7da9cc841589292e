/* SPDX-License-Identifier: BSD-3-Clause */
/* ELF64 executables as boot images: uncompressed kernels and microguests. */
#ifndef VM_X86_ELF_H
#define VM_X86_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mem.h"

struct elf_image {
	uint64_t entry;	     /* ELF entry point, virtual */
	uint64_t pvh_entry;  /* XEN_ELFNOTE_PHYS32_ENTRY, 0 without */
	uint64_t start, end; /* physical range taken, .bss included */
};

/** elf_is() - Is it an ELF file of any kind? */
bool elf_is(const uint8_t *file, size_t bytes);

/**
 * elf_load() - Copy an executable's segments to their physical addresses
 * @lowest: segments below this address are refused
 *
 * Every offset and size is checked against the file and against guest memory before anything is copied.
 * Guest memory must be new: what lies behind a segment's file part (.bss) is zero only then.
 */
int elf_load(struct elf_image *image, const uint8_t *file, size_t bytes, uint64_t lowest,
	     const struct guest_mem *mem, struct err *err);

#endif
