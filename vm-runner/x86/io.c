/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port and memory map. What nobody claims reads all ones and swallows writes, except that an absent
 * UART's line status says "idle": Linux waits for every COM port it probes until it can transmit.
 */
#include "x86/io.h"

#include <string.h>

#include "machine.h"
#include "pci/bus.h"
#include "x86/hotplug.h"
#include "x86/layout.h"
#include "x86/microguest.h"
#include "x86/microguest_abi.h"
#include "x86/power.h"

#define UART_LSR      5
#define UART_LSR_IDLE 0x60

_Static_assert(MICROGUEST_PORT_WAIT < LAYOUT_PORT_HOTPLUG &&
		       LAYOUT_PORT_POWER + POWER_PORTS <= MICROGUEST_PORT_EXIT,
	       "a port has one owner");

static bool port_is_in(uint16_t port, uint16_t base, uint16_t n)
{
	return port >= base && port - base < n;
}

static uint8_t absent_read(uint16_t port)
{
	static const uint16_t uarts[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

	for (size_t i = 0; i < sizeof(uarts) / sizeof(uarts[0]); i++)
		if (port == uarts[i] + UART_LSR)
			return UART_LSR_IDLE;
	return 0xff;
}

static uint8_t port8_read(struct vm *vm, uint16_t port)
{
	if (port_is_in(port, LAYOUT_PORT_SERIAL, 8))
		return serial_read(&vm->serial, port - LAYOUT_PORT_SERIAL);
	if (port_is_in(port, LAYOUT_PORT_POWER, POWER_PORTS))
		return power_read(port - LAYOUT_PORT_POWER);
	return absent_read(port);
}

static void port8_write(struct vm *vm, uint16_t port, uint8_t value)
{
	if (port_is_in(port, LAYOUT_PORT_SERIAL, 8))
		serial_write(&vm->serial, port - LAYOUT_PORT_SERIAL, value);
	else if (port_is_in(port, LAYOUT_PORT_POWER, POWER_PORTS))
		power_write(vm, port - LAYOUT_PORT_POWER, value);
	else if (vm->config.bare && port_is_in(port, MICROGUEST_PORT_EXIT, 3))
		microguest_port_write(vm, port, value);
}

static void hotplug_access(struct vm *vm, unsigned int offset, uint8_t *data, unsigned int bytes,
			   bool write)
{
	uint32_t value = UINT32_MAX;

	if (bytes == sizeof(value) && write) {
		memcpy(&value, data, bytes);
		hotplug_write(&vm->hotplug, offset, value);
	} else if (!write) {
		if (bytes == sizeof(value))
			value = hotplug_read(&vm->hotplug, offset);
		memcpy(data, &value, bytes);
	}
}

void io_port(struct vm *vm, uint16_t port, uint8_t *data, unsigned int bytes, bool write)
{
	if (pci_bus_pio(vm->pci, port, data, bytes, write))
		return;
	if (port_is_in(port, LAYOUT_PORT_HOTPLUG, HOTPLUG_PORTS)) {
		hotplug_access(vm, port - LAYOUT_PORT_HOTPLUG, data, bytes, write);
		return;
	}
	/* Our other devices are 8 bits wide: a wider access is one to each of their registers. */
	for (unsigned int i = 0; i < bytes; i++) {
		if (write)
			port8_write(vm, (uint16_t)(port + i), data[i]);
		else
			data[i] = port8_read(vm, (uint16_t)(port + i));
	}
}

void io_memory(struct vm *vm, uint64_t gpa, uint8_t *data, unsigned int bytes, bool write)
{
	if (!pci_bus_mmio(vm->pci, gpa, data, bytes, write) && !write)
		memset(data, 0xff, bytes);
}
