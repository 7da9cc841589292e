/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A log file of bounded size: appended to, and cut to its newer half when it is full. One thread at a time:
 * its owner has a lock or a thread for it.
 */
#ifndef VM_LOG_FILE_H
#define VM_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LOG_FILE_BYTES_MAX (8U << 20) /* of what a guest writes, a file */

struct log_file {
	const char *what; /* in messages: "serial log" */
	int fd;		  /* -1: no log */
	uint64_t bytes_max;
	uint64_t n_lost_bytes; /* could not be written: disk full, say */
	bool failed;	       /* the last write did; logged once per spell */
};

/**
 * log_file_open() - Append to a file, made when missing
 * @what: borrowed for the life of the log
 * @path: NULL: no log, which is no error
 *
 * Return: 0, or -errno with @err set; a file that is not a regular one is refused.
 */
int log_file_open(struct log_file *log, const char *what, const char *path, uint64_t bytes_max,
		  struct err *err);
void log_file_close(struct log_file *log);

/** log_file_write() - Append; what does not fit on the disk is lost and counted */
void log_file_write(struct log_file *log, const void *data, size_t bytes);

#endif
