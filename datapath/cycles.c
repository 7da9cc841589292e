/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting cycles per stage; see cycles.h. */
#include "cycles.h"

#include <rte_cycles.h>

#define CALIBRATION 64 /* marks in a row, of which the cheapest counts */

_Thread_local struct cycles *cycles_here;

#define CYCLES_AS_NAME(symbol, name, sentence)	   name,
#define CYCLES_AS_SENTENCE(symbol, name, sentence) sentence,
static const char *const names[] = {CYCLES_STAGES(CYCLES_AS_NAME)};
static const char *const sentences[] = {CYCLES_STAGES(CYCLES_AS_SENTENCE)};

const char *cycles_name(enum cycles_stage stage)
{
	return names[stage];
}

const char *cycles_sentence(enum cycles_stage stage)
{
	return sentences[stage];
}

void cycles_take(enum cycles_stage stage)
{
	struct cycles *cycles = cycles_here;
	uint64_t now = rte_rdtsc();
	uint64_t spent = now - cycles->last;
	uint64_t cost = spent < cycles->cost ? spent : cycles->cost;

	stats_add(&cycles->spent[spent < cycles->away_min ? stage : CYCLES_AWAY], spent - cost);
	stats_add(&cycles->spent[CYCLES_COUNTING], cost);
	cycles->last = now;
}

void cycles_restart(void)
{
	if (cycles_is_on())
		cycles_here->last = rte_rdtsc();
}

void cycles_begin(struct cycles *cycles)
{
	struct cycles trial = {.away_min = UINT64_MAX};
	uint64_t before = 0;

	cycles->cost = UINT64_MAX;
	cycles->away_min = rte_get_tsc_hz() / 1000;
	cycles_here = &trial;
	trial.last = rte_rdtsc();
	for (int i = 0; i < CALIBRATION; i++) {
		cycles_take(CYCLES_OTHER);
		if (trial.spent[CYCLES_OTHER] - before < cycles->cost)
			cycles->cost = trial.spent[CYCLES_OTHER] - before;
		before = trial.spent[CYCLES_OTHER];
	}
	cycles_here = cycles;
	cycles->last = rte_rdtsc();
}
