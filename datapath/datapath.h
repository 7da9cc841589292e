/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What control may ask of the datapath. All functions run on the control thread.
 */
#ifndef DATAPATH_DATAPATH_H
#define DATAPATH_DATAPATH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "absence.h"
#include "cycles.h"
#include "fdb.h"
#include "snapshot.h"

enum datapath_poll_mode { DATAPATH_ADAPTIVE, DATAPATH_BUSY }; /* sleep when idle, or never */

struct datapath_options {
	uint16_t n_workers;    /* 1..PORT_WORKERS_MAX */
	const char *cpus;      /* list such as "2,4-5", one per worker; NULL: not pinned */
	bool hugepages;	       /* false: --no-huge */
	const char *telemetry; /* DPDK's telemetry socket is at /run/dpdk/THIS; NULL: none */
	uint32_t fdb_capacity;
	enum datapath_poll_mode poll_mode;
	uint32_t idle_us; /* a worker sleeps after so long without a frame */
	/*
	 * Called on the control thread from datapath_poll() when a port's peer came or went. May be
	 * NULL.
	 */
	void (*on_port_change)(struct port *port, void *arg);
	/*
	 * Called on the control thread when a station was learned on another port than before. May
	 * be NULL.
	 */
	void (*on_station_moved)(uint32_t fid, uint64_t mac, uint16_t from, uint16_t to, void *arg);
	/* Called on the control thread when a station was learned or has moved; @mac as fdb_mac(). May be NULL. */
	void (*on_station)(uint32_t fid, uint64_t mac, uint16_t port, void *arg);
	void *arg;
};

/**
 * datapath_start() - Bring up EAL and the worker threads, with an empty snapshot
 *
 * Return: 0, or -errno with @err saying what to change (hugepages, CPUs, rights). Once per process.
 */
int datapath_start(const struct datapath_options *options, struct err *err);

/**
 * datapath_stop() - Stop the workers and free the last snapshot
 *
 * Its ports must be closed by the caller afterwards. Until then their threads may still call
 * port_peer_changed() and port_quiesce(), so the rest stays until datapath_fini().
 */
void datapath_stop(void);

/** datapath_fini() - Free the rest; after datapath_stop() and when all ports are closed */
void datapath_fini(void);

/**
 * datapath_publish() - Make @next the configuration of all workers
 *
 * Takes ownership and sets its generation; returns after the grace period, when the previous
 * snapshot has been freed and ports that only it named may be closed. Waits for workers to finish
 * their current burst, microseconds as a rule.
 *
 * Queues that another worker shall poll from now on change hands: for one grace period nobody polls them
 * (snapshot_hold()), so the old worker is done with them before the new one begins, and a flow keeps its order.
 */
void datapath_publish(struct snapshot *next);

/** datapath_current() - The published snapshot, valid until the next datapath_publish() */
const struct snapshot *datapath_current(void);

struct fdb *datapath_fdb(void);

/**
 * datapath_event_fd() - Readable when datapath_poll() has work: stations to learn, ports that
 * changed
 */
int datapath_event_fd(void);

/**
 * datapath_poll() - Drain the learn ring into the FDB, deliver port changes; call when the fd is
 * readable
 */
void datapath_poll(void);

struct datapath_worker_stats {
	uint64_t polls, idle_polls, bursts, frames, sleeps;
	uint64_t busy_ns; /* in rounds over its queues that found something to do */
	uint64_t cpu_ns;  /* thread CPU time */
	uint64_t learn_ring_full;
	bool asleep;
};
void datapath_worker_stats(uint16_t worker, struct datapath_worker_stats *stats);

/** datapath_count_cycles() - Have all workers count their cycles per stage for @for_ms from now, if they do not longer anyway */
void datapath_count_cycles(uint32_t for_ms);

/** datapath_cycles() - What a worker has counted so far; zeros for one that there is not. @cycles: out, the counters only */
void datapath_cycles(uint16_t worker, struct cycles *cycles);

/** datapath_absences_frame_ns() - What a frame may take from now on before its worker counts as away; no effect without such a worker */
void datapath_absences_frame_ns(uint16_t worker, uint32_t frame_ns);

/** datapath_absences() - See absences_read(); none for a worker that there is not */
uint32_t datapath_absences(uint16_t worker, struct absence *newest, uint32_t max, uint64_t *n_ever);

uint16_t datapath_n_workers(void);
/** datapath_hugepages() - Whether DPDK's memory is in hugepages */
bool datapath_hugepages(void);

#endif
