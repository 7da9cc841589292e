/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtual machine as its devices see it.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "mem.h"

struct event_base; /* libevent: devices add their fds to the main thread's loop */
struct pci_bus;
struct vm;

/* How the process ends: documented in README.md, used by the lab to tell a poweroff from a crash. */
enum vm_exit {
	VM_EXIT_POWEROFF = 0,	 /* the guest powered off, or was told to stop and did */
	VM_EXIT_USAGE = 2,	 /* bad command line, nothing was started */
	VM_EXIT_SETUP = 3,	 /* a file, socket, KVM or memory could not be had */
	VM_EXIT_REBOOT = 4,	 /* the guest asked for a reset */
	VM_EXIT_GUEST_CRASH = 5, /* triple fault, or KVM could not go on */
	VM_EXIT_KILLED = 6,	 /* stopped by force through the control socket or a signal */
	VM_EXIT_NO_KVM = 7	 /* --check: KVM here cannot run a 64-bit kernel */
};

/**
 * vm_new_detached() - A VM with memory, a PCI bus and an event loop but without KVM, for tests
 * @memory_bytes: a multiple of 2 MiB
 *
 * Interrupts and ioeventfds go nowhere. Return: NULL when there is no memory.
 */
struct vm *vm_new_detached(uint64_t memory_bytes);

/** vm_free() - Undo everything, plugged devices included; the vCPUs must not run. NULL is fine */
void vm_free(struct vm *vm);

struct guest_mem *vm_mem(struct vm *vm);
struct event_base *vm_events(struct vm *vm);
struct pci_bus *vm_pci(struct vm *vm);
const char *vm_name(const struct vm *vm);

/**
 * vm_ioeventfd() - Let KVM signal @fd for every write at @gpa (any length, any data), or stop doing so
 * Return: 0 or -errno.
 */
int vm_ioeventfd(struct vm *vm, uint64_t gpa, int fd, bool add);

/** vm_end() - Ask the main thread to end the process with @code; @reason is a sentence for the log. Any thread. */
void vm_end(struct vm *vm, enum vm_exit code, const char *reason);

#endif
