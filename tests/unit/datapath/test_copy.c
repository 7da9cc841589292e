/* SPDX-License-Identifier: BSD-3-Clause */
/* Every length at every alignment arrives, and not a byte beside it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/copy.h"

#define LEN_MAX	  700
#define SKEW_MAX  33
#define ROOM	  (LEN_MAX + 2 * SKEW_MAX)
#define UNTOUCHED 0xee

static uint8_t from[ROOM], to[ROOM], want[ROOM];

static void check(size_t len, size_t skew)
{
	memset(want, UNTOUCHED, ROOM);
	memcpy(want + skew, from + SKEW_MAX - skew, len);
	assert_memory_equal(to, want, ROOM);
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROOM; i++)
		from[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static void headers_arrive_whole_and_nothing_else(void **state)
{
	(void)state;
	for (size_t skew = 0; skew <= SKEW_MAX; skew += 11) {
		for (size_t len = 0; len <= LEN_MAX; len++) {
			memset(to, UNTOUCHED, ROOM);
			copy_short(to + skew, from + SKEW_MAX - skew, len);
			check(len, skew);
		}
	}
}

static void payloads_arrive_whole_and_nothing_else(void **state)
{
	(void)state;
	for (size_t skew = 0; skew <= SKEW_MAX; skew++) {
		for (size_t len = 0; len <= LEN_MAX; len++) {
			memset(to, UNTOUCHED, ROOM);
			copy_large(to + skew, from + SKEW_MAX - skew, len);
			check(len, skew);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_arrive_whole_and_nothing_else),
		cmocka_unit_test(payloads_arrive_whole_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
