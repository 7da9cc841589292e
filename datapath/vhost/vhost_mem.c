/* SPDX-License-Identifier: BSD-3-Clause */
/* Building and checking a front-end's memory table; see vhost_mem.h. Runs on rte_vhost's thread. */
#include "vhost/vhost_mem.h"

#include <errno.h>

int vhost_mem_add(struct vhost_mem *mem, uint64_t guest, uint64_t len, void *host)
{
	uint32_t at;

	if (len == 0 || guest + len < guest || (uintptr_t)host + len < (uintptr_t)host)
		return -EINVAL;
	if (mem->n_regions == VHOST_MEM_REGIONS_MAX)
		return -ENOSPC;
	for (at = mem->n_regions++; at > 0 && mem->regions[at - 1].len < len; at--)
		mem->regions[at] = mem->regions[at - 1];
	mem->regions[at] = (struct vhost_mem_region){.guest = guest, .len = len, .host = host};
	return 0;
}

bool vhost_mem_holds(const struct vhost_mem *mem, const void *host, size_t len)
{
	for (uint32_t i = 0; i < mem->n_regions; i++) {
		const struct vhost_mem_region *region = &mem->regions[i];
		uint64_t offset = (uint64_t)(uintptr_t)host - (uintptr_t)region->host;

		if (offset < region->len && len <= region->len - offset)
			return true;
	}
	return false;
}
