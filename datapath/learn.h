/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of a new station from the workers to the FDB's writer.
 *
 * A bounded ring, many producers, one consumer. A port may have as many events waiting as there is
 * half of the free room, so that a port with random source addresses leaves room for the others
 * whatever it does. What does not fit is counted; the frame is forwarded all the same and the
 * station's next frame tries again.
 */
#ifndef DATAPATH_LEARN_H
#define DATAPATH_LEARN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "snapshot.h"

#define LEARN_RING_SIZE 32768

struct learn_event {
	uint64_t mac; /* as in fdb_mac() */
	uint32_t fid;
	uint16_t port;
	uint16_t generation; /* low bits of the snapshot's that the port index is from */
};

struct learn_queue;

/**
 * learn_queue_new() - Make the ring
 * @event_fd: eventfd to write when the consumer has work, borrowed; -1: none
 * Return: NULL when memory does not suffice.
 */
struct learn_queue *learn_queue_new(int event_fd);
void learn_queue_free(struct learn_queue *queue);

/**
 * learn_push() - Hand a station to the writer
 * Return: false if the port has too many events waiting. Context: any worker; one system call when
 *         the consumer has to be woken, none otherwise.
 */
bool learn_push(struct learn_queue *queue, const struct learn_event *event);

/**
 * learn_drain() - Visit the waiting events, oldest first; consumer only
 * @max: events at most
 *
 * Those that wait when it is called; what comes meanwhile is for the next call, or the producers
 * would decide how long this one takes.
 *
 * Return: number visited.
 */
uint32_t learn_drain(struct learn_queue *queue, uint32_t max,
		     void (*visit)(const struct learn_event *event, void *arg), void *arg);

#endif
