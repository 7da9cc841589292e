/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end's memory as we see it: guest physical address -> our address.
 *
 * An immutable copy of the memory table that the peer announced. Rings hold a pointer to it while they are worked; it is
 * replaced only after they were stopped and the workers have let go. Whatever a guest puts into a descriptor goes
 * through vhost_mem_at(): a range is taken only if it lies wholly within one region, so no guest address can
 * name memory of ours.
 */
#ifndef DATAPATH_VHOST_VHOST_MEM_H
#define DATAPATH_VHOST_VHOST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_MEM_REGIONS_MAX 8 /* what rte_vhost accepts */

struct vhost_mem_region {
	uint64_t guest; /* guest physical address */
	uint64_t len;	/* bytes */
	uint8_t *host;	/* where it is mapped here */
};

struct vhost_mem {
	uint32_t n_regions;
	struct vhost_mem_region regions[VHOST_MEM_REGIONS_MAX]; /* largest first: most hits */
};

/**
 * vhost_mem_add() - Add a region while the table is being built
 * Return: 0; -ENOSPC when full; -EINVAL when it is empty or its end wraps around.
 */
int vhost_mem_add(struct vhost_mem *mem, uint64_t guest, uint64_t len, void *host);

/**
 * vhost_mem_at() - Where a guest range is here
 * @guest: guest physical address, as the guest said it
 * @len:   bytes, as the guest said it
 *
 * Return: NULL unless the whole range is inside one region. Context: any thread.
 */
static inline uint8_t *vhost_mem_at(const struct vhost_mem *mem, uint64_t guest, uint32_t len)
{
	for (uint32_t i = 0; i < mem->n_regions; i++) {
		const struct vhost_mem_region *region = &mem->regions[i];
		uint64_t offset = guest - region->guest;

		if (offset < region->len && len <= region->len - offset)
			return region->host + offset;
	}
	return NULL;
}

/**
 * vhost_mem_holds() - Whether our addresses [@host, @host + @len) are inside one region
 */
bool vhost_mem_holds(const struct vhost_mem *mem, const void *host, size_t len);

#endif
