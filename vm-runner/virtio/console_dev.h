/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside virtio-console: console.c is the device, console_control.c the multiport protocol,
 * console_port.c moves bytes between a port's queues and its client.
 */
#ifndef VM_VIRTIO_CONSOLE_DEV_H
#define VM_VIRTIO_CONSOLE_DEV_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/console.h"
#include "log_file.h"
#include "virtio/queue.h"
#include "virtio/virtio.h"

#define CONSOLE_F_MULTIPORT 1

#define CONSOLE_QUEUE_CONTROL_RX 2 /* from us to the driver */
#define CONSOLE_QUEUE_CONTROL_TX 3

struct event;
struct evbuffer;

struct console;

struct console_port {
	struct console *console;
	uint32_t index; /* 0 is the console */
	char name[CONSOLE_PORT_NAME_MAX];
	char *path; /* NULL: nobody can attach */

	/* main thread only */
	int listen_fd, client_fd; /* -1 without */
	struct event *listen_event;
	struct event *read_event, *write_event, *closed_event; /* of the client */
	struct evbuffer *to_client;			       /* bounded by CLIENT_BYTES_MAX */

	/* under dev.lock */
	bool ready;	 /* the driver has set the port up */
	bool guest_open; /* somebody in the guest has it open */
	/* what the driver has still to be told, in this order */
	bool tell_add, tell_console, tell_name, tell_close, tell_open;
	bool has_chain; /* one of the guest's, read in part */
	uint32_t chain_done;
	uint64_t n_dropped_bytes; /* of the guest's output: no client, or a slow one */
	struct queue_chain *chain;
};

struct console {
	struct virtio_dev dev; /* first */
	struct log_file log;
	uint32_t n_ports;
	struct queue_chain chain; /* control and receive queues */
	struct console_port ports[1 + CONSOLE_PORTS_MAX];
};

static inline struct console *console_from(struct virtio_dev *dev)
{
	return (struct console *)dev;
}

/* Ports 0, 1, 2.. have queues (0,1), (4,5), (6,7)..: virtio 1.2 §5.3.2. */
static inline uint16_t console_port_rx(const struct console_port *port)
{
	return (uint16_t)(port->index ? 2 + port->index * 2 : 0);
}

static inline uint16_t console_port_tx(const struct console_port *port)
{
	return console_port_rx(port) + 1;
}

/* All of these: main thread, dev.lock held. */

/** console_port_open() - Listen on the port's path, if it has one */
int console_port_open(struct console_port *port, struct console *console, uint32_t index,
		      const char *name, const char *path, struct err *err);
void console_port_close(struct console_port *port);
/** console_port_send() - Take what the guest has written */
void console_port_send(struct console_port *port);
/** console_port_receive() - The guest may take input now: read from the client again */
void console_port_receive(struct console_port *port);

/** console_control_flush() - Tell the driver what it has still to be told, as far as it has buffers */
void console_control_flush(struct console *console);
/** console_control_serve() - Read what the driver says about its ports */
void console_control_serve(struct console *console);

#endif
