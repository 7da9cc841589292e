/* SPDX-License-Identifier: BSD-3-Clause */
#include "impair/wheel.h"

#include <assert.h>
#include <stdlib.h>

static_assert(WHEEL_IDS_MAX < UINT16_MAX, "place[] holds an index + 1");

struct wheel *wheel_new(void)
{
	return calloc(1, sizeof(struct wheel));
}

static void put(struct wheel *w, uint32_t i, uint64_t due_ns, uint32_t id)
{
	w->heap[i].due_ns = due_ns;
	w->heap[i].id = id;
	w->place[id] = (uint16_t)(i + 1);
}

/* Put an entry where it belongs, given that @i is free. */
static void settle(struct wheel *w, uint32_t i, uint64_t due_ns, uint32_t id)
{
	uint32_t child;

	for (; i > 0 && due_ns < w->heap[(i - 1) / 2].due_ns; i = (i - 1) / 2)
		put(w, i, w->heap[(i - 1) / 2].due_ns, w->heap[(i - 1) / 2].id);
	while ((child = 2 * i + 1) < w->n) {
		if (child + 1 < w->n && w->heap[child + 1].due_ns < w->heap[child].due_ns)
			child++;
		if (w->heap[child].due_ns >= due_ns)
			break;
		put(w, i, w->heap[child].due_ns, w->heap[child].id);
		i = child;
	}
	put(w, i, due_ns, id);
}

void wheel_set(struct wheel *w, uint32_t id, uint64_t due_ns)
{
	uint32_t place = w->place[id];

	if (due_ns != UINT64_MAX) {
		settle(w, place != 0 ? place - 1 : w->n++, due_ns, id);
		return;
	}
	if (place == 0)
		return;
	w->place[id] = 0;
	w->n--;
	if (place - 1 != w->n)
		settle(w, place - 1, w->heap[w->n].due_ns, w->heap[w->n].id);
}

uint64_t wheel_first(const struct wheel *w, uint32_t *id)
{
	if (w->n == 0)
		return UINT64_MAX;
	*id = w->heap[0].id;
	return w->heap[0].due_ns;
}

bool wheel_kick(struct wheel *w, uint32_t id)
{
	atomic_fetch_or(&w->kicks[id / 64], UINT64_C(1) << id % 64);
	atomic_store(&w->is_kicked,
		     true); /* before is_asleep is read: the owner does it the other way round */
	return atomic_load(&w->is_asleep);
}

void wheel_kicked(struct wheel *w, uint32_t n_ids, void (*look)(uint32_t id, void *arg), void *arg)
{
	if (!atomic_load_explicit(&w->is_kicked, memory_order_relaxed))
		return;
	atomic_store(&w->is_kicked, false);
	for (uint32_t word = 0; word < WHEEL_IDS_MAX / 64 && word * 64 < n_ids; word++) {
		uint64_t bits = 0;

		if (atomic_load_explicit(&w->kicks[word], memory_order_relaxed) != 0)
			bits = atomic_exchange(&w->kicks[word], 0);
		for (; bits != 0; bits &= bits - 1)
			look(word * 64 + (uint32_t)__builtin_ctzll(bits), arg);
	}
}
