/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wake CPU CPU TIMES: how long a thread that sleeps on the first CPU takes to notice what another, awake on the second, writes into an eventfd
 * every 20 ms: nanoseconds from before write() until epoll_pwait2() has returned, a line for each time.
 *
 * It is the floor under the first frame after a pause: a switch that sleeps is woken this way, by the kernel's scheduler and by what brings a
 * halted CPU back, a hypervisor where the machine is virtual. The writer does not sleep in between; neither does a guest that polls.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 20000000
#define WARMING	 2 /* times that are not printed */

static int bell;
static _Atomic uint64_t rung_ns, woken_ns;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *sleep_and_wake(void *arg)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int all = epoll_create1(EPOLL_CLOEXEC);

	(void)arg;
	if (all < 0 || epoll_ctl(all, EPOLL_CTL_ADD, bell, &event) < 0)
		exit(1);
	while (epoll_pwait2(all, &event, 1, NULL, NULL) == 1)
		atomic_store(&woken_ns, now_ns());
	return NULL;
}

static uint64_t wake_once(void)
{
	const uint64_t one = 1;
	uint64_t now = now_ns();

	while (now_ns() < now + PAUSE_NS)
		;
	atomic_store(&woken_ns, 0);
	atomic_store(&rung_ns, now_ns());
	if (write(bell, &one, sizeof(one)) != sizeof(one))
		exit(1);
	while (atomic_load(&woken_ns) == 0)
		;
	return atomic_load(&woken_ns) - atomic_load(&rung_ns);
}

static int pin(pthread_t thread, const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)atoi(cpu), &set);
	return pthread_setaffinity_np(thread, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	pthread_t sleeper;

	if (argc != 4) {
		fputs("usage: wake CPU CPU TIMES\n", stderr);
		return 2;
	}
	bell = eventfd(0, EFD_CLOEXEC);
	/* It moves before it first sleeps for good: the first times are not printed. */
	if (bell < 0 || pthread_create(&sleeper, NULL, sleep_and_wake, NULL) ||
	    pin(sleeper, argv[1]) || pin(pthread_self(), argv[2])) {
		fputs("wake: no such CPU, or no thread\n", stderr);
		return 1;
	}
	for (int i = -WARMING; i < atoi(argv[3]); i++) {
		uint64_t took = wake_once();

		if (i >= 0)
			printf("%llu\n", (unsigned long long)took);
	}
	return 0;
}
