/* SPDX-License-Identifier: BSD-3-Clause */
/* How often one call site may log. Used by log.c only. */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/** log_limit_set() - See log_limit() in log.h. Before other threads start */
void log_limit_set(unsigned int burst, unsigned int seconds);

/**
 * log_limit_admit() - May this line be written?
 * @format: tells call sites apart: its address, not its text
 * @now_ns: CLOCK_MONOTONIC
 * @n_held_back: when admitted, how many of this call site were not since the last that was
 *
 * Any thread. Return: true always when no limit is set.
 */
bool log_limit_admit(const char *format, uint64_t now_ns, uint64_t *n_held_back);

#endif
