/* SPDX-License-Identifier: BSD-3-Clause */
/* Microguests: ring-3 programs as guests. What they may expect is in microguest_abi.h. */
#ifndef VM_X86_MICROGUEST_H
#define VM_X86_MICROGUEST_H

#include <stdint.h>

#include "base/err.h"

struct vm;

/**
 * microguest_new() - Load an ELF file and make its one vCPU, ready for vm_start()
 * @args:   text for the program, may be ""
 * @shared: a file that the program sees in its memory, at most MICROGUEST_SHARED_MAX bytes of it; NULL: none
 */
int microguest_new(struct vm *vm, const char *path, const char *args, const char *shared,
		   struct err *err);

/** microguest_port_write() - The guest, or its fault handler, wrote to one of our ports. vCPU thread */
void microguest_port_write(struct vm *vm, uint16_t port, uint8_t value);

#endif
