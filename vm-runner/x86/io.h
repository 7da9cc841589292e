/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a guest's access to a port, or to an address without memory, goes. Any vCPU thread. */
#ifndef VM_X86_IO_H
#define VM_X86_IO_H

#include <stdbool.h>
#include <stdint.h>

struct vm;

/** io_port() - IN and OUT: @data of @bytes (1, 2 or 4) is read from for a write, filled for a read */
void io_port(struct vm *vm, uint16_t port, uint8_t *data, unsigned int bytes, bool write);

/** io_memory() - A load or store of up to 8 bytes that hit no memory */
void io_memory(struct vm *vm, uint64_t gpa, uint8_t *data, unsigned int bytes, bool write);

#endif
