/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datapath threads.
 *
 * A worker polls the rx queues that the current snapshot gives it and runs the pipeline. It passes
 * an RCU quiescent state after every round. When no frame came for a while it arms its queues and
 * sleeps on their fds and on a wake fd of its own; asleep it is offline for RCU, so nobody waits
 * for it.
 */
#ifndef DATAPATH_WORKER_H
#define DATAPATH_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "absence.h"
#include "base/err.h"
#include "cycles.h"
#include "datapath.h"
#include "pipeline.h"
#include "snapshot.h"

struct rte_rcu_qsbr;

struct worker {
	/* constant while the thread runs */
	uint16_t index;
	int cpu; /* -1: not pinned */
	int wake_fd;
	struct pipeline *pl;
	pthread_t thread;

	/* the worker's own */
	uint64_t adopted_generation; /* of the last snapshot it saw */
	/* what its epoll set was made from */
	int epoll_fd;
	uint64_t watched_generation; /* of the snapshot */
	uint64_t watched_fds;	     /* sum of rx_generation of the ports */
	bool watches_all;	     /* every queue had an fd */

	/* written by the worker, read by control */
	struct datapath_worker_stats stats; /* but for what datapath_worker_stats() works out */
	uint64_t busy_tsc;		    /* cycles in rounds that found something to do */
	struct cycles cycles;
	struct absences *absences;
	int start_rc;
} __attribute__((aligned(64)));

struct workers {
	_Atomic(const struct snapshot *) current;
	struct rte_rcu_qsbr *qsbr;
	_Atomic bool stop;
	_Atomic uint16_t n;	       /* running */
	_Atomic uint64_t cycles_until; /* TSC: cycles are counted up to then */
	uint16_t n_stopped;	       /* and not freed yet */
	enum datapath_poll_mode poll_mode;
	uint32_t idle_us;
	int control_fd; /* eventfd, borrowed */
	struct worker workers[PORT_WORKERS_MAX];
};

extern struct workers workers; /* one datapath per process */

/**
 * workers_start() - Start the threads
 * @cpus:       one per worker, or NULL: not pinned
 * @first:      the snapshot to begin with
 * @control_fd: eventfd to write when control has something to do, borrowed
 *
 * Return: 0, or -errno with @err filled and nothing running.
 */
int workers_start(const struct datapath_options *options, const int *cpus,
		  const struct snapshot *first, struct learn_queue *learn, int control_fd,
		  struct err *err);

/** workers_stop() - Stop and join all threads; fine if none run */
void workers_stop(void);

/** workers_fini() - Free what they had; after workers_stop(), when nobody wakes or awaits them */
void workers_fini(void);

/**
 * workers_publish() - Store the snapshot, wake everybody, wait for the grace period
 * Return: the previous snapshot, which no worker uses any more.
 */
const struct snapshot *workers_publish(const struct snapshot *next);

/** workers_wake() - Make sleeping workers look at snapshot and fds again. Any thread. */
void workers_wake(void);

/**
 * workers_quiesce() - Wait until every worker has left what it was doing. Any thread but a worker.
 */
void workers_quiesce(void);

/** workers_notify_control() - Make datapath_event_fd() readable. Any thread. */
void workers_notify_control(void);

#define WORKER_NO_ENTRY UINT32_MAX

/**
 * worker_sleep() - Arm the queues and sleep until there may be work (worker_sleep.c)
 *
 * They stay armed: worker_disarm() is due, once the queue that woke us has been served.
 * Return: the entry of the poll list whose queue that is; it may be past the list's end, which may have changed in between.
 * WORKER_NO_ENTRY: none.
 */
uint32_t worker_sleep(struct worker *w, const struct snapshot *cfg);

/** worker_disarm() - Have the queues' peers signal no more */
void worker_disarm(const struct worker *w, const struct snapshot *cfg);

/** worker_take_over() - Silence the queues that another worker may have left armed */
void worker_take_over(const struct snapshot *cfg, const struct poll_list *list);

#endif
