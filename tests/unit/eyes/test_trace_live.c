/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a live trace: the last frame that matches against the reader that asks whether all have come. The worker is played by the
 * test, store by store, so that every order of the two is tried. The datapath is a fake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "control.h"
#include "eyes/trace_live.h"
#include "probe/trace.h"
#include "rpc/request.h"
#include "unit/control/fake_datapath.h"

#define WANTED 3
#define RING   0

static char dir[] = "/tmp/netloom-test-XXXXXX", state_path[64];
static struct control control;
static struct trace_live *live;
static struct probe *probe;

static int start(void **state)
{
	static const char port[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.set\",\"params\":{"
		"\"name\":\"p\",\"type\":\"vhost-user\",\"socket\":\"/s\"}}";
	const struct datapath_options options = {.fdb_capacity = 64, .n_workers = 2};
	struct trace_live_spec spec = {.count = WANTED};
	struct evbuffer *output = evbuffer_new();
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(datapath_start(&options, &err), 0);
	control = (struct control){.base = event_base_new(), .state_path = state_path};
	assert_int_equal(control_start(&control, &err), 0);
	rpc_request_line(&control, NULL, port, strlen(port), output);
	evbuffer_free(output);
	spec.select.n_targets = 1;
	strcpy(spec.select.targets[0], "p");
	assert_int_equal(trace_live_open(control.eyes, &spec, &live, &err), 0);
	assert_true(fake.current->traces != 0 && fake.current->ports[0].watch[PROBE_IN] != 0);
	probe = fake.current->probes[__builtin_ctzll(fake.current->traces)];
	assert_int_equal(probe->traces_left, WANTED);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	trace_live_close(live);
	control_stop(&control);
	event_base_free(control.base);
	unlink(state_path);
	return 0;
}

/* The worker takes its turn and has a frame behind it; the record is written, but not handed over yet. Return: what hands it over. */
static uint64_t frame_passes(struct probe_ring *ring, uint32_t len)
{
	static struct trace trace;
	static uint8_t bytes[FRAME_LEN_MAX];
	struct frame f = {.len = len, .hdr_len = FRAME_HDR_MAX, .hdr = f.buf, .n_segs = 1};
	struct frame_seg rest = {bytes, len - FRAME_HDR_MAX};
	const struct frame_out out = {.f = &f};
	const struct probe_record record = {.wire_len = len,
					    .cap_len = len,
					    .generation = fake.current->generation,
					    .point = PROBE_IN,
					    .extra = offsetof(struct trace, events)};
	uint64_t before = atomic_load(&ring->head), after;

	f.segs = &rest;
	assert_true(probe->traces_left > 0);
	probe->traces_left--;
	probe_ring_put(ring, &record, &trace, &out);
	after = atomic_load(&ring->head);
	atomic_store(&ring->head, before);
	return after;
}

static void read_one(void)
{
	json_t *words = trace_live_next(live);

	assert_non_null(words);
	json_decref(words);
}

static void last_frame_is_waited_for_until_it_can_be_read(void **state)
{
	struct probe_ring *ring = probe->rings[RING];

	(void)state;
	for (int i = 0; i < WANTED; i++) {
		uint64_t after = frame_passes(ring, 100);

		/* Counted, and not there: an answer that ended now would lack it. */
		assert_null(trace_live_next(live));
		assert_false(trace_live_is_over(live));
		atomic_store(&ring->head, after);
		assert_false(trace_live_is_over(live)); /* there, and not read */
		read_one();
		assert_true(trace_live_is_over(live) == (i == WANTED - 1));
	}
	assert_int_equal(probe->traces_left, 0);
	assert_null(trace_live_next(live));
}

static void last_frames_of_two_workers_are_both_waited_for(void **state)
{
	uint64_t first, second;

	(void)state;
	atomic_store(&probe->rings[0]->head, frame_passes(probe->rings[0], 100));
	first = frame_passes(probe->rings[0], 100);
	second = frame_passes(probe->rings[1], 100);
	read_one();
	assert_null(trace_live_next(live));
	assert_false(trace_live_is_over(live));
	atomic_store(&probe->rings[1]->head, second); /* the one that came later is faster */
	read_one();
	assert_false(trace_live_is_over(live));
	atomic_store(&probe->rings[0]->head, first);
	read_one();
	assert_true(trace_live_is_over(live));
}

/* One that found no room will never come, and is not waited for; those in front of it are. */
static void frame_without_room_ends_it_only_behind_those_that_have_come(void **state)
{
	struct probe_ring *ring = probe->rings[RING];
	uint64_t head = atomic_load(&ring->head);

	(void)state;
	atomic_store(&ring->head, frame_passes(ring, 100));
	atomic_store(&ring->tail, head - ring->size + (atomic_load(&ring->head) - head)); /* full */
	assert_int_equal(frame_passes(ring, 100), atomic_load(&ring->head));
	assert_int_equal(frame_passes(ring, 100), atomic_load(&ring->head));
	assert_int_equal(ring->n_lost, 2);
	atomic_store(&ring->tail, head); /* read up to here */
	assert_false(trace_live_is_over(live));
	read_one();
	assert_true(trace_live_is_over(live));
}

static void reader_that_wants_no_more_ends_it_at_once(void **state)
{
	uint64_t after = frame_passes(probe->rings[RING], 100);

	(void)state;
	assert_false(trace_live_is_over(live));
	trace_live_end(live);
	assert_true(trace_live_is_over(live));
	atomic_store(&probe->rings[RING]->head, after); /* what is there can still be read */
	read_one();
	assert_true(trace_live_is_over(live));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(last_frame_is_waited_for_until_it_can_be_read,
						start, stop),
		cmocka_unit_test_setup_teardown(last_frames_of_two_workers_are_both_waited_for,
						start, stop),
		cmocka_unit_test_setup_teardown(
			frame_without_room_ends_it_only_behind_those_that_have_come, start, stop),
		cmocka_unit_test_setup_teardown(reader_that_wants_no_more_ends_it_at_once, start,
						stop),
	};
	int rc;

	assert_non_null(mkdtemp(dir));
	snprintf(state_path, sizeof(state_path), "%s/state", dir);
	log_init("test", LOG_ERROR);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
