/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 16550A at COM1, output only, into a log file: for a kernel's early messages.
 *
 * Threads: vCPU threads through serial_read() and serial_write(), the main thread through serial_flush();
 * it has its own lock.
 */
#ifndef VM_X86_SERIAL_H
#define VM_X86_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "log_file.h"

struct event;
struct event_base;
struct irq_routes;

struct serial {
	pthread_mutex_t lock;
	struct irq_routes *irq; /* borrowed */
	struct log_file log;	/* fd -1: there is no UART */
	int timer_fd;		/* runs while a line is incomplete; -1 without */
	struct event *flush_event;
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	bool fifo;
	bool thr_empty_pending; /* interrupt not yet seen by the driver */
	bool line_high;
	uint16_t n_pending;
	char pending[512];
};

/** serial_open() - @path NULL: no UART; its registers then read as an absent one's that never blocks a driver */
int serial_open(struct serial *serial, const char *path, struct irq_routes *irq,
		struct event_base *events, struct err *err);
void serial_close(struct serial *serial);

/** serial_read() - Register @offset 0-7 */
uint8_t serial_read(struct serial *serial, unsigned int offset);
void serial_write(struct serial *serial, unsigned int offset, uint8_t value);

#endif
