/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a CPU does to a thread that only looks at the time: `spin CPU MILLISECONDS BREAK_US` prints how many times it was away for longer
 * than BREAK_US, and for how many microseconds in sum. It has no work of its own that could take that long: what a switch on the same CPU
 * is away more than this is the switch's.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* TSC cycles of 20 ms: good enough to tell a long time from a short one. */
static double cycles_per_us(void)
{
	uint64_t began_ns = now_ns(), began = __rdtsc(), ended_ns;

	do
		ended_ns = now_ns();
	while (ended_ns - began_ns < 20000000);
	return (double)(__rdtsc() - began) * 1e3 / (double)(ended_ns - began_ns);
}

int main(int argc, char **argv)
{
	uint64_t last, end, break_cycles, away = 0, n = 0;
	double per_us;
	cpu_set_t set;

	if (argc != 4 || atof(argv[2]) <= 0 || atof(argv[3]) <= 0) {
		fputs("usage: spin CPU MILLISECONDS BREAK_US\n", stderr);
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET((unsigned int)atoi(argv[1]), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0) {
		perror("spin: no such CPU");
		return 1;
	}
	per_us = cycles_per_us();
	break_cycles = (uint64_t)(per_us * atof(argv[3]));
	last = __rdtsc();
	end = last + (uint64_t)(per_us * 1e3 * atof(argv[2]));
	while (last < end) {
		uint64_t now = __rdtsc();

		if (now - last > break_cycles) {
			away += now - last;
			n++;
		}
		last = now;
	}
	printf("%llu %.0f\n", (unsigned long long)n, (double)away / per_us);
	return 0;
}
