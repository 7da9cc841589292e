/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The 16550A. Output is collected per line, so that a boot log costs a write per line and not per letter; an
 * incomplete line (a prompt) is written when a short timer fires. The file is bounded (log_file.h), for a guest
 * may write all day.
 */
#include "x86/serial.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "irq.h"
#include "x86/layout.h"

#define REG_DATA 0
#define REG_IER	 1
#define REG_IIR	 2 /* FCR when written */
#define REG_LCR	 3
#define REG_MCR	 4
#define REG_LSR	 5
#define REG_MSR	 6
#define REG_SCR	 7

#define IER_THR_EMPTY 0x02
#define IER_MASK      0x0f
#define IIR_NONE      0x01
#define IIR_THR_EMPTY 0x02
#define IIR_FIFO      0xc0
#define FCR_ENABLE    0x01
#define LCR_DLAB      0x80
#define MCR_LOOP      0x10
#define MCR_MASK      0x1f
#define LSR_IDLE      0x60 /* transmitter and holding register empty */
#define MSR_CONNECTED 0xb0 /* CTS, DSR, DCD */
#define LINE_DELAY_NS 50000000

static void pending_write(struct serial *serial)
{
	log_file_write(&serial->log, serial->pending, serial->n_pending);
	serial->n_pending = 0;
}

static void flush_timer(int fd, short what, void *arg)
{
	struct serial *serial = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&serial->lock);
	pending_write(serial);
	pthread_mutex_unlock(&serial->lock);
}

int serial_open(struct serial *serial, const char *path, struct irq_routes *irq,
		struct event_base *events, struct err *err)
{
	int code;

	memset(serial, 0, sizeof(*serial));
	pthread_mutex_init(&serial->lock, NULL);
	serial->irq = irq;
	serial->timer_fd = -1;
	code = log_file_open(&serial->log, "serial log", path, LOG_FILE_BYTES_MAX, err);
	if (code || !path)
		return code;
	serial->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (serial->timer_fd < 0)
		goto undo;
	serial->flush_event =
		event_new(events, serial->timer_fd, EV_READ | EV_PERSIST, flush_timer, serial);
	if (!serial->flush_event || event_add(serial->flush_event, NULL) < 0) {
		errno = ENOMEM;
		goto undo;
	}
	return 0;

undo:
	code = errno;
	serial_close(serial);
	return err_set(err, code, "serial log %s: %s", path, strerror(code));
}

void serial_close(struct serial *serial)
{
	pending_write(serial);
	log_file_close(&serial->log);
	if (serial->flush_event)
		event_free(serial->flush_event);
	if (serial->timer_fd >= 0)
		close(serial->timer_fd);
	serial->timer_fd = -1;
	serial->flush_event = NULL;
}

static void line_update(struct serial *serial)
{
	bool high = serial->thr_empty_pending && serial->ier & IER_THR_EMPTY;

	if (high != serial->line_high)
		irq_line_set(serial->irq, LAYOUT_IRQ_SERIAL, high);
	serial->line_high = high;
}

static void letter_put(struct serial *serial, uint8_t letter)
{
	struct itimerspec delay = {.it_value.tv_nsec = LINE_DELAY_NS};
	bool first = serial->n_pending == 0;

	serial->pending[serial->n_pending++] = (char)letter;
	if (letter == '\n' || serial->n_pending == sizeof(serial->pending))
		pending_write(serial);
	else if (first)
		(void)timerfd_settime(serial->timer_fd, 0, &delay, NULL);
}

static uint8_t modem_status(const struct serial *serial)
{
	if (!(serial->mcr & MCR_LOOP))
		return MSR_CONNECTED;
	/* Looped back: DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD. */
	return (uint8_t)((serial->mcr & 0x01) << 5 | (serial->mcr & 0x02) << 3 |
			 (serial->mcr & 0x0c) << 4);
}

static uint8_t interrupt_identify(struct serial *serial)
{
	uint8_t iir = serial->fifo ? IIR_FIFO : 0;

	if (!(serial->thr_empty_pending && serial->ier & IER_THR_EMPTY))
		return iir | IIR_NONE;
	serial->thr_empty_pending = false; /* reading it is the acknowledgement */
	line_update(serial);
	return iir | IIR_THR_EMPTY;
}

static uint8_t register_read(struct serial *serial, unsigned int offset)
{
	switch (offset) {
	case REG_DATA:
		return serial->lcr & LCR_DLAB ? serial->dll : 0;
	case REG_IER:
		return serial->lcr & LCR_DLAB ? serial->dlm : serial->ier;
	case REG_IIR:
		return interrupt_identify(serial);
	case REG_LCR:
		return serial->lcr;
	case REG_MCR:
		return serial->mcr;
	case REG_LSR:
		return LSR_IDLE;
	case REG_MSR:
		return modem_status(serial);
	default:
		return serial->scr;
	}
}

static void register_write(struct serial *serial, unsigned int offset, uint8_t value)
{
	switch (offset) {
	case REG_DATA:
		if (serial->lcr & LCR_DLAB) {
			serial->dll = value;
			return;
		}
		if (!(serial->mcr & MCR_LOOP))
			letter_put(serial, value);
		/* Sent at once: down and up again, so that an edge is seen. */
		serial->thr_empty_pending = false;
		line_update(serial);
		serial->thr_empty_pending = true;
		line_update(serial);
		return;
	case REG_IER:
		if (serial->lcr & LCR_DLAB) {
			serial->dlm = value;
			return;
		}
		if (value & ~serial->ier & IER_THR_EMPTY)
			serial->thr_empty_pending = true;
		serial->ier = value & IER_MASK;
		line_update(serial);
		return;
	case REG_IIR:
		serial->fifo = value & FCR_ENABLE;
		return;
	case REG_LCR:
		serial->lcr = value;
		return;
	case REG_MCR:
		serial->mcr = value & MCR_MASK;
		return;
	case REG_SCR:
		serial->scr = value;
		return;
	default:
		return;
	}
}

uint8_t serial_read(struct serial *serial, unsigned int offset)
{
	uint8_t value;

	if (serial->log.fd < 0) /* a driver that waits for room must not wait for ever */
		return offset == REG_LSR ? LSR_IDLE : 0xff;
	pthread_mutex_lock(&serial->lock);
	value = register_read(serial, offset);
	pthread_mutex_unlock(&serial->lock);
	return value;
}

void serial_write(struct serial *serial, unsigned int offset, uint8_t value)
{
	if (serial->log.fd < 0)
		return;
	pthread_mutex_lock(&serial->lock);
	register_write(serial, offset, value);
	pthread_mutex_unlock(&serial->lock);
}
