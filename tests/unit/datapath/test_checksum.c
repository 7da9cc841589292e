/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum in all its widths, against the definition of RFC 1071: 16-bit words, one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "checksum.h"

#define LEN_MAX	    1700
#define OFFSETS	    9
#define CANARY	    0x5a
#define LEN_LONGEST 65535

static uint8_t from[LEN_LONGEST + OFFSETS], to[LEN_LONGEST + OFFSETS + 1];

static void fill(void)
{
	uint32_t value = 1;

	for (size_t i = 0; i < sizeof(from); i++) {
		value = value * 1664525 + 1013904223;
		from[i] = (uint8_t)(value >> 24);
	}
}

static uint16_t by_definition(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint64_t)p[i] << 8 : p[i];
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/* As it would lie in a packet. */
static uint16_t on_wire(uint64_t sum)
{
	uint16_t value = checksum_fold(sum);
	uint8_t bytes[2];

	memcpy(bytes, &value, sizeof(bytes));
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void check_copy(size_t offset, size_t len)
{
	uint16_t want = by_definition(from + offset, len);

	memset(to, CANARY, len + OFFSETS + 1);
	assert_int_equal(on_wire(checksum_sum(from + offset, len)), want);
	assert_int_equal(on_wire(checksum_copy(to + (OFFSETS - offset), from + offset, len)), want);
	assert_memory_equal(to + (OFFSETS - offset), from + offset, len);
	assert_int_equal(to[OFFSETS - offset - 1], CANARY);
	assert_int_equal(to[OFFSETS - offset + len], CANARY);
}

static void copies_and_sums_of_every_length(void **state)
{
	(void)state;
	fill();
	for (size_t len = 0; len < LEN_MAX; len++)
		check_copy(len % OFFSETS, len);
	for (size_t len = LEN_LONGEST - 70; len <= LEN_LONGEST; len++)
		check_copy(len % OFFSETS, len);
}

static void all_ones_do_not_overflow(void **state)
{
	(void)state;
	memset(from, 0xff, sizeof(from));
	check_copy(0, LEN_LONGEST);
	check_copy(1, LEN_LONGEST - 1);
}

static void parts_at_odd_offsets_are_swapped(void **state)
{
	(void)state;
	fill();
	for (size_t cut = 1; cut < 700; cut++) {
		uint64_t first = checksum_copy(to, from, cut);
		uint64_t rest = checksum_copy(to + cut, from + cut, 700 - cut);

		assert_int_equal(on_wire(first + (cut % 2 != 0 ? checksum_swap(rest) : rest)),
				 by_definition(from, 700));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_sums_of_every_length),
		cmocka_unit_test(all_ones_do_not_overflow),
		cmocka_unit_test(parts_at_odd_offsets_are_swapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
