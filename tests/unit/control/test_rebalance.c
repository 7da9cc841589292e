/* SPDX-License-Identifier: BSD-3-Clause */
/* What control makes of the workers' counters: measuring, moving, pinning. The datapath is a fake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "control.h"
#include "fake_datapath.h"
#include "rebalance.h"
#include "rpc/request.h"

#define PORTS 6

static char dir[] = "/tmp/netloom-test-XXXXXX", state_path[64];
static struct control control;
static struct evbuffer *output;
static uint64_t
	now_ns; /* the test's time: how long the machine takes to get somewhere must not matter */

/* Return: the answer's error code, 0 for a result. */
static int ask(const char *line)
{
	json_error_t error;
	json_t *answer;
	int code;

	rpc_request_line(&control, NULL, line, strlen(line), output);
	answer = json_loadb((const char *)evbuffer_pullup(output, -1), evbuffer_get_length(output),
			    0, &error);
	evbuffer_drain(output, evbuffer_get_length(output));
	assert_non_null(answer);
	code = (int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
	json_decref(answer);
	return code;
}

static int ask_port(const char *method, int port, const char *more)
{
	char line[512];

	snprintf(line, sizeof(line),
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{\"%s\":\"p%d\"%s}}",
		 method, strcmp(method, "queue.pin") == 0 ? "port" : "name", port, more);
	return ask(line);
}

static struct port *port_of(int i)
{
	char name[8];

	snprintf(name, sizeof(name), "p%d", i);
	return apply_live(control.apply, model_port_find(apply_model(control.apply), name))->port;
}

static uint16_t poller(int i)
{
	return snapshot_doer(fake.current, (uint32_t)i, 0);
}

/* A second of traffic, as far as counters tell: frames by port, and which workers had no rest. */
static void second(const uint64_t frames[PORTS], bool busy0, bool busy1)
{
	for (int i = 0; i < PORTS; i++)
		port_of(i)->rxq[0].pkts += frames[i];
	fake.busy_ns[0] += busy0 ? CLOCK_NS_PER_SECOND : 0;
	fake.busy_ns[1] += busy1 ? CLOCK_NS_PER_SECOND : 0;
	now_ns += CLOCK_NS_PER_SECOND;
	rebalance_tick(control.rebalance, now_ns);
}

static int start(void **state)
{
	const struct datapath_options options = {.fdb_capacity = 64, .n_workers = 2};
	struct err err = {.text = ""};
	bool keeps = *state != NULL;

	assert_int_equal(datapath_start(&options, &err), 0);
	control = (struct control){
		.base = event_base_new(), .state_path = state_path, .keeps_queues = keeps};
	assert_int_equal(control_start(&control, &err), 0);
	for (int i = 0; i < PORTS; i++) {
		char more[80];

		snprintf(more, sizeof(more), ",\"type\":\"vhost-user\",\"socket\":\"/s%d\"", i);
		assert_int_equal(ask_port("port.set", i, more), 0);
		assert_int_equal(poller(i), i % 2); /* where it begins */
	}
	now_ns = clock_now_ns();
	rebalance_tick(control.rebalance, now_ns); /* from here on time is the test's */
	return 0;
}

static int stop(void **state)
{
	(void)state;
	control_stop(&control);
	event_base_free(control.base);
	unlink(state_path);
	return 0;
}

static const uint64_t even[PORTS] = {500, 0, 300, 0, 200, 0};

static void queue_moves_after_two_busy_seconds(void **state)
{
	(void)state;
	second(even, true, false);
	assert_int_equal(rebalance_busy(control.rebalance, 0), 1000);
	assert_int_equal(rebalance_busy(control.rebalance, 1), 0);
	for (int i = 0; i < PORTS; i++)
		assert_int_equal(poller(i), i % 2);
	second(even, true, false);
	assert_int_equal(poller(0), 1); /* 500 here, 500 there */
	assert_int_equal(poller(2), 0);
	assert_int_equal(poller(4), 0);
	assert_int_equal(rebalance_taken(control.rebalance, 1), 1);
}

static void one_quiet_second_begins_anew(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		second(even, true, false);
		second(even, false, false);
	}
	assert_int_equal(rebalance_taken(control.rebalance, 1), 0);
}

static void moved_queue_stays_for_a_while(void **state)
{
	static const uint64_t only[PORTS] = {500, 0, 0, 500, 0, 0};

	(void)state;
	second(even, true, false);
	second(even, true, false);
	assert_int_equal(poller(0), 1);
	/* Now the other one is busy, with it and p3: p3 moves, though p0 were as good. */
	second(only, false, true);
	second(only, false, true);
	assert_int_equal(poller(0), 1);
	assert_int_equal(poller(3), 0);
	assert_int_equal(rebalance_taken(control.rebalance, 0), 1);
	/* And what is left on either worker is its whole load. */
	for (int i = 0; i < 10; i++)
		second(only, false, true);
	assert_int_equal(
		rebalance_taken(control.rebalance, 0) + rebalance_taken(control.rebalance, 1), 2);
}

static void move_outlives_changes_and_ends_with_the_port(void **state)
{
	(void)state;
	assert_int_equal(ask_port("queue.pin", 2, ",\"worker\":1"), 0);
	assert_int_equal(poller(2), 1);
	assert_int_equal(ask_port("port.admin", 2, ",\"admin\":\"down\""), 0);
	assert_int_equal(ask_port("port.delete", 5, ""), 0);
	assert_int_equal(poller(2), 1);
	assert_int_equal(ask_port("port.delete", 2, ""), 0);
	assert_int_equal(ask_port("port.set", 2, ",\"type\":\"vhost-user\",\"socket\":\"/other\""),
			 0);
	assert_int_equal(poller(2), 0);
}

#define LAB(port)                                                                                  \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"apply\",\"params\":{\"owner\":\"lab\","        \
	"\"switches\":[],"                                                                         \
	"\"ports\":[{\"name\":\"p6\",\"type\":\"vhost-user\",\"socket\":\"/s6\"" port "]}}"

/* A port whose socket its successor needs is closed first, and opened again when the change fails. */
static void move_outlives_a_change_that_fails(void **state)
{
	(void)state;
	assert_int_equal(ask(LAB("}")), 0);
	assert_int_equal(ask_port("queue.pin", 6, ",\"worker\":1"), 0);
	assert_int_equal(poller(6), 1);
	strcpy(fake.fail_path, "/bad");
	assert_int_not_equal(ask(LAB(",\"queues\":2},{\"name\":\"z\",\"type\":\"vhost-user\","
				     "\"socket\":\"/bad\"}")),
			     0);
	fake.fail_path[0] = '\0';
	assert_int_equal(port_of(6)->spec.n_queues, 1);
	assert_int_equal(poller(6), 1);
	assert_int_equal(
		apply_live(control.apply, model_port_find(apply_model(control.apply), "p6"))
			->pinned,
		1);
}

static void pinned_queue_stays_until_it_is_released(void **state)
{
	(void)state;
	for (int i = 0; i < PORTS; i += 2)
		assert_int_equal(ask_port("queue.pin", i, ",\"worker\":0"), 0);
	for (int i = 0; i < 4; i++)
		second(even, true, false);
	assert_int_equal(rebalance_taken(control.rebalance, 1), 0);
	assert_int_equal(ask_port("queue.pin", 4, ",\"worker\":null"), 0);
	for (int i = 0; i < 4; i++)
		second(even, true, false);
	assert_int_equal(poller(0), 0);
	assert_int_equal(poller(2), 0);
	assert_int_equal(poller(4), 1);
}

static uint16_t emptier(int i, enum impair_direction direction)
{
	return snapshot_doer(fake.current, (uint32_t)i, SNAPSHOT_DIRECTION(direction));
}

/* @n frames pass an impaired direction of a port. */
static void frames_pass(int i, enum impair_direction direction, uint32_t n)
{
	static const struct impair_params params = {.delay_ns = 1};
	static struct impair_batch batch;
	struct frame f = {.len = 60, .hdr_len = 60, .hdr = f.buf};
	const struct frame_out out = {.f = &f};
	char name[8];
	struct impair *impair;
	bool is_first;

	snprintf(name, sizeof(name), "p%d", i);
	impair = apply_live(control.apply, model_port_find(apply_model(control.apply), name))
			 ->impair[direction];
	for (uint32_t k = 0; k < n; k++) {
		assert_int_equal(impair_push(impair, &params, &out, 1, &is_first), DROP_NONE);
		assert_int_equal(impair_pop(impair, UINT64_MAX - 1, &batch), 1);
		impair_release(impair, &batch);
	}
}

#define IMPAIR_P0                                                                                  \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.impair\",\"params\":{\"ports\":["         \
	"{\"name\":\"p0\",\"out\":{\"delay_us\":1000}}]}}"

/* A bad link's frames cost their worker more than the queues do: they are given away first, and stay there for a while. */
static void impaired_direction_moves_like_a_queue(void **state)
{
	static const uint64_t some[PORTS] = {100, 0, 300, 0, 0, 0};

	(void)state;
	assert_int_equal(ask(IMPAIR_P0), 0);
	assert_int_equal(emptier(0, IMPAIR_OUT), 0);
	for (int i = 0; i < 2; i++) {
		frames_pass(0, IMPAIR_OUT, 500);
		second(some, true, false);
	}
	assert_int_equal(emptier(0, IMPAIR_OUT), 1);
	assert_int_equal(emptier(0, IMPAIR_IN), 0);
	assert_int_equal(poller(0), 0);
	assert_int_equal(poller(2), 0);
	for (int i = 0; i < 6; i++) {
		frames_pass(0, IMPAIR_OUT, 500);
		second(some, false, true);
	}
	assert_int_equal(emptier(0, IMPAIR_OUT), 1);
}

static void impaired_direction_can_be_pinned(void **state)
{
	(void)state;
	assert_int_equal(ask_port("queue.pin", 0, ",\"impaired\":\"out\",\"worker\":1"), 1);
	assert_int_equal(ask(IMPAIR_P0), 0);
	assert_int_equal(ask_port("queue.pin", 0, ",\"impaired\":\"in\",\"worker\":1"), 1);
	assert_int_equal(ask_port("queue.pin", 0, ",\"impaired\":\"up\",\"worker\":1"), -32602);
	assert_int_equal(ask_port("queue.pin", 0, ",\"impaired\":\"out\",\"queue\":0,\"worker\":1"),
			 -32602);
	assert_int_equal(emptier(0, IMPAIR_OUT), 0);
	assert_int_equal(ask_port("queue.pin", 0, ",\"impaired\":\"out\",\"worker\":0"), 0);
	for (int i = 0; i < 4; i++) {
		frames_pass(0, IMPAIR_OUT, 500);
		second(even, true, false);
	}
	assert_int_equal(emptier(0, IMPAIR_OUT), 0);
	assert_int_equal(ask_port("queue.pin", 0, ",\"impaired\":\"out\",\"worker\":1"), 0);
	assert_int_equal(emptier(0, IMPAIR_OUT), 1);
}

static void impossible_pins_are_refused(void **state)
{
	(void)state;
	assert_int_equal(ask_port("queue.pin", 0, ",\"worker\":2"), -32602);
	assert_int_equal(ask_port("queue.pin", 0, ",\"worker\":-1"), -32602);
	assert_int_equal(ask_port("queue.pin", 0, ",\"worker\":1,\"queue\":1"), 1);
	assert_int_equal(ask_port("queue.pin", 0, ",\"worker\":1,\"queue\":16"), -32602);
	assert_int_equal(ask_port("queue.pin", 9, ",\"worker\":1"), 1);
	assert_int_equal(ask_port("queue.pin", 0, ""), -32602);
	for (int i = 0; i < PORTS; i++)
		assert_int_equal(poller(i), i % 2);
}

static void nothing_moves_by_itself_when_that_is_off(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		second(even, true, false);
	assert_int_equal(rebalance_taken(control.rebalance, 1), 0);
	assert_int_equal(ask_port("queue.pin", 0, ",\"worker\":1"), 0);
	assert_int_equal(poller(0), 1);
}

int main(void)
{
	static char off[] = "off";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(queue_moves_after_two_busy_seconds, start, stop),
		cmocka_unit_test_setup_teardown(one_quiet_second_begins_anew, start, stop),
		cmocka_unit_test_setup_teardown(moved_queue_stays_for_a_while, start, stop),
		cmocka_unit_test_setup_teardown(move_outlives_changes_and_ends_with_the_port, start,
						stop),
		cmocka_unit_test_setup_teardown(move_outlives_a_change_that_fails, start, stop),
		cmocka_unit_test_setup_teardown(pinned_queue_stays_until_it_is_released, start,
						stop),
		cmocka_unit_test_setup_teardown(impaired_direction_moves_like_a_queue, start, stop),
		cmocka_unit_test_setup_teardown(impaired_direction_can_be_pinned, start, stop),
		cmocka_unit_test_setup_teardown(impossible_pins_are_refused, start, stop),
		cmocka_unit_test_prestate_setup_teardown(nothing_moves_by_itself_when_that_is_off,
							 start, stop, off),
	};
	int rc;

	assert_non_null(mkdtemp(dir));
	snprintf(state_path, sizeof(state_path), "%s/state", dir);
	output = evbuffer_new();
	log_init("test", LOG_ERROR);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	evbuffer_free(output);
	rmdir(dir);
	return rc;
}
