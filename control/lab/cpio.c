/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/cpio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CPIO_HEADER_BYTES 110
#define CPIO_BLOCK_BYTES  512

void cpio_init(struct cpio *cpio)
{
	memset(cpio, 0, sizeof(*cpio));
	cpio->next_inode = 1;
}

static void cpio_put(struct cpio *cpio, const void *bytes, size_t len)
{
	if (cpio->failed)
		return;
	if (cpio->room - cpio->len < len) {
		size_t room = (cpio->len + len) * 2;
		unsigned char *more = realloc(cpio->bytes, room);

		if (more == NULL) {
			cpio->failed = 1;
			return;
		}
		cpio->bytes = more;
		cpio->room = room;
	}
	memcpy(cpio->bytes + cpio->len, bytes, len);
	cpio->len += len;
}

static void cpio_pad(struct cpio *cpio, size_t to)
{
	static const unsigned char zeros[CPIO_BLOCK_BYTES];

	if (cpio->len % to != 0)
		cpio_put(cpio, zeros, to - cpio->len % to);
}

static void cpio_entry(struct cpio *cpio, const char *path, unsigned int mode, const void *content,
		       size_t len)
{
	char header[CPIO_HEADER_BYTES + 1];
	unsigned int n_links = S_ISDIR(mode) ? 2 : 1;

	/* magic ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check */
	snprintf(header, sizeof(header),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", cpio->next_inode++,
		 mode, 0, 0, n_links, 0, (unsigned int)len, 0, 0, 0, 0,
		 (unsigned int)strlen(path) + 1, 0);
	cpio_put(cpio, header, CPIO_HEADER_BYTES);
	cpio_put(cpio, path, strlen(path) + 1);
	cpio_pad(cpio, 4);
	cpio_put(cpio, content, len);
	cpio_pad(cpio, 4);
}

void cpio_folder(struct cpio *cpio, const char *path)
{
	cpio_entry(cpio, path, S_IFDIR | 0755, "", 0);
}

void cpio_file(struct cpio *cpio, const char *path, const void *content, size_t len)
{
	cpio_entry(cpio, path, S_IFREG | 0644, content, len);
}

int cpio_end(struct cpio *cpio)
{
	cpio->next_inode = 0;
	cpio_entry(cpio, "TRAILER!!!", 0, "", 0);
	cpio_pad(cpio, CPIO_BLOCK_BYTES);
	return cpio->failed ? -ENOMEM : 0;
}

void cpio_fini(struct cpio *cpio)
{
	free(cpio->bytes);
	memset(cpio, 0, sizeof(*cpio));
}
