/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Eventfds that a peer in another process holds, too.
 *
 * O_NONBLOCK is a property that all holders share: the peer can clear it at any time, and an ordinary read()
 * or write() of ours would then wait for the peer, in a vCPU or in the main thread. These calls do not rely on it.
 *
 * Threads: any.
 */
#ifndef VM_DOORBELL_H
#define VM_DOORBELL_H

#include <stdbool.h>

/**
 * doorbell_ring() - Add one to the counter; a counter that is full is left alone: it has been rung already
 *
 * Looks whether there is room before it writes: between the two, a peer that fills the counter again and again
 * may still win. Linux has no way to write to an eventfd without waiting that the peer could not take away.
 *
 * Return: 0 or -errno.
 */
int doorbell_ring(int fd);

/** doorbell_take() - Set the counter to 0 with one read. Return: whether it was not 0 */
bool doorbell_take(int fd);

#endif
