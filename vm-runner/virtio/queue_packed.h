/* SPDX-License-Identifier: BSD-3-Clause */
/* Packed virtqueues: virtio 1.2 §2.8. What queue.c calls when they were negotiated; dev->lock held. */
#ifndef VM_VIRTIO_QUEUE_PACKED_H
#define VM_VIRTIO_QUEUE_PACKED_H

#include "virtio/queue.h"

/** queue_packed_walk() - See queue_walk() */
int queue_packed_walk(const struct guest_mem *mem, struct virtio_queue *queue, uint64_t features,
		      struct queue_chain *chain, const char **why);

/** queue_packed_push() - See queue_push() */
void queue_packed_push(const struct guest_mem *mem, struct virtio_queue *queue,
		       const struct queue_chain *chain, uint32_t bytes);

/** queue_packed_wants_interrupt() - After pushes: does the driver want to know (§2.8.10)? */
bool queue_packed_wants_interrupt(const struct guest_mem *mem, struct virtio_queue *queue,
				  uint64_t features);

/** queue_packed_arm() - See queue_arm() */
bool queue_packed_arm(const struct guest_mem *mem, struct virtio_queue *queue, uint64_t features);

/** queue_packed_is_empty() - See queue_is_empty() */
bool queue_packed_is_empty(const struct guest_mem *mem, const struct virtio_queue *queue);

/**
 * queue_chain_add() - One more part of a chain, of either layout
 * Return: NULL, or a phrase: why it cannot be. Parts of no length are left out.
 */
const char *queue_chain_add(const struct guest_mem *mem, struct queue_chain *chain, uint64_t addr,
			    uint32_t len, bool write);

#endif
