/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a worker was away: it polls without end, and yet went from one look at its queues to the next in more than ABSENCE_MIN_NS, and
 * what the frames that it found there may take: ABSENCE_FRAME_NS each, if nobody said otherwise.
 *
 * Somebody else had its CPU: another thread, an interrupt, or, which no counter of the kernel says, the hypervisor; or it did something
 * of its own for too long. Frames waited meanwhile. Sleeping is no absence.
 *
 * Threads: the worker notes, any other reads. What is read while it is written anew is left out.
 */
#ifndef DATAPATH_ABSENCE_H
#define DATAPATH_ABSENCE_H

#include <stdint.h>

#define ABSENCE_MIN_NS	 3000
#define ABSENCE_FRAME_NS 250
#define ABSENCES_KEPT	 16384 /* the newest; a power of two */

struct absence {
	uint64_t until;	 /* TSC */
	uint64_t cycles; /* how long, without what its frames may have taken */
};

/* Of one worker */
struct absences {
	uint64_t n; /* ever; the newest is at n - 1 */
	uint64_t min_cycles;
	uint64_t frame_cycles; /* others may change it at any time */
	struct absence kept[ABSENCES_KEPT];
};

/** absences_init() - None so far */
void absences_init(struct absences *absences, uint64_t tsc_hz);

/** absences_note() - The body of absences_round(), for one that was too long */
void absences_note(struct absences *absences, uint64_t until, uint64_t cycles);

/** absences_round() - A round over the queues, with @n frames, began at TSC @since and ended at @now. Only the worker calls it. */
static inline void absences_round(struct absences *absences, uint64_t since, uint64_t now,
				  uint32_t n)
{
	uint64_t spent = now - since,
		 due = n * __atomic_load_n(&absences->frame_cycles, __ATOMIC_RELAXED);

	if (__builtin_expect(spent > due + absences->min_cycles, 0))
		absences_note(absences, now, spent - due);
}

/**
 * absences_read() - The newest absences, oldest first
 * @newest: out, room for @max
 * @n_ever: out, how many there have been
 *
 * Return: how many are in @newest. Context: any thread.
 */
uint32_t absences_read(const struct absences *absences, struct absence *newest, uint32_t max,
		       uint64_t *n_ever);

#endif
