/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers that sleep and are woken, on a port whose frames and signals the test controls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "datapath.h"
#include "unit/datapath/frames.h"

#define WAIT_NS (20 * CLOCK_NS_PER_SECOND)

/* A source of frames whose peer signals only when armed, like a ring's driver. */
static struct bell_port {
	struct port port; /* first */
	_Atomic int fd;
	_Atomic bool armed;
	_Atomic uint32_t n_waiting;
} bell;

static uint16_t bell_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
			uint16_t max)
{
	uint32_t n = atomic_load(&bell.n_waiting);

	(void)port;
	(void)queue;
	(void)worker;
	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++) {
		memset(&frames[i], 0, offsetof(struct frame, buf));
		frames[i].hdr = frames[i].buf + FRAME_HDR_ROOM;
		frames[i].hdr_len = frames[i].len =
			(uint16_t)frames_make(frames[i].hdr, 1, 2, 60, i);
	}
	atomic_fetch_sub(&bell.n_waiting, n);
	return (uint16_t)n;
}

static void bell_release(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
}

static int bell_fd(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
	return atomic_load(&bell.fd);
}

static bool bell_arm(struct port *port, uint16_t queue, bool armed)
{
	(void)port;
	(void)queue;
	atomic_store(&bell.armed, armed);
	return armed && atomic_load(&bell.n_waiting) > 0;
}

static const struct port_ops bell_ops = {.type = "bell",
					 .rx = bell_rx,
					 .rx_release = bell_release,
					 .rx_fd = bell_fd,
					 .rx_arm = bell_arm};

static void bell_put(void)
{
	const uint64_t one = 1;

	atomic_fetch_add(&bell.n_waiting, 1);
	if (atomic_load(&bell.armed))
		assert_int_equal(write(atomic_load(&bell.fd), &one, sizeof(one)), sizeof(one));
}

static bool asleep(void)
{
	struct datapath_worker_stats stats;

	datapath_worker_stats(0, &stats);
	return stats.asleep;
}

static bool delivered(void)
{
	return atomic_load(&bell.n_waiting) == 0;
}

static bool wait_until(bool (*condition)(void))
{
	const struct timespec pause = {.tv_nsec = 20000};
	uint64_t end_ns = clock_now_ns() + WAIT_NS;

	bool met; /* once: a worker that was asleep may be awake already */

	while (!(met = condition()) && clock_now_ns() < end_ns)
		nanosleep(&pause, NULL);
	return met;
}

/* Half a wire: the frames end as drops, and that is enough here. */
static void half_wire(struct port_config *config, struct port *port)
{
	*config = (struct port_config){.port = port,
				       .role = PORT_WIRE,
				       .admin_up = true,
				       .mtu = 1500,
				       .sw = SNAPSHOT_NONE,
				       .peer = SNAPSHOT_NONE};
}

static void publish_bell(void)
{
	struct snapshot *s = snapshot_new(datapath_fdb(), 1, 0, 1);

	half_wire(&s->ports[0], &bell.port);
	assert_int_equal(snapshot_finish(s), 0);
	datapath_publish(s);
}

static void sleeping_worker_is_woken_by_each_frame(void **state)
{
	uint64_t before = bell.port.rxq[0].pkts;

	(void)state;
	for (int i = 0; i < 200; i++) {
		if (i % 2 == 0)
			assert_true(
				wait_until(asleep)); /* and every other time just when it likes */
		bell_put();
		assert_true(wait_until(delivered));
	}
	assert_int_equal(bell.port.rxq[0].pkts - before, 200);
	assert_true(bell.port.rxq[0].wakeups >= 50);
}

/* A port in front of it in the poll list, and how often it was looked at while the other's frame waited. */
static struct port quiet;
static _Atomic uint32_t n_looked_past;

static uint16_t quiet_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
			 uint16_t max)
{
	(void)port;
	(void)queue;
	(void)worker;
	(void)frames;
	(void)max;
	if (atomic_load(&bell.n_waiting) > 0)
		atomic_fetch_add(&n_looked_past, 1);
	return 0;
}

static int quiet_fd(struct port *port, uint16_t queue)
{
	static int fd = -1;

	(void)port;
	(void)queue;
	if (fd < 0)
		fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return fd;
}

static bool quiet_arm(struct port *port, uint16_t queue, bool armed)
{
	(void)port;
	(void)queue;
	(void)armed;
	return false;
}

static const struct port_ops quiet_ops = {.type = "quiet",
					  .rx = quiet_rx,
					  .rx_release = bell_release,
					  .rx_fd = quiet_fd,
					  .rx_arm = quiet_arm};

static void queue_that_wakes_a_worker_is_served_before_others(void **state)
{
	const struct port_spec spec = {.n_queues = 1, .type = "quiet"};
	struct snapshot *s = snapshot_new(datapath_fdb(), 2, 0, 1);

	(void)state;
	port_init(&quiet, &quiet_ops, &spec);
	half_wire(&s->ports[0], &quiet);
	half_wire(&s->ports[1], &bell.port);
	assert_int_equal(snapshot_finish(s), 0);
	datapath_publish(s);
	for (int i = 0; i < 20; i++) {
		assert_true(wait_until(asleep));
		bell_put();
		assert_true(wait_until(delivered));
	}
	publish_bell();
	/* Every time, if the list were looked at in its order; the new snapshot, too, wakes it once or twice. */
	assert_true(atomic_load(&n_looked_past) <= 5);
}

static void changed_fd_is_watched_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		int old = atomic_load(&bell.fd);

		assert_true(wait_until(asleep));
		atomic_store(&bell.fd, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
		atomic_fetch_add(&bell.port.rx_generation, 1);
		port_peer_changed(&bell.port);
		port_quiesce();
		close(old);
		assert_true(wait_until(asleep));
		bell_put();
		assert_true(wait_until(delivered));
	}
}

static uint32_t n_changes;

static void note_change(struct port *port, void *arg)
{
	assert_ptr_equal(port, &bell.port);
	assert_ptr_equal(arg, &n_changes);
	n_changes++;
}

static void control_hears_of_a_changed_peer_once(void **state)
{
	(void)state;
	datapath_poll();
	n_changes = 0;
	port_peer_changed(&bell.port);
	port_peer_changed(&bell.port);
	datapath_poll();
	assert_int_equal(n_changes, 1);
	datapath_poll();
	assert_int_equal(n_changes, 1);
}

static void port_without_an_fd_is_still_polled(void **state)
{
	int old = atomic_load(&bell.fd);

	(void)state;
	atomic_store(&bell.fd, -1);
	atomic_fetch_add(&bell.port.rx_generation, 1);
	port_peer_changed(&bell.port);
	port_quiesce();
	close(old);
	for (int i = 0; i < 3; i++) {
		assert_true(wait_until(asleep));
		atomic_fetch_add(&bell.n_waiting, 1);
		assert_true(wait_until(delivered));
	}
}

static struct cycles counted(void)
{
	struct cycles cycles;

	datapath_cycles(0, &cycles);
	return cycles;
}

static bool frame_is_counted(void)
{
	return counted().spent[CYCLES_PUBLISH] > 0;
}

static void cycles_are_counted_while_somebody_asks(void **state)
{
	(void)state;
	bell_put();
	assert_true(wait_until(delivered));
	assert_int_equal(counted().frames, 0);
	for (int i = 0; i < CYCLES_N; i++)
		assert_int_equal(counted().spent[i], 0);

	datapath_count_cycles(60000);
	assert_true(wait_until(asleep)); /* the next frame finds it told */
	bell_put();
	assert_true(wait_until(frame_is_counted));
	assert_int_equal(counted().frames, 1);
	assert_int_equal(counted().bursts, 1);
	assert_true(counted().spent[CYCLES_RECEIVE] > 0);
	assert_true(counted().spent[CYCLES_PARSE] + counted().spent[CYCLES_ADMIT] +
			    counted().spent[CYCLES_FORWARD] >
		    0);
	assert_int_equal(counted().spent[CYCLES_IMPAIR], 0);
}

static void marks_share_the_time_out_among_them(void **state)
{
	struct cycles cycles = {.frames = 7};
	uint64_t begin, end, sum = 0;

	(void)state;
	cycles_mark(CYCLES_SEND); /* nobody asked */
	begin = rte_rdtsc();
	cycles_begin(&cycles);
	cycles_burst(3);
	usleep(100);
	cycles_mark(CYCLES_SEND);
	cycles_mark(CYCLES_IDLE);
	usleep(5000);
	cycles_mark(CYCLES_LEARN);
	end = rte_rdtsc();
	cycles_restart();
	cycles_end();
	cycles_mark(CYCLES_LEARN);
	for (int i = 0; i < CYCLES_N; i++)
		sum += cycles.spent[i];
	assert_int_equal(cycles.frames, 10);
	assert_true(cycles.spent[CYCLES_SEND] + cycles.spent[CYCLES_AWAY] > 0);
	assert_int_equal(cycles.spent[CYCLES_LEARN], 0); /* a millisecond and more is no stage */
	assert_true(cycles.spent[CYCLES_AWAY] > 2 * (rte_get_tsc_hz() / 1000));
	assert_true(sum <= end - begin);
}

static int start(void **state)
{
	const struct datapath_options options = {.n_workers = 1,
						 .fdb_capacity = 64,
						 .idle_us = 30,
						 .on_port_change = note_change,
						 .arg = &n_changes};
	const struct port_spec spec = {.n_queues = 1, .type = "bell"};
	struct err err = {""};
	int rc;

	(void)state;
	port_init(&bell.port, &bell_ops, &spec);
	atomic_store(&bell.fd, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	rc = datapath_start(&options, &err);
	if (rc == 0)
		publish_bell();
	return rc;
}

static int stop(void **state)
{
	(void)state;
	datapath_stop();
	datapath_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cycles_are_counted_while_somebody_asks),
		cmocka_unit_test(marks_share_the_time_out_among_them),
		cmocka_unit_test(sleeping_worker_is_woken_by_each_frame),
		cmocka_unit_test(queue_that_wakes_a_worker_is_served_before_others),
		cmocka_unit_test(changed_fd_is_watched_at_once),
		cmocka_unit_test(control_hears_of_a_changed_peer_once),
		cmocka_unit_test(port_without_an_fd_is_still_polled),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
