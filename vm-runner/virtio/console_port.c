/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One port: bytes between its two queues and its client's socket.
 *
 * From the guest: the console's output is taken at once, always, because Linux writes to hvc0 with a
 * spinlock held and waits for it; it goes to the log, and to the client as far as that keeps up. A named
 * port's output is taken only while there is room for it behind the client, so the guest's writers wait
 * and lose nothing; without a client it is dropped.
 *
 * To the guest: the client is read only when the guest has the port open and buffers for it; until then
 * what it wrote waits in its socket. That the client has left is noticed even then (EV_CLOSED).
 *
 * Threads: main, with dev.lock held. The event callbacks at the end take it.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "sock.h"
#include "virtio/console_dev.h"
#include "vm.h"

#define CLIENT_BYTES_MAX (256 * 1024) /* waiting for a client to read them */
#define CHUNK_BYTES	 4096
/* Of one chain of the console; more than that in one buffer is no console output, and is dropped. */
#define CONSOLE_CHAIN_BYTES_MAX (1024 * 1024)

static bool is_console(const struct console_port *port)
{
	return port->index == 0;
}

static void event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void client_leave(struct console_port *port)
{
	if (port->client_fd < 0)
		return;
	event_drop(&port->read_event);
	event_drop(&port->write_event);
	event_drop(&port->closed_event);
	close(port->client_fd);
	port->client_fd = -1;
	evbuffer_drain(port->to_client, evbuffer_get_length(port->to_client));
	if (is_console(port))
		return;
	/* An opening the driver was never told of needs no closing. */
	if (port->tell_open)
		port->tell_open = false;
	else
		port->tell_close = port->ready;
	event_add(port->listen_event, NULL);
	console_control_flush(port->console);
	console_port_send(port); /* what waited for the client is dropped */
}

static size_t client_room(const struct console_port *port)
{
	return CLIENT_BYTES_MAX - evbuffer_get_length(port->to_client);
}

/* As much as the socket takes now; the rest when it is writable. */
static void client_write(struct console_port *port)
{
	struct evbuffer_iovec part;

	while (evbuffer_peek(port->to_client, -1, NULL, &part, 1) > 0 && part.iov_len) {
		ssize_t n = send(port->client_fd, part.iov_base, part.iov_len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			event_add(port->write_event, NULL);
			return;
		}
		/* A client that has gone is noticed by its own event, not in the middle of a chain. */
		evbuffer_drain(port->to_client,
			       n < 0 ? evbuffer_get_length(port->to_client) : (size_t)n);
	}
}

static void client_queue(struct console_port *port, const void *data, size_t bytes)
{
	size_t room;

	if (port->client_fd < 0) {
		port->n_dropped_bytes += is_console(port) ? 0 : bytes;
		return;
	}
	room = client_room(port);
	if (room < bytes)
		client_write(port);
	room = client_room(port);
	if (bytes > room) {
		port->n_dropped_bytes += bytes - room;
		bytes = room;
	}
	if (evbuffer_add(port->to_client, data, bytes))
		port->n_dropped_bytes += bytes;
}

/* Return: true when the whole chain has been taken. */
static bool chain_take(struct console_port *port)
{
	uint8_t bytes[CHUNK_BYTES];
	uint32_t n;

	for (;;) {
		size_t most = sizeof(bytes);

		if (is_console(port) && port->chain_done >= CONSOLE_CHAIN_BYTES_MAX)
			return true;
		if (!is_console(port) && port->client_fd < 0) {
			port->n_dropped_bytes += port->chain->out_bytes - port->chain_done;
			return true;
		}
		if (!is_console(port) && client_room(port) < most)
			most = client_room(port);
		if (!most)
			return port->chain_done == port->chain->out_bytes;
		n = queue_iov_read(port->chain, port->chain_done, bytes, (uint32_t)most);
		if (!n)
			return true;
		port->chain_done += n;
		if (is_console(port))
			log_file_write(&port->console->log, bytes, n);
		client_queue(port, bytes, n);
	}
}

static bool chain_next(struct console_port *port, unsigned int *budget)
{
	struct virtio_dev *dev = &port->console->dev;

	if (port->has_chain)
		return true;
	port->has_chain = queue_next(dev, console_port_tx(port), port->chain, budget);
	port->chain_done = 0;
	return port->has_chain;
}

void console_port_send(struct console_port *port)
{
	struct virtio_dev *dev = &port->console->dev;
	uint16_t index = console_port_tx(port);
	unsigned int budget = QUEUE_BATCH;

	/* A chain that was not taken whole stays: the client has to read first. */
	while (chain_next(port, &budget) && chain_take(port)) {
		port->has_chain = false;
		queue_push(dev, index, port->chain, 0);
	}
	queue_signal(dev, index);
	if (port->client_fd < 0)
		return;
	client_write(port);
	/* What made room may have taken all: then nothing else would bring us back to the chain. */
	if (port->has_chain)
		event_add(port->write_event, NULL);
}

static bool guest_listens(const struct console_port *port)
{
	bool ready = port->ready || !virtio_has(&port->console->dev, CONSOLE_F_MULTIPORT);

	return ready && (is_console(port) || port->guest_open);
}

static bool guest_takes_input(struct console_port *port)
{
	uint16_t index = console_port_rx(port);

	return guest_listens(port) && (!queue_is_empty(&port->console->dev, index) ||
				       queue_arm(&port->console->dev, index));
}

void console_port_receive(struct console_port *port)
{
	if (port->client_fd >= 0)
		event_add(port->read_event, NULL);
}

/* Return: false when the client has gone. */
static bool client_read(struct console_port *port)
{
	struct console *console = port->console;
	uint16_t index = console_port_rx(port);
	uint8_t bytes[CHUNK_BYTES];
	ssize_t n;

	/* A chain is taken only when there is something to put in: it cannot be put back. */
	n = recv(port->client_fd, bytes, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (!guest_takes_input(port)) {
		event_del(port->read_event);
		return true;
	}
	if (!queue_pop(&console->dev, index, &console->chain))
		return true;
	n = recv(port->client_fd, bytes,
		 console->chain.in_bytes < sizeof(bytes) ? console->chain.in_bytes : sizeof(bytes),
		 MSG_DONTWAIT);
	n = n < 0 ? 0 : n;
	queue_iov_write(&console->chain, 0, bytes, (uint32_t)n);
	queue_push(&console->dev, index, &console->chain, (uint32_t)n);
	queue_signal(&console->dev, index);
	return true;
}

static void client_readable(evutil_socket_t fd, short what, void *data)
{
	struct console_port *port = data;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&port->console->dev.lock);
	if (!client_read(port))
		client_leave(port);
	pthread_mutex_unlock(&port->console->dev.lock);
}

static void client_writable(evutil_socket_t fd, short what, void *data)
{
	struct console_port *port = data;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&port->console->dev.lock);
	client_write(port);
	if (port->has_chain)
		console_port_send(port);
	pthread_mutex_unlock(&port->console->dev.lock);
}

/* The client has closed its end. If somebody listens, he is given the rest first: client_read() finds the end. */
static void client_closed(evutil_socket_t fd, short what, void *data)
{
	struct console_port *port = data;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&port->console->dev.lock);
	if (guest_listens(port)) {
		event_del(port->closed_event);
		event_add(port->read_event, NULL);
	} else {
		client_leave(port);
	}
	pthread_mutex_unlock(&port->console->dev.lock);
}

static void client_join(struct console_port *port, int fd)
{
	struct event_base *events = vm_events(port->console->dev.vm);

	port->client_fd = fd;
	port->read_event = event_new(events, fd, EV_READ | EV_PERSIST, client_readable, port);
	port->write_event = event_new(events, fd, EV_WRITE, client_writable, port);
	port->closed_event = event_new(events, fd, EV_CLOSED | EV_PERSIST, client_closed, port);
	if (!port->read_event || !port->write_event || !port->closed_event ||
	    event_add(port->read_event, NULL) || event_add(port->closed_event, NULL)) {
		log_error("%s: no memory for a client of port %u", port->console->dev.id,
			  port->index);
		client_leave(port);
		return;
	}
	if (is_console(port))
		return;
	event_del(port->listen_event); /* the next one waits */
	port->tell_open = port->ready;
	console_control_flush(port->console);
}

static void listen_readable(evutil_socket_t listen_fd, short what, void *data)
{
	static const char taken_over[] = "\r\n[another client has taken this console over]\r\n";
	struct console_port *port = data;
	int fd = sock_accept(listen_fd);

	(void)what;
	if (fd < 0)
		return;
	pthread_mutex_lock(&port->console->dev.lock);
	if (port->client_fd >= 0) {
		/* If its socket is full, it is not reading, and will not read this either. */
		(void)send(port->client_fd, taken_over, sizeof(taken_over) - 1,
			   MSG_NOSIGNAL | MSG_DONTWAIT);
		client_leave(port);
	}
	client_join(port, fd);
	pthread_mutex_unlock(&port->console->dev.lock);
}

int console_port_open(struct console_port *port, struct console *console, uint32_t index,
		      const char *name, const char *path, struct err *err)
{
	port->console = console;
	port->index = index;
	memcpy(port->name, name, strnlen(name, sizeof(port->name) - 1));
	port->listen_fd = port->client_fd = -1;
	port->chain = malloc(sizeof(*port->chain));
	port->to_client = evbuffer_new();
	if (!port->chain || !port->to_client)
		return err_set(err, ENOMEM, "port %s: no memory", name);
	if (!path)
		return 0;
	port->listen_fd = sock_listen(path, err);
	if (port->listen_fd < 0)
		return port->listen_fd;
	port->path = strdup(path);
	port->listen_event = event_new(vm_events(console->dev.vm), port->listen_fd,
				       EV_READ | EV_PERSIST, listen_readable, port);
	if (!port->path || !port->listen_event || event_add(port->listen_event, NULL))
		return err_set(err, ENOMEM, "port %s: no memory", name);
	return 0;
}

void console_port_close(struct console_port *port)
{
	event_drop(&port->read_event);
	event_drop(&port->write_event);
	event_drop(&port->closed_event);
	event_drop(&port->listen_event);
	if (port->client_fd >= 0)
		close(port->client_fd);
	sock_unlisten(port->listen_fd, port->path);
	if (port->to_client)
		evbuffer_free(port->to_client);
	free(port->path);
	free(port->chain);
}
