/* SPDX-License-Identifier: BSD-3-Clause */
/* Unpacked kernels on disk, so that a kernel is unpacked once and not at every start. */
#ifndef VM_X86_KERNEL_CACHE_H
#define VM_X86_KERNEL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the file was unpacked from: content, not name or date. */
struct kernel_cache_key {
	uint8_t sha256[32];
};

/**
 * kernel_cache_key() - Where the unpacked form of a packed file belongs
 *
 * A digest that nobody can aim: a kernel made to look like another one's would be run in its place, by
 * whoever starts that one. Return: false when it cannot be computed: go without the cache then.
 */
bool kernel_cache_key(struct kernel_cache_key *key, const void *packed, size_t bytes);

/** kernel_cache_hash() - A fast 64-bit checksum: finds damage, does not resist an attacker */
uint64_t kernel_cache_hash(const void *data, size_t bytes);

/**
 * kernel_cache_open() - Map the unpacked kernel for @key
 * @map, @map_bytes: the whole mapping, for munmap()
 * @bytes:           how much of it is the kernel
 *
 * A file that is not ours, has the wrong size or does not have the checksum it states is not used.
 * Return: false when there is none.
 */
bool kernel_cache_open(const struct kernel_cache_key *key, void **map, size_t *map_bytes,
		       size_t *bytes);

/**
 * kernel_cache_store() - Keep an unpacked kernel
 *
 * Lies whole under its name or not at all (written aside, then renamed). Failure is not an error: the
 * next start unpacks again.
 */
void kernel_cache_store(const struct kernel_cache_key *key, const void *data, size_t bytes);

#endif
