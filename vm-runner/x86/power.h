/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The power registers that the FADT names (ACPI 6.3 §4.8.3.7), and the power button.
 */
#ifndef VM_X86_POWER_H
#define VM_X86_POWER_H

#include <stdint.h>

struct guest_mem;
struct vm;

/* Offsets from LAYOUT_PORT_POWER, one byte each. */
#define POWER_SLEEP_CONTROL 0
#define POWER_SLEEP_STATUS  1
#define POWER_RESET	    2
#define POWER_PORTS	    4

#define POWER_RESET_VALUE    1
#define POWER_SLEEP_TYPE_OFF 5 /* SLP_TYP of S5 */

/** power_read() - A register's value. Any vCPU thread */
uint8_t power_read(unsigned int offset);

/** power_write() - Powers off or resets: ends the VM. Any vCPU thread */
void power_write(struct vm *vm, unsigned int offset, uint8_t value);

/**
 * power_reset_vector_write() - Put code at f000:fff0 that uses the reset register
 *
 * Linux on hardware-reduced ACPI does not use the FADT's reset register: it takes such a machine to have EFI,
 * and when it has not, jumps to where a BIOS would be.
 * Return: 0 or -errno.
 */
int power_reset_vector_write(const struct guest_mem *mem);

#endif
