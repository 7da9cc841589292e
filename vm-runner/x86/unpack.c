/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decompression of a kernel's payload, through the formats' own libraries. The input is a file that claims
 * to be a kernel: its stated size bounds the output buffer and nothing else.
 */
#include "x86/unpack.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define LZ4_LEGACY_BLOCK (8U << 20)

struct unpacker {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_bytes;
	/* Fills @out, at most @room bytes. Return: bytes unpacked, or -1 when @in is damaged. */
	int64_t (*run)(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t room);
};

static uint32_t load_le32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

/* Magic, then blocks of at most 8 MiB, each behind its packed size; Linux adds the unpacked size at the end. */
static int64_t run_lz4_legacy(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t room)
{
	size_t at = 4, end = in_bytes - 4, done = 0;

	while (end - at >= 4) {
		uint32_t packed = load_le32(in + at);
		size_t space = room - done < LZ4_LEGACY_BLOCK ? room - done : LZ4_LEGACY_BLOCK;
		int n;

		at += 4;
		if (packed == 0 || packed > end - at)
			return -1;
		n = LZ4_decompress_safe((const char *)in + at, (char *)out + done, (int)packed,
					(int)space);
		if (n < 0)
			return -1;
		at += packed;
		done += (size_t)n;
	}
	return (int64_t)done;
}

static int64_t run_gzip(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t room)
{
	z_stream stream = {
		.next_in = (Bytef *)(uintptr_t)in,
		.avail_in = (uInt)in_bytes,
		.next_out = out,
		.avail_out = (uInt)room,
	};
	int rc;

	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return -1;
	rc = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return rc == Z_STREAM_END ? (int64_t)stream.total_out : -1;
}

static int64_t run_xz(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t room)
{
	uint64_t memory = UNPACK_BYTES_MAX;
	size_t in_at = 0, out_at = 0;
	lzma_ret rc;

	rc = lzma_stream_buffer_decode(&memory, 0, NULL, in, &in_at, in_bytes - 4, out, &out_at,
				       room);
	return rc == LZMA_OK ? (int64_t)out_at : -1;
}

static int64_t run_zstd(const uint8_t *in, size_t in_bytes, uint8_t *out, size_t room)
{
	size_t n = ZSTD_decompress(out, room, in, in_bytes - 4);

	return ZSTD_isError(n) ? -1 : (int64_t)n;
}

static const struct unpacker unpackers[] = {
	{"LZ4", {0x02, 0x21, 0x4c, 0x18}, 4, run_lz4_legacy},
	{"gzip", {0x1f, 0x8b, 0x08}, 3, run_gzip},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0x00}, 6, run_xz},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, run_zstd},
};

static const struct unpacker *unpacker_find(const uint8_t *in, size_t in_bytes)
{
	for (size_t i = 0; i < sizeof(unpackers) / sizeof(unpackers[0]); i++)
		if (in_bytes >= 8 && !memcmp(in, unpackers[i].magic, unpackers[i].magic_bytes))
			return &unpackers[i];
	return NULL;
}

int unpack_payload(const uint8_t *in, size_t in_bytes, uint8_t **out, size_t *out_bytes,
		   struct err *err)
{
	const struct unpacker *unpacker = unpacker_find(in, in_bytes);
	uint64_t stated;
	int64_t got;

	if (!unpacker)
		return err_set(err, ENOTSUP,
			       "the kernel's payload is not LZ4, gzip, xz or zstd compressed");
	stated = load_le32(in + in_bytes - 4);
	if (stated == 0 || stated > UNPACK_BYTES_MAX)
		return err_set(
			err, EINVAL,
			"the kernel's payload claims to unpack to %llu bytes; the limit is %llu",
			(unsigned long long)stated, (unsigned long long)UNPACK_BYTES_MAX);
	*out = malloc(stated);
	if (!*out)
		return err_set(err, ENOMEM, "no memory to unpack the kernel");
	got = unpacker->run(in, in_bytes, *out, stated);
	if (got != (int64_t)stated) {
		free(*out);
		*out = NULL;
		return err_set(err, EINVAL, "the kernel's %s payload is damaged", unpacker->name);
	}
	*out_bytes = stated;
	return 0;
}
