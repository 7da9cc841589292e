/* SPDX-License-Identifier: BSD-3-Clause */
/* The head of a bzImage: Linux, Documentation/x86/boot.rst. */
#ifndef VM_X86_BZIMAGE_H
#define VM_X86_BZIMAGE_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct bzimage {
	struct setup_header header; /* copied */
	const uint8_t *kernel;	    /* protected-mode part, in the file's bytes */
	size_t kernel_bytes;
	const uint8_t *payload; /* packed vmlinux, in the file's bytes */
	size_t payload_bytes;
};

/** bzimage_is() - Does the file have a Linux setup header at all? */
bool bzimage_is(const uint8_t *file, size_t bytes);

/**
 * bzimage_parse() - Find the parts, checking every offset against the file
 * @image: points into @file
 */
int bzimage_parse(struct bzimage *image, const uint8_t *file, size_t bytes, struct err *err);

#endif
