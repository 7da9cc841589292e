/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk over a packed virtqueue (virtio 1.2 §2.8). A descriptor is the device's when its AVAIL flag equals the driver's wrap
 * counter and its USED flag does not; used, both equal the device's.
 *
 * As in queue.c every descriptor is fetched once, its flags first, and all areas are looked up for every chain. A chain is
 * bounded by the ring: it may not run into descriptors that are not available.
 */
#include "virtio/queue_packed.h"

#include <errno.h>

#include "mem.h"

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4
#define DESC_AVAIL    (1 << 7)
#define DESC_USED     (1 << 15)

#define WRAP	      (1 << 15) /* of offsets in event suppression areas */
#define EVENT_DISABLE 1
#define EVENT_DESC    2

struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

struct packed_rings {
	uint64_t *desc;	  /* pairs of words */
	uint32_t *driver; /* event suppression: off_wrap, flags */
	uint32_t *device;
};

static bool rings_find(const struct guest_mem *mem, const struct virtio_queue *queue,
		       struct packed_rings *rings)
{
	if (!queue->size || queue->desc % 16 || queue->driver % 4 || queue->device % 4)
		return false;
	rings->desc = mem_at(mem, queue->desc, (uint64_t)queue->size * 16);
	rings->driver = mem_at(mem, queue->driver, 4);
	rings->device = mem_at(mem, queue->device, 4);
	return rings->desc && rings->driver && rings->device;
}

static struct packed_desc desc_fetch(const uint64_t *table, uint32_t index)
{
	uint64_t rest = __atomic_load_n(&table[index * 2 + 1], __ATOMIC_ACQUIRE);
	uint64_t addr = __atomic_load_n(&table[index * 2], __ATOMIC_RELAXED);

	return (struct packed_desc){addr, (uint32_t)rest, (uint16_t)(rest >> 32),
				    (uint16_t)(rest >> 48)};
}

static bool is_available(uint16_t flags, bool flipped)
{
	return !(flags & DESC_AVAIL) == flipped && !(flags & DESC_USED) != flipped;
}

static void step(uint16_t size, uint16_t n, uint16_t *position, bool *flipped)
{
	uint32_t next = (uint32_t)*position + n;

	if (next >= size) {
		next -= size;
		*flipped = !*flipped;
	}
	*position = (uint16_t)next;
}

static const char *indirect_follow(const struct guest_mem *mem, const struct packed_desc *outer,
				   uint16_t n_max, struct queue_chain *chain)
{
	const uint64_t *table;

	if (outer->flags & DESC_NEXT)
		return "an indirect descriptor with a next one";
	if (!outer->len || outer->len % 16 || outer->len / 16 > n_max || outer->addr % 8)
		return "an indirect table of a bad size";
	table = mem_at(mem, outer->addr, outer->len);
	if (!table)
		return "an indirect table outside memory";
	for (uint32_t i = 0; i < outer->len / 16; i++) {
		struct packed_desc desc = desc_fetch(table, i);
		const char *why;

		if (desc.flags & DESC_INDIRECT)
			return "an indirect descriptor that is nested or was not negotiated";
		why = queue_chain_add(mem, chain, desc.addr, desc.len, desc.flags & DESC_WRITE);
		if (why)
			return why;
	}
	return NULL;
}

int queue_packed_walk(const struct guest_mem *mem, struct virtio_queue *queue, uint64_t features,
		      struct queue_chain *chain, const char **why)
{
	uint16_t at = queue->last_avail;
	bool flipped = queue->avail_flipped;
	struct packed_rings rings;
	struct packed_desc desc;

	*why = "a ring outside memory or not aligned";
	if (!rings_find(mem, queue, &rings))
		return -EPROTO;
	desc = desc_fetch(rings.desc, at);
	if (!is_available(desc.flags, flipped))
		return 0;
	chain->n_out = chain->n_in = chain->n_slots = 0;
	chain->out_bytes = chain->in_bytes = 0;
	for (;;) {
		*why = NULL;
		if (!(desc.flags & DESC_INDIRECT))
			*why = queue_chain_add(mem, chain, desc.addr, desc.len,
					       desc.flags & DESC_WRITE);
		else if (chain->n_slots || !(features & VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC)))
			*why = "an indirect descriptor that is nested or was not negotiated";
		else
			*why = indirect_follow(mem, &desc, queue->size, chain);
		if (*why)
			return -EPROTO;
		chain->n_slots++;
		step(queue->size, 1, &at, &flipped);
		if (!(desc.flags & DESC_NEXT))
			break;
		*why = "a chain without an end";
		if (chain->n_slots == queue->size)
			return -EPROTO;
		desc = desc_fetch(rings.desc, at);
		if (!is_available(desc.flags, flipped))
			return -EPROTO;
	}
	chain->head = desc.id;
	queue->last_avail = at;
	queue->avail_flipped = flipped;
	return 1;
}

void queue_packed_push(const struct guest_mem *mem, struct virtio_queue *queue,
		       const struct queue_chain *chain, uint32_t bytes)
{
	uint16_t flags = queue->used_flipped ? 0 : DESC_AVAIL | DESC_USED;
	struct packed_rings rings;

	if (!rings_find(mem, queue, &rings))
		return;
	if (bytes)
		flags |= DESC_WRITE;
	__atomic_store_n(&rings.desc[queue->last_used * 2 + 1],
			 bytes | (uint64_t)chain->head << 32 | (uint64_t)flags << 48,
			 __ATOMIC_RELEASE);
	step(queue->size, chain->n_slots, &queue->last_used, &queue->used_flipped);
	queue->unsignalled = true;
}

bool queue_packed_wants_interrupt(const struct guest_mem *mem, struct virtio_queue *queue,
				  uint64_t features)
{
	uint16_t old = queue->signalled_used, now = queue->last_used, event, flags;
	struct packed_rings rings;
	uint32_t both;

	if (!queue->unsignalled || !rings_find(mem, queue, &rings))
		return false;
	queue->unsignalled = false;
	queue->signalled_used = now;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	both = __atomic_load_n(rings.driver, __ATOMIC_RELAXED);
	flags = both >> 16 & 3;
	if (flags != EVENT_DESC || !(features & VIRTIO_BIT(VIRTIO_RING_EVENT_IDX)))
		return flags != EVENT_DISABLE;
	/* All three on one axis, on which now lies in the current lap. */
	event = both & (WRAP - 1);
	if (now <= old)
		old = (uint16_t)(old - queue->size);
	if (!(both & WRAP) != queue->used_flipped)
		event = (uint16_t)(event - queue->size);
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

bool queue_packed_arm(const struct guest_mem *mem, struct virtio_queue *queue, uint64_t features)
{
	struct packed_rings rings;
	uint32_t event = 0; /* always */

	if (!rings_find(mem, queue, &rings))
		return false;
	if (features & VIRTIO_BIT(VIRTIO_RING_EVENT_IDX))
		event = EVENT_DESC << 16 | queue->last_avail | (queue->avail_flipped ? 0 : WRAP);
	__atomic_store_n(rings.device, event, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !queue_packed_is_empty(mem, queue);
}

bool queue_packed_is_empty(const struct guest_mem *mem, const struct virtio_queue *queue)
{
	struct packed_rings rings;

	return !rings_find(mem, queue, &rings) ||
	       !is_available(desc_fetch(rings.desc, queue->last_avail).flags, queue->avail_flipped);
}
