/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 6040 figure 4, written out as the RFC has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "ecn.h"

static void marks_combine_as_in_figure_4(void **state)
{
	static const struct {
		uint8_t inner, outer;
		int result;
	} figure[] = {
		{ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT},
		{ECN_NOT_ECT, ECN_ECT0, ECN_NOT_ECT},
		{ECN_NOT_ECT, ECN_ECT1, ECN_NOT_ECT},
		{ECN_NOT_ECT, ECN_CE, ECN_DROP},
		{ECN_ECT0, ECN_NOT_ECT, ECN_ECT0},
		{ECN_ECT0, ECN_ECT0, ECN_ECT0},
		{ECN_ECT0, ECN_ECT1, ECN_ECT1},
		{ECN_ECT0, ECN_CE, ECN_CE},
		{ECN_ECT1, ECN_NOT_ECT, ECN_ECT1},
		{ECN_ECT1, ECN_ECT0, ECN_ECT1},
		{ECN_ECT1, ECN_ECT1, ECN_ECT1},
		{ECN_ECT1, ECN_CE, ECN_CE},
		{ECN_CE, ECN_NOT_ECT, ECN_CE},
		{ECN_CE, ECN_ECT0, ECN_CE},
		{ECN_CE, ECN_ECT1, ECN_CE},
		{ECN_CE, ECN_CE, ECN_CE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(figure) / sizeof(figure[0]); i++)
		assert_int_equal(ecn_combine(figure[i].inner, figure[i].outer), figure[i].result);
	/* the rest of the TOS byte is not looked at */
	assert_int_equal(ecn_combine(0xb8 | ECN_ECT0, 0xfc | ECN_CE), ECN_CE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(marks_combine_as_in_figure_4)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
