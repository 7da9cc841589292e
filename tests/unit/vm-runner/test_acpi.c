/* SPDX-License-Identifier: BSD-3-Clause */
/* The ACPI tables, as ACPICA's own tools read them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "x86/acpi.h"
#include "x86/layout.h"

static struct guest_mem mem;
static uint64_t rsdp;

static int tables_write(void **state)
{
	struct acpi_machine machine = {.n_cpus = 3,
				       .hotplug_slot = 8,
				       .n_hotplug_slots = 24,
				       .has_serial = true,
				       .mmio64_base = UINT64_C(0x100000000),
				       .mmio64_bytes = UINT64_C(0x400000000)};

	(void)state;
	return mem_open(&mem, 2 << 20, false, NULL) || acpi_write(&machine, &mem, &rsdp, NULL);
}

static int tables_free(void **state)
{
	(void)state;
	mem_close(&mem);
	return 0;
}

static uint64_t load(uint64_t gpa, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, mem_at(&mem, gpa, bytes), bytes);
	return value;
}

static uint8_t sum(uint64_t gpa, uint64_t bytes)
{
	const uint8_t *at = mem_at(&mem, gpa, bytes);
	uint8_t total = 0;

	assert_non_null(at);
	for (uint64_t i = 0; i < bytes; i++)
		total = (uint8_t)(total + at[i]);
	return total;
}

/* Return: guest address of the table, looked up through RSDP and XSDT as a kernel does. */
static uint64_t table_find(const char *signature)
{
	uint64_t xsdt = load(rsdp + 24, 8), length = load(xsdt + 4, 4);

	if (!strcmp(signature, "XSDT"))
		return xsdt;
	for (uint64_t at = xsdt + 36; at < xsdt + length; at += 8) {
		uint64_t table = load(at, 8);

		if (!strcmp(signature, "DSDT") && !memcmp(mem_at(&mem, table, 4), "FACP", 4))
			return load(table + 140, 8);
		if (!memcmp(mem_at(&mem, table, 4), signature, 4))
			return table;
	}
	return 0;
}

static void checksums_are_right(void **state)
{
	static const char *const names[] = {"XSDT", "FACP", "APIC", "MCFG", "DSDT"};

	(void)state;
	assert_memory_equal(mem_at(&mem, rsdp, 8), "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	for (unsigned int i = 0; i < 5; i++) {
		uint64_t table = table_find(names[i]);

		assert_int_not_equal(table, 0);
		assert_memory_equal(mem_at(&mem, table, 4), names[i], 4);
		assert_int_equal(sum(table, load(table + 4, 4)), 0);
	}
}

static void everything_lies_below_the_reset_vector(void **state)
{
	(void)state;
	assert_true(table_find("XSDT") + load(table_find("XSDT") + 4, 4) <= LAYOUT_RESET_VECTOR);
	assert_int_equal(load(LAYOUT_RESET_VECTOR, 8), 0);
}

static int iasl_run(const char *dir, const char *name)
{
	char path[256], command[1024], line[512];
	uint64_t table = table_find(name);
	FILE *file, *output;
	int failures = 0;

	snprintf(path, sizeof(path), "%s/%s.dat", dir, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	fwrite(mem_at(&mem, table, load(table + 4, 4)), 1, load(table + 4, 4), file);
	fclose(file);
	/* Disassemble, and for code compile what came out: iasl knows what each device must have. */
	snprintf(command, sizeof(command), "cd %s && iasl -d %s.dat 2>&1%s", dir, name,
		 strcmp(name, "DSDT") ? "" : " && iasl -we -p out DSDT.dsl 2>&1");
	output = popen(command, "r");
	assert_non_null(output);
	while (fgets(line, sizeof(line), output))
		if (strstr(line, "Warning ") || strstr(line, "Error ") || strstr(line, "Invalid") ||
		    strstr(line, "*****")) {
			print_message("%s: %s", name, line);
			failures++;
		}
	return failures + (pclose(output) != 0);
}

static void iasl_has_nothing_to_complain_about(void **state)
{
	char dir[] = "/tmp/netloom-acpi-XXXXXX", command[64];

	(void)state;
	if (access("/usr/bin/iasl", X_OK) != 0) {
		print_message("skipped: iasl (acpica-tools) is not installed\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	assert_int_equal(iasl_run(dir, "FACP"), 0);
	assert_int_equal(iasl_run(dir, "APIC"), 0);
	assert_int_equal(iasl_run(dir, "MCFG"), 0);
	assert_int_equal(iasl_run(dir, "DSDT"), 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void every_cpu_has_an_entry(void **state)
{
	uint64_t madt = table_find("APIC"), end = madt + load(madt + 4, 4);
	unsigned int n = 0;

	(void)state;
	for (uint64_t at = madt + 44; at < end; at += load(at + 1, 1))
		if (load(at, 1) == 0)
			assert_int_equal(load(at + 3, 1), n++);
	assert_int_equal(n, 3);
}

static void too_many_cpus_are_refused(void **state)
{
	struct acpi_machine machine = {.n_cpus = ACPI_CPUS_MAX + 1};
	uint64_t at;

	(void)state;
	assert_true(acpi_write(&machine, &mem, &at, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_are_right),
		cmocka_unit_test(everything_lies_below_the_reset_vector),
		cmocka_unit_test(iasl_has_nothing_to_complain_about),
		cmocka_unit_test(every_cpu_has_an_entry),
		cmocka_unit_test(too_many_cpus_are_refused),
	};

	return cmocka_run_group_tests(tests, tables_write, tables_free);
}
