/* SPDX-License-Identifier: BSD-3-Clause */
/* When a worker was away, by the time that its rounds take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "absence.h"

#define TSC_HZ UINT64_C(2000000000) /* 2 cycles a nanosecond */
#define MIN    ((uint64_t)ABSENCE_MIN_NS * 2)

static struct absences absences;
static struct absence newest[ABSENCES_KEPT + 1];
static uint64_t n_ever;

static int begin(void **state)
{
	(void)state;
	absences_init(&absences, TSC_HZ);
	return 0;
}

static void a_round_is_an_absence_only_when_longer_than_the_limit(void **state)
{
	(void)state;
	absences_round(&absences, 1000, 1000 + MIN, 0);
	assert_int_equal(absences_read(&absences, newest, 8, &n_ever), 0);
	absences_round(&absences, 1000, 1001 + MIN, 0);
	assert_int_equal(absences_read(&absences, newest, 8, &n_ever), 1);
	assert_int_equal(n_ever, 1);
	assert_int_equal(newest[0].until, 1001 + MIN);
	assert_int_equal(newest[0].cycles, MIN + 1);
}

static void frames_may_take_their_time(void **state)
{
	const uint64_t due = UINT64_C(64) * ABSENCE_FRAME_NS * 2;

	(void)state;
	absences_round(&absences, 0, due + MIN, 64);
	assert_int_equal(absences_read(&absences, newest, 8, &n_ever), 0);
	absences_round(&absences, 0, due + MIN + 500, 64);
	assert_int_equal(absences_read(&absences, newest, 8, &n_ever), 1);
	assert_int_equal(newest[0].cycles, MIN + 500);
	absences.frame_cycles = 0;
	absences_round(&absences, 0, due + MIN, 64);
	assert_int_equal(absences_read(&absences, newest, 8, &n_ever), 2);
}

static void the_newest_are_read_oldest_first(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		absences_note(&absences, i * 100, i);
	assert_int_equal(absences_read(&absences, newest, 3, &n_ever), 3);
	assert_int_equal(n_ever, 5);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(newest[i].until, (i + 3) * 100);
		assert_int_equal(newest[i].cycles, i + 3);
	}
	assert_int_equal(absences_read(&absences, newest, 0, &n_ever), 0);
	assert_int_equal(n_ever, 5);
}

static void what_no_longer_fits_is_forgotten_oldest_first(void **state)
{
	const uint64_t n = ABSENCES_KEPT + 100;
	uint32_t n_read;

	(void)state;
	for (uint64_t i = 1; i <= n; i++)
		absences_note(&absences, i, i);
	n_read = absences_read(&absences, newest, ABSENCES_KEPT + 1, &n_ever);
	assert_int_equal(n_ever, n);
	assert_int_equal(n_read, ABSENCES_KEPT - 1);
	assert_int_equal(newest[n_read - 1].until, n);
	assert_int_equal(newest[0].until, n - n_read + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_round_is_an_absence_only_when_longer_than_the_limit,
				       begin),
		cmocka_unit_test_setup(frames_may_take_their_time, begin),
		cmocka_unit_test_setup(the_newest_are_read_oldest_first, begin),
		cmocka_unit_test_setup(what_no_longer_fits_is_forgotten_oldest_first, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
