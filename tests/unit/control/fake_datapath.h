/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A datapath without workers, for programs that test control alone: included once, it stands in for datapath.c and for the
 * list of port types at link time. The FDB and the snapshots are the real ones.
 *
 * It is strict where the real parts are: a path can be open once, a port may be closed only when no snapshot names it.
 */
#ifndef TESTS_FAKE_DATAPATH_H
#define TESTS_FAKE_DATAPATH_H

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "datapath.h"
#include "worker.h"

#define FAKE_PORTS_MAX 256

struct fake_port {
	struct port port;
	int serial; /* grows with every open */
};

static struct {
	struct fdb *fdb;
	struct snapshot *current;
	int n_publishes;
	int n_opens, n_closes;
	char fail_path[PORT_PATH_MAX]; /* opening it fails */
	struct fake_port *open[FAKE_PORTS_MAX];
	int event_fd;
	uint16_t n_workers;
	uint64_t busy_ns[PORT_WORKERS_MAX]; /* what datapath_worker_stats() says */
} fake;

static bool fake_path_used(const char *path)
{
	for (int i = 0; i < FAKE_PORTS_MAX; i++) {
		if (path[0] != '\0' && fake.open[i] != NULL &&
		    strcmp(fake.open[i]->port.spec.path, path) == 0)
			return true;
	}
	return false;
}

static const struct port_ops fake_ops;

static int fake_open(const struct port_spec *spec, struct port **out, struct err *err)
{
	struct fake_port *port;

	if (strcmp(spec->path, fake.fail_path) == 0 && spec->path[0] != '\0')
		return err_set(err, EACCES, "port \"%s\": %s cannot be opened", spec->name,
			       spec->path);
	if (fake_path_used(spec->path))
		return err_set(err, EADDRINUSE, "port \"%s\": %s is open already", spec->name,
			       spec->path);
	for (int i = 0; i < FAKE_PORTS_MAX; i++) {
		if (fake.open[i] != NULL)
			continue;
		port = aligned_alloc(64, (sizeof(*port) + 63) / 64 * 64);
		assert(port != NULL);
		memset(port, 0, sizeof(*port));
		port->port.ops = &fake_ops;
		port->port.spec = *spec;
		port->serial = ++fake.n_opens;
		fake.open[i] = port;
		*out = &port->port;
		return 0;
	}
	return err_set(err, EMFILE, "port \"%s\": too many ports", spec->name);
}

static void fake_close(struct port *port)
{
	for (uint16_t i = 0; fake.current != NULL && i < fake.current->n_ports; i++)
		assert(fake.current->ports[i].port != port && "closed while a snapshot names it");
	assert(fake.fdb != NULL && "closed after the datapath had gone");
	fake.n_closes++;
	for (int i = 0; i < FAKE_PORTS_MAX; i++) {
		if (fake.open[i] != NULL && &fake.open[i]->port == port) {
			free(fake.open[i]);
			fake.open[i] = NULL;
			return;
		}
	}
	assert(false && "closed twice");
}

static void fake_status(struct port *port, struct port_status *status)
{
	memset(status, 0, sizeof(*status));
	status->n_queues = port->spec.n_queues;
}

static uint16_t fake_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
			uint16_t max)
{
	(void)port;
	(void)queue;
	(void)worker;
	(void)frames;
	(void)max;
	assert(false && "there are no workers");
	return 0;
}

static const struct port_ops fake_ops = {
	.type = "fake",
	.rx = fake_rx,
	.open = fake_open,
	.close = fake_close,
	.status = fake_status,
};

const struct port_ops *port_ops_find(const char *type)
{
	(void)type;
	return &fake_ops;
}

/* What port types outside the datapath call. */
void port_init(struct port *port, const struct port_ops *ops, const struct port_spec *spec)
{
	memset(port, 0, sizeof(*port));
	port->ops = ops;
	port->spec = *spec;
}

void port_peer_changed(struct port *port)
{
	(void)port;
}

void port_quiesce(void)
{
}

void workers_wake(void)
{
}

int datapath_start(const struct datapath_options *options, struct err *err)
{
	(void)err;
	memset(&fake, 0, sizeof(fake));
	fake.fdb = fdb_new(options->fdb_capacity);
	fake.n_workers = options->n_workers > 0 ? options->n_workers : 1;
	fake.current = snapshot_new(fake.fdb, 0, 0, fake.n_workers);
	fake.event_fd = eventfd(0, EFD_NONBLOCK);
	return fake.fdb != NULL && fake.current != NULL ? 0 : -ENOMEM;
}

void datapath_stop(void)
{
	snapshot_free(fake.current);
	fake.current = NULL;
}

void datapath_fini(void)
{
	assert(fake.current == NULL && "freed before it was stopped");
	fdb_free(fake.fdb);
	fake.fdb = NULL;
	if (fake.event_fd > 0)
		close(fake.event_fd);
	fake.event_fd = -1;
}

void datapath_publish(struct snapshot *next)
{
	snapshot_free(fake.current);
	fake.current = next;
	fake.n_publishes++;
}

const struct snapshot *datapath_current(void)
{
	return fake.current;
}

struct fdb *datapath_fdb(void)
{
	return fake.fdb;
}

int datapath_event_fd(void)
{
	return fake.event_fd;
}

void datapath_poll(void)
{
}

void datapath_worker_stats(uint16_t worker, struct datapath_worker_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->busy_ns = fake.busy_ns[worker];
}

uint16_t datapath_n_workers(void)
{
	return fake.n_workers;
}

void datapath_count_cycles(uint32_t for_ms)
{
	(void)for_ms;
}

void datapath_cycles(uint16_t worker, struct cycles *cycles)
{
	(void)worker;
	memset(cycles, 0, sizeof(*cycles));
}

void datapath_absences_frame_ns(uint16_t worker, uint32_t frame_ns)
{
	(void)worker;
	(void)frame_ns;
}

uint32_t datapath_absences(uint16_t worker, struct absence *newest, uint32_t max, uint64_t *n_ever)
{
	(void)worker;
	(void)newest;
	(void)max;
	*n_ever = 0;
	return 0;
}

bool datapath_hugepages(void)
{
	return false;
}

#endif
