/* SPDX-License-Identifier: BSD-3-Clause */
/* Which vhost-user messages are let through to rte_vhost; see vhost_message.h. Runs on rte_vhost's thread. */
#include "vhost/vhost_message.h"

#include <unistd.h>

#define STATE_LEN    8	/* index, number */
#define ADDR_LEN     40 /* index, flags, four addresses */
#define TABLE_LEN    8	/* number of regions, padding */
#define REGION_LEN   32
#define INFLIGHT_LEN 20 /* without padding */

/* Bytes of payload each request must have, + 1: 0 is a request that we do not take. */
static const uint8_t payload_len[] = {
	[VHOST_REQ_GET_FEATURES] = 1,
	[VHOST_REQ_SET_FEATURES] = 1 + sizeof(uint64_t),
	[VHOST_REQ_SET_OWNER] = 1,
	[VHOST_REQ_RESET_OWNER] = 1,
	[VHOST_REQ_SET_MEM_TABLE] = 1 + TABLE_LEN,
	[VHOST_REQ_SET_VRING_NUM] = 1 + STATE_LEN,
	[VHOST_REQ_SET_VRING_ADDR] = 1 + ADDR_LEN,
	[VHOST_REQ_SET_VRING_BASE] = 1 + STATE_LEN,
	[VHOST_REQ_GET_VRING_BASE] = 1 + STATE_LEN,
	[VHOST_REQ_SET_VRING_KICK] = 1 + sizeof(uint64_t),
	[VHOST_REQ_SET_VRING_CALL] = 1 + sizeof(uint64_t),
	[VHOST_REQ_SET_VRING_ERR] = 1 + sizeof(uint64_t),
	[VHOST_REQ_GET_PROTOCOL_FEATURES] = 1,
	[VHOST_REQ_SET_PROTOCOL_FEATURES] = 1 + sizeof(uint64_t),
	[VHOST_REQ_GET_QUEUE_NUM] = 1,
	[VHOST_REQ_SET_VRING_ENABLE] = 1 + STATE_LEN,
	[VHOST_REQ_NET_SET_MTU] = 1 + sizeof(uint64_t),
	[VHOST_REQ_GET_INFLIGHT_FD] = 1 + INFLIGHT_LEN,
	[VHOST_REQ_SET_INFLIGHT_FD] = 1 + INFLIGHT_LEN,
	[VHOST_REQ_SET_STATUS] = 1 + sizeof(uint64_t),
	[VHOST_REQ_GET_STATUS] = 1,
};

bool vhost_message_is_expected(const struct vhost_message *msg)
{
	uint32_t len;

	if (msg->request >= sizeof(payload_len) || payload_len[msg->request] == 0)
		return false;
	len = payload_len[msg->request] - 1;
	if (msg->size < len)
		return false;
	if (msg->request != VHOST_REQ_SET_MEM_TABLE)
		return true;
	return msg->payload.n_regions <= VHOST_MESSAGE_FDS_MAX &&
	       msg->size >= len + REGION_LEN * msg->payload.n_regions;
}

void vhost_message_close_fds(struct vhost_message *msg)
{
	for (int i = 0; i < msg->n_fds && i < VHOST_MESSAGE_FDS_MAX; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
		msg->fds[i] = -1;
	}
	msg->n_fds = 0;
}
