/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole datapath with real worker threads: frames of one capture file reach another, snapshots
 * change meanwhile, idle workers sleep. No root, no hugepages.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "datapath.h"
#include "unit/datapath/frames.h"
#include "worker.h"

#define WAIT_NS (20 * CLOCK_NS_PER_SECOND)

static char dir[] = "/tmp/netloom-test-XXXXXX";

static void pause_ms(long ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000};

	nanosleep(&pause, NULL);
}

static struct port *open_pcap(const char *name, const char *rx, const char *tx)
{
	struct port_spec spec = {.n_queues = 1, .type = "pcap"};
	struct err err = {""};
	struct port *port = NULL;

	snprintf(spec.name, sizeof(spec.name), "%s", name);
	if (rx != NULL)
		snprintf(spec.path, sizeof(spec.path), "%s/%s", dir, rx);
	if (tx != NULL)
		snprintf(spec.tx_path, sizeof(spec.tx_path), "%s/%s", dir, tx);
	assert_int_equal(port_ops_find("pcap")->open(&spec, &port, &err), 0);
	return port;
}

static struct snapshot *two_port_switch(struct port *a, struct port *b)
{
	struct snapshot *s = snapshot_new(datapath_fdb(), 2, 1, datapath_n_workers());

	assert_non_null(s);
	s->switches[0] = (struct switch_config){
		.used = true, .peer_port = SNAPSHOT_NONE, .learning = true, .ageing_s = 300};
	frames_access_port(&s->ports[0], a, 0, 10);
	frames_access_port(&s->ports[1], b, 0, 10);
	assert_int_equal(snapshot_finish(s), 0);
	return s;
}

static void wait_for_pkts(const struct port *port, uint64_t pkts)
{
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	while (__atomic_load_n(&port->txq[0].pkts, __ATOMIC_RELAXED) < pkts &&
	       clock_now_ns() < end_ns)
		pause_ms(1);
	assert_int_equal(__atomic_load_n(&port->txq[0].pkts, __ATOMIC_RELAXED), pkts);
}

static void write_capture(const char *name, unsigned int n)
{
	char path[PORT_PATH_MAX];
	struct frames_file file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	frames_file_create(&file, path);
	for (unsigned int i = 0; i < n; i++) {
		uint8_t frame[200];
		size_t len = frames_make(frame, 1, 2, 60 + i % 100, i);

		frames_file_add(&file, frame, len);
	}
	frames_file_close(&file);
}

static void frames_pass_while_snapshots_change(void **state)
{
	const unsigned int n = 5000;
	struct port *a, *b;
	char path[PORT_PATH_MAX + 8];

	(void)state;
	write_capture("in.pcap", n);
	a = open_pcap("a", "in.pcap", NULL);
	b = open_pcap("b", NULL, "out.pcap");
	for (int i = 0; i < 50; i++)
		datapath_publish(two_port_switch(a, b));
	wait_for_pkts(b, n);
	assert_int_equal(stats_read(&a->rxq[0].pkts), n);
	datapath_poll();
	assert_int_equal(fdb_lookup(datapath_fdb(), FDB_FID(0, 10), frames_mac(1), NULL), 0);
	datapath_publish(snapshot_new(datapath_fdb(), 0, 0, datapath_n_workers()));
	a->ops->close(a);
	b->ops->close(b);
	snprintf(path, sizeof(path), "%s/out.pcap", dir);
	frames_file_check(path, n, 1, 2);
}

static bool all_asleep(void)
{
	struct datapath_worker_stats stats;

	for (uint16_t i = 0; i < datapath_n_workers(); i++) {
		datapath_worker_stats(i, &stats);
		if (!stats.asleep)
			return false;
	}
	return true;
}

static void idle_workers_sleep_and_cost_nothing(void **state)
{
	struct datapath_worker_stats before, after;
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	(void)state;
	while (!all_asleep() && clock_now_ns() < end_ns)
		pause_ms(1);
	assert_true(all_asleep());
	datapath_worker_stats(0, &before);
	pause_ms(500);
	datapath_worker_stats(0, &after);
	assert_true(after.cpu_ns - before.cpu_ns < 5 * CLOCK_NS_PER_MS);
}

static void publishing_does_not_wait_for_sleepers(void **state)
{
	uint64_t start_ns, end_ns = clock_now_ns() + WAIT_NS;

	(void)state;
	while (!all_asleep() && clock_now_ns() < end_ns)
		pause_ms(1);
	start_ns = clock_now_ns();
	for (int i = 0; i < 20; i++) {
		struct snapshot *s = snapshot_new(datapath_fdb(), 4, 1, datapath_n_workers());

		assert_int_equal(snapshot_finish(s), 0);
		datapath_publish(s);
	}
	assert_true(clock_now_ns() - start_ns < CLOCK_NS_PER_SECOND);
}

static void quiescing_from_elsewhere_returns(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		port_quiesce();
}

/* A port's own threads go on until it is closed, and that is after the workers have stopped. */
static void ports_may_call_until_they_are_closed(void **state)
{
	struct port *port;

	(void)state;
	write_capture("in.pcap", 1);
	port = open_pcap("a", "in.pcap", NULL);
	datapath_stop();
	assert_int_not_equal(fcntl(datapath_event_fd(), F_GETFD), -1);
	assert_non_null(datapath_fdb());
	port_peer_changed(port);
	port_quiesce();
	port->ops->close(port);
}

static int start(void **state)
{
	const struct datapath_options options = {.n_workers = 2,
						 .fdb_capacity = 1024,
						 .poll_mode = DATAPATH_ADAPTIVE,
						 .idle_us = 50};
	struct err err = {""};

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	if (datapath_start(&options, &err) != 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	return datapath_hugepages() ? -1 : 0;
}

static int stop(void **state)
{
	char path[PORT_PATH_MAX + 8];

	(void)state;
	datapath_stop();
	datapath_fini();
	snprintf(path, sizeof(path), "%s/in.pcap", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/out.pcap", dir);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_pass_while_snapshots_change),
		cmocka_unit_test(idle_workers_sleep_and_cost_nothing),
		cmocka_unit_test(publishing_does_not_wait_for_sleepers),
		cmocka_unit_test(quiescing_from_elsewhere_returns),
		cmocka_unit_test(ports_may_call_until_they_are_closed), /* the last: it stops */
	};

	return cmocka_run_group_tests(tests, start, stop);
}
