/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest sees one socket with one thread per core, whatever the host looks like. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "x86/cpuid.h"

static struct cpuid_table table;

static void table_make(int amd)
{
	static const struct kvm_cpuid_entry2 host[] = {
		{.function = 0, .ebx = 0, .ecx = 0},
		{.function = 1, .ebx = 0x0a200800, .ecx = 0, .edx = 1 << 28},
		{.function = 4, .index = 0, .flags = 1, .eax = 0xfc004121},
		{.function = 4, .index = 3, .flags = 1, .eax = 0xfc1fc163},
		{.function = 0xb,
		 .index = 0,
		 .flags = 1,
		 .eax = 1,
		 .ebx = 2,
		 .ecx = 0x100,
		 .edx = 10},
		{.function = 0x40000000, .eax = 0x40000001},
		{.function = 0x80000001, .ecx = 0},
		{.function = 0x80000008, .eax = 0x3030, .ecx = 0x703f},
		{.function = 0x8000001e, .eax = 10, .ebx = 0x105, .ecx = 3},
	};

	memset(&table, 0, sizeof(table));
	table.nent = sizeof(host) / sizeof(host[0]);
	memcpy(table.entries, host, sizeof(host));
	if (amd)
		table.entries[0].ecx = 0x444d4163;
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < table.nent; i++)
		if (table.entries[i].function == function && table.entries[i].index == index)
			return &table.entries[i];
	fail_msg("no leaf 0x%x.%u", function, index);
	return NULL;
}

static void topology_is_one_socket_of_single_threaded_cores(void **state)
{
	struct cpuid_cpu cpu = {.apic_id = 2, .n_cpus = 3, .tsc_deadline = true};

	(void)state;
	table_make(0);
	cpuid_fit(&table, &cpu);
	assert_int_equal(leaf(1, 0)->ebx >> 24, 2);
	assert_int_equal(leaf(1, 0)->ebx >> 16 & 0xff, 4);
	assert_int_equal(leaf(1, 0)->ebx & 0xffff, 0x0800);
	assert_true(leaf(1, 0)->ecx & 1U << 31);
	assert_true(leaf(1, 0)->ecx & 1U << 24);
	assert_int_equal(leaf(0xb, 0)->eax, 0);
	assert_int_equal(leaf(0xb, 0)->ebx, 1);
	assert_int_equal(leaf(0xb, 1)->eax, 2);
	assert_int_equal(leaf(0xb, 1)->ebx, 3);
	assert_int_equal(leaf(0xb, 1)->ecx, 0x201);
	assert_int_equal(leaf(0xb, 1)->edx, 2);
	assert_int_equal(leaf(0xb, 2)->ecx >> 8, 0);
	assert_int_equal(leaf(4, 0)->eax >> 14 & 0xfff,
			 0); /* a first level cache is a core's own */
	assert_int_equal(leaf(4, 3)->eax >> 14 & 0xfff, 3);
	assert_int_equal(leaf(4, 3)->eax >> 26, 3);
}

static void a_single_cpu_has_no_siblings(void **state)
{
	struct cpuid_cpu cpu = {.apic_id = 0, .n_cpus = 1};

	(void)state;
	table_make(0);
	cpuid_fit(&table, &cpu);
	assert_false(leaf(1, 0)->edx & 1U << 28);
	assert_false(leaf(1, 0)->ecx & 1U << 24);
	assert_int_equal(leaf(0xb, 1)->eax, 0);
}

static void amd_leaves_agree(void **state)
{
	struct cpuid_cpu cpu = {.apic_id = 1, .n_cpus = 4, .tsc_khz = 2000000};

	(void)state;
	table_make(1);
	cpuid_fit(&table, &cpu);
	assert_int_equal(leaf(0x80000008, 0)->ecx, 0x2003);
	assert_int_equal(leaf(0x8000001e, 0)->eax, 1);
	assert_int_equal(leaf(0x8000001e, 0)->ebx, 1);
	assert_int_equal(leaf(0x8000001e, 0)->ecx, 0);
	assert_true(leaf(0x80000001, 0)->ecx & 2);
	assert_int_equal(cpuid_address_bits(&table), 48);
}

static void timing_leaf_is_there_when_the_tsc_is_known(void **state)
{
	struct cpuid_cpu cpu = {.apic_id = 0, .n_cpus = 1, .tsc_khz = 2345678};

	(void)state;
	table_make(0);
	cpuid_fit(&table, &cpu);
	assert_int_equal(leaf(0x40000000, 0)->eax, 0x40000010);
	assert_int_equal(leaf(0x40000010, 0)->eax, 2345678);
	assert_int_equal(leaf(0x40000010, 0)->ebx, 1000000);
}

static void a_full_table_is_not_overrun(void **state)
{
	struct cpuid_cpu cpu = {.apic_id = 0, .n_cpus = 64, .tsc_khz = 1};

	(void)state;
	table_make(0);
	table.nent = CPUID_ENTRIES_MAX;
	cpuid_fit(&table, &cpu);
	assert_int_equal(table.nent, CPUID_ENTRIES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topology_is_one_socket_of_single_threaded_cores),
		cmocka_unit_test(a_single_cpu_has_no_siblings),
		cmocka_unit_test(amd_leaves_agree),
		cmocka_unit_test(timing_leaf_is_there_when_the_tsc_is_known),
		cmocka_unit_test(a_full_table_is_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
