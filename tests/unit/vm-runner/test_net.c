/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-net between a scripted driver and a scripted vhost-user back-end:
 *
 *   driver (registers, control queue) <-> virtio/net*.c + vhost/ <-> Unix socket <-> back-end
 */
#include "driver.h"
#include "backend.h"

#include <fcntl.h>

#include "machine.h"
#include "virtio/net_dev.h"
#include "virtio/net_features.h"

#define PAIRS	2
#define CONTROL (PAIRS * 2)
#define ACKED                                                                                      \
	(VIRTIO_BIT(NET_F_CSUM) | VIRTIO_BIT(NET_F_HOST_TSO4) | VIRTIO_BIT(NET_F_GUEST_CSUM) |     \
	 VIRTIO_BIT(NET_F_GUEST_TSO4) | VIRTIO_BIT(NET_F_MRG_RXBUF) | VIRTIO_BIT(NET_F_STATUS) |   \
	 VIRTIO_BIT(NET_F_MAC) | VIRTIO_BIT(NET_F_CTRL_VQ) | VIRTIO_BIT(NET_F_MQ) |                \
	 VIRTIO_BIT(NET_F_MTU) | VIRTIO_BIT(NET_F_GUEST_ANNOUNCE) |                                \
	 VIRTIO_BIT(NET_F_CTRL_GUEST_OFFLOADS) | VIRTIO_BIT(NET_F_CTRL_MAC_ADDR))
#define LINK_UP	 1
#define ANNOUNCE 2

struct bench {
	struct driver driver;
	struct backend backend;
	struct virtio_dev *dev;
	char folder[64], path[96];
};

static int setup_with(void **state, enum net_offloads offloads)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct net_options options = {.id = "eth1",
				      .socket = bench->path,
				      .mac = {2, 0, 0, 0, 0, 1},
				      .n_pairs = PAIRS,
				      .mtu = 1400,
				      .link_up = true,
				      .offloads = offloads};
	struct vm *vm = vm_new_detached(MEMORY_BYTES);
	struct err err = {0};

	strcpy(bench->folder, "/tmp/test_net.XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->path, sizeof(bench->path), "%s/net.sock", bench->folder);
	assert_non_null(vm);
	bench->dev = net_new(vm, &options, &err);
	assert_non_null(bench->dev);
	assert_int_equal(virtio_pci_plug(vm, bench->dev, 1, &err), 0);
	driver_open(&bench->driver, vm);
	backend_init(&bench->backend, &bench->driver);
	*state = bench;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, NET_OFFLOADS_ON);
}

static int setup_auto(void **state)
{
	return setup_with(state, NET_OFFLOADS_AUTO);
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	backend_close(&bench->backend);
	vm_free(bench->driver.vm);
	assert_int_equal(access(bench->path, F_OK), -1); /* the socket goes with the card */
	rmdir(bench->folder);
	free(bench);
	return 0;
}

static uint16_t link_status(struct bench *bench)
{
	return (uint16_t)reg_read(&bench->driver, R_DEVICE + 6, 2);
}

static struct net_status status(struct bench *bench)
{
	struct net_status now;

	net_status(bench->dev, &now);
	return now;
}

static void guest_up(struct bench *bench, uint64_t features)
{
	assert_true(driver_negotiate(&bench->driver, features));
	for (uint16_t q = 0; q <= CONTROL; q++)
		driver_queue(&bench->driver, q, 64);
	driver_ok(&bench->driver);
	assert_int_equal(reg_read(&bench->driver, R_STATUS, 1), 15);
}

static void switch_up(struct bench *bench)
{
	backend_connect(&bench->backend, bench->path);
	backend_wait(&bench->backend, status(bench).connected);
}

static void both_up(struct bench *bench)
{
	guest_up(bench, ACKED);
	switch_up(bench);
	backend_wait(&bench->backend, bench->backend.status == 15);
}

/* Send a command on the control queue. Return: the answer. */
static uint8_t control(struct bench *bench, uint8_t class, uint8_t command, const void *data,
		       uint32_t bytes)
{
	struct driver *driver = &bench->driver;
	struct ring_desc parts[3] = {{BUFFERS_GPA, 2, 0, 0},
				     {BUFFERS_GPA + 0x100, bytes, 0, 0},
				     {BUFFERS_GPA + 0x1000, 1, DESC_WRITE, 0}};
	uint8_t *ack = guest(driver, BUFFERS_GPA + 0x1000);

	((uint8_t *)guest(driver, BUFFERS_GPA))[0] = class;
	((uint8_t *)guest(driver, BUFFERS_GPA))[1] = command;
	memcpy(guest(driver, BUFFERS_GPA + 0x100), data, bytes);
	*ack = 0x55;
	ring_add(driver, CONTROL, parts, 3);
	ring_kick(driver, CONTROL);
	assert_int_equal(ring_wait(driver, CONTROL, NULL), 1);
	return *ack;
}

static void guest_without_switch_has_no_carrier(void **state)
{
	struct bench *bench = *state;

	guest_up(bench, ACKED);
	loop_once(&bench->driver);
	assert_int_equal(link_status(bench), 0);
	assert_int_equal(reg_read(&bench->driver, R_DEVICE, 4), 0x00000002);
	assert_int_equal(reg_read(&bench->driver, R_DEVICE + 8, 2), PAIRS);
	assert_int_equal(reg_read(&bench->driver, R_DEVICE + 10, 2), 1400);
}

static void rings_are_given_before_they_are_enabled(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;

	both_up(bench);
	assert_int_equal(link_status(bench), LINK_UP);
	assert_int_equal(backend->n_regions, 1);
	assert_int_equal(backend->mtu, 1400);
	assert_true(backend->agreed & VIRTIO_BIT(VHOST_F_PROTOCOL_FEATURES));
	for (int i = 0; i < PAIRS * 2; i++) {
		assert_true(backend->rings[i].started);
		assert_int_equal(backend->rings[i].num, 64);
		assert_ptr_equal(backend->rings[i].addr.desc,
				 (uintptr_t)guest(&bench->driver, QUEUE_GPA(i)));
		assert_int_equal(backend->rings[i].call_fd, -2); /* no vector: polling */
		assert_int_equal(backend->rings[i].enabled, i < 2);
	}
}

static void kick_reaches_the_back_end(void **state)
{
	struct bench *bench = *state;
	uint64_t n;

	both_up(bench);
	backend_wait(&bench->backend, read(bench->backend.rings[1].kick_fd, &n, sizeof(n)) > 0);
	assert_int_equal(read(bench->backend.rings[1].kick_fd, &n, sizeof(n)), -1);
	ring_kick(&bench->driver, 1);
	assert_int_equal(read(bench->backend.rings[1].kick_fd, &n, sizeof(n)), sizeof(n));
}

static void vectors_become_call_fds_that_never_change(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;

	assert_true(driver_negotiate(driver, ACKED));
	for (uint16_t q = 0; q <= CONTROL; q++) {
		driver_queue(driver, q, 64);
		reg_write(driver, R_QUEUE_VECTOR, 2, q + 1U);
	}
	driver_ok(driver);
	switch_up(bench);
	backend_wait(&bench->backend, bench->backend.status == 15);
	for (int i = 0; i < PAIRS * 2; i++)
		assert_true(bench->backend.rings[i].call_fd >= 0);
}

static void card_whose_interrupts_cannot_be_had_needs_reset(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;

	driver->vm->irq.n_msi_max = 1;
	assert_true(driver_negotiate(driver, ACKED));
	for (uint16_t q = 0; q <= CONTROL; q++) {
		driver_queue(driver, q, 64);
		reg_write(driver, R_QUEUE_VECTOR, 2, q + 1U);
	}
	driver_ok(driver);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15 | 64);
	assert_false(net_from(bench->dev)->activated);
}

/* What a reset between a look at the device and the giving of its rings would leave behind. */
static void rings_of_a_driver_that_has_gone_are_taken_back(void **state)
{
	struct bench *bench = *state;
	struct net *net = net_from(bench->dev);

	net->given = true;
	net_backend_sync(net);
	assert_false(net->given);
	/* and the device still works */
	both_up(bench);
}

static void back_end_that_makes_doorbells_blocking_does_not_stop_us(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	uint64_t n, full = UINT64_C(0xfffffffffffffffe);
	int kick;

	both_up(bench);
	kick = backend->rings[1].kick_fd;
	while (read(kick, &n, sizeof(n)) > 0)
		;
	assert_int_equal(fcntl(kick, F_SETFL, 0), 0);
	alarm(20); /* ends the test if we wait for it */
	assert_int_equal(write(kick, &full, sizeof(full)), sizeof(full));
	ring_kick(&bench->driver, 1);
	assert_int_equal(read(kick, &n, sizeof(n)), sizeof(n));
	reg_write(&bench->driver, R_STATUS, 1, 0);
	backend_wait(backend, reg_read(&bench->driver, R_STATUS, 1) == 0);
	alarm(0);
}

static void lost_switch_takes_the_carrier_and_the_next_one_brings_it_back(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;
	uint8_t generation;

	both_up(bench);
	/* it had given back five transmitted buffers */
	ring_used(driver, 1)[1] = 5;
	generation = (uint8_t)reg_read(driver, R_GENERATION, 1);
	backend_close(&bench->backend);
	wait_until(driver, link_status(bench) == 0);
	assert_int_not_equal(reg_read(driver, R_GENERATION, 1), generation);
	bench->backend.status = 0;
	switch_up(bench);
	backend_wait(&bench->backend, bench->backend.status == 15);
	assert_int_equal(bench->backend.rings[1].base, 5);
	assert_int_equal(bench->backend.rings[0].base, 0);
	backend_wait(&bench->backend, link_status(bench) & LINK_UP);
	/* and the guest is asked to say where it is */
	backend_wait(&bench->backend, link_status(bench) & ANNOUNCE);
	assert_int_equal(control(bench, 3, 0, "", 0), 0);
	assert_int_equal(link_status(bench), LINK_UP);
}

static void switch_may_die_after_any_message(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	unsigned int total;

	both_up(bench);
	total = backend->n_messages;
	for (unsigned int die_at = 1; die_at < total; die_at++) {
		backend_close(backend);
		wait_until(&bench->driver, !status(bench).connected);
		backend->n_messages = 0;
		backend_connect(backend, bench->path);
		while (backend->n_messages < die_at) {
			loop_once(&bench->driver);
			if (backend_read(backend) > 0 && backend->n_messages < die_at)
				backend_obey(backend);
		}
		for (unsigned int i = 0; i < backend->n_fds; i++)
			if (backend->header.request == VHOST_SET_MEM_TABLE ||
			    backend->n_messages == die_at)
				close(backend->fds[i]);
	}
	backend_close(backend);
	wait_until(&bench->driver, !status(bench).connected);
	backend->status = 0;
	switch_up(bench);
	backend_wait(backend, backend->status == 15);
	backend_wait(backend, link_status(bench) & LINK_UP);
}

static void reset_waits_until_the_back_end_let_go(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;

	both_up(bench);
	reg_write(&bench->driver, R_STATUS, 1, 0);
	backend_expect(backend, VHOST_GET_VRING_BASE);
	assert_int_not_equal(reg_read(&bench->driver, R_STATUS, 1), 0);
	for (int i = 0; i < PAIRS * 2; i++)
		assert_false(backend->rings[i].enabled);
	backend_obey(backend);
	backend_wait(backend, reg_read(&bench->driver, R_STATUS, 1) == 0);
	for (int i = 0; i < PAIRS * 2; i++)
		assert_false(backend->rings[i].started);
	/* the same switch serves the next driver */
	backend->status = 0;
	guest_up(bench, ACKED);
	backend_wait(backend, backend->status == 15);
	assert_true(backend->rings[0].enabled);
}

static void reset_is_finished_by_a_switch_that_dies(void **state)
{
	struct bench *bench = *state;

	both_up(bench);
	reg_write(&bench->driver, R_STATUS, 1, 0);
	backend_expect(&bench->backend, VHOST_GET_VRING_BASE);
	backend_close(&bench->backend);
	wait_until(&bench->driver, reg_read(&bench->driver, R_STATUS, 1) == 0);
}

static void silent_switch_is_cut_off_and_the_reset_finished(void **state)
{
	struct bench *bench = *state;
	uint64_t end = clock_now_ns() + 3 * WAIT_LIMIT_NS;

	both_up(bench);
	reg_write(&bench->driver, R_STATUS, 1, 0);
	backend_expect(&bench->backend, VHOST_GET_VRING_BASE);
	while (reg_read(&bench->driver, R_STATUS, 1)) {
		assert_true(clock_now_ns() < end);
		loop_once(&bench->driver);
		usleep(1000);
	}
	backend_is_dropped(&bench->backend);
	assert_int_equal(status(bench).n_refused, 1);
}

static void pulled_cable_is_seen_by_the_guest(void **state)
{
	struct bench *bench = *state;

	both_up(bench);
	backend_wait(&bench->backend, link_status(bench) == LINK_UP);
	net_link_set(bench->dev, false);
	assert_int_equal(link_status(bench), 0);
	net_link_set(bench->dev, true);
	assert_int_equal(link_status(bench), LINK_UP);
	backend_wait(&bench->backend, link_status(bench) == (LINK_UP | ANNOUNCE));
}

static void queue_pairs_are_enabled_and_disabled(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	uint16_t n = 2;

	both_up(bench);
	assert_int_equal(control(bench, 4, 0, &n, 2), 0);
	backend_wait(backend, backend->rings[2].enabled && backend->rings[3].enabled);
	n = 1;
	assert_int_equal(control(bench, 4, 0, &n, 2), 0);
	backend_wait(backend, !backend->rings[2].enabled && !backend->rings[3].enabled);
	n = 0;
	assert_int_equal(control(bench, 4, 0, &n, 2), 1);
	n = PAIRS + 1;
	assert_int_equal(control(bench, 4, 0, &n, 2), 1);
	assert_int_equal(control(bench, 4, 0, &n, 1), 1);
	assert_int_equal(status(bench).n_active_pairs, 1);
}

static void guest_offloads_restart_the_rings_with_other_features(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	uint64_t offloads = VIRTIO_BIT(NET_F_GUEST_CSUM), bad = VIRTIO_BIT(NET_F_GUEST_TSO6);

	both_up(bench);
	assert_true(backend->agreed & VIRTIO_BIT(NET_F_GUEST_TSO4));
	backend->status = 99;
	assert_int_equal(control(bench, 5, 0, &offloads, 8), 0);
	backend_wait(backend, backend->status == 15);
	assert_false(backend->agreed & VIRTIO_BIT(NET_F_GUEST_TSO4));
	assert_true(backend->agreed & VIRTIO_BIT(NET_F_GUEST_CSUM));
	assert_int_equal(control(bench, 5, 0, &bad, 8), 1); /* was not accepted at the start */
}

static void other_control_commands_are_answered(void **state)
{
	struct bench *bench = *state;
	static const uint8_t on = 1, mac[6] = {2, 9, 9, 9, 9, 9}, group[6] = {1};
	static const uint8_t tables[4 + 6 + 4] = {1, 0, 0, 0, 2, 0, 0, 0, 0, 1};
	static const uint8_t huge[8] = {0xff, 0xff, 0xff, 0xff};

	both_up(bench);
	assert_int_equal(control(bench, 0, 0, &on, 1), 0);
	assert_int_equal(control(bench, 0, 1, &on, 1), 0);
	assert_int_equal(control(bench, 0, 2, &on, 1), 1);
	assert_int_equal(control(bench, 1, 1, mac, 6), 0);
	assert_memory_equal(status(bench).mac, mac, 6);
	assert_int_equal(control(bench, 1, 1, group, 6), 1);
	assert_int_equal(control(bench, 1, 1, mac, 5), 1);
	assert_int_equal(control(bench, 1, 0, tables, sizeof(tables)), 0);
	assert_int_equal(control(bench, 1, 0, tables, sizeof(tables) - 1), 1);
	assert_int_equal(control(bench, 1, 0, huge, sizeof(huge)), 1);
	assert_int_equal(control(bench, 77, 0, &on, 1), 1);
}

static void hostile_answers_disconnect_and_the_guest_goes_on(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	static const struct {
		uint32_t request, flags, size;
	} answers[] = {
		{VHOST_GET_QUEUE_NUM, VHOST_VERSION | VHOST_REPLY, 8},
		{VHOST_GET_FEATURES, VHOST_VERSION, 8},
		{VHOST_GET_FEATURES, 2 | VHOST_REPLY, 8},
		{VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 0},
		{VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 4},
		{VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 16},
		{VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 0xffffffff},
	};
	uint8_t zeros[64] = {0};

	guest_up(bench, ACKED);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct vhost_header header = {answers[i].request, answers[i].flags,
					      answers[i].size};

		backend_connect(backend, bench->path);
		backend_expect(backend, VHOST_GET_FEATURES);
		memcpy(zeros, &header, sizeof(header));
		assert_true(send(backend->fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0);
		backend_is_dropped(backend);
	}
	assert_int_equal(status(bench).n_refused, sizeof(answers) / sizeof(answers[0]));
	switch_up(bench);
	backend_wait(backend, backend->status == 15);
	/* and one that speaks without being asked */
	assert_true(send(backend->fd, "x", 1, MSG_NOSIGNAL) == 1);
	backend_is_dropped(backend);
	wait_until(&bench->driver, link_status(bench) == 0);
}

static void answer_in_single_bytes_is_understood(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	struct vhost_header header = {VHOST_GET_FEATURES, VHOST_VERSION | VHOST_REPLY, 8};
	uint8_t bytes[20];

	backend_connect(backend, bench->path);
	backend_expect(backend, VHOST_GET_FEATURES);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), &backend->features, 8);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(send(backend->fd, &bytes[i], 1, 0), 1);
		loop_once(&bench->driver);
	}
	backend_wait(backend, status(bench).connected);
}

static void switch_that_lacks_accepted_features_is_refused(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;

	guest_up(bench, ACKED);
	backend->features &= ~VIRTIO_BIT(NET_F_CSUM);
	backend_connect(backend, bench->path);
	while (backend_turn(backend))
		;
	backend_close(backend);
	assert_false(status(bench).connected);
	assert_int_equal(link_status(bench), 0);
	backend->features = BACKEND_FEATURES;
	switch_up(bench);
}

static void switch_with_too_few_queues_is_refused(void **state)
{
	struct bench *bench = *state;

	bench->backend.n_pairs = PAIRS - 1;
	backend_connect(&bench->backend, bench->path);
	while (backend_turn(&bench->backend))
		;
	backend_close(&bench->backend);
	assert_int_equal(status(bench).n_refused, 1);
}

static void second_switch_is_turned_away(void **state)
{
	struct bench *bench = *state;
	struct backend second;

	both_up(bench);
	backend_init(&second, &bench->driver);
	backend_connect(&second, bench->path);
	backend_is_dropped(&second);
	assert_true(backend_turn(&bench->backend));
	assert_int_equal(link_status(bench), LINK_UP);
}

static void back_end_without_protocol_features_has_one_pair(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;

	backend->features &= ~VIRTIO_BIT(VHOST_F_PROTOCOL_FEATURES);
	backend_connect(backend, bench->path);
	while (backend_turn(backend))
		;
	/* one pair only, and the card has two */
	assert_int_equal(status(bench).n_refused, 1);
	backend_close(backend);
}

static void rings_outside_memory_need_reset(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;

	assert_true(driver_negotiate(driver, ACKED));
	driver_queue(driver, 0, 64);
	reg_write(driver, R_QUEUE_SELECT, 2, 1);
	reg_write(driver, R_QUEUE_DESC, 8, UINT64_MAX & ~15ULL);
	reg_write(driver, R_QUEUE_ENABLE, 2, 1);
	driver_ok(driver);
	assert_true(reg_read(driver, R_STATUS, 1) & 64);
	driver_reset(driver);
}

static void control_queue_of_a_driver_without_multiqueue_is_the_third(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;
	struct ring_desc parts[2] = {{BUFFERS_GPA, 3, 0, 0}, {BUFFERS_GPA + 64, 1, DESC_WRITE, 0}};

	assert_true(driver_negotiate(driver, ACKED & ~VIRTIO_BIT(NET_F_MQ)));
	for (uint16_t q = 0; q < 3; q++)
		driver_queue(driver, q, 64);
	driver_ok(driver);
	memcpy(guest(driver, BUFFERS_GPA), "\0\0\1", 3);
	ring_add(driver, 2, parts, 2);
	ring_kick(driver, 2);
	assert_int_equal(ring_wait(driver, 2, NULL), 1);
	assert_int_equal(*(uint8_t *)guest(driver, BUFFERS_GPA + 64), 0);
}

static void first_reset_waits_for_the_switch_and_offers_what_it_has(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;

	backend->features &= ~VIRTIO_BIT(NET_F_CSUM);
	reg_write(&bench->driver, R_STATUS, 1, 0);
	loop_once(&bench->driver);
	assert_int_not_equal(reg_read(&bench->driver, R_STATUS, 1), 0);
	switch_up(bench);
	backend_wait(backend, reg_read(&bench->driver, R_STATUS, 1) == 0);
	/* no CSUM, hence no TSO either; but receiving is another matter */
	assert_false(driver_offered(&bench->driver) &
		     (VIRTIO_BIT(NET_F_CSUM) | VIRTIO_BIT(NET_F_HOST_TSO4)));
	assert_true(driver_offered(&bench->driver) & VIRTIO_BIT(NET_F_GUEST_TSO4));
	guest_up(bench, ACKED & ~(VIRTIO_BIT(NET_F_CSUM) | VIRTIO_BIT(NET_F_HOST_TSO4)));
	backend_wait(backend, backend->status == 15);
}

static void wait_for_a_switch_ends(void **state)
{
	struct bench *bench = *state;
	uint64_t start = clock_now_ns();

	driver_reset(&bench->driver);
	assert_true(clock_now_ns() - start > CLOCK_NS_PER_SECOND);
	assert_true(driver_offered(&bench->driver) & VIRTIO_BIT(NET_F_HOST_TSO4));
	start = clock_now_ns();
	driver_reset(&bench->driver); /* once only */
	assert_true(clock_now_ns() - start < CLOCK_NS_PER_SECOND);
	guest_up(bench, ACKED);
}

static void bad_options_are_refused(void **state)
{
	struct bench *bench = *state;
	char path[200], taken[96];
	struct net_options good = {.id = "x", .socket = path, .mac = {2}}, bad;
	struct err err;

#define REFUSED(change, phrase)                                                                    \
	do {                                                                                       \
		bad = good;                                                                        \
		change;                                                                            \
		err.text[0] = 0;                                                                   \
		assert_null(net_new(bench->driver.vm, &bad, &err));                                \
		assert_non_null(strstr(err.text, phrase));                                         \
	} while (0)
	snprintf(path, sizeof(path), "%s/other.sock", bench->folder);
	REFUSED(bad.mac[0] = 1, "group address");
	REFUSED(bad.n_pairs = 17, "at most 16");
	REFUSED(bad.queue_size = 100, "power of two");
	REFUSED(bad.queue_size = 2048, "power of two");
	REFUSED(bad.mtu = 67, "MTU");
	memcpy(taken, bench->path, sizeof(taken));
	REFUSED(bad.socket = taken, "another process");
	REFUSED(bad.socket = bench->folder, "not a socket");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	REFUSED(, "longer than 107");
}

/* Packed rings */

#define PACKED (ACKED | VIRTIO_BIT(VIRTIO_RING_PACKED))

static int setup_packed(void **state)
{
	struct bench *bench;

	setup_with(state, NET_OFFLOADS_ON);
	bench = *state;
	net_from(bench->dev)->packed = true;
	bench->backend.features |= VIRTIO_BIT(VIRTIO_RING_PACKED);
	return 0;
}

static void die_and_come_back(struct bench *bench)
{
	backend_close(&bench->backend);
	wait_until(&bench->driver, !status(bench).connected);
	bench->backend.status = 0;
	switch_up(bench);
	backend_wait(&bench->backend, bench->backend.status == 15);
}

static void packed_rings_are_offered_only_when_asked_for(void **state)
{
	struct bench *bench = *state;

	driver_reset(&bench->driver);
	assert_false(driver_offered(&bench->driver) & VIRTIO_BIT(VIRTIO_RING_PACKED));
	net_from(bench->dev)->packed = true;
	driver_reset(&bench->driver);
	assert_true(driver_offered(&bench->driver) & VIRTIO_BIT(VIRTIO_RING_PACKED));
}

static void packed_rings_may_have_any_size_and_small_event_areas(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;
	uint64_t end = MEMORY_BYTES;

	assert_true(driver_negotiate(driver, PACKED));
	for (uint16_t q = 0; q <= CONTROL; q++) {
		driver_queue(driver, q, 63);
		assert_int_equal(driver->size[q], 63);
	}
	reg_write(driver, R_QUEUE_SELECT, 2, 0);
	assert_int_equal(reg_read(driver, R_QUEUE_ENABLE, 2), 1);
	driver_ok(driver);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15);
	driver_reset(driver);
	/* four bytes at the very end of memory are enough, three are not */
	for (unsigned int left = 4; left > 0; left -= 4) {
		assert_true(driver_negotiate(driver, PACKED));
		driver_queue(driver, 0, 64);
		reg_write(driver, R_QUEUE_SELECT, 2, 1);
		reg_write(driver, R_QUEUE_DESC, 8, QUEUE_GPA(1));
		reg_write(driver, R_QUEUE_DRIVER, 8, end - left);
		reg_write(driver, R_QUEUE_DEVICE, 8, end - left);
		reg_write(driver, R_QUEUE_ENABLE, 2, 1);
		driver_ok(driver);
		assert_int_equal(reg_read(driver, R_STATUS, 1), 15);
		driver_reset(driver);
	}
	assert_true(driver_negotiate(driver, PACKED));
	driver_queue(driver, 0, 64);
	reg_write(driver, R_QUEUE_SELECT, 2, 1);
	reg_write(driver, R_QUEUE_DESC, 8, QUEUE_GPA(1));
	reg_write(driver, R_QUEUE_DRIVER, 8, end - 2);
	reg_write(driver, R_QUEUE_DEVICE, 8, QUEUE_GPA(1) + USED_OFF);
	reg_write(driver, R_QUEUE_ENABLE, 2, 1);
	driver_ok(driver);
	assert_int_equal(reg_read(driver, R_STATUS, 1), 15 | 64);
	driver_reset(driver);
}

static void packed_both_up(struct bench *bench)
{
	guest_up(bench, PACKED);
	switch_up(bench);
	backend_wait(&bench->backend, bench->backend.status == 15);
	assert_true(bench->backend.agreed & VIRTIO_BIT(VIRTIO_RING_PACKED));
}

static void in_flight_memory_of_a_dead_switch_is_given_to_the_next(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	uint64_t first;

	packed_both_up(bench);
	assert_int_equal(backend->n_made, 1);
	assert_int_equal(backend->n_taken, 1);
	assert_int_equal(backend->inflight.n_rings, PAIRS * 2);
	assert_int_equal(backend->inflight.ring_size, 64);
	for (int i = 0; i < PAIRS * 2; i++)
		assert_int_equal(backend->rings[i].base, 0x8000);
	first = backend->inflight_ino;
	for (unsigned int i = 2; i < 5; i++) {
		die_and_come_back(bench);
		assert_int_equal(backend->n_made, 1);
		assert_int_equal(backend->n_taken, i);
		assert_int_equal(backend->inflight_ino, first);
		assert_int_equal(backend->inflight.bytes, 8192);
		assert_int_equal(backend->inflight.n_rings, PAIRS * 2);
	}
	/* a new driver has new rings: nothing of the old ones is kept */
	reg_write(&bench->driver, R_STATUS, 1, 0);
	backend_wait(backend, reg_read(&bench->driver, R_STATUS, 1) == 0);
	backend->status = 0;
	guest_up(bench, PACKED);
	backend_wait(backend, backend->status == 15);
	assert_int_equal(backend->n_made, 2);
	assert_int_not_equal(backend->inflight_ino, first);
}

static void packed_rings_start_where_the_switch_said_it_stopped(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;

	packed_both_up(bench);
	for (int i = 0; i < PAIRS * 2; i++)
		backend->stopped_at[i] = (uint16_t)(0x8000 * (i % 2) + 7 + i);
	vhost_frontend_run(net_from(bench->dev)->frontend, &net_from(bench->dev)->run, 3);
	backend->status = 99;
	backend_wait(backend, backend->status == 15);
	for (int i = 0; i < PAIRS * 2; i++)
		assert_int_equal(backend->rings[i].base, 0x8000 * (i % 2) + 7 + i);
	assert_int_equal(backend->n_made, 2); /* what the old memory says is stale */
	/* a driver that starts anew starts at the beginning */
	reg_write(&bench->driver, R_STATUS, 1, 0);
	backend_wait(backend, reg_read(&bench->driver, R_STATUS, 1) == 0);
	backend->status = 0;
	guest_up(bench, PACKED);
	backend_wait(backend, backend->status == 15);
	assert_int_equal(backend->rings[1].base, 0x8000);
}

/* It is connected, and waits for rings that it does not get. */
static void gets_no_rings(struct bench *bench)
{
	uint64_t before = status(bench).n_connects;

	backend_connect(&bench->backend, bench->path);
	backend_wait(&bench->backend, status(bench).n_connects > before);
	for (int i = 0; i < 100; i++)
		assert_true(backend_turn(&bench->backend));
	assert_false(bench->backend.rings[0].started);
	assert_int_equal(link_status(bench), 0);
}

static void packed_rings_are_never_given_to_a_switch_that_would_have_to_guess(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;
	uint64_t all = backend->protocol_features;

	/* one that keeps in-flight state dies, and one that cannot read it comes */
	packed_both_up(bench);
	backend_close(backend);
	wait_until(&bench->driver, !status(bench).connected);
	backend->protocol_features = all & ~VIRTIO_BIT(VHOST_PF_INFLIGHT);
	gets_no_rings(bench);
	backend_close(backend);
	backend->protocol_features = all;
	backend->status = 0;
	backend_connect(backend, bench->path);
	backend_wait(backend, backend->status == 15);
	assert_int_equal(backend->n_made, 1);
	/* one that keeps none dies: only a new driver helps */
	reg_write(&bench->driver, R_STATUS, 1, 0);
	backend_wait(backend, reg_read(&bench->driver, R_STATUS, 1) == 0);
	backend_close(backend);
	wait_until(&bench->driver, !status(bench).connected);
	backend->protocol_features = all & ~VIRTIO_BIT(VHOST_PF_INFLIGHT);
	backend->status = 0;
	packed_both_up(bench);
	assert_int_equal(backend->n_made, 1);
	backend_close(backend);
	wait_until(&bench->driver, !status(bench).connected);
	gets_no_rings(bench);
	backend_close(backend);
	backend->protocol_features = all;
	gets_no_rings(bench);
	/* it has been there all the time, and gets those of the next driver */
	backend->status = 0;
	assert_true(driver_negotiate(&bench->driver, PACKED));
	guest_up(bench, PACKED);
	backend_wait(backend, backend->status == 15);
	assert_true(backend->rings[0].started);
}

static void in_flight_memory_that_cannot_be_is_refused(void **state)
{
	struct bench *bench = *state;
	struct backend *backend = &bench->backend;

	guest_up(bench, PACKED);
	for (int i = 0; i < 5; i++) {
		uint64_t before = status(bench).n_refused;

		backend->inflight_bytes = (uint64_t[]){8193, 1 << 25, UINT64_MAX, 0, 0}[i];
		backend->inflight_without_fd = i == 3;
		backend->inflight_unsealed = i == 4;
		backend_connect(backend, bench->path);
		while (backend_turn(backend))
			;
		backend_close(backend);
		assert_int_equal(backend->n_taken, 0);
		assert_int_equal(status(bench).n_refused, before + 1);
	}
	backend->inflight_unsealed = false;
	backend->n_made = 0;
	switch_up(bench);
	backend_wait(backend, backend->status == 15);
	assert_int_equal(backend->n_taken, 1);
}

static void control_queue_is_packed_like_the_others(void **state)
{
	struct bench *bench = *state;
	struct driver *driver = &bench->driver;
	const uint16_t size = 8;
	uint16_t pairs = 1;
	bool wrap = true;
	uint16_t at = 0;

	assert_true(driver_negotiate(driver, PACKED));
	for (uint16_t q = 0; q <= CONTROL; q++)
		driver_queue(driver, q, q == CONTROL ? size : 64);
	driver_ok(driver);
	for (int n = 0; n < 20; n++) {
		struct {
			uint64_t addr;
			uint32_t len;
			uint16_t id, flags;
		} *desc = guest(driver, QUEUE_GPA(CONTROL));
		uint16_t head = at;
		bool head_wrap = wrap;
		volatile uint16_t *flags = &desc[head].flags;
		uint8_t *ack = guest(driver, BUFFERS_GPA + 0x1000);

		memcpy(guest(driver, BUFFERS_GPA), "\4\0", 2);
		pairs = (uint16_t)(n % 3);
		memcpy(guest(driver, BUFFERS_GPA + 0x100), &pairs, 2);
		*ack = 0x55;
		for (int i = 0; i < 3; i++) {
			desc[at].addr = BUFFERS_GPA + (i == 2 ? 0x1000 : i * 0x100);
			desc[at].len = i == 2 ? 1 : 2;
			desc[at].id = (uint16_t)(100 + n);
			desc[at].flags = (uint16_t)((i < 2 ? DESC_NEXT : DESC_WRITE) |
						    (wrap ? 1 << 7 : 1 << 15));
			at = (uint16_t)((at + 1) % size);
			wrap ^= at == 0;
		}
		ring_kick(driver, CONTROL);
		wait_until(driver,
			   (*flags & (1 << 7 | 1 << 15)) == (head_wrap ? 1 << 7 | 1 << 15 : 0));
		assert_int_equal(desc[head].id, 100 + n);
		assert_int_equal(desc[head].len, 1);
		assert_true(desc[head].flags & DESC_WRITE);
		assert_int_equal(*ack, n % 3 == 0);
	}
	assert_int_equal(status(bench).n_active_pairs, 1 + (19 - 1) % 3);
	/* a chain without an end */
	for (int i = 0; i < 16 * size; i += 16)
		((uint16_t *)guest(driver, QUEUE_GPA(CONTROL) + (unsigned int)i))[7] =
			(uint16_t)(DESC_NEXT | (wrap ? 1 << 7 : 1 << 15));
	ring_kick(driver, CONTROL);
	wait_until(driver, reg_read(driver, R_STATUS, 1) & 64);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
#define P(name) cmocka_unit_test_setup_teardown(name, setup_packed, teardown)
		T(packed_rings_are_offered_only_when_asked_for),
		P(packed_rings_may_have_any_size_and_small_event_areas),
		P(in_flight_memory_of_a_dead_switch_is_given_to_the_next),
		P(packed_rings_start_where_the_switch_said_it_stopped),
		P(packed_rings_are_never_given_to_a_switch_that_would_have_to_guess),
		P(in_flight_memory_that_cannot_be_is_refused),
		P(control_queue_is_packed_like_the_others),
		T(guest_without_switch_has_no_carrier),
		T(rings_are_given_before_they_are_enabled),
		T(kick_reaches_the_back_end),
		T(vectors_become_call_fds_that_never_change),
		T(card_whose_interrupts_cannot_be_had_needs_reset),
		T(rings_of_a_driver_that_has_gone_are_taken_back),
		T(back_end_that_makes_doorbells_blocking_does_not_stop_us),
		T(lost_switch_takes_the_carrier_and_the_next_one_brings_it_back),
		T(switch_may_die_after_any_message),
		T(reset_waits_until_the_back_end_let_go),
		T(reset_is_finished_by_a_switch_that_dies),
		T(silent_switch_is_cut_off_and_the_reset_finished),
		T(pulled_cable_is_seen_by_the_guest),
		T(queue_pairs_are_enabled_and_disabled),
		T(guest_offloads_restart_the_rings_with_other_features),
		T(other_control_commands_are_answered),
		T(hostile_answers_disconnect_and_the_guest_goes_on),
		T(answer_in_single_bytes_is_understood),
		T(switch_that_lacks_accepted_features_is_refused),
		T(switch_with_too_few_queues_is_refused),
		T(second_switch_is_turned_away),
		T(back_end_without_protocol_features_has_one_pair),
		T(rings_outside_memory_need_reset),
		T(control_queue_of_a_driver_without_multiqueue_is_the_third),
		cmocka_unit_test_setup_teardown(
			first_reset_waits_for_the_switch_and_offers_what_it_has, setup_auto,
			teardown),
		cmocka_unit_test_setup_teardown(wait_for_a_switch_ends, setup_auto, teardown),
		T(bad_options_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
