/* SPDX-License-Identifier: BSD-3-Clause */
/* Initial RAM disks, one behind the other. */
#ifndef VM_X86_INITRD_H
#define VM_X86_INITRD_H

#include <stdint.h>

#include "base/err.h"
#include "mem.h"

struct initrd {
	uint64_t gpa, bytes; /* 0, 0 without */
};

/**
 * initrd_load() - Put files at the upper end of low memory
 * @paths:  each is padded to 4 bytes, so that the kernel unpacks them as one chain of cpio archives
 * @lowest: first byte that is free, behind the kernel
 * @max:    last byte the kernel can reach
 */
int initrd_load(struct initrd *initrd, const char *const *paths, unsigned int n_paths,
		uint64_t lowest, uint64_t max, const struct guest_mem *mem, struct err *err);

#endif
