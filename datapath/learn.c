/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The learn ring: see learn.h. Producers are workers, the consumer is the control thread.
 */
#include "learn.h"

#include <stdlib.h>
#include <unistd.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#define DRAIN_BURST 64

struct learn_queue {
	struct rte_ring *ring;
	int event_fd;
	_Atomic bool signalled; /* the consumer was told and has not come yet */
	_Atomic uint16_t waiting[SNAPSHOT_PORTS_MAX];
};

struct learn_queue *learn_queue_new(int event_fd)
{
	ssize_t size = rte_ring_get_memsize_elem(sizeof(struct learn_event), LEARN_RING_SIZE);
	struct learn_queue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL || size < 0)
		goto fail;
	queue->event_fd = event_fd;
	queue->ring =
		aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN((size_t)size, RTE_CACHE_LINE_SIZE));
	if (queue->ring == NULL)
		goto fail;
	if (rte_ring_init(queue->ring, "learn", LEARN_RING_SIZE, RING_F_SC_DEQ) != 0)
		goto fail;
	return queue;
fail:
	learn_queue_free(queue);
	return NULL;
}

void learn_queue_free(struct learn_queue *queue)
{
	if (queue == NULL)
		return;
	free(queue->ring);
	free(queue);
}

static void wake_consumer(struct learn_queue *queue)
{
	const uint64_t one = 1;

	if (queue->event_fd < 0 || atomic_exchange(&queue->signalled, true))
		return;
	if (write(queue->event_fd, &one, sizeof(one)) < 0)
		return; /* the counter is at its limit: it is readable then, too */
}

bool learn_push(struct learn_queue *queue, const struct learn_event *event)
{
	_Atomic uint16_t *waiting = &queue->waiting[event->port];
	unsigned int n_free = rte_ring_free_count(queue->ring);

	if (atomic_load_explicit(waiting, memory_order_relaxed) >= n_free / 2)
		return false;
	atomic_fetch_add_explicit(waiting, 1, memory_order_relaxed);
	if (rte_ring_mp_enqueue_elem(queue->ring, (void *)(uintptr_t)event, sizeof(*event)) != 0) {
		atomic_fetch_sub_explicit(waiting, 1, memory_order_relaxed);
		return false;
	}
	wake_consumer(queue);
	return true;
}

uint32_t learn_drain(struct learn_queue *queue, uint32_t max,
		     void (*visit)(const struct learn_event *event, void *arg), void *arg)
{
	struct learn_event events[DRAIN_BURST];
	uint32_t total = 0;

	atomic_exchange(&queue->signalled, false); /* who comes after the count wakes us again */
	max = RTE_MIN(max, (uint32_t)rte_ring_count(queue->ring));
	while (total < max) {
		uint32_t want = RTE_MIN(max - total, (uint32_t)DRAIN_BURST);
		uint32_t n = rte_ring_sc_dequeue_burst_elem(queue->ring, events, sizeof(events[0]),
							    want, NULL);

		if (n == 0)
			break;
		for (uint32_t i = 0; i < n; i++) {
			atomic_fetch_sub_explicit(&queue->waiting[events[i].port], 1,
						  memory_order_relaxed);
			visit(&events[i], arg);
		}
		total += n;
	}
	return total;
}
