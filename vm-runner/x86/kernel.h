/* SPDX-License-Identifier: BSD-3-Clause */
/* A kernel file, whatever its form, into guest memory. */
#ifndef VM_X86_KERNEL_H
#define VM_X86_KERNEL_H

#include <asm/bootparam.h>
#include <stdint.h>

#include "base/err.h"
#include "mem.h"

enum kernel_entry {
	KERNEL_PVH,	/* 32-bit entry, Xen's start info */
	KERNEL_LINUX64, /* 64-bit entry of a bzImage, zero page */
};

struct kernel {
	enum kernel_entry entry;
	uint64_t rip;		    /* guest physical */
	uint64_t end;		    /* first byte behind what the kernel needs while it starts */
	uint64_t initrd_max;	    /* last byte an initrd may occupy */
	struct setup_header header; /* of the bzImage, for the zero page */
};

/**
 * kernel_load() - Load a vmlinux with a PVH note, or a bzImage
 *
 * A bzImage is unpacked here (once: see kernel_cache.h) and entered as PVH when the kernel inside has a
 * PVH note; else the bzImage itself is loaded and unpacks itself in the guest.
 */
int kernel_load(struct kernel *kernel, const char *path, const struct guest_mem *mem,
		struct err *err);

/** kernel_load_bytes() - The same for a file in memory; @cached chooses whether the cache is used */
int kernel_load_bytes(struct kernel *kernel, const uint8_t *file, size_t bytes, bool cached,
		      const struct guest_mem *mem, struct err *err);

#endif
