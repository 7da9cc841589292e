/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * distance CPU CPU: nanoseconds that a cache line takes from one CPU to the other and back, the lower quartile of 21 rows of 500
 * round trips (other work on the CPUs only ever adds). On shared machines two virtual CPUs are sometimes near each other and sometimes far: figures of the one kind
 * say nothing about the other, so that benchmarks ask before and after each trial.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROWS  21
#define TRIPS 500

static _Alignas(128) atomic_uint ball;

static cpu_set_t only(const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)atoi(cpu), &set);
	return set;
}

static void *answer(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < (ROWS + 1) * TRIPS; i++) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 1)
			;
		atomic_store_explicit(&ball, 2 * i + 2, memory_order_release);
	}
	return NULL;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	uint64_t rows[ROWS + 1];
	unsigned int i = 0;
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;

	if (argc != 3) {
		fputs("usage: distance CPU CPU\n", stderr);
		return 2;
	}
	/* It begins on its own CPU: with real-time priority it would never get there from behind us. */
	set = only(argv[2]);
	pthread_attr_init(&attr);
	if (pthread_attr_setaffinity_np(&attr, sizeof(set), &set) ||
	    pthread_create(&thread, &attr, answer, NULL)) {
		fputs("distance: no such CPU\n", stderr);
		return 1;
	}
	set = only(argv[1]);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set)) {
		fputs("distance: no such CPU\n", stderr);
		return 1;
	}
	for (unsigned int row = 0; row <= ROWS; row++) {
		uint64_t began = now_ns();

		for (unsigned int trip = 0; trip < TRIPS; trip++, i++) {
			atomic_store_explicit(&ball, 2 * i + 1, memory_order_release);
			while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 2)
				;
		}
		rows[row] = (now_ns() - began) / TRIPS;
	}
	pthread_join(thread, NULL);
	qsort(rows + 1, ROWS, sizeof(rows[0]), ascending); /* the first is for warming up */
	printf("%llu\n", (unsigned long long)rows[1 + ROWS / 4]);
	return 0;
}
