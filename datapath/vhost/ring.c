/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening a virtqueue, and what both layouts share; see ring.h. */
#include "vhost/ring.h"

#include <errno.h>
#include <string.h>

#include "vhost/ring_layout.h"

struct ring_part {
	const void *base;
	size_t len;
	size_t align;
};

/* virtio 1.2 §2.7 and §2.8: sizes and alignments of the three parts. */
static bool ring_part_is_good(const struct vhost_mem *mem, struct ring_part part)
{
	return part.base != NULL && (uintptr_t)part.base % part.align == 0 &&
	       vhost_mem_holds(mem, part.base, part.len);
}

static const char *ring_setup_fault(const struct ring_setup *setup)
{
	size_t event = setup->event_idx ? sizeof(uint16_t) : 0;
	struct ring_part desc = {setup->desc, 16 * (size_t)setup->size, 8};
	struct ring_part driver = {setup->driver, sizeof(struct vring_packed_desc_event), 4};
	struct ring_part device = driver;

	device.base = setup->device;
	if (!setup->packed) {
		driver.len = sizeof(struct vring_avail) + 2 * (size_t)setup->size + event;
		driver.align = 2;
		device.len = sizeof(struct vring_used) + 8 * (size_t)setup->size + event;
	}
	if (setup->size == 0 || setup->size > RING_SIZE_MAX)
		return "the ring size is not within 1..32768";
	if (!setup->packed && (setup->size & (setup->size - 1)) != 0)
		return "the size of a split ring is not a power of 2";
	if (setup->packed && ((setup->next_avail & ~RING_WRAP) >= setup->size ||
			      (setup->next_used & ~RING_WRAP) >= setup->size))
		return "the ring's start position is past its end";
	if (!ring_part_is_good(setup->mem, desc))
		return "the descriptor area is misaligned or outside the memory table";
	if (!ring_part_is_good(setup->mem, driver))
		return "the driver area is misaligned or outside the memory table";
	if (!ring_part_is_good(setup->mem, device))
		return "the device area is misaligned or outside the memory table";
	return NULL;
}

int ring_open(struct ring *ring, const struct ring_setup *setup, const char **why)
{
	*why = ring_setup_fault(setup);
	if (*why != NULL)
		return -EINVAL;
	memset(ring, 0, sizeof(*ring));
	ring->layout = setup->packed ? &ring_packed_layout : &ring_split_layout;
	ring->mem = setup->mem;
	ring->desc = setup->desc;
	ring->avail = setup->driver;
	ring->used = setup->device;
	ring->offloads = setup->offloads;
	ring->size = setup->size;
	ring->vnet_len = setup->vnet_len;
	ring->packed = setup->packed;
	ring->event_idx = setup->event_idx;
	ring->indirect = setup->indirect;
	ring->mergeable = setup->mergeable;
	ring->next_avail = setup->next_avail;
	ring->next_used = setup->next_used;
	if (setup->packed) {
		ring->next_avail &= ~RING_WRAP;
		ring->next_used &= ~RING_WRAP;
		ring->avail_wrap = setup->next_avail & RING_WRAP;
		ring->used_wrap = setup->next_used & RING_WRAP;
	}
	if (setup->inflight.state != NULL) {
		*why = setup->recover ? ring_inflight_recover(ring, &setup->inflight) : NULL;
		if (*why != NULL)
			return -EINVAL;
		ring_inflight_begin(ring, &setup->inflight);
	}
	ring->avail_seen = ring->next_avail;
	return 0;
}

void ring_base(const struct ring *ring, uint16_t *next_avail, uint16_t *next_used)
{
	*next_avail = ring->next_avail;
	*next_used = ring->next_used;
	if (ring->packed) {
		*next_avail |= ring->avail_wrap ? RING_WRAP : 0;
		*next_used |= ring->used_wrap ? RING_WRAP : 0;
	}
}

uint16_t ring_rx(struct ring *ring, struct frame *frames, uint16_t max, uint64_t *drops)
{
	return ring->layout->rx(ring, frames, max, drops);
}

bool ring_rx_release(struct ring *ring)
{
	if (ring->n_done == 0)
		return false;
	ring->layout->give(ring, ring->done, ring->n_done, false);
	ring->n_done = 0;
	return ring->layout->wants_signal(ring);
}

bool ring_tx(struct ring *ring, struct frame_out *out, uint16_t n)
{
	return ring->layout->tx(ring, out, n);
}

bool ring_arm(struct ring *ring, bool armed)
{
	return ring->layout->arm(ring, armed);
}
