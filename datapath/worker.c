/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Worker threads: see worker.h. They are our own pthreads, registered with DPDK.
 */
#include "worker.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>

#include "cycles.h"
#include "pipeline_impair.h"

struct workers workers;

static void worker_wake(uint16_t index);

static struct absences
	absences[PORT_WORKERS_MAX]; /* memory that nobody touches until there is one */

static struct impair_hub hub = {.wake = worker_wake};

static sem_t started; /* posted by each thread when it runs or has failed to */

static uint32_t clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

typedef void (*take_burst)(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
			   uint16_t n);

/* One rx queue, one burst, all the way, or as far as @take takes it. */
static inline uint16_t poll_queue(struct worker *w, const struct snapshot *cfg,
				  struct poll_entry poll, struct frame *frames, take_burst take)
{
	struct port *port = cfg->ports[poll.port].port;
	uint16_t n = port->ops->rx(port, poll.queue, w->index, frames, FRAME_BURST);
	uint64_t bytes = 0;

	if (n == 0) {
		cycles_mark(CYCLES_IDLE);
		return 0;
	}
	cycles_burst(n);
	for (uint16_t i = 0; i < n; i++) {
		if (!port->ops->rx_for_others || snapshot_port(cfg, frames[i].in_port) == NULL)
			frames[i].in_port = poll.port;
		bytes += frames[i].len;
	}
	if (!port->ops->rx_for_others) {
		stats_add(&port->rxq[poll.queue].pkts, n);
		stats_add(&port->rxq[poll.queue].bytes, bytes);
	}
	cycles_mark(CYCLES_RECEIVE);
	take(w->pl, cfg, frames, n);
	port->ops->rx_release(port, poll.queue);
	cycles_mark(CYCLES_PUBLISH);
	stats_add(&w->stats.bursts, 1);
	stats_add(&w->stats.frames, n);
	return n;
}

/* One entry of the poll list, whichever loop of run() it belongs to; none if the list is shorter by now. */
static uint16_t poll_entry(struct worker *w, const struct snapshot *cfg, uint32_t entry,
			   struct frame *frames)
{
	const struct poll_list *list = &cfg->polls[w->index];

	if (entry >= list->n)
		return 0;
	return poll_queue(w, cfg, list->entries[entry], frames,
			  entry < list->n_plain ? pipeline_run : pipeline_impair_in);
}

/* Whether looking for frames means a system call for each of the worker's queues. */
static bool polls_are_calls(const struct snapshot *cfg, const struct poll_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (!cfg->ports[list->entries[i].port].port->ops->rx_is_call)
			return false;
	return true;
}

/* Begin and end to count as control wishes. */
static inline void count_cycles(struct worker *w, uint64_t now)
{
	bool wanted = now < atomic_load_explicit(&workers.cycles_until, memory_order_relaxed);

	if (__builtin_expect(wanted == cycles_is_on(), 1))
		return;
	if (wanted)
		cycles_begin(&w->cycles);
	else
		cycles_end();
}

/*
 * The first look at a snapshot. Frames may have entered impaired links of ours that the snapshot before did not
 * name: then their kicks told us nothing.
 */
static void adopt(struct worker *w, const struct snapshot *cfg)
{
	w->adopted_generation = cfg->generation;
	worker_take_over(cfg, &cfg->polls[w->index]);
	pipeline_impair_adopt(w->pl, cfg);
}

static void run(struct worker *w)
{
	const uint64_t tsc_hz = rte_get_tsc_hz();
	const uint64_t idle_tsc = tsc_hz / 1000000 * workers.idle_us;
	uint64_t idle_since = rte_rdtsc(), next_second = 0;
	uint32_t woken_by = WORKER_NO_ENTRY;
	bool was_asleep = false;
	static _Thread_local struct frame frames[FRAME_BURST];
	uint32_t n = 0;

	w->pl->now_tsc = idle_since;
	while (!atomic_load_explicit(&workers.stop, memory_order_relaxed)) {
		const struct snapshot *cfg =
			atomic_load_explicit(&workers.current, memory_order_acquire);
		const struct poll_list *list = &cfg->polls[w->index];
		uint64_t now = rte_rdtsc();

		if (n > 0)
			stats_add(&w->busy_tsc, now - w->pl->now_tsc);
		if (__builtin_expect(!was_asleep, 1))
			absences_round(w->absences, w->pl->now_tsc, now, n);
		n = 0;
		w->pl->now_tsc = now;
		if (__builtin_expect(cfg->generation != w->adopted_generation, 0))
			adopt(w, cfg);
		count_cycles(w, now);
		if (now >= next_second) {
			w->pl->now_s = clock_s();
			next_second = now + tsc_hz / 8;
		}
		if (__builtin_expect(was_asleep, 0)) {
			n += poll_entry(w, cfg, woken_by, frames);
			worker_disarm(w, cfg);
			was_asleep = false;
		}
		for (uint32_t i = 0; i < list->n_plain; i++)
			n += poll_queue(w, cfg, list->entries[i], frames, pipeline_run);
		for (uint32_t i = list->n_plain; i < list->n; i++)
			n += poll_queue(w, cfg, list->entries[i], frames, pipeline_impair_in);
		if (!pipeline_impair_is_idle(w->pl)) {
			n += pipeline_impair_run(w->pl, cfg);
			cycles_mark(CYCLES_IMPAIR);
		}
		rte_rcu_qsbr_quiescent(workers.qsbr, w->index);
		stats_add(&w->stats.polls, 1);
		cycles_mark(n > 0 ? CYCLES_OTHER : CYCLES_IDLE);
		if (n > 0) {
			__atomic_store_n(&w->stats.learn_ring_full, w->pl->n_learn_refused,
					 __ATOMIC_RELAXED);
			idle_since = now;
			continue;
		}
		stats_add(&w->stats.idle_polls, 1);
		if (workers.poll_mode == DATAPATH_BUSY) {
			rte_pause();
			continue;
		}
		/* Quiescent for the last snapshot, which may be gone: take it again. */
		cfg = atomic_load_explicit(&workers.current, memory_order_acquire);
		if (cfg->generation != w->adopted_generation)
			continue;
		if (now - idle_since < idle_tsc && !polls_are_calls(cfg, &cfg->polls[w->index])) {
			rte_pause();
			continue;
		}
		woken_by = worker_sleep(w, cfg);
		was_asleep = true;
		idle_since = rte_rdtsc();
		cycles_restart();
	}
}

static int pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", w->index);
	pthread_setname_np(pthread_self(), name);
	prctl(PR_SET_TIMERSLACK,
	      1UL); /* ns: delays of impaired links are as precise as the timer */
	w->start_rc = pin(w->cpu);
	if (w->start_rc == 0 && rte_thread_register() != 0)
		w->start_rc = -rte_errno;
	if (w->start_rc != 0) {
		sem_post(&started);
		return NULL;
	}
	rte_rcu_qsbr_thread_register(workers.qsbr, w->index);
	rte_rcu_qsbr_thread_online(workers.qsbr, w->index);
	sem_post(&started);
	run(w);
	rte_rcu_qsbr_thread_offline(workers.qsbr, w->index);
	rte_rcu_qsbr_thread_unregister(workers.qsbr, w->index);
	rte_thread_unregister();
	return NULL;
}

static void worker_fini(struct worker *w)
{
	pipeline_free(w->pl);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
}

static int worker_start(struct worker *w, uint16_t index, int cpu, uint16_t n_workers,
			struct learn_queue *learn, struct err *err)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->index = index;
	w->cpu = cpu;
	w->adopted_generation = UINT64_MAX;
	w->epoll_fd = -1;
	w->absences = &absences[index];
	absences_init(w->absences, rte_get_tsc_hz());
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->pl = pipeline_new(index, n_workers, learn);
	if (w->pl == NULL || w->wake_fd < 0) {
		rc = err_set(err, ENOMEM, "no memory or no file descriptor for worker %u", index);
		goto fini;
	}
	w->pl->impair->hub = &hub;
	atomic_store(&hub.wheels[index], w->pl->impair->wheel);
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	if (rc != 0) {
		rc = err_set(err, rc, "cannot start worker %u: %s", index, strerror(rc));
		goto fini;
	}
	while (sem_wait(&started) != 0)
		;
	if (w->start_rc == 0)
		return 0;
	pthread_join(w->thread, NULL);
	rc = err_set(err, -w->start_rc, "cannot start worker %u on CPU %d: %s", index, cpu,
		     strerror(-w->start_rc));
fini:
	worker_fini(w);
	return rc;
}

int workers_start(const struct datapath_options *options, const int *cpus,
		  const struct snapshot *first, struct learn_queue *learn, int control_fd,
		  struct err *err)
{
	size_t size = rte_rcu_qsbr_get_memsize(PORT_WORKERS_MAX);
	int rc;

	sem_init(&started, 0, 0);
	workers.qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (workers.qsbr == NULL)
		return err_set(err, ENOMEM, "out of memory");
	rte_rcu_qsbr_init(workers.qsbr, PORT_WORKERS_MAX);
	workers.poll_mode = options->poll_mode;
	workers.idle_us = options->idle_us;
	workers.control_fd = control_fd;
	atomic_store(&workers.stop, false);
	atomic_store(&workers.current, first);
	for (uint16_t i = 0; i < options->n_workers; i++) {
		rc = worker_start(&workers.workers[i], i, cpus != NULL ? cpus[i] : -1,
				  options->n_workers, learn, err);
		if (rc != 0) {
			workers_stop();
			workers_fini();
			return rc;
		}
		atomic_fetch_add(&workers.n, 1);
	}
	return 0;
}

void workers_stop(void)
{
	uint16_t n = atomic_load(&workers.n);

	atomic_store(&workers.stop, true);
	workers_wake();
	for (uint16_t i = 0; i < n; i++)
		pthread_join(workers.workers[i].thread, NULL);
	atomic_store(&workers.n, 0);
	if (n > 0)
		workers.n_stopped = n;
}

void workers_fini(void)
{
	for (uint16_t i = 0; i < workers.n_stopped; i++)
		worker_fini(&workers.workers[i]);
	workers.n_stopped = 0;
	free(workers.qsbr);
	workers.qsbr = NULL;
}

const struct snapshot *workers_publish(const struct snapshot *next)
{
	const struct snapshot *previous = atomic_exchange(&workers.current, next);

	workers_wake();
	workers_quiesce();
	return previous;
}

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* the counter is at its limit: it is readable then, too */
}

static void worker_wake(uint16_t index)
{
	signal_fd(workers.workers[index].wake_fd);
}

void workers_wake(void)
{
	uint16_t n = atomic_load(&workers.n);

	for (uint16_t i = 0; i < n; i++)
		signal_fd(workers.workers[i].wake_fd);
}

void workers_quiesce(void)
{
	/*
	 * One at a time: of two that wait for the same workers, rte_rcu_qsbr_check() lets the second go by a note of the first
	 * (acked_token) that is neither read atomically nor ordered after what the workers did.
	 */
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	uint64_t token;

	if (atomic_load(&workers.n) == 0)
		return;
	pthread_mutex_lock(&one_at_a_time);
	/*
	 * What the caller stored before is seen by every worker that comes online after the check below has found it
	 * offline: the other half is the fence of rte_rcu_qsbr_thread_online().
	 */
	atomic_thread_fence(memory_order_seq_cst);
	token = rte_rcu_qsbr_start(workers.qsbr);
	while (rte_rcu_qsbr_check(workers.qsbr, token, false) == 0)
		usleep(20); /* a worker may share our CPU */
	pthread_mutex_unlock(&one_at_a_time);
}

void workers_notify_control(void)
{
	if (atomic_load(&workers.n) != 0)
		signal_fd(workers.control_fd);
}
