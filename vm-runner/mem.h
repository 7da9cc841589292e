/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's memory: up to two memfds (below and above the 32-bit hole), mapped shared so that a vhost-user back-end can map
 * them too. Regions never change after start. Everything in them is untrusted and may change while it is read.
 */
#ifndef VM_MEM_H
#define VM_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MEM_REGIONS_MAX 2
#define MEM_LOW_END	UINT64_C(0xc0000000) /* RAM below 4 GiB ends here at the latest */
#define MEM_HIGH_START	UINT64_C(0x100000000)

struct mem_region {
	uint64_t gpa;
	uint64_t bytes;
	uint8_t *host;
	int fd; /* owned; the region starts at offset 0 */
};

struct guest_mem {
	unsigned int n_regions;
	struct mem_region regions[MEM_REGIONS_MAX];
};

/**
 * mem_open() - Make the guest's memory
 * @bytes:     a multiple of 2 MiB
 * @hugepages: back with 2 MiB hugepages, reserved now: a shortage is an error here and not SIGBUS later
 */
int mem_open(struct guest_mem *mem, uint64_t bytes, bool hugepages, struct err *err);
void mem_close(struct guest_mem *mem);

/**
 * mem_at() - Host address of [gpa, gpa+bytes)
 * Return: NULL unless the whole range lies in one region (no wrap-around).
 */
void *mem_at(const struct guest_mem *mem, uint64_t gpa, uint64_t bytes);

/**
 * mem_put() - Copy into the guest
 * Return: 0, or -EFAULT when the range is not memory: nothing is copied then.
 */
int mem_put(const struct guest_mem *mem, uint64_t gpa, const void *data, uint64_t bytes);

/**
 * mem_load() - As mem_put(), for much data that we do not look at again
 *
 * Goes through the file: the pages do not become part of this process's resident memory, and are not cleared before
 * they are overwritten.
 */
int mem_load(const struct guest_mem *mem, uint64_t gpa, const void *data, uint64_t bytes);

/**
 * mem_load_file() - As mem_load(), from @fd's current position
 * Return: 0, -EFAULT, -ENODATA when the file ends before @bytes, or another -errno.
 */
int mem_load_file(const struct guest_mem *mem, uint64_t gpa, int fd, uint64_t bytes);

#endif
