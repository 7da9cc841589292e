/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control queue: virtio 1.2 §5.1.6.5. Answered here and at once: Linux spins on a vCPU until the answer
 * is there. What a command means for the back-end (queue pairs, guest offloads) is noted and passed on
 * afterwards.
 *
 * Receive filters (promiscuous mode, MAC tables) are accepted and not applied: the switch delivers what is
 * for the card's addresses or flooded, and a filter is a permission to deliver less, not a duty (§5.1.6.5.1).
 *
 * Threads: main, with dev.lock held.
 */
#include <endian.h>
#include <string.h>

#include "virtio/net_dev.h"

#define ACK_OK	0
#define ACK_ERR 1

#define CLASS_RX	     0
#define CLASS_MAC	     1
#define CLASS_ANNOUNCE	     3
#define CLASS_MQ	     4
#define CLASS_GUEST_OFFLOADS 5

#define RX_ALLMULTI   1 /* 0 is promiscuous; the others need CTRL_RX_EXTRA */
#define MAC_TABLE_SET 0
#define MAC_ADDR_SET  1

#define COMMAND_BYTES_MAX 256 /* longer ones are MAC tables, of which only the shape is looked at */

struct command {
	uint8_t class;
	uint8_t command;
	const uint8_t *data; /* a copy */
	uint32_t bytes;	     /* of the whole command; may exceed what was copied */
	const struct queue_chain *chain;
};

uint16_t net_control_index(const struct net *net)
{
	return virtio_has(&net->dev, NET_F_MQ) ? net->n_pairs * 2 : 2;
}

static bool rx_command(const struct command *command)
{
	return command->command <= RX_ALLMULTI && command->bytes == 1 && command->data[0] <= 1;
}

/* Two tables, each a le32 count and that many addresses. */
static bool mac_table_is_sound(const struct command *command)
{
	uint32_t offset = 2, n;

	for (int table = 0; table < 2; table++) {
		if (queue_iov_read(command->chain, offset, &n, sizeof(n)) != sizeof(n))
			return false;
		n = le32toh(n);
		offset += sizeof(n);
		if (n > (command->bytes + 2 - offset) / 6)
			return false;
		offset += n * 6;
	}
	return offset == command->bytes + 2;
}

static bool mac_command(struct net *net, const struct command *command)
{
	if (command->command == MAC_TABLE_SET)
		return mac_table_is_sound(command);
	if (command->command != MAC_ADDR_SET || command->bytes != 6 || command->data[0] & 1)
		return false;
	memcpy(net->config.mac, command->data, 6);
	return true;
}

static bool announce_command(struct net *net, const struct command *command)
{
	if (command->command != 0)
		return false;
	net->config.status &= htole16((uint16_t)~NET_S_ANNOUNCE);
	return true;
}

static bool mq_command(struct net *net, const struct command *command)
{
	uint16_t n;

	if (!virtio_has(&net->dev, NET_F_MQ) || command->command != 0 ||
	    command->bytes != sizeof(n))
		return false;
	memcpy(&n, command->data, sizeof(n));
	n = le16toh(n);
	if (n < 1 || n > net->n_pairs || n * 2 > net->run.n_rings)
		return false;
	net->enabled_changed |= n != net->n_active_pairs;
	net->n_active_pairs = n;
	return true;
}

static bool offloads_command(struct net *net, const struct command *command)
{
	uint64_t wanted;

	if (!virtio_has(&net->dev, NET_F_CTRL_GUEST_OFFLOADS) || command->command != 0 ||
	    command->bytes != sizeof(wanted))
		return false;
	memcpy(&wanted, command->data, sizeof(wanted));
	wanted = le64toh(wanted);
	if (wanted & ~net_features_guest_offloads(net->dev.acked))
		return false;
	net->run_changed |= wanted != net->guest_offloads;
	net->guest_offloads = wanted;
	return true;
}

static bool command_do(struct net *net, const struct command *command)
{
	switch (command->class) {
	case CLASS_RX:
		return rx_command(command);
	case CLASS_MAC:
		return mac_command(net, command);
	case CLASS_ANNOUNCE:
		return announce_command(net, command);
	case CLASS_MQ:
		return mq_command(net, command);
	case CLASS_GUEST_OFFLOADS:
		return offloads_command(net, command);
	}
	return false;
}

/* A command is class, command, data in the readable parts, and one byte to write the answer to. */
static void chain_serve(struct net *net, uint16_t index, const struct queue_chain *chain)
{
	uint8_t bytes[COMMAND_BYTES_MAX] = {0};
	struct command command = {.data = bytes + 2, .chain = chain};
	uint8_t ack = ACK_ERR;

	if (chain->out_bytes < 2 || chain->in_bytes < 1) {
		queue_break(&net->dev, index, "a control command without room for its answer");
		return;
	}
	queue_iov_read(chain, 0, bytes, sizeof(bytes));
	command.class = bytes[0];
	command.command = bytes[1];
	command.bytes = chain->out_bytes - 2;
	if (command_do(net, &command))
		ack = ACK_OK;
	queue_iov_write(chain, 0, &ack, sizeof(ack));
	queue_push(&net->dev, index, chain, sizeof(ack));
}

void net_control_serve(struct net *net)
{
	uint16_t index = net_control_index(net);
	unsigned int budget = QUEUE_BATCH;

	while (queue_next(&net->dev, index, net->chain, &budget))
		chain_serve(net, index, net->chain);
	queue_signal(&net->dev, index);
}
