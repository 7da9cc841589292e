/* SPDX-License-Identifier: BSD-3-Clause */
/* The serial port, the power registers and what absent ports read. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine.h"
#include "x86/io.h"
#include "x86/layout.h"
#include "x86/power.h"

#define COM1 LAYOUT_PORT_SERIAL

static struct vm *vm;
static char log_path[] = "/tmp/netloom-serial-XXXXXX";

static int vm_make(void **state)
{
	(void)state;
	vm = vm_new_detached(2 << 20);
	return vm ? 0 : -1;
}

static int vm_unmake(void **state)
{
	(void)state;
	vm_free(vm);
	return 0;
}

static int serial_make(void **state)
{
	int fd;

	if (vm_make(state))
		return -1;
	fd = mkstemp(log_path);
	if (fd < 0)
		return -1;
	close(fd);
	return serial_open(&vm->serial, log_path, &vm->irq, vm->events, NULL);
}

static int serial_unmake(void **state)
{
	unlink(log_path);
	strcpy(log_path + strlen(log_path) - 6, "XXXXXX");
	return vm_unmake(state);
}

static uint8_t in(uint16_t port)
{
	uint8_t value = 0;

	io_port(vm, port, &value, 1, false);
	return value;
}

static void out(uint16_t port, uint8_t value)
{
	io_port(vm, port, &value, 1, true);
}

static void log_is(const char *expected)
{
	char text[2048] = "";
	FILE *file = fopen(log_path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static void an_absent_uart_never_blocks_a_driver(void **state)
{
	(void)state;
	assert_int_equal(in(COM1 + 5), 0x60);
	assert_int_equal(in(0x2f8 + 5), 0x60);
	assert_int_equal(in(COM1 + 2), 0xff);
	out(COM1, 'x');
}

static void absent_ports_read_all_ones(void **state)
{
	uint8_t wide[4] = {0};
	uint8_t memory[8] = {0};

	(void)state;
	assert_int_equal(in(0x64), 0xff);
	io_port(vm, 0x80, wide, 4, false);
	assert_memory_equal(wide, "\xff\xff\xff\xff", 4);
	io_memory(vm, 0xd0000000, memory, 8, false);
	assert_memory_equal(memory, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	io_memory(vm, 0xd0000000, memory, 8, true);
	io_port(vm, 0xffff, wide, 4, true); /* wraps around the port space */
}

static void lines_reach_the_log_whole(void **state)
{
	(void)state;
	out(COM1, 'h');
	out(COM1, 'i');
	log_is("");
	out(COM1, '\n');
	log_is("hi\n");
	for (int i = 0; i < 512; i++)
		out(COM1, 'x');
	out(COM1, '$');
	serial_close(&vm->serial);
	/* what was left is written at the end */
	assert_int_equal(access(log_path, R_OK), 0);
	{
		char all[600];

		memset(all, 'x', sizeof(all));
		memcpy(all, "hi\n", 3);
		strcpy(all + 3 + 512, "$");
		log_is(all);
	}
}

static void full_log_is_cut_to_its_newer_half(void **state)
{
	char last[5] = "";
	struct stat st;
	FILE *file;

	(void)state;
	assert_int_equal(truncate(log_path, LOG_FILE_BYTES_MAX), 0);
	for (const char *letter = "end\n"; *letter; letter++)
		out(COM1, (uint8_t)*letter);
	assert_int_equal(stat(log_path, &st), 0);
	assert_int_equal(st.st_size, LOG_FILE_BYTES_MAX / 2 + 4);
	file = fopen(log_path, "r");
	assert_non_null(file);
	assert_int_equal(fseek(file, -4, SEEK_END), 0);
	assert_int_equal(fread(last, 1, 4, file), 4);
	assert_string_equal(last, "end\n");
	fclose(file);
}

static void divisor_latch_and_loopback_keep_letters_back(void **state)
{
	(void)state;
	out(COM1 + 3, 0x80);
	out(COM1, 0x12);
	assert_int_equal(in(COM1), 0x12);
	out(COM1 + 3, 0x03);
	out(COM1 + 4, 0x1f);
	out(COM1, 'l');
	assert_int_equal(in(COM1 + 6), 0xf0);
	out(COM1 + 4, 0x0b);
	assert_int_equal(in(COM1 + 6), 0xb0);
	out(COM1, '\n');
	log_is("\n");
}

static void transmitter_empty_interrupts_until_acknowledged(void **state)
{
	(void)state;
	assert_int_equal(in(COM1 + 2), 0x01);
	out(COM1 + 1, 0x02);
	assert_true(vm->serial.line_high);
	assert_int_equal(in(COM1 + 2), 0x02);
	assert_false(vm->serial.line_high);
	assert_int_equal(in(COM1 + 2), 0x01);
	out(COM1, 'a');
	assert_true(vm->serial.line_high);
	out(COM1 + 1, 0x00);
	assert_false(vm->serial.line_high);
	out(COM1 + 2, 0x01);
	assert_int_equal(in(COM1 + 2), 0xc1);
}

static void reset_and_poweroff_end_the_vm(void **state)
{
	(void)state;
	out(LAYOUT_PORT_POWER + POWER_RESET, 0);
	out(LAYOUT_PORT_POWER + POWER_SLEEP_CONTROL, 5 << 2);	     /* not enabled */
	out(LAYOUT_PORT_POWER + POWER_SLEEP_CONTROL, 3 << 2 | 0x20); /* not S5 */
	assert_false(atomic_load(&vm->ending));
	out(LAYOUT_PORT_POWER + POWER_SLEEP_CONTROL, 5 << 2 | 0x20);
	assert_true(atomic_load(&vm->ending));
	assert_int_equal(vm->end_code, VM_EXIT_POWEROFF);
	out(LAYOUT_PORT_POWER + POWER_RESET, POWER_RESET_VALUE); /* too late */
	assert_int_equal(vm->end_code, VM_EXIT_POWEROFF);
}

int main(void)
{
#define TEST(name)	  cmocka_unit_test_setup_teardown(name, vm_make, vm_unmake)
#define SERIAL_TEST(name) cmocka_unit_test_setup_teardown(name, serial_make, serial_unmake)
	const struct CMUnitTest tests[] = {
		TEST(an_absent_uart_never_blocks_a_driver),
		TEST(absent_ports_read_all_ones),
		SERIAL_TEST(lines_reach_the_log_whole),
		SERIAL_TEST(full_log_is_cut_to_its_newer_half),
		SERIAL_TEST(divisor_latch_and_loopback_keep_letters_back),
		SERIAL_TEST(transmitter_empty_interrupts_until_acknowledged),
		TEST(reset_and_poweroff_end_the_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
