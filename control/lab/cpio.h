/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cpio archive in the "newc" format that the kernel unpacks as (part of) an initramfs:
 * Documentation/driver-api/early-userspace/buffer-format.rst of Linux. Pure: builds bytes in memory.
 */
#ifndef LAB_CPIO_H
#define LAB_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio {
	unsigned char *bytes; /* owned; free with cpio_fini() */
	size_t len;
	size_t room;
	uint32_t next_inode;
	int failed; /* out of memory once: cpio_end() says so */
};

/** cpio_init() - An empty archive */
void cpio_init(struct cpio *cpio);

/** cpio_folder() - Add a folder, mode 0755; parents first. @path has no leading slash */
void cpio_folder(struct cpio *cpio, const char *path);

/** cpio_file() - Add a file of root, mode 0644 */
void cpio_file(struct cpio *cpio, const char *path, const void *content, size_t len);

/** cpio_end() - Add the trailer and pad to 512 bytes. Return: 0 or -ENOMEM */
int cpio_end(struct cpio *cpio);

/** cpio_fini() - Free the bytes */
void cpio_fini(struct cpio *cpio);

#endif
