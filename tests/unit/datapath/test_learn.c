/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "learn.h"

static uint32_t n_of_port[SNAPSHOT_PORTS_MAX];
static uint64_t last_mac;

static void count(const struct learn_event *event, void *arg)
{
	(void)arg;
	n_of_port[event->port]++;
	last_mac = event->mac;
}

static uint32_t push_all(struct learn_queue *queue, uint16_t port, uint32_t n)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct learn_event event = {.mac = i + 1, .fid = 10, .port = port};

		taken += learn_push(queue, &event);
	}
	return taken;
}

static void port_with_random_sources_leaves_room_for_all_others(void **state)
{
	struct learn_queue *queue = learn_queue_new(-1);

	(void)state;
	memset(n_of_port, 0, sizeof(n_of_port));
	assert_true(push_all(queue, 0, 100000) < LEARN_RING_SIZE);
	for (uint16_t port = 1; port < 8; port++)
		assert_true(push_all(queue, port, 10) > 0);
	assert_int_equal(push_all(queue, 1000, 5), 5);
	learn_drain(queue, UINT32_MAX, count, NULL);
	assert_int_equal(n_of_port[1000], 5);
	for (uint16_t port = 1; port < 8; port++)
		assert_int_equal(n_of_port[port], 10);
	/* and its own credit is back */
	assert_true(push_all(queue, 0, 100) == 100);
	learn_queue_free(queue);
}

static void events_come_in_order_and_in_portions(void **state)
{
	struct learn_queue *queue = learn_queue_new(-1);

	(void)state;
	assert_int_equal(push_all(queue, 3, 200), 200);
	assert_int_equal(learn_drain(queue, 150, count, NULL), 150);
	assert_int_equal(last_mac, 150);
	assert_int_equal(learn_drain(queue, 150, count, NULL), 50);
	assert_int_equal(last_mac, 200);
	assert_int_equal(learn_drain(queue, 150, count, NULL), 0);
	learn_queue_free(queue);
}

static void consumer_is_signalled_once_until_it_comes(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct learn_queue *queue = learn_queue_new(fd);
	uint64_t value;

	(void)state;
	push_all(queue, 3, 50);
	assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 1);
	push_all(queue, 3, 50);
	assert_int_equal(read(fd, &value, sizeof(value)), -1);
	learn_drain(queue, UINT32_MAX, count, NULL);
	push_all(queue, 3, 1);
	assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	learn_queue_free(queue);
	close(fd);
}

/* A producer that is as fast as the consumer; it gives up long after the drain should have ended. */
static void count_and_push(const struct learn_event *event, void *arg)
{
	const struct learn_event next = {.mac = event->mac + 1, .fid = 10, .port = event->port};

	n_of_port[event->port]++;
	if (n_of_port[event->port] < 4 * LEARN_RING_SIZE)
		learn_push(arg, &next);
}

static void drain_ends_although_events_keep_coming(void **state)
{
	struct learn_queue *queue = learn_queue_new(-1);

	(void)state;
	memset(n_of_port, 0, sizeof(n_of_port));
	assert_int_equal(push_all(queue, 3, 100), 100);
	assert_int_equal(learn_drain(queue, UINT32_MAX, count_and_push, queue), 100);
	assert_int_equal(n_of_port[3], 100);
	assert_int_equal(learn_drain(queue, UINT32_MAX, count, NULL), 100);
	learn_queue_free(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_with_random_sources_leaves_room_for_all_others),
		cmocka_unit_test(events_come_in_order_and_in_portions),
		cmocka_unit_test(consumer_is_signalled_once_until_it_comes),
		cmocka_unit_test(drain_ends_although_events_keep_coming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
