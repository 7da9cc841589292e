/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow side of in-flight state: opening a ring with it, and taking up one that somebody else left. See ring_inflight.h; the
 * fast side is in ring_packed.c. Runs on rte_vhost's thread, before a worker has the ring.
 */
#include "vhost/ring_inflight.h"

#include <string.h>

#include "vhost/ring.h"
#include "vhost/ring_layout.h"

#define BATCH_N_MASK 0x7fff

static const char other_version[] =
	"the in-flight memory is of another program or version; restart "
	"the driver in the guest";
static const char nonsense[] =
	"the in-flight memory contradicts the ring; restart the driver in the guest";

struct ring_inflight ring_inflight_at(void *region, bool packed, uint16_t n_queues, uint16_t size,
				      uint16_t index)
{
	uint8_t *base = region;
	uint64_t journals = packed ? sizeof(struct ring_journal) : 0;
	uint64_t state = ring_inflight_bytes(packed, 1, size) - journals;

	return (struct ring_inflight){
		.state = base + index * state,
		.journal = packed ? (void *)(base + n_queues * state + index * journals) : NULL,
	};
}

/* In this order, so that whoever dies in between leaves a part that was never used, or one that is right. */
static void packed_begin(struct ring *ring, const struct ring_inflight *inflight)
{
	struct inflight_packed *state = inflight->packed;

	/* A batch that begins where the ring does would be taken for one that is under way. */
	__atomic_store_n(&inflight->journal->batch, 0, __ATOMIC_RELEASE);
	RING_STORED();
	__atomic_store_n(&inflight->journal->magic, JOURNAL_MAGIC, __ATOMIC_RELEASE);
	RING_STORED();
	__atomic_store_n(&state->position, inflight_position(ring->next_used, ring->used_wrap),
			 __ATOMIC_RELEASE);
	RING_STORED();
	__atomic_store_n(&state->desc_num, ring->size, __ATOMIC_RELEASE);
	RING_STORED();
	__atomic_store_n(&state->version, INFLIGHT_VERSION, __ATOMIC_RELEASE);
	RING_STORED();
}

void ring_inflight_begin(struct ring *ring, const struct ring_inflight *inflight)
{
	ring->inflight = *inflight;
	if (ring->packed) {
		packed_begin(ring, inflight);
		return;
	}
	__atomic_store_n(&inflight->split->used_idx, ring->next_used, __ATOMIC_RELAXED);
	RING_STORED();
	__atomic_store_n(&inflight->split->desc_num, ring->size, __ATOMIC_RELEASE);
	RING_STORED();
	__atomic_store_n(&inflight->split->version, INFLIGHT_VERSION, __ATOMIC_RELEASE);
	RING_STORED();
}

/* The batch that was being given back when the switch died, if there was one, is given back now. */
static const char *packed_finish(struct ring *ring, const struct ring_inflight *inflight)
{
	uint32_t batch = __atomic_load_n(&inflight->journal->batch, __ATOMIC_ACQUIRE);
	uint16_t first = (uint16_t)batch, n = batch >> 16 & BATCH_N_MASK;
	uint32_t n_slots = 0;

	if (n == 0 || first != (ring->next_used | (ring->used_wrap ? RING_WRAP : 0)))
		return NULL;
	if (n > RING_DONE_MAX)
		return nonsense;
	memcpy(ring->done, inflight->journal->done, n * sizeof(ring->done[0]));
	__asm__ volatile("" ::: "memory"); /* from here on the copy */
	for (uint16_t i = 0; i < n; i++) {
		n_slots += ring->done[i].n_slots;
		if (ring->done[i].n_slots == 0 || n_slots > ring->size)
			return nonsense;
	}
	ring_packed_redo(ring, ring->done, n, batch & JOURNAL_WRITABLE);
	return NULL;
}

static const char *packed_recover(struct ring *ring, const struct ring_inflight *inflight)
{
	struct inflight_packed state = {0};
	const char *why;

	state.version = __atomic_load_n(&inflight->packed->version, __ATOMIC_ACQUIRE);
	state.desc_num = __atomic_load_n(&inflight->packed->desc_num, __ATOMIC_RELAXED);
	state.position = __atomic_load_n(&inflight->packed->position, __ATOMIC_RELAXED);
	if (state.version == 0)
		return NULL;
	if (state.version != INFLIGHT_VERSION ||
	    __atomic_load_n(&inflight->journal->magic, __ATOMIC_RELAXED) != JOURNAL_MAGIC)
		return other_version;
	if (state.desc_num != ring->size || state.used_idx >= ring->size ||
	    state.position != inflight_position(state.used_idx, state.used_wrap_counter))
		return nonsense;
	ring->next_used = state.used_idx;
	ring->used_wrap = state.used_wrap_counter;
	why = packed_finish(ring, inflight);
	if (why != NULL)
		return why;
	/* Before anything of the journal changes. */
	__atomic_store_n(&inflight->packed->position,
			 inflight_position(ring->next_used, ring->used_wrap), __ATOMIC_RELEASE);
	RING_STORED();
	ring->next_avail = ring->next_used;
	ring->avail_wrap = ring->used_wrap;
	return NULL;
}

const char *ring_inflight_recover(struct ring *ring, const struct ring_inflight *inflight)
{
	if (ring->packed)
		return packed_recover(ring, inflight);
	if (__atomic_load_n(&inflight->split->version, __ATOMIC_ACQUIRE) > INFLIGHT_VERSION)
		return other_version;
	/* Its position is used->idx, where the front-end has us begin. */
	return NULL;
}
