/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's absences; see absence.h. */
#include "absence.h"

#include "stats.h"

void absences_init(struct absences *absences, uint64_t tsc_hz)
{
	absences->n = 0;
	absences->min_cycles = tsc_hz / 1000000 * ABSENCE_MIN_NS / 1000;
	absences->frame_cycles = tsc_hz / 1000000 * ABSENCE_FRAME_NS / 1000;
}

void absences_note(struct absences *absences, uint64_t until, uint64_t cycles)
{
	struct absence *slot = &absences->kept[absences->n % ABSENCES_KEPT];

	__atomic_store_n(&slot->until, until, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->cycles, cycles, __ATOMIC_RELAXED);
	__atomic_store_n(&absences->n, absences->n + 1, __ATOMIC_RELEASE);
}

uint32_t absences_read(const struct absences *absences, struct absence *newest, uint32_t max,
		       uint64_t *n_ever)
{
	uint64_t n = __atomic_load_n(&absences->n, __ATOMIC_ACQUIRE), first, after;
	uint32_t n_read = 0, n_gone;

	/* The slot behind the newest may be half written: it is never read. */
	if (max > ABSENCES_KEPT - 1)
		max = ABSENCES_KEPT - 1;
	first = n > max ? n - max : 0;
	for (uint64_t i = first; i < n; i++) {
		const struct absence *slot = &absences->kept[i % ABSENCES_KEPT];

		newest[n_read].until = stats_read(&slot->until);
		newest[n_read++].cycles = stats_read(&slot->cycles);
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	after = __atomic_load_n(&absences->n, __ATOMIC_RELAXED);
	*n_ever = n;
	if (after < first + ABSENCES_KEPT)
		return n_read;
	/* The oldest of them were written over meanwhile. */
	n_gone = after - first - ABSENCES_KEPT + 1 < n_read
			 ? (uint32_t)(after - first - ABSENCES_KEPT + 1)
			 : n_read;
	for (uint32_t i = n_gone; i < n_read; i++)
		newest[i - n_gone] = newest[i];
	return n_read - n_gone;
}
