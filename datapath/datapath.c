/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The datapath as control sees it: see datapath.h. Control thread only, except where port.c calls
 * in.
 */
#include "datapath.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "cpulist.h"
#include "eal.h"
#include "learn.h"
#include "worker.h"

#define LEARN_PER_POLL 4096 /* then control gets to do something else */

static struct {
	struct datapath_options options;
	struct fdb *fdb;
	struct learn_queue *learn;
	struct snapshot *current;
	struct snapshot interim; /* while queues change hands */
	uint64_t generation;
	int event_fd;
} datapath = {.event_fd = -1};

static int check_options(const struct datapath_options *options, int *cpus, struct err *err)
{
	int n;

	if (options->n_workers == 0 || options->n_workers > PORT_WORKERS_MAX)
		return err_set(err, EINVAL, "%u workers: not 1 to %d", options->n_workers,
			       PORT_WORKERS_MAX);
	if (options->cpus == NULL)
		return 0;
	n = cpulist_parse(options->cpus, cpus, PORT_WORKERS_MAX, err);
	if (n >= 0 && n != options->n_workers)
		return err_set(err, EINVAL, "CPU list \"%s\" names %d CPUs for %u workers",
			       options->cpus, n, options->n_workers);
	return n < 0 ? n : 0;
}

void datapath_stop(void)
{
	workers_stop();
	snapshot_free(datapath.current);
	datapath.current = NULL;
}

void datapath_fini(void)
{
	workers_fini();
	learn_queue_free(datapath.learn);
	datapath.learn = NULL;
	fdb_free(datapath.fdb);
	datapath.fdb = NULL;
	if (datapath.event_fd >= 0)
		close(datapath.event_fd);
	datapath.event_fd = -1;
}

int datapath_start(const struct datapath_options *options, struct err *err)
{
	int cpus[PORT_WORKERS_MAX], rc = check_options(options, cpus, err);

	if (rc != 0)
		return rc;
	rc = eal_start(options->hugepages, options->telemetry, err);
	if (rc != 0)
		return rc;
	datapath.options = *options;
	datapath.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	datapath.fdb = fdb_new(options->fdb_capacity);
	datapath.learn = learn_queue_new(datapath.event_fd);
	datapath.current = snapshot_new(datapath.fdb, 0, 0, options->n_workers);
	if (datapath.event_fd < 0 || datapath.fdb == NULL || datapath.learn == NULL ||
	    datapath.current == NULL || snapshot_finish(datapath.current) != 0) {
		rc = err_set(err, ENOMEM, "no memory for the datapath with %u FDB entries",
			     options->fdb_capacity);
		goto free;
	}
	rc = workers_start(options, options->cpus != NULL ? cpus : NULL, datapath.current,
			   datapath.learn, datapath.event_fd, err);
	if (rc != 0)
		goto free;
	fdb_touch_start(datapath.fdb);
	return 0;
free:
	datapath_stop();
	datapath_fini();
	return rc;
}

struct learn_context {
	const struct snapshot *cfg;
	const struct snapshot *previous; /* while its last events are drained, else NULL */
	uint32_t now_s;
};

/* The port that the event's sender meant, or NULL if it is not a member of that VLAN. */
static const struct port_config *event_port(const struct snapshot *cfg,
					    const struct learn_event *event)
{
	const struct port_config *port = snapshot_port(cfg, event->port);

	if (port == NULL || port->role != PORT_SWITCHED || port->sw != event->fid >> 12 ||
	    !vlan_is_member(&port->vlan, event->fid & 0xfff))
		return NULL;
	return port;
}

static void learn_one(const struct learn_event *event, void *arg)
{
	const struct learn_context *context = arg;
	const struct port_config *port = event_port(context->cfg, event), *meant = port;
	const struct datapath_options *options = &datapath.options;
	int before = -1;
	enum fdb_change change;

	if (context->previous != NULL &&
	    event->generation == (uint16_t)context->previous->generation)
		meant = event_port(context->previous, event);
	if (port == NULL || meant == NULL || port->port != meant->port ||
	    port->patch_drops != meant->patch_drops)
		return; /* the index is another's now */
	if (options->on_station_moved != NULL)
		before = fdb_lookup(datapath.fdb, event->fid, event->mac, NULL);
	change = fdb_learn(datapath.fdb, event->fid, event->mac, event->port,
			   port->sticky ? FDB_STICKY : 0, port->fdb_limit, context->now_s);
	if (change == FDB_MOVED && before >= 0)
		options->on_station_moved(event->fid, event->mac, (uint16_t)before, event->port,
					  options->arg);
	if ((change == FDB_ADDED || change == FDB_MOVED) && options->on_station != NULL)
		options->on_station(event->fid, event->mac, event->port, options->arg);
}

static uint32_t learn_drain_into_fdb(const struct snapshot *cfg, const struct snapshot *previous,
				     uint32_t max)
{
	struct learn_context context = {.cfg = cfg, .previous = previous};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	context.now_s = (uint32_t)now.tv_sec;
	return learn_drain(datapath.learn, max, learn_one, &context);
}

static void publish(struct snapshot *next)
{
	const struct snapshot *previous = datapath.current;

	next->generation = ++datapath.generation;
	workers_publish(next);
	/*
	 * Nobody sends events of the previous snapshot any more: take the last ones while its ports
	 * are known.
	 */
	learn_drain_into_fdb(next, previous, LEARN_RING_SIZE);
	datapath.current = next;
}

void datapath_publish(struct snapshot *next)
{
	struct snapshot *previous = datapath.current;

	if (snapshot_hold(next, previous, &datapath.interim))
		publish(&datapath.interim);
	publish(next);
	snapshot_free(previous);
}

const struct snapshot *datapath_current(void)
{
	return datapath.current;
}

struct fdb *datapath_fdb(void)
{
	return datapath.fdb;
}

int datapath_event_fd(void)
{
	return datapath.event_fd;
}

static void report_port_changes(void)
{
	const struct snapshot *cfg = datapath.current;

	for (uint32_t i = 0; i < cfg->n_ports && cfg == datapath.current; i++) {
		struct port *port = cfg->ports[i].port;

		if (port != NULL && atomic_exchange(&port->peer_changed, false) &&
		    datapath.options.on_port_change != NULL)
			datapath.options.on_port_change(port, datapath.options.arg);
	}
	if (cfg != datapath.current)
		workers_notify_control(); /* the callback published: look again, from the start */
}

void datapath_poll(void)
{
	uint64_t value;

	if (read(datapath.event_fd, &value, sizeof(value)) < 0)
		value = 0; /* called without need: fine */
	if (learn_drain_into_fdb(datapath.current, NULL, LEARN_PER_POLL) == LEARN_PER_POLL)
		workers_notify_control();
	report_port_changes();
}

void datapath_worker_stats(uint16_t worker, struct datapath_worker_stats *stats)
{
	const struct worker *w = &workers.workers[worker];
	const uint64_t hz = rte_get_tsc_hz();
	uint64_t busy_tsc;
	struct timespec cpu;
	clockid_t clock;

	memset(stats, 0, sizeof(*stats));
	if (worker >= datapath_n_workers())
		return;
	stats->polls = stats_read(&w->stats.polls);
	stats->idle_polls = stats_read(&w->stats.idle_polls);
	stats->bursts = stats_read(&w->stats.bursts);
	stats->frames = stats_read(&w->stats.frames);
	stats->sleeps = stats_read(&w->stats.sleeps);
	busy_tsc = stats_read(&w->busy_tsc);
	stats->busy_ns =
		busy_tsc / hz * CLOCK_NS_PER_SECOND + busy_tsc % hz * CLOCK_NS_PER_SECOND / hz;
	stats->learn_ring_full = stats_read(&w->stats.learn_ring_full);
	stats->asleep = __atomic_load_n(&w->stats.asleep, __ATOMIC_RELAXED);
	if (pthread_getcpuclockid(w->thread, &clock) == 0 && clock_gettime(clock, &cpu) == 0)
		stats->cpu_ns = (uint64_t)cpu.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)cpu.tv_nsec;
}

void datapath_count_cycles(uint32_t for_ms)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * for_ms;

	if (until > atomic_load(&workers.cycles_until))
		atomic_store(&workers.cycles_until, until);
}

void datapath_cycles(uint16_t worker, struct cycles *cycles)
{
	const struct worker *w = &workers.workers[worker];

	memset(cycles, 0, sizeof(*cycles));
	if (worker >= datapath_n_workers())
		return;
	for (int i = 0; i < CYCLES_N; i++)
		cycles->spent[i] = stats_read(&w->cycles.spent[i]);
	cycles->frames = stats_read(&w->cycles.frames);
	cycles->bursts = stats_read(&w->cycles.bursts);
}

void datapath_absences_frame_ns(uint16_t worker, uint32_t frame_ns)
{
	if (worker < datapath_n_workers())
		__atomic_store_n(&workers.workers[worker].absences->frame_cycles,
				 rte_get_tsc_hz() / 1000000 * frame_ns / 1000, __ATOMIC_RELAXED);
}

uint32_t datapath_absences(uint16_t worker, struct absence *newest, uint32_t max, uint64_t *n_ever)
{
	*n_ever = 0;
	if (worker >= datapath_n_workers())
		return 0;
	return absences_read(workers.workers[worker].absences, newest, max, n_ever);
}

uint16_t datapath_n_workers(void)
{
	return atomic_load(&workers.n);
}

bool datapath_hugepages(void)
{
	return datapath.options.hugepages;
}
