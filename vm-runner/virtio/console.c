/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-console, the device: virtio 1.2 §5.3. See console.h for what each port promises its client. */
#include "virtio/console.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/console_dev.h"

#define DEVICE_ID_CONSOLE  3
#define QUEUE_SIZE	   128
#define CONTROL_QUEUE_SIZE 64

_Static_assert(4 + CONSOLE_PORTS_MAX * 2 <= VIRTIO_QUEUES_MAX, "two queues per port");

/* virtio 1.2 §5.3.4; size and emergency write are not offered */
struct console_config {
	uint16_t cols, rows;
	uint32_t max_nr_ports;
};

static uint64_t console_features(struct virtio_dev *dev)
{
	(void)dev;
	return VIRTIO_BIT(CONSOLE_F_MULTIPORT) | VIRTIO_BIT(VIRTIO_RING_EVENT_IDX) |
	       VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC);
}

static void console_config_read(struct virtio_dev *dev, uint32_t offset, void *data, uint32_t bytes)
{
	struct console_config config = {.max_nr_ports = htole32(console_from(dev)->n_ports)};

	virtio_config_copy(&config, sizeof(config), offset, data, bytes);
}

static int console_activate(struct virtio_dev *dev)
{
	return dev->queues[0].enabled && dev->queues[1].enabled ? 0 : -EINVAL;
}

static bool console_reset(struct virtio_dev *dev)
{
	struct console *console = console_from(dev);

	for (uint32_t i = 0; i < console->n_ports; i++) {
		struct console_port *port = &console->ports[i];

		port->ready = port->guest_open = port->has_chain = false;
		port->tell_add = port->tell_console = port->tell_name = false;
		port->tell_close = port->tell_open = false;
	}
	return true;
}

static void console_queue_kicked(struct virtio_dev *dev, uint16_t index)
{
	struct console *console = console_from(dev);
	struct console_port *port;

	if (index == CONSOLE_QUEUE_CONTROL_RX) {
		console_control_flush(console);
	} else if (index == CONSOLE_QUEUE_CONTROL_TX) {
		console_control_serve(console);
	} else {
		port = &console->ports[index < 2 ? 0 : index / 2 - 1];
		if (index % 2)
			console_port_send(port);
		else
			console_port_receive(port);
	}
}

static void console_free(struct virtio_dev *dev)
{
	struct console *console = console_from(dev);

	for (uint32_t i = 0; i < console->n_ports; i++)
		console_port_close(&console->ports[i]);
	log_file_close(&console->log);
	virtio_dev_fini(dev);
	free(console);
}

static const struct virtio_dev_ops console_ops = {
	.device_id = DEVICE_ID_CONSOLE,
	.name = "virtio-console",
	.features = console_features,
	.config_read = console_config_read,
	.activate = console_activate,
	.reset = console_reset,
	.queue_kicked = console_queue_kicked,
	.free = console_free,
};

static int port_add(struct console *console, const char *name, const char *socket, struct err *err)
{
	uint32_t index = console->n_ports++;
	uint16_t rx;

	rx = (uint16_t)(index ? 2 + index * 2 : 0);
	console->dev.queues[rx].size_max = console->dev.queues[rx + 1].size_max = QUEUE_SIZE;
	console->dev.n_queues = (uint16_t)(4 + index * 2);
	return console_port_open(&console->ports[index], console, index, name, socket, err);
}

struct virtio_dev *console_new(struct vm *vm, const struct console_options *options,
			       struct err *err)
{
	struct console *console = calloc(1, sizeof(*console));

	if (!console) {
		err_set(err, ENOMEM, "console: no memory");
		return NULL;
	}
	virtio_dev_init(&console->dev, &console_ops, vm, NULL);
	console->dev.config_bytes = sizeof(struct console_config);
	console->dev.queues[CONSOLE_QUEUE_CONTROL_RX].size_max = CONTROL_QUEUE_SIZE;
	console->dev.queues[CONSOLE_QUEUE_CONTROL_TX].size_max = CONTROL_QUEUE_SIZE;
	if (log_file_open(&console->log, "console log", options->log, LOG_FILE_BYTES_MAX, err) ||
	    port_add(console, "console", options->socket, err)) {
		console_free(&console->dev);
		return NULL;
	}
	return &console->dev;
}

int console_port_add(struct virtio_dev *dev, const char *name, const char *socket, struct err *err)
{
	struct console *console = console_from(dev);
	size_t bytes = strlen(name);

	if (bytes == 0 || bytes >= CONSOLE_PORT_NAME_MAX)
		return err_set(err, EINVAL, "port \"%.80s\": a name has 1 to %d bytes", name,
			       CONSOLE_PORT_NAME_MAX - 1);
	for (size_t i = 0; i < bytes; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return err_set(err, EINVAL,
				       "port: a name is printable ASCII without spaces");
	for (uint32_t i = 1; i < console->n_ports; i++)
		if (!strcmp(console->ports[i].name, name))
			return err_set(err, EEXIST, "port \"%s\": there is one already", name);
	if (console->n_ports > CONSOLE_PORTS_MAX)
		return err_set(err, ENOSPC, "port \"%s\": there are %d already", name,
			       CONSOLE_PORTS_MAX);
	return port_add(console, name, socket, err);
}
