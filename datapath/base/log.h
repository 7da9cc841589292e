/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines to stderr: `2026-01-02T03:04:05.678 netloomd: warning: text`.
 *
 * Any thread may log; a line is written with one write(2). Never called per frame.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/**
 * log_init() - Name the program and choose how much is said
 * @program: borrowed for the life of the process
 * @level:   lines above it are not written
 */
void log_init(const char *program, enum log_level level);

/**
 * log_limit() - Bound how often each call site may log, for programs whose peers can make lines repeat
 * @burst:   lines that may come at once; 0, as at the start: no limit
 * @seconds: after each that many, one more may
 *
 * The next line that is written says how many were not. Before other threads start.
 */
void log_limit(unsigned int burst, unsigned int seconds);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_write(LOG_DEBUG, __VA_ARGS__)

#endif
