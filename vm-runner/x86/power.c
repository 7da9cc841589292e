/* SPDX-License-Identifier: BSD-3-Clause */
#include "x86/power.h"

#include "vm.h"
#include "x86/layout.h"

#define SLEEP_TYPE_SHIFT 2
#define SLEEP_TYPE_MASK	 7
#define SLEEP_ENABLE	 0x20

uint8_t power_read(unsigned int offset)
{
	/* Nothing here is ever awake from a sleep: WAK_STS stays 0. */
	return offset < POWER_RESET ? 0 : 0xff;
}

void power_write(struct vm *vm, unsigned int offset, uint8_t value)
{
	if (offset == POWER_RESET && value == POWER_RESET_VALUE)
		vm_end(vm, VM_EXIT_REBOOT, "the guest asked for a reset");
	else if (offset == POWER_SLEEP_CONTROL && value & SLEEP_ENABLE &&
		 (value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK) == POWER_SLEEP_TYPE_OFF)
		vm_end(vm, VM_EXIT_POWEROFF, "the guest powered off");
}

int power_reset_vector_write(const struct guest_mem *mem)
{
	static const uint8_t code[] = {
		0xba,
		(LAYOUT_PORT_POWER + POWER_RESET) & 0xff,
		(LAYOUT_PORT_POWER + POWER_RESET) >> 8,
		0xb0,
		POWER_RESET_VALUE, /* mov dx, port; mov al, value */
		0xee,		   /* out dx, al */
		0xfa,
		0xf4,
		0xeb,
		0xfd, /* cli; hlt; again */
	};

	return mem_put(mem, LAYOUT_RESET_VECTOR, code, sizeof(code));
}
