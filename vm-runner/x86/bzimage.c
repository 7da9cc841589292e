/* SPDX-License-Identifier: BSD-3-Clause */
#include "x86/bzimage.h"

#include <errno.h>
#include <string.h>

#define HEADER_AT	 0x1f1
#define HEADER_MAGIC	 0x53726448 /* "HdrS" */
#define BOOT_FLAG	 0xaa55
#define VERSION_64BIT	 0x020c /* xloadflags exist */
#define SECTOR_BYTES	 512
#define SETUP_SECTS_ZERO 4 /* what 0 means, for very old kernels */

static bool header_copy(struct setup_header *header, const uint8_t *file, size_t bytes)
{
	if (bytes < HEADER_AT + sizeof(*header))
		return false;
	memcpy(header, file + HEADER_AT, sizeof(*header));
	return header->boot_flag == BOOT_FLAG && header->header == HEADER_MAGIC;
}

bool bzimage_is(const uint8_t *file, size_t bytes)
{
	struct setup_header header;

	return header_copy(&header, file, bytes);
}

int bzimage_parse(struct bzimage *image, const uint8_t *file, size_t bytes, struct err *err)
{
	size_t sects, start;

	memset(image, 0, sizeof(*image));
	if (!header_copy(&image->header, file, bytes))
		return err_set(err, ENOEXEC, "not a bzImage");
	if (image->header.version < VERSION_64BIT)
		return err_set(err, ENOEXEC, "boot protocol %u.%02u is too old; 2.12 is needed",
			       image->header.version >> 8, image->header.version & 0xffU);
	sects = image->header.setup_sects ? image->header.setup_sects : SETUP_SECTS_ZERO;
	start = (sects + 1) * SECTOR_BYTES;
	if (start >= bytes)
		return err_set(err, ENOEXEC, "truncated: the kernel would start at byte %zu of %zu",
			       start, bytes);
	image->kernel = file + start;
	image->kernel_bytes = bytes - start;
	if (image->header.payload_offset > image->kernel_bytes ||
	    image->header.payload_length > image->kernel_bytes - image->header.payload_offset)
		return err_set(err, ENOEXEC,
			       "truncated: the payload of %u bytes reaches beyond the file's end",
			       image->header.payload_length);
	image->payload = image->kernel + image->header.payload_offset;
	image->payload_bytes = image->header.payload_length;
	return 0;
}
