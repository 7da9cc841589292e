/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"

#define MIB UINT64_C(0x100000)

static void ranges_are_checked_without_wrap_around(void **state)
{
	struct guest_mem mem;

	(void)state;
	assert_int_equal(mem_open(&mem, 4 * MIB, false, NULL), 0);
	assert_ptr_equal(mem_at(&mem, 0, 4 * MIB), mem.regions[0].host);
	assert_non_null(mem_at(&mem, 4 * MIB - 1, 1));
	assert_null(mem_at(&mem, 4 * MIB - 1, 2));
	assert_null(mem_at(&mem, 4 * MIB, 1));
	assert_null(mem_at(&mem, 1, UINT64_MAX));
	assert_null(mem_at(&mem, UINT64_MAX, 2));
	assert_null(mem_at(&mem, UINT64_MAX, UINT64_MAX));
	mem_close(&mem);
}

static void memory_above_3_gib_goes_behind_the_hole(void **state)
{
	struct guest_mem mem;

	(void)state;
	assert_int_equal(mem_open(&mem, MEM_LOW_END + 2 * MIB, false, NULL), 0);
	assert_int_equal(mem.n_regions, 2);
	assert_int_equal(mem.regions[0].bytes, MEM_LOW_END);
	assert_int_equal(mem.regions[1].gpa, MEM_HIGH_START);
	assert_int_equal(mem.regions[1].bytes, 2 * MIB);
	assert_null(mem_at(&mem, MEM_LOW_END, 1));
	assert_null(mem_at(&mem, MEM_LOW_END - 1, 2));
	assert_null(mem_at(&mem, MEM_HIGH_START - 1, 2));
	assert_ptr_equal(mem_at(&mem, MEM_HIGH_START, 2 * MIB), mem.regions[1].host);
	mem_close(&mem);
}

static void nothing_is_copied_when_a_part_does_not_fit(void **state)
{
	struct guest_mem mem;

	(void)state;
	assert_int_equal(mem_open(&mem, 2 * MIB, false, NULL), 0);
	assert_int_equal(mem_put(&mem, 2 * MIB - 4, "12345678", 8), -EFAULT);
	assert_int_equal(mem.regions[0].host[2 * MIB - 1], 0);
	assert_int_equal(mem_put(&mem, 2 * MIB - 8, "12345678", 8), 0);
	assert_memory_equal(mem.regions[0].host + 2 * MIB - 8, "12345678", 8);
	mem_close(&mem);
}

static void loading_reaches_the_same_memory(void **state)
{
	char path[] = "/tmp/netloom-mem-XXXXXX";
	struct guest_mem mem;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, "from a file", 11), 11);
	assert_int_equal(mem_open(&mem, MEM_LOW_END + 2 * MIB, false, NULL), 0);
	assert_int_equal(mem_load(&mem, MEM_HIGH_START + 5, "from memory", 11), 0);
	assert_memory_equal(mem_at(&mem, MEM_HIGH_START + 5, 11), "from memory", 11);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(mem_load_file(&mem, 4095, fd, 11), 0);
	assert_memory_equal(mem_at(&mem, 4095, 11), "from a file", 11);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(mem_load_file(&mem, 4095, fd, 12), -ENODATA);
	assert_int_equal(mem_load(&mem, MEM_LOW_END - 1, "xx", 2), -EFAULT);
	assert_int_equal(mem_load_file(&mem, MEM_HIGH_START + 2 * MIB - 1, fd, 2), -EFAULT);
	mem_close(&mem);
	close(fd);
}

static void who_gets_the_file_cannot_cut_it_off(void **state)
{
	struct guest_mem mem;

	(void)state;
	assert_int_equal(mem_open(&mem, 2 * MIB, false, NULL), 0);
	assert_true(ftruncate(mem.regions[0].fd, 0) < 0);
	mem_close(&mem);
}

static void sizes_that_cannot_be_are_refused_with_a_sentence(void **state)
{
	struct guest_mem mem;
	struct err err = {0};

	(void)state;
	assert_int_equal(mem_open(&mem, MIB, false, &err), -EINVAL);
	assert_int_equal(mem_open(&mem, 0, false, NULL), -EINVAL);
	err.text[0] = '\0';
	assert_int_equal(mem_open(&mem, UINT64_C(1) << 50, false, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "does not fit"));
}

static void too_few_hugepages_are_an_error_at_start(void **state)
{
	struct guest_mem mem;
	struct err err = {0};

	(void)state;
	/* More than any machine reserves that this test runs on, and still less than its memory. */
	if (mem_open(&mem, (uint64_t)sysconf(_SC_PHYS_PAGES) * 4096 / (2 * MIB) * 2 * MIB, true,
		     &err) == 0) {
		mem_close(&mem);
		skip();
	}
	assert_non_null(strstr(err.text, "hugepages"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_checked_without_wrap_around),
		cmocka_unit_test(memory_above_3_gib_goes_behind_the_hole),
		cmocka_unit_test(nothing_is_copied_when_a_part_does_not_fit),
		cmocka_unit_test(loading_reaches_the_same_memory),
		cmocka_unit_test(who_gets_the_file_cannot_cut_it_off),
		cmocka_unit_test(sizes_that_cannot_be_are_refused_with_a_sentence),
		cmocka_unit_test(too_few_hugepages_are_an_error_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
