/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk over a split virtqueue (virtio 1.2 §2.7).
 *
 * Theory of operation
 *
 * The driver's three areas are looked up in guest memory for every chain: that is a handful of compares,
 * and no pointer outlives a reset. What is checked, in this order, each failure ending the queue:
 *   the areas lie in memory, aligned; the available index moved by at most the queue's size; the head and
 *   every next are below the size of their table; a chain has at most as many descriptors as the queue
 *   (so a loop ends); an indirect table is negotiated, in memory, a multiple of 16 bytes, and not nested;
 *   readable parts come before writable ones; every part lies in memory; the sum fits 32 bits.
 *
 * Threads: whoever holds dev->lock.
 */
#include "virtio/queue.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "mem.h"
#include "virtio/queue_packed.h"
#include "vm.h"

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

#define AVAIL_NO_INTERRUPT 1

#define LOGGED_MAX 8 /* a guest that breaks its queues in a loop does not fill our log */

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct rings {
	const uint8_t *desc;
	uint16_t *avail; /* flags, idx, ring[size], used_event */
	uint16_t *used;	 /* flags, idx, {id32, len32}[size], avail_event */
};

/* Fetched once, at any alignment: what follows decides on the copy, which the barrier makes one. */
static struct desc desc_fetch(const uint8_t *table, uint32_t index)
{
	struct desc desc;

	memcpy(&desc, table + (size_t)index * sizeof(desc), sizeof(desc));
	__asm__ volatile("" ::: "memory");
	return desc;
}

static bool rings_find(const struct guest_mem *mem, const struct virtio_queue *queue,
		       struct rings *rings)
{
	uint64_t size = queue->size;

	if (!size || queue->desc % 16 || queue->driver % 2 || queue->device % 4)
		return false;
	rings->desc = mem_at(mem, queue->desc, size * 16);
	rings->avail = mem_at(mem, queue->driver, 6 + size * 2);
	rings->used = mem_at(mem, queue->device, 6 + size * 8);
	return rings->desc && rings->avail && rings->used;
}

const char *queue_chain_add(const struct guest_mem *mem, struct queue_chain *chain, uint64_t addr,
			    uint32_t len, bool write)
{
	uint32_t *bytes = write ? &chain->in_bytes : &chain->out_bytes;
	unsigned int n = chain->n_out + chain->n_in;
	void *host;

	if (!write && chain->n_in)
		return "a readable descriptor behind a writable one";
	if (!len)
		return NULL;
	host = mem_at(mem, addr, len);
	if (!host)
		return "a descriptor outside memory";
	if (len > UINT32_MAX - *bytes)
		return "a chain of 4 GiB or more";
	chain->iov[n] = (struct iovec){.iov_base = host, .iov_len = len};
	*bytes += len;
	if (write)
		chain->n_in++;
	else
		chain->n_out++;
	return NULL;
}

/* Follow a chain from @index in @table, into an indirect table at most once. */
static const char *chain_follow(const struct guest_mem *mem, const uint8_t *table, uint32_t n_table,
				uint32_t index, uint32_t n_max, bool indirect_ok,
				struct queue_chain *chain)
{
	const char *why;

	for (uint32_t n = 0; n < n_max;) {
		struct desc desc;

		if (index >= n_table)
			return "a descriptor index past the end of its table";
		desc = desc_fetch(table, index);
		if (desc.flags & DESC_INDIRECT) {
			if (!indirect_ok)
				return "an indirect descriptor that is nested or was not "
				       "negotiated";
			if (desc.flags & DESC_NEXT)
				return "an indirect descriptor with a next one";
			if (!desc.len || desc.len % 16)
				return "an indirect table of a bad size";
			table = mem_at(mem, desc.addr, desc.len);
			if (!table)
				return "an indirect table outside memory";
			n_table = desc.len / 16;
			index = 0;
			indirect_ok = false;
			continue;
		}
		n++;
		why = queue_chain_add(mem, chain, desc.addr, desc.len, desc.flags & DESC_WRITE);
		if (why)
			return why;
		if (!(desc.flags & DESC_NEXT))
			return NULL;
		/* Inside an indirect table, §2.7.5.3.1 lets only the table's own indices follow. */
		index = desc.next;
	}
	return "a chain longer than the queue";
}

int queue_walk(const struct guest_mem *mem, struct virtio_queue *queue, uint64_t features,
	       struct queue_chain *chain, const char **why)
{
	struct rings rings;
	uint16_t avail, head;

	if (features & VIRTIO_BIT(VIRTIO_RING_PACKED))
		return queue_packed_walk(mem, queue, features, chain, why);
	if (!rings_find(mem, queue, &rings)) {
		*why = "a ring outside memory or not aligned";
		return -EPROTO;
	}
	avail = __atomic_load_n(&rings.avail[1], __ATOMIC_ACQUIRE);
	if (avail == queue->last_avail)
		return 0;
	if ((uint16_t)(avail - queue->last_avail) > queue->size) {
		*why = "an available index that jumped";
		return -EPROTO;
	}
	head = __atomic_load_n(&rings.avail[2 + queue->last_avail % queue->size], __ATOMIC_RELAXED);
	chain->head = head;
	chain->n_out = chain->n_in = 0;
	chain->out_bytes = chain->in_bytes = 0;
	*why = chain_follow(mem, rings.desc, queue->size, head, queue->size,
			    features & VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC), chain);
	if (*why)
		return -EPROTO;
	queue->last_avail++;
	return 1;
}

static bool queue_is_usable(const struct virtio_dev *dev, uint16_t index)
{
	const struct virtio_queue *queue = &dev->queues[index];

	return index < dev->n_queues && queue->enabled && !queue->broken &&
	       (dev->status & VIRTIO_STATUS_DRIVER_OK) && !dev->resetting;
}

void queue_break(struct virtio_dev *dev, uint16_t index, const char *why)
{
	unsigned int n = atomic_fetch_add(&dev->n_queue_errors, 1);

	dev->queues[index].broken = true;
	if (n < LOGGED_MAX)
		log_warning("%s: queue %u stopped until the driver resets the device: %s%s",
			    dev->id, index, why,
			    n == LOGGED_MAX - 1 ? " (further ones are not logged)" : "");
	if (dev->transport)
		dev->transport->needs_reset(dev);
}

bool queue_pop(struct virtio_dev *dev, uint16_t index, struct queue_chain *chain)
{
	const char *why;
	int rc;

	if (!queue_is_usable(dev, index))
		return false;
	rc = queue_walk(vm_mem(dev->vm), &dev->queues[index], dev->acked, chain, &why);
	if (rc < 0)
		queue_break(dev, index, why);
	return rc > 0;
}

void queue_push(struct virtio_dev *dev, uint16_t index, const struct queue_chain *chain,
		uint32_t bytes)
{
	struct virtio_queue *queue = &dev->queues[index];
	struct rings rings;
	uint32_t *element;

	if (!queue_is_usable(dev, index))
		return;
	if (virtio_has(dev, VIRTIO_RING_PACKED)) {
		queue_packed_push(vm_mem(dev->vm), queue, chain, bytes);
		return;
	}
	if (!rings_find(vm_mem(dev->vm), queue, &rings))
		return;
	element = (uint32_t *)(rings.used + 2) + (size_t)(queue->last_used % queue->size) * 2;
	__atomic_store_n(&element[0], chain->head, __ATOMIC_RELAXED);
	__atomic_store_n(&element[1], bytes, __ATOMIC_RELAXED);
	queue->last_used++;
	__atomic_store_n(&rings.used[1], queue->last_used, __ATOMIC_RELEASE);
}

/* §2.7.7.1, §2.7.10.1 */
static bool driver_wants_interrupt(const struct virtio_dev *dev, struct virtio_queue *queue,
				   const struct rings *rings)
{
	uint16_t old = queue->signalled_used, new = queue->last_used, event;

	if (old == new)
		return false;
	queue->signalled_used = new;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!virtio_has(dev, VIRTIO_RING_EVENT_IDX))
		return !(__atomic_load_n(&rings->avail[0], __ATOMIC_RELAXED) & AVAIL_NO_INTERRUPT);
	event = __atomic_load_n(&rings->avail[2 + queue->size], __ATOMIC_RELAXED);
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

void queue_signal(struct virtio_dev *dev, uint16_t index)
{
	const struct guest_mem *mem = vm_mem(dev->vm);
	struct virtio_queue *queue = &dev->queues[index];
	struct rings rings;

	if (!queue_is_usable(dev, index))
		return;
	if (virtio_has(dev, VIRTIO_RING_PACKED)
		    ? queue_packed_wants_interrupt(mem, queue, dev->acked)
		    : rings_find(mem, queue, &rings) && driver_wants_interrupt(dev, queue, &rings))
		dev->transport->notify_queue(dev, index);
}

bool queue_arm(struct virtio_dev *dev, uint16_t index)
{
	struct virtio_queue *queue = &dev->queues[index];
	struct rings rings;

	if (!queue_is_usable(dev, index))
		return false;
	if (virtio_has(dev, VIRTIO_RING_PACKED))
		return queue_packed_arm(vm_mem(dev->vm), queue, dev->acked);
	if (!rings_find(vm_mem(dev->vm), queue, &rings))
		return false;
	/* We never set USED_NO_NOTIFY: without EVENT_IDX the driver always kicks. */
	if (virtio_has(dev, VIRTIO_RING_EVENT_IDX))
		__atomic_store_n(&rings.used[2 + queue->size * 4], queue->last_avail,
				 __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&rings.avail[1], __ATOMIC_ACQUIRE) != queue->last_avail;
}

bool queue_next(struct virtio_dev *dev, uint16_t index, struct queue_chain *chain,
		unsigned int *budget)
{
	uint64_t one = 1;

	if (*budget == 0) {
		/* EAGAIN: rung already. */
		(void)!write(dev->queues[index].kick_fd, &one, sizeof(one));
		return false;
	}
	(*budget)--;
	return queue_pop(dev, index, chain) ||
	       (queue_arm(dev, index) && queue_pop(dev, index, chain));
}

bool queue_is_empty(struct virtio_dev *dev, uint16_t index)
{
	struct virtio_queue *queue = &dev->queues[index];
	struct rings rings;

	if (!queue_is_usable(dev, index))
		return true;
	if (virtio_has(dev, VIRTIO_RING_PACKED))
		return queue_packed_is_empty(vm_mem(dev->vm), queue);
	if (!rings_find(vm_mem(dev->vm), queue, &rings))
		return true;
	return __atomic_load_n(&rings.avail[1], __ATOMIC_ACQUIRE) == queue->last_avail;
}

/* Copy between @data and parts @first.. of a chain, from @offset bytes on. */
static uint32_t iov_copy(const struct iovec *iov, unsigned int n, uint32_t offset, void *out,
			 const void *in, uint32_t bytes)
{
	uint32_t done = 0;

	for (unsigned int i = 0; i < n && done < bytes; i++) {
		size_t step;

		if (offset >= iov[i].iov_len) {
			offset -= (uint32_t)iov[i].iov_len;
			continue;
		}
		step = iov[i].iov_len - offset;
		if (step > bytes - done)
			step = bytes - done;
		if (out)
			memcpy((uint8_t *)out + done, (uint8_t *)iov[i].iov_base + offset, step);
		else
			memcpy((uint8_t *)iov[i].iov_base + offset, (const uint8_t *)in + done,
			       step);
		done += (uint32_t)step;
		offset = 0;
	}
	return done;
}

uint32_t queue_iov_read(const struct queue_chain *chain, uint32_t offset, void *data,
			uint32_t bytes)
{
	return iov_copy(chain->iov, chain->n_out, offset, data, NULL, bytes);
}

uint32_t queue_iov_write(const struct queue_chain *chain, uint32_t offset, const void *data,
			 uint32_t bytes)
{
	return iov_copy(chain->iov + chain->n_out, chain->n_in, offset, NULL, data, bytes);
}
