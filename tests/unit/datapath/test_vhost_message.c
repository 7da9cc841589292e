/* SPDX-License-Identifier: BSD-3-Clause */
/* Which vhost-user messages get to rte_vhost, and what becomes of descriptors that came with the others. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost/vhost_message.h"

static bool expected(uint32_t request, uint32_t size)
{
	struct vhost_message msg = {.request = request, .size = size};

	return vhost_message_is_expected(&msg);
}

static void requests_behind_features_not_offered_are_refused(void **state)
{
	static const uint32_t requests[] = {0,	6,  7,	19, 21, 22, 24, 25,  26,
					    27, 28, 29, 30, 33, 38, 41, 255, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		assert_false(expected(requests[i], 632));
}

static void requests_of_every_driver_are_let_through(void **state)
{
	(void)state;
	assert_true(expected(VHOST_REQ_GET_FEATURES, 0));
	assert_true(expected(VHOST_REQ_SET_FEATURES, 8));
	assert_true(expected(VHOST_REQ_SET_VRING_ADDR, 40));
	assert_true(expected(VHOST_REQ_SET_VRING_KICK, 8));
	assert_true(expected(VHOST_REQ_GET_VRING_BASE, 8));
	assert_true(expected(VHOST_REQ_GET_STATUS, 0));
}

static void payload_that_is_cut_off_is_refused(void **state)
{
	(void)state;
	assert_false(expected(VHOST_REQ_SET_FEATURES, 7));
	assert_false(expected(VHOST_REQ_SET_VRING_ADDR, 39));
	assert_false(expected(VHOST_REQ_SET_VRING_NUM, 4));
	assert_false(expected(VHOST_REQ_SET_MEM_TABLE, 7));
}

static void memory_table_has_as_many_regions_as_it_says(void **state)
{
	struct vhost_message msg = {.request = VHOST_REQ_SET_MEM_TABLE, .size = 8 + 2 * 32};

	(void)state;
	msg.payload.n_regions = 2;
	assert_true(vhost_message_is_expected(&msg));
	msg.payload.n_regions = 3;
	assert_false(vhost_message_is_expected(&msg));
	msg.size = 8 + 8 * 32;
	msg.payload.n_regions = 8;
	assert_true(vhost_message_is_expected(&msg));
	msg.size = 632;
	msg.payload.n_regions = 9;
	assert_false(vhost_message_is_expected(&msg));
	msg.payload.n_regions = UINT32_MAX;
	assert_false(vhost_message_is_expected(&msg));
}

static void descriptors_are_closed_once(void **state)
{
	struct vhost_message msg = {.n_fds = 3, .fds = {-1, -1, -1, -1, -1, -1, -1, -1}};
	int first = eventfd(0, 0), second = eventfd(0, 0);

	(void)state;
	msg.fds[0] = first;
	msg.fds[2] = second;
	vhost_message_close_fds(&msg);
	assert_int_equal(fcntl(first, F_GETFD), -1);
	assert_int_equal(fcntl(second, F_GETFD), -1);
	assert_int_equal(msg.n_fds, 0);
	for (int i = 0; i < VHOST_MESSAGE_FDS_MAX; i++)
		assert_int_equal(msg.fds[i], -1);
	vhost_message_close_fds(&msg);
}

static void layout_is_that_of_rte_vhost(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct vhost_message, payload), 12);
	assert_int_equal(offsetof(struct vhost_message, fds), 644);
	assert_int_equal(offsetof(struct vhost_message, n_fds), 676);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_behind_features_not_offered_are_refused),
		cmocka_unit_test(requests_of_every_driver_are_let_through),
		cmocka_unit_test(payload_that_is_cut_off_is_refused),
		cmocka_unit_test(memory_table_has_as_many_regions_as_it_says),
		cmocka_unit_test(descriptors_are_closed_once),
		cmocka_unit_test(layout_is_that_of_rte_vhost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
