/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a worker sleeps without missing a frame.
 *
 * Theory of operation
 *   1. The epoll set holds the fd of each of the worker's rx queues, edge-triggered, and the wake
 *      fd. It is made anew when the snapshot or an rx_generation changed since it was made.
 *   2. All queues are armed: from now on a sender signals. A port that has frames already says so,
 *      and the worker stays.
 *   3. A frame that comes after 2 makes its fd ready; a new snapshot or a changed fd makes the wake
 *      fd ready (written after the change). So epoll_wait() returns whatever happens, even if it
 *      happened before the call.
 *   4. A frame that waits in an impaired link ends the sleep a little before it is due; what is due sooner is waited for
 *      awake. Another worker that puts a frame into a link of ours sets its bit first and then looks whether we sleep;
 *      we say that we sleep first and then look for bits.
 *   5. Awake, the queue that woke us is served before anything else: its frame has waited, and after a pause every line that is
 *      touched before it comes from far away. Only then are the queues disarmed and all of them looked at.
 *   6. Between going offline and coming online nothing of the snapshot is touched: it may be freed.
 *
 * Queues without an fd have nobody to signal, or no one yet. They get another look four times a
 * second.
 */
#include "worker.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <rte_rcu_qsbr.h>

#include "base/clock.h"
#include "pipeline_impair.h"

#define NO_FD_PERIOD_MS 250
#define EVENTS_MAX	64
#define EVENT_WAKE	UINT32_MAX
#define WAKE_EARLY_NS	60000 /* what waking up takes, as a rule */

static uint64_t sum_generations(const struct snapshot *cfg, const struct poll_list *list)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < list->n; i++)
		sum += atomic_load_explicit(&cfg->ports[list->entries[i].port].port->rx_generation,
					    memory_order_acquire);
	return sum;
}

static void watch(struct worker *w, const struct snapshot *cfg, const struct poll_list *list,
		  uint64_t generations)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = EVENT_WAKE};

	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	w->watches_all = true;
	w->watched_generation = cfg->generation;
	w->watched_fds = generations;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &event) != 0) {
		w->watches_all = false; /* out of fds: sleep by the clock */
		return;
	}
	for (uint32_t i = 0; i < list->n; i++) {
		struct port *port = cfg->ports[list->entries[i].port].port;
		int fd = port->ops->rx_fd(port, list->entries[i].queue);

		event.events = EPOLLIN | EPOLLET;
		event.data.u32 = i;
		if (fd < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
			w->watches_all = false;
	}
}

/* Return: how many were armed before one said that frames are waiting; all if none did. */
static uint32_t arm(const struct snapshot *cfg, const struct poll_list *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		struct port *port = cfg->ports[list->entries[i].port].port;

		if (port->ops->rx_arm(port, list->entries[i].queue, true))
			return i;
	}
	return list->n;
}

void worker_disarm(const struct worker *w, const struct snapshot *cfg)
{
	const struct poll_list *list = &cfg->polls[w->index];

	for (uint32_t i = 0; i < list->n; i++) {
		struct port *port = cfg->ports[list->entries[i].port].port;

		port->ops->rx_arm(port, list->entries[i].queue, false);
	}
}

void worker_take_over(const struct snapshot *cfg, const struct poll_list *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		struct port *port = cfg->ports[list->entries[i].port].port;

		if (list->entries[i].is_taken_over)
			port->ops->rx_arm(port, list->entries[i].queue, false);
	}
}

/* How long to sleep at most, given what waits in impaired links. Return: false if it is not worth it. */
static bool sleep_bound(const struct worker *w, struct timespec *bound)
{
	uint64_t most = w->watches_all ? UINT64_MAX : NO_FD_PERIOD_MS * CLOCK_NS_PER_MS;
	uint64_t next = pipeline_impair_next(w->pl), now = next == UINT64_MAX ? 0 : clock_now_ns();

	if (next != UINT64_MAX) {
		if (next <= now + WAKE_EARLY_NS)
			return false;
		if (next - now - WAKE_EARLY_NS < most)
			most = next - now - WAKE_EARLY_NS;
	}
	bound->tv_sec = most == UINT64_MAX ? -1 : (time_t)(most / CLOCK_NS_PER_SECOND);
	bound->tv_nsec = (long)(most % CLOCK_NS_PER_SECOND);
	return true;
}

static int wait_for_work(struct worker *w, struct epoll_event *events, const struct timespec *bound)
{
	int n = 0;

	__atomic_store_n(&w->stats.asleep, true, __ATOMIC_RELAXED);
	stats_add(&w->stats.sleeps, 1);
	rte_rcu_qsbr_thread_offline(workers.qsbr, w->index);
	if (w->epoll_fd >= 0)
		n = epoll_pwait2(w->epoll_fd, events, EVENTS_MAX, bound->tv_sec < 0 ? NULL : bound,
				 NULL);
	else
		usleep(1000);
	rte_rcu_qsbr_thread_online(workers.qsbr, w->index);
	__atomic_store_n(&w->stats.asleep, false, __ATOMIC_RELAXED);
	return n < 0 ? 0 : n;
}

/* Return: an entry that woke us, WORKER_NO_ENTRY if it was none. */
static uint32_t count_wakeups(const struct worker *w, const struct snapshot *cfg,
			      const struct epoll_event *events, int n)
{
	const struct poll_list *list = &cfg->polls[w->index];
	uint32_t woken = WORKER_NO_ENTRY;

	for (int i = 0; i < n; i++) {
		uint32_t entry = events[i].data.u32;
		uint64_t value;

		if (entry == EVENT_WAKE) {
			if (read(w->wake_fd, &value, sizeof(value)) < 0)
				continue; /* somebody else's wake: none */
		} else if (cfg->generation == w->watched_generation && entry < list->n) {
			const struct poll_entry *poll = &list->entries[entry];

			stats_add(&cfg->ports[poll->port].port->rxq[poll->queue].wakeups, 1);
			woken = entry;
		}
	}
	return woken;
}

uint32_t worker_sleep(struct worker *w, const struct snapshot *cfg)
{
	const struct poll_list *list = &cfg->polls[w->index];
	struct epoll_event events[EVENTS_MAX];
	uint64_t generations = sum_generations(cfg, list);
	struct wheel *wheel = w->pl->impair->wheel;
	uint32_t woken = WORKER_NO_ENTRY;
	struct timespec bound;
	int n;

	if (w->epoll_fd < 0 || w->watched_generation != cfg->generation ||
	    w->watched_fds != generations)
		watch(w, cfg, list, generations);
	if (!sleep_bound(w, &bound))
		return WORKER_NO_ENTRY;
	atomic_store(&wheel->is_asleep, true);
	if (!atomic_load(&wheel->is_kicked) && arm(cfg, list) == list->n) {
		n = wait_for_work(w, events, &bound);
		cfg = atomic_load_explicit(&workers.current, memory_order_acquire);
		woken = count_wakeups(w, cfg, events, n);
	}
	atomic_store_explicit(&wheel->is_asleep, false, memory_order_relaxed);
	return woken;
}
