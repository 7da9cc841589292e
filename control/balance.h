/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which queue should change to which worker: the decision alone, from figures of one interval. Pure.
 *
 * A worker that is busy for most of the interval gives one of its queues to the one that has most room, if that makes the busier of
 * the two clearly less busy than the giver is now. A queue's part of its worker's time is its part of what that worker
 * received. So a queue that is a worker's whole load stays where it is (the other would only become as busy), and so does
 * everything where all are busy. It cannot go back and forth: taking a move back would have to pay as much as the move did, and what it
 * would have to gain is what the move has just gained. An impaired direction is like a queue whose frames are those that it sends on.
 */
#ifndef CONTROL_BALANCE_H
#define CONTROL_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BALANCE_BUSY 800 /* per mille of the interval: from here on a worker is busy */
#define BALANCE_GAIN 100 /* by which the busier one of the two must become less busy */

struct balance_queue {
	uint16_t duty;	 /* of its port: snapshot.h */
	uint16_t worker; /* whose it is */
	bool is_fixed;	 /* must stay */
	uint64_t load;	 /* of the interval, in a unit that is the same for all */
};

struct balance_move {
	size_t queue; /* index in the list */
	uint16_t to;  /* worker */
};

/**
 * balance_choose() - The move that pays most
 * @busy: by worker, per mille of the interval in which it had work
 *
 * Return: false if none pays.
 */
bool balance_choose(const uint32_t *busy, uint16_t n_workers, const struct balance_queue *queues,
		    size_t n_queues, struct balance_move *move);

/** balance_load() - What @pkts frames of @bytes bytes together cost a worker: a frame as much as a KiB */
uint64_t balance_load(uint64_t pkts, uint64_t bytes);

#endif
