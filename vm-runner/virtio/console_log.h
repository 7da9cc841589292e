/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A log file of bounded size: appended to, and cut to its newer half when it is full. Main thread.
 */
#ifndef VM_VIRTIO_CONSOLE_LOG_H
#define VM_VIRTIO_CONSOLE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct console_log {
	int fd; /* -1: no log */
	uint64_t bytes_max;
	uint64_t n_lost_bytes; /* could not be written: disk full, say */
	bool failed;	       /* the last write did; logged once per spell */
};

/**
 * console_log_open() - Append to a file, made when missing
 * @path: NULL: no log, which is no error
 */
int console_log_open(struct console_log *log, const char *path, uint64_t bytes_max,
		     struct err *err);
void console_log_close(struct console_log *log);

/** console_log_write() - Append; what does not fit on the disk is lost and counted */
void console_log_write(struct console_log *log, const void *data, size_t bytes);

#endif
