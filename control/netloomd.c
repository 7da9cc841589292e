/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netloomd: start, wait, end. The main thread is the control thread; the datapath starts its own.
 *
 * Order of the start, each step undone in reverse at the end: lock, datapath, control with the saved state, socket. The socket comes
 * last, so whoever can connect meets a daemon that has its ports.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "control.h"
#include "datapath.h"
#include "lock.h"
#include "metrics.h"
#include "options.h"
#include "page_child.h"
#include "rpc/server.h"
#include "telemetry.h"
#include "watch.h"

/* Free 2 MiB pages from which on hugepages are the default. */
#define HUGEPAGES_WANTED 64

static long hugepages_free(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	long n = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%ld", &n) != 1)
		n = 0;
	fclose(file);
	return n;
}

static void hugepages_choose(struct options *options)
{
	long n = hugepages_free();

	if (options->hugepages == HUGEPAGES_AUTO)
		options->datapath.hugepages = n >= HUGEPAGES_WANTED;
	else
		options->datapath.hugepages = options->hugepages == HUGEPAGES_ALWAYS;
	if (options->datapath.hugepages)
		log_info("memory: 2 MiB hugepages (%ld are free)", n);
	else if (options->hugepages == HUGEPAGES_NEVER)
		log_info("memory: ordinary pages, as asked");
	else
		log_info("memory: ordinary pages, because %ld hugepages are free and %d are wanted",
			 n, HUGEPAGES_WANTED);
}

/* Every port needs descriptors: a connection and an eventfd or two per queue. */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			log_warning("cannot raise the limit of open files: %s", strerror(errno));
	}
}

/* The directory of a path is made if only its last part is missing. */
static int directory_make(const char *path, struct err *err)
{
	char copy[PATH_MAX];
	char *directory;

	snprintf(copy, sizeof(copy), "%s", path);
	directory = dirname(copy);
	if (mkdir(directory, 0755) == 0 || errno == EEXIST)
		return 0;
	return err_set(err, errno, "cannot make the directory %s: %s", directory, strerror(errno));
}

static int pidfile_write(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int rc = 0;

	if (fd < 0)
		return err_set(err, errno, "cannot write %s: %s", path, strerror(errno));
	if (dprintf(fd, "%d\n", (int)getpid()) < 0)
		rc = err_set(err, errno, "cannot write %s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

static void signal_received(evutil_socket_t signal, short what, void *arg)
{
	(void)what;
	log_info("ending: signal %s", strsignal(signal));
	event_base_loopbreak(arg);
}

static int signals_watch(struct event_base *base, struct event *events[2])
{
	static const int signals[] = {SIGTERM, SIGINT};

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		events[i] = evsignal_new(base, signals[i], signal_received, base);
		if (events[i] == NULL || event_add(events[i], NULL) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int serve(struct options *options, struct err *err)
{
	struct event *signals[2] = {NULL, NULL};
	struct control control = {.state_path = options->state,
				  .keeps_queues = options->keeps_queues};
	struct metrics_server *metrics = NULL;
	struct telemetry *telemetry = NULL;
	int rc = -ENOMEM;

	control.base = event_base_new();
	if (control.base == NULL)
		return err_set(err, ENOMEM, "cannot make an event loop");
	if (signals_watch(control.base, signals) != 0) {
		err_set(err, ENOMEM, "cannot watch for signals");
		goto no_datapath;
	}
	options->datapath.on_port_change = control_port_changed;
	options->datapath.on_station_moved = watch_moved;
	options->datapath.on_station = control_station_seen;
	options->datapath.arg = &control;
	rc = datapath_start(&options->datapath, err);
	if (rc != 0)
		goto no_datapath;
	rc = control_start(&control, err); /* stops the datapath when it fails */
	if (rc != 0)
		goto no_datapath;
	rc = rpc_server_new(&control, options->socket, &control.rpc, err);
	if (rc != 0)
		goto no_server;
	if (options->metrics != NULL)
		rc = metrics_server_new(&control, options->metrics, &metrics, err);
	if (rc == 0 && options->datapath.telemetry != NULL)
		rc = telemetry_new(&control, &telemetry, err);
	if (rc == 0 && options->web != NULL)
		rc = page_child_new(control.base, options->web, &control.page, err);
	if (rc != 0)
		goto no_metrics;
	log_info("version %s serves %s, %u datapath thread%s", NETLOOM_VERSION, options->socket,
		 datapath_n_workers(), datapath_n_workers() == 1 ? "" : "s");
	event_base_dispatch(control.base);

no_metrics:
	page_child_free(control.page);
	control.page = NULL;
	telemetry_free(telemetry);
	metrics_server_free(metrics);
	rpc_server_free(control.rpc);
	control.rpc = NULL;
no_server:
	control_stop(&control);
no_datapath:
	for (int i = 0; i < 2; i++) {
		if (signals[i] != NULL)
			event_free(signals[i]);
	}
	event_base_free(control.base);
	return rc;
}

static int run(struct options *options, struct err *err)
{
	struct lock *lock;
	int rc;

	rc = directory_make(options->socket, err);
	if (rc == 0)
		rc = directory_make(options->state, err);
	if (rc == 0)
		rc = lock_take(options->socket, &lock, err);
	if (rc != 0)
		return rc;
	if (options->pidfile[0] != '\0')
		rc = pidfile_write(options->pidfile, err);
	if (rc == 0) {
		descriptors_raise();
		hugepages_choose(options);
		rc = serve(options, err);
	}
	if (options->pidfile[0] != '\0')
		unlink(options->pidfile);
	lock_release(lock);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = {.text = ""};
	struct options options;
	int rc;

	log_init("netloomd", LOG_INFO);
	rc = options_parse(argc, argv, &options, &err);
	if (rc < 0) {
		log_error("%s", err.text);
		return 2;
	}
	if (rc == OPTIONS_EXIT)
		return 0;
	log_init("netloomd", options.log_level);
	rc = run(&options, &err);
	if (rc != 0) {
		log_error("%s", err.text[0] != '\0' ? err.text : strerror(-rc));
		return 1;
	}
	return 0;
}
