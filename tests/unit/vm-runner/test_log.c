/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that a guest makes repeat are held back, and counted. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"

#define BURST	5
#define SECONDS 10

static const char one[] = "one call site", two[] = "another";

static unsigned int admitted(const char *format, uint64_t now_ns, unsigned int n)
{
	unsigned int good = 0;
	uint64_t held_back;

	while (n--)
		good += log_limit_admit(format, now_ns, &held_back);
	return good;
}

static void without_a_limit_all_is_said(void **state)
{
	(void)state;
	log_limit(0, 0);
	assert_int_equal(admitted("free", 1, 1000), 1000);
}

static void one_call_site_is_held_back_and_others_are_not(void **state)
{
	uint64_t now = CLOCK_NS_PER_SECOND, held_back;

	(void)state;
	log_limit(BURST, SECONDS);
	assert_int_equal(admitted(one, now, 1000), BURST);
	assert_int_equal(admitted(two, now, 3), 3);
	now += SECONDS * CLOCK_NS_PER_SECOND;
	assert_true(log_limit_admit(one, now, &held_back));
	assert_int_equal(held_back, 1000 - BURST);
	assert_false(log_limit_admit(one, now, &held_back));
	now += 1000 * SECONDS * CLOCK_NS_PER_SECOND;
	assert_int_equal(admitted(one, now, 1000), BURST);
}

static void more_call_sites_than_there_are_buckets_are_limited_too(void **state)
{
	static const char sites[1000];
	unsigned int n = 0;

	(void)state;
	log_limit(BURST, SECONDS);
	for (unsigned int i = 0; i < 100; i++)
		for (size_t at = 0; at < sizeof(sites); at++)
			n += admitted(sites + at, 1, 1);
	assert_in_range(n, BURST, 64 * BURST);
}

/* What stderr got while @n warnings were written from one place. */
static void warnings_read(unsigned int n, char *text, size_t room)
{
	FILE *file = tmpfile();
	int old = dup(STDERR_FILENO);

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	for (unsigned int i = 0; i < n; i++)
		log_warning("number %u", i);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(file);
	text[fread(text, 1, room - 1, file)] = '\0';
	fclose(file);
}

static void held_back_lines_are_counted_in_the_next_one(void **state)
{
	char text[4096];

	(void)state;
	log_limit(BURST, 1);
	warnings_read(100, text, sizeof(text));
	assert_non_null(strstr(text, "number 4"));
	assert_null(strstr(text, "number 5"));
	assert_null(strstr(text, "not logged"));
	usleep(1100000);
	warnings_read(1, text, sizeof(text));
	assert_non_null(strstr(text, "(95 like this were not logged) number 0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_all_is_said),
		cmocka_unit_test(one_call_site_is_held_back_and_others_are_not),
		cmocka_unit_test(held_back_lines_are_counted_in_the_next_one),
		cmocka_unit_test(more_call_sites_than_there_are_buckets_are_limited_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
