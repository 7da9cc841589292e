/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports in memory for the stress of many workers: what they receive is made on the spot, what they send is checked and forgotten.
 *
 * Each rx queue has a peer that makes frames available and signals only when it was asked to, like a driver of a ring. All that a worker
 * writes while it polls is plain memory: that it passes safely from one worker to the next is what is tested. Whoever looks for
 * data races (ThreadSanitizer) finds one if it does not. What is found wrong is counted, for threads of the datapath cannot fail a test.
 */
#ifndef TESTS_UNIT_DATAPATH_STRESS_PORT_H
#define TESTS_UNIT_DATAPATH_STRESS_PORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "port.h"
#include "stats.h"
#include "unit/datapath/frames.h"

#define STRESS_PORTS  8
#define STRESS_QUEUES 2
#define STRESS_FLOWS  (STRESS_PORTS * STRESS_QUEUES)

/* What a frame carries behind its Ethernet header. */
struct stress_tag {
	uint32_t flow; /* port * STRESS_QUEUES + queue it came in by */
	uint32_t number;
};

struct stress_queue {
	_Atomic uint32_t available; /* in all; the peer's */
	_Atomic bool armed;
	_Atomic int fd;
	_Atomic bool is_polled; /* somebody is between rx and rx_release */
	/* of whoever polls, plain on purpose */
	uint32_t taken;
	uint32_t numbers[STRESS_PORTS]; /* next, by destination */
	uint32_t random;
} __attribute__((aligned(64)));

struct stress_port {
	struct port port; /* first */
	uint16_t index;
	uint16_t group[STRESS_PORTS]; /* who can be sent to */
	uint16_t n_group;
	struct stress_queue queues[STRESS_QUEUES];
	pthread_spinlock_t lock; /* of what tx writes */
	uint32_t next[STRESS_FLOWS];
	uint64_t n_sent;
	bool may_reorder;
};

/* What must not happen. */
static _Atomic uint32_t stress_double_polls, stress_overtaken, stress_strays;

static inline struct stress_port *stress_port(struct port *port)
{
	return (struct stress_port *)port;
}

static inline void stress_frame(struct stress_port *p, uint16_t queue, struct frame *f)
{
	struct stress_queue *q = &p->queues[queue];
	struct stress_tag tag = {.flow = p->index * STRESS_QUEUES + queue};
	uint16_t to;

	q->random = q->random * 1664525 + 1013904223;
	to = p->group[(q->random >> 16) % p->n_group];
	tag.number = q->numbers[to]++;
	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	frames_make(f->hdr, (uint8_t)(p->index + 1), (uint8_t)(to + 1), FRAME_HDR_MAX, tag.number);
	memcpy(f->hdr + 14, &tag, sizeof(tag));
	f->hdr_len = f->len = FRAME_HDR_MAX;
}

static inline uint16_t stress_rx(struct port *port, uint16_t queue, uint16_t worker,
				 struct frame *frames, uint16_t max)
{
	struct stress_port *p = stress_port(port);
	struct stress_queue *q = &p->queues[queue];
	uint32_t n;

	(void)worker;
	if (atomic_exchange_explicit(&q->is_polled, true, memory_order_relaxed))
		atomic_fetch_add(&stress_double_polls, 1);
	n = atomic_load_explicit(&q->available, memory_order_relaxed) - q->taken;
	n = n < max ? n : max;
	for (uint32_t i = 0; i < n; i++)
		stress_frame(p, queue, &frames[i]);
	q->taken += n;
	if (n == 0)
		atomic_store_explicit(&q->is_polled, false, memory_order_relaxed);
	return (uint16_t)n;
}

static inline void stress_release(struct port *port, uint16_t queue)
{
	atomic_store_explicit(&stress_port(port)->queues[queue].is_polled, false,
			      memory_order_relaxed);
}

static inline void stress_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct stress_port *p = stress_port(port);
	struct stress_tag tag;
	uint8_t bytes[FRAME_HDR_MAX];

	(void)queue;
	pthread_spin_lock(&p->lock);
	for (uint16_t i = 0; i < n; i++) {
		out[i].drop = DROP_NONE;
		stats_add(&p->n_sent, 1); /* read while workers run */
		if (frame_out_copy(&out[i], bytes, sizeof(bytes)) != sizeof(bytes) ||
		    bytes[5] != p->index + 1) {
			/* It was flooded: to everybody but the one it is for. */
			if (frame_out_len(&out[i]) != sizeof(bytes))
				atomic_fetch_add(&stress_strays, 1);
			continue;
		}
		memcpy(&tag, bytes + 14, sizeof(tag));
		if (tag.flow >= STRESS_FLOWS) {
			atomic_fetch_add(&stress_strays, 1);
			continue;
		}
		if (tag.number < p->next[tag.flow] && !p->may_reorder)
			atomic_fetch_add(&stress_overtaken, 1);
		p->next[tag.flow] = tag.number + 1;
	}
	pthread_spin_unlock(&p->lock);
}

static inline int stress_fd(struct port *port, uint16_t queue)
{
	return atomic_load(&stress_port(port)->queues[queue].fd);
}

/* Relaxed, and a fence as between a driver and a device: the atomics shall not order the plain memory by the way. */
static inline bool stress_arm(struct port *port, uint16_t queue, bool armed)
{
	struct stress_queue *q = &stress_port(port)->queues[queue];

	atomic_store_explicit(&q->armed, armed, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	return armed && atomic_load_explicit(&q->available, memory_order_relaxed) != q->taken;
}

static const struct port_ops stress_ops = {.type = "stress",
					   .rx = stress_rx,
					   .rx_release = stress_release,
					   .tx = stress_tx,
					   .rx_fd = stress_fd,
					   .rx_arm = stress_arm};

/** stress_put() - The peer: @n more frames, and a signal if one is wanted */
static inline void stress_put(struct stress_port *p, uint16_t queue, uint32_t n)
{
	struct stress_queue *q = &p->queues[queue];
	const uint64_t one = 1;

	atomic_fetch_add_explicit(&q->available, n, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&q->armed, memory_order_relaxed) &&
	    write(atomic_load_explicit(&q->fd, memory_order_relaxed), &one, sizeof(one)) < 0)
		atomic_fetch_add(&stress_strays, 1);
}

static inline void stress_port_init(struct stress_port *p, uint16_t index)
{
	const struct port_spec spec = {.n_queues = STRESS_QUEUES, .type = "stress"};

	memset(p, 0, sizeof(*p));
	port_init(&p->port, &stress_ops, &spec);
	p->index = index;
	pthread_spin_init(&p->lock, PTHREAD_PROCESS_PRIVATE);
	for (uint16_t q = 0; q < STRESS_QUEUES; q++) {
		atomic_store(&p->queues[q].fd, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
		p->queues[q].random = index * 7u + q;
	}
}

#endif
