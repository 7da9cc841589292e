/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtqueues for devices that work their queues themselves: virtio 1.2 §2.7 (split), and §2.8 (queue_packed.c) where the
 * device offers that.
 *
 * Everything the guest wrote is hostile and may change while it is read: each field is fetched once, and
 * only the copy is believed. A queue with nonsense in it is marked broken, the device asks to be reset, and
 * the queue is left alone until the driver does that.
 */
#ifndef VM_VIRTIO_QUEUE_H
#define VM_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "virtio/virtio.h"

struct guest_mem;

/* A buffer of the driver: n_out parts to read, then n_in parts to write, in guest memory. */
struct queue_chain {
	uint16_t head;	  /* names the chain in queue_push() */
	uint16_t n_slots; /* packed: of the ring */
	uint16_t n_out;
	uint16_t n_in;
	uint32_t out_bytes;
	uint32_t in_bytes;
	struct iovec iov[VIRTIO_QUEUE_SIZE_MAX];
};

/**
 * queue_walk() - Take the next chain off a queue
 * @mem:      guest memory the addresses in @queue and in its descriptors are looked up in
 * @queue:    last_avail moves on
 * @features: accepted by the driver: indirect tables are followed only when negotiated
 * @chain:    filled when 1 is returned
 * @why:      set to a constant phrase when -EPROTO is returned
 *
 * Return: 1, 0 when the queue is empty, -EPROTO when it holds nonsense. Nothing is marked or logged:
 * devices call queue_pop().
 */
int queue_walk(const struct guest_mem *mem, struct virtio_queue *queue, uint64_t features,
	       struct queue_chain *chain, const char **why);

/**
 * queue_pop() - As queue_walk() on queue @index of a device, marking it broken on nonsense
 * Return: true with @chain filled; false when there is nothing to do (empty, not enabled, broken).
 * Context: dev->lock held.
 */
bool queue_pop(struct virtio_dev *dev, uint16_t index, struct queue_chain *chain);

/* Chains worked in one go on the main thread; a guest that adds more all the time must not keep it. */
#define QUEUE_BATCH 128

/**
 * queue_next() - As queue_pop(), for a loop that ends
 * @budget: QUEUE_BATCH at the start of the loop
 *
 * An empty queue is armed (queue_arm()) before false is returned. When the budget is used up the queue's doorbell
 * is rung by us, so that the event loop comes back here after it has looked at everything else.
 */
bool queue_next(struct virtio_dev *dev, uint16_t index, struct queue_chain *chain,
		unsigned int *budget);

/**
 * queue_push() - Give a chain back to the driver
 * @bytes: written into its n_in parts
 *
 * Context: dev->lock held. No interrupt yet: queue_signal() after a batch.
 */
void queue_push(struct virtio_dev *dev, uint16_t index, const struct queue_chain *chain,
		uint32_t bytes);

/** queue_signal() - Interrupt the driver if it wants to know of what was pushed (§2.7.7, §2.7.10). dev->lock held. */
void queue_signal(struct virtio_dev *dev, uint16_t index);

/**
 * queue_arm() - The queue was empty: ask to be kicked for the next chain (§2.7.10)
 * Return: true if a chain came meanwhile; look again. Context: dev->lock held.
 */
bool queue_arm(struct virtio_dev *dev, uint16_t index);

/** queue_is_empty() - No chain waits, or none that can be used. dev->lock held. */
bool queue_is_empty(struct virtio_dev *dev, uint16_t index);

/**
 * queue_break() - Stop using a queue until reset, ask for that, count it
 * @why: phrase for the log
 *
 * Context: dev->lock held.
 */
void queue_break(struct virtio_dev *dev, uint16_t index, const char *why);

/** queue_iov_read() - Gather up to @bytes from the readable parts, starting at @offset. Return: bytes copied */
uint32_t queue_iov_read(const struct queue_chain *chain, uint32_t offset, void *data,
			uint32_t bytes);

/** queue_iov_write() - Scatter up to @bytes over the writable parts, starting at @offset. Return: bytes copied */
uint32_t queue_iov_write(const struct queue_chain *chain, uint32_t offset, const void *data,
			 uint32_t bytes);

#endif
