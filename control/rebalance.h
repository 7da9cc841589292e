/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who does what: how busy each worker is, and the moves of duties (queues that are polled, impaired directions that are emptied) from busy workers to
 * others.
 *
 * Once a second the workers' counters are read. Duties are only looked at while a worker is busy, and two such seconds in a row are
 * needed for a move: the first is the base of the second's loads. After a move this begins anew, and the one that moved stays for half a
 * minute. So there is at most one move in two seconds. What is to move is decided in balance.c; a move is a snapshot with another map, in which
 * datapath_publish() has duties change hands safely.
 *
 * Control thread only.
 */
#ifndef CONTROL_REBALANCE_H
#define CONTROL_REBALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct control;
struct model_port;
struct rebalance;

#define REBALANCE_REST_S 30 /* for which a queue that was moved stays */

/**
 * rebalance_new() - Begin to measure
 * @automatic: move duties of busy workers; else they move by rebalance_pin() only
 * Return: NULL without memory.
 */
struct rebalance *rebalance_new(struct control *control, bool automatic);
void rebalance_free(struct rebalance *rebalance);

/**
 * rebalance_tick() - A second has passed, as a rule: measure, and move if it pays. The timer calls it.
 * @now_ns: CLOCK_MONOTONIC; not before the last call's
 */
void rebalance_tick(struct rebalance *rebalance, uint64_t now_ns);

/** rebalance_busy() - Per mille of the last second in which the worker had work; 0 if @rebalance is NULL */
uint32_t rebalance_busy(const struct rebalance *rebalance, uint16_t worker);

/** rebalance_taken() - Duties that the worker has taken over from others since the start */
uint64_t rebalance_taken(const struct rebalance *rebalance, uint16_t worker);

/**
 * rebalance_pin() - Have a duty done by one worker as long as its port lives
 * @duty:   of a queue or an impaired direction that there is: snapshot_move()
 * @worker: -1: it stays where it is, but may be moved again
 * Return: 0, or -ENOMEM with @err and nothing changed.
 */
int rebalance_pin(struct rebalance *rebalance, const struct model_port *port, uint16_t duty,
		  int worker, struct err *err);

#endif
