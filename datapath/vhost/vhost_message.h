/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user messages as rte_vhost shows them before it handles them. Private to datapath/vhost.
 *
 * rte_vhost handles everything it knows, whether or not the protocol feature behind it was offered, and trusts the size
 * field. So what a front-end may say is listed here, with the payload each must have; all else is refused.
 */
#ifndef DATAPATH_VHOST_VHOST_MESSAGE_H
#define DATAPATH_VHOST_VHOST_MESSAGE_H

#include <rte_version.h>
#include <stdbool.h>
#include <stdint.h>

/* Requests: vhost-user specification, "Front-end message types". */
enum vhost_request {
	VHOST_REQ_GET_FEATURES = 1,
	VHOST_REQ_SET_FEATURES = 2,
	VHOST_REQ_SET_OWNER = 3,
	VHOST_REQ_RESET_OWNER = 4,
	VHOST_REQ_SET_MEM_TABLE = 5,
	VHOST_REQ_SET_VRING_NUM = 8,
	VHOST_REQ_SET_VRING_ADDR = 9,
	VHOST_REQ_SET_VRING_BASE = 10,
	VHOST_REQ_GET_VRING_BASE = 11,
	VHOST_REQ_SET_VRING_KICK = 12,
	VHOST_REQ_SET_VRING_CALL = 13,
	VHOST_REQ_SET_VRING_ERR = 14,
	VHOST_REQ_GET_PROTOCOL_FEATURES = 15,
	VHOST_REQ_SET_PROTOCOL_FEATURES = 16,
	VHOST_REQ_GET_QUEUE_NUM = 17,
	VHOST_REQ_SET_VRING_ENABLE = 18,
	VHOST_REQ_NET_SET_MTU = 20,
	VHOST_REQ_GET_INFLIGHT_FD = 31,
	VHOST_REQ_SET_INFLIGHT_FD = 32,
	VHOST_REQ_SET_STATUS = 39,
	VHOST_REQ_GET_STATUS = 40,
};

#define VHOST_MESSAGE_RING_MASK 0xff /* KICK, CALL and ERR have flags above the ring's index */
#define VHOST_MESSAGE_FDS_MAX	8

/* rte_vhost's message context, which its headers do not show; checked for this series only. */
_Static_assert(
	RTE_VER_YEAR == 22 && RTE_VER_MONTH == 11,
	"compare struct vhost_message with vhu_msg_context in DPDK's lib/vhost/vhost_user.h");

/* GET_INFLIGHT_FD and its answer, SET_INFLIGHT_FD */
struct vhost_message_inflight {
	uint64_t mmap_size;
	uint64_t mmap_offset;
	uint16_t n_queues;
	uint16_t queue_size;
	uint32_t padding; /* sent by all implementations we know */
} __attribute__((packed));

struct vhost_message {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
	union {
		uint64_t u64;
		uint32_t index;	    /* of the ring, in all messages about one */
		uint32_t n_regions; /* SET_MEM_TABLE */
		struct vhost_message_inflight inflight;
		uint8_t bytes[632];
	} __attribute__((packed)) payload;
	int fds[VHOST_MESSAGE_FDS_MAX]; /* -1: taken or closed */
	int n_fds;
} __attribute__((packed));

/** vhost_message_is_expected() - Whether the request is one we let front-ends make, with all of its payload */
bool vhost_message_is_expected(const struct vhost_message *msg);

/** vhost_message_close_fds() - Close what came with a message that rte_vhost will not handle */
void vhost_message_close_fds(struct vhost_message *msg);

#endif
