/* SPDX-License-Identifier: BSD-3-Clause */
/* Decompression of a kernel's payload, in the formats that Linux's build offers and distributions use. */
#ifndef VM_X86_UNPACK_H
#define VM_X86_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define UNPACK_BYTES_MAX (UINT64_C(512) << 20)

/**
 * unpack_payload() - Unpack one compressed image
 * @in:    packed bytes; the last 4 give the unpacked size, little-endian, as Linux's build appends them
 *         (gzip has them by itself). The size is not believed: the result is what really came out.
 * @out:   result, from malloc()
 * @err:   names the format and what is wrong
 *
 * Legacy LZ4 frames, gzip, xz and zstd are told apart by their first bytes.
 * Return: 0 or -errno; nothing is allocated then.
 */
int unpack_payload(const uint8_t *in, size_t in_bytes, uint8_t **out, size_t *out_bytes,
		   struct err *err);

#endif
