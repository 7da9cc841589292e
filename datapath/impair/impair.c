/* SPDX-License-Identifier: BSD-3-Clause */
#include "impair/impair.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_spinlock.h>

#include "impair/decide.h"
#include "impair/store.h"
#include "stats.h"

struct impair {
	rte_spinlock_t lock; /* over all but first_due; workers only */
	_Atomic uint64_t first_due;
	struct impair_state state;
	struct impair_stats stats;
	struct store store;
};

struct impair *impair_new(uint64_t salt)
{
	struct impair *im = calloc(1, sizeof(*im));

	if (im == NULL)
		return NULL;
	if (store_init(&im->store) != 0) {
		free(im);
		return NULL;
	}
	rte_spinlock_init(&im->lock);
	atomic_store(&im->first_due, UINT64_MAX);
	impair_state_init(&im->state, salt, im->store.turns);
	return im;
}

uint64_t impair_free(struct impair *im)
{
	uint64_t n;

	if (im == NULL)
		return 0;
	n = im->store.n_held;
	store_fini(&im->store);
	free(im);
	return n;
}

static void held_publish(struct impair *im)
{
	atomic_store_explicit(&im->first_due, store_first_due(&im->store), memory_order_release);
	__atomic_store_n(&im->stats.held_frames, im->store.n_held, __ATOMIC_RELAXED);
	__atomic_store_n(&im->stats.held_bytes, im->store.bytes, __ATOMIC_RELAXED);
}

static enum drop_reason copy_keep(struct impair *im, const struct frame_out *out,
				  const struct impair_copy *copy)
{
	if (copy->drop != DROP_NONE) {
		stats_add(&im->stats.queue_full, 1);
		return copy->drop;
	}
	if (!store_put(&im->store, out, copy->due_ns, copy->is_corrupt ? (int64_t)copy->bit : -1)) {
		stats_add(&im->stats.memory_full, 1);
		return DROP_IMPAIR_MEMORY;
	}
	stats_add(&im->stats.reordered, copy->is_reordered);
	stats_add(&im->stats.corrupted, copy->is_corrupt);
	return DROP_NONE;
}

enum drop_reason impair_push(struct impair *im, const struct impair_params *params,
			     const struct frame_out *out, uint64_t now_ns, bool *is_first)
{
	enum drop_reason reason = DROP_IMPAIR_LOSS, second;
	struct impair_copy copies[2];
	uint64_t before;
	unsigned int n;

	if (frame_out_len(out) > IMPAIR_FRAME_CHUNKS * IMPAIR_CHUNK_BYTES)
		return DROP_OVERSIZE;
	rte_spinlock_lock(&im->lock);
	before = store_first_due(&im->store);
	stats_add(&im->stats.frames, 1);
	n = impair_decide(&im->state, params, frame_out_len(out), now_ns, copies);
	if (n == 0)
		stats_add(&im->stats.lost, 1);
	if (n > 0)
		reason = copy_keep(im, out, &copies[0]);
	if (n > 1) {
		second = copy_keep(im, out, &copies[1]);
		stats_add(&im->stats.duplicated, second == DROP_NONE);
		if (second == DROP_NONE)
			reason = DROP_NONE;
	}
	held_publish(im);
	if (store_first_due(&im->store) < before)
		*is_first = true;
	rte_spinlock_unlock(&im->lock);
	return reason;
}

uint16_t impair_pop(struct impair *im, uint64_t now_ns, struct impair_batch *batch)
{
	uint64_t bytes = 0;

	rte_spinlock_lock(&im->lock);
	for (batch->n = 0; batch->n < FRAME_BURST && store_first_due(&im->store) <= now_ns;
	     batch->n++) {
		batch->records[batch->n] = store_take(&im->store);
		store_frame(&im->store, batch->records[batch->n], &batch->frames[batch->n],
			    batch->segs[batch->n]);
		bytes += batch->frames[batch->n].len;
	}
	stats_add(&im->stats.left_frames, batch->n);
	stats_add(&im->stats.left_bytes, bytes);
	held_publish(im);
	rte_spinlock_unlock(&im->lock);
	return batch->n;
}

void impair_release(struct impair *im, const struct impair_batch *batch)
{
	rte_spinlock_lock(&im->lock);
	for (uint16_t i = 0; i < batch->n; i++)
		store_give_back(&im->store, batch->records[i]);
	held_publish(im);
	rte_spinlock_unlock(&im->lock);
}

uint64_t impair_due(const struct impair *im)
{
	return atomic_load_explicit(&im->first_due, memory_order_acquire);
}

void impair_stats_get(const struct impair *im, struct impair_stats *stats)
{
	const uint64_t *from = (const uint64_t *)&im->stats;
	uint64_t *to = (uint64_t *)stats;

	for (size_t i = 0; i < sizeof(*stats) / sizeof(*to); i++)
		to[i] = stats_read(&from[i]);
}
