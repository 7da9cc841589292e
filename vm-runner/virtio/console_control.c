/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The multiport protocol: virtio 1.2 §5.3.6.2.
 *
 *   driver: DEVICE_READY      -> us: PORT_ADD for each port
 *   driver: PORT_READY        -> us: CONSOLE_PORT for port 0, PORT_NAME for the others, PORT_OPEN if a client is there
 *   driver: PORT_OPEN 0 or 1, when a process in the guest closes or opens the port
 *   us:     PORT_OPEN 0 or 1, when our client leaves or comes
 *
 * What we have to say is kept as flags per port, not as a list: a driver that offers no buffers costs no memory.
 */
#include <endian.h>
#include <string.h>

#include "virtio/console_dev.h"

#define DEVICE_READY 0
#define PORT_ADD     1
#define PORT_READY   3
#define CONSOLE_PORT 4
#define PORT_OPEN    6
#define PORT_NAME    7

struct control {
	uint32_t id;
	uint16_t event;
	uint16_t value;
};

struct say {
	bool *flag;
	uint16_t event, value;
};

static bool say_next(struct console_port *port, struct say *say)
{
	struct say all[] = {{&port->tell_add, PORT_ADD, 1},
			    {&port->tell_console, CONSOLE_PORT, 1},
			    {&port->tell_name, PORT_NAME, 1},
			    {&port->tell_close, PORT_OPEN, 0},
			    {&port->tell_open, PORT_OPEN, 1}};

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		/* Names and opening make sense to a port that is set up. */
		if (!*all[i].flag || (i > 0 && !port->ready))
			continue;
		*say = all[i];
		return true;
	}
	return false;
}

static bool say_put(struct console *console, struct console_port *port, const struct say *say)
{
	struct control control = {.id = htole32(port->index),
				  .event = htole16(say->event),
				  .value = htole16(say->value)};
	uint8_t bytes[sizeof(control) + CONSOLE_PORT_NAME_MAX];
	uint32_t n = sizeof(control);

	memcpy(bytes, &control, sizeof(control));
	if (say->event == PORT_NAME) { /* without a NUL: its end is the buffer's */
		memcpy(bytes + n, port->name, strlen(port->name));
		n += (uint32_t)strlen(port->name);
	}
	if (!queue_pop(&console->dev, CONSOLE_QUEUE_CONTROL_RX, &console->chain))
		return false;
	if (console->chain.in_bytes < n) {
		queue_break(&console->dev, CONSOLE_QUEUE_CONTROL_RX,
			    "a buffer too small for a control message");
		return false;
	}
	queue_iov_write(&console->chain, 0, bytes, n);
	queue_push(&console->dev, CONSOLE_QUEUE_CONTROL_RX, &console->chain, n);
	*say->flag = false;
	return true;
}

static bool say_all(struct console *console)
{
	struct say say;

	for (uint32_t i = 0; i < console->n_ports; i++)
		while (say_next(&console->ports[i], &say))
			if (!say_put(console, &console->ports[i], &say))
				return false;
	return true;
}

void console_control_flush(struct console *console)
{
	if (!virtio_has(&console->dev, CONSOLE_F_MULTIPORT))
		return;
	while (!say_all(console) && queue_arm(&console->dev, CONSOLE_QUEUE_CONTROL_RX))
		;
	queue_signal(&console->dev, CONSOLE_QUEUE_CONTROL_RX);
}

static void port_is_ready(struct console_port *port)
{
	port->ready = true;
	port->tell_console = port->index == 0;
	port->tell_name = port->index != 0;
	port->tell_close = false;
	/* The console is always there: what is written without a client goes to the log. */
	port->tell_open = port->index == 0 || port->client_fd >= 0;
}

static void heard(struct console *console, const struct control *control)
{
	uint32_t id = le32toh(control->id);
	uint16_t value = le16toh(control->value);

	switch (le16toh(control->event)) {
	case DEVICE_READY:
		for (uint32_t i = 0; i < console->n_ports && value == 1; i++)
			console->ports[i].tell_add = true;
		break;
	case PORT_READY:
		if (id < console->n_ports && value == 1)
			port_is_ready(&console->ports[id]);
		break;
	case PORT_OPEN:
		if (id >= console->n_ports)
			break;
		console->ports[id].guest_open = value == 1;
		console_port_receive(&console->ports[id]);
		break;
	}
}

void console_control_serve(struct console *console)
{
	unsigned int budget = QUEUE_BATCH;
	struct control control;

	while (queue_next(&console->dev, CONSOLE_QUEUE_CONTROL_TX, &console->chain, &budget)) {
		uint32_t n = queue_iov_read(&console->chain, 0, &control, sizeof(control));

		queue_push(&console->dev, CONSOLE_QUEUE_CONTROL_TX, &console->chain, 0);
		if (n == sizeof(control))
			heard(console, &control);
	}
	queue_signal(&console->dev, CONSOLE_QUEUE_CONTROL_TX);
	console_control_flush(console);
}
