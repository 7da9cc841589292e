/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records do not wrap: one that does not fit to the end of the ring begins at its start, and a header of size 0 says so. See
 * probe_ring.h.
 */
#include "probe/probe_ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "snapshot.h"
#include "stats.h"

#define RECORD_ALIGN  8
#define BY_PORT_BYTES (2 * SNAPSHOT_PORTS_MAX * sizeof(uint64_t))

struct probe_ring *probe_ring_new(uint32_t size)
{
	struct probe_ring *ring =
		aligned_alloc(64, (sizeof(*ring) + 63) / 64 * 64); /* no false sharing */

	if (ring == NULL)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->size = size;
	ring->random = 2463534242u ^ (uint32_t)(uintptr_t)ring;
	ring->bytes = mmap(NULL, size + BY_PORT_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ring->bytes == MAP_FAILED) {
		free(ring);
		return NULL;
	}
	ring->port_lost = (uint64_t *)(ring->bytes + size);
	ring->port_seen = ring->port_lost + SNAPSHOT_PORTS_MAX;
	return ring;
}

void probe_ring_free(struct probe_ring *ring)
{
	if (ring == NULL)
		return;
	munmap(ring->bytes, ring->size + BY_PORT_BYTES);
	free(ring);
}

void probe_ring_put(struct probe_ring *ring, const struct probe_record *record, const void *extra,
		    const struct frame_out *out)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t used = head - atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint32_t at = (uint32_t)(head & (ring->size - 1)), to_end = ring->size - at;
	uint32_t size = (uint32_t)sizeof(*record) + record->extra + record->cap_len;
	uint32_t skip;
	struct probe_record *to;

	size = (size + RECORD_ALIGN - 1) & ~(uint32_t)(RECORD_ALIGN - 1);
	skip = size > to_end ? to_end : 0;
	stats_add(&ring->n_frames, 1);
	if (ring->size - used < (uint64_t)skip + size) {
		/* One of more than half of the ring would find no room here for ever: the next of its kind begins at the start. */
		if (skip > 0 && used == 0 && size <= ring->size) {
			memset(ring->bytes + at, 0, sizeof(to->size));
			atomic_store_explicit(&ring->head, head + skip, memory_order_release);
		}
		stats_add(&ring->n_lost, 1);
		stats_add(&ring->port_lost[record->port], 1);
		if (ring->lost != UINT32_MAX)
			ring->lost++;
		return;
	}
	if (skip > 0) {
		/* Records are multiples of 8 and so is what is left: room for a size of 0 at least. */
		memset(ring->bytes + at, 0, sizeof(to->size));
		at = 0;
	}
	to = (struct probe_record *)(ring->bytes + at);
	*to = *record;
	to->size = size;
	to->lost = ring->lost;
	if (record->extra > 0)
		memcpy(to + 1, extra, record->extra);
	frame_out_copy(out, (uint8_t *)(to + 1) + record->extra, record->cap_len);
	ring->lost = 0;
	atomic_store_explicit(&ring->head, head + skip + size, memory_order_release);
}

const struct probe_record *probe_ring_peek(struct probe_ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint32_t at = (uint32_t)(tail & (ring->size - 1));
	const struct probe_record *record = (const struct probe_record *)(ring->bytes + at);

	if (tail == head)
		return NULL;
	if (record->size != 0)
		return record;
	tail += ring->size - at;
	atomic_store_explicit(&ring->tail, tail, memory_order_release);
	return tail == head ? NULL : (const struct probe_record *)ring->bytes;
}

void probe_ring_pop(struct probe_ring *ring, const struct probe_record *record)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	atomic_store_explicit(&ring->tail, tail + record->size, memory_order_release);
}
