/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Surviving a front-end that takes away memory it shares with us.
 *
 * A mapping of a file that is too short, was truncated after it was mapped, or has run out of huge pages, raises SIGBUS in
 * whoever touches it. No check beforehand helps, for the file can be truncated at any time. So the signal is handled: where
 * the page was missing, zeros appear (the whole region becomes private anonymous memory), the port is told
 * (vhost_device_fault()), and the interrupted code goes on, reading zeros like any other nonsense a guest may write.
 *
 * Whose fault it is: workers touch only regions that were added here before the first ring was opened, and that are
 * removed when no worker can use them any more. rte_vhost's thread touches memory before we hear of it (it reads a used
 * index while it handles SET_MEM_TABLE or SET_VRING_ADDR): there, an address that is neither in a region nor DPDK's
 * own is taken to be the memory of the front-end whose message is being handled, and one page is replaced. Everything else
 * is passed on to the handler there was before, or ends the program as ever.
 *
 * The handler runs in the thread that faulted and uses atomics and the system calls mmap, write and sigaction only.
 */
#ifndef DATAPATH_VHOST_VHOST_SIGBUS_H
#define DATAPATH_VHOST_VHOST_SIGBUS_H

#include <stddef.h>
#include <stdint.h>

struct vhost_device;

/** vhost_sigbus_install() - Handle SIGBUS from now on; calls after the first do nothing. Context: control thread. */
void vhost_sigbus_install(void);

/**
 * vhost_sigbus_add() - Survive faults in [@start, @start + @len), a whole mapping, on behalf of @dev
 * Return: 0, or -ENOSPC. Context: any thread.
 */
int vhost_sigbus_add(struct vhost_device *dev, uintptr_t start, size_t len);

/** vhost_sigbus_remove() - Forget the regions of @dev, which nobody touches any more. Context: any thread. */
void vhost_sigbus_remove(struct vhost_device *dev);

/** vhost_sigbus_handling() - The calling thread, rte_vhost's, works on a message of @dev until it says otherwise */
void vhost_sigbus_handling(struct vhost_device *dev);

/** vhost_sigbus_gone() - No message of @dev is being handled. Context: any thread. */
void vhost_sigbus_gone(struct vhost_device *dev);

#endif
