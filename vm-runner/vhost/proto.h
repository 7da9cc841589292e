/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user protocol's messages, as far as a network front-end speaks it. The specification is QEMU's
 * docs/interop/vhost-user; what rte_vhost expects decided on the order in which we send.
 */
#ifndef VM_VHOST_PROTO_H
#define VM_VHOST_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"

enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_NET_SET_MTU = 20,
	VHOST_GET_INFLIGHT_FD = 31,
	VHOST_SET_INFLIGHT_FD = 32,
	VHOST_SET_STATUS = 39,
};

/* header flags */
#define VHOST_VERSION	   0x1
#define VHOST_VERSION_MASK 0x3
#define VHOST_REPLY	   0x4
#define VHOST_NEED_REPLY   0x8

/* a virtio feature bit that only the protocol uses */
#define VHOST_F_PROTOCOL_FEATURES 30

/* protocol feature bits we use */
#define VHOST_PF_MQ	   0
#define VHOST_PF_REPLY_ACK 3
#define VHOST_PF_NET_MTU   4
#define VHOST_PF_INFLIGHT  12
#define VHOST_PF_STATUS	   16

#define VHOST_VRING_NO_FD 0x100 /* in the u64 of KICK and CALL */

struct vhost_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
};

struct vhost_vring_state {
	uint32_t index;
	uint32_t num;
};

struct vhost_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc, used, avail; /* addresses in our own address space */
	uint64_t log;
};

struct vhost_mem_region {
	uint64_t gpa;
	uint64_t bytes;
	uint64_t user_addr; /* in our own address space */
	uint64_t mmap_offset;
};

struct vhost_mem_table {
	uint32_t n_regions;
	uint32_t padding;
	struct vhost_mem_region regions[MEM_REGIONS_MAX];
};

/* GET_INFLIGHT_FD, its answer, and SET_INFLIGHT_FD; the padding is sent by all implementations we know. */
struct vhost_inflight {
	uint64_t bytes;
	uint64_t offset;
	uint16_t n_rings;
	uint16_t ring_size;
	uint32_t padding;
};

/* One message to the back-end, host byte order as the specification has it. */
struct vhost_message {
	struct vhost_header header;
	union {
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct vhost_mem_table mem;
		struct vhost_inflight inflight;
	} payload;
	unsigned int n_fds;
	int fds[MEM_REGIONS_MAX]; /* borrowed until sent */
};

_Static_assert(sizeof(struct vhost_header) == 12, "vhost-user: header");
_Static_assert(offsetof(struct vhost_message, payload) == 16, "header and payload are sent apart");

/** vhost_message_init() - Start a message without payload */
void vhost_message_init(struct vhost_message *message, enum vhost_request request);
void vhost_message_u64(struct vhost_message *message, enum vhost_request request, uint64_t value);
void vhost_message_vring(struct vhost_message *message, enum vhost_request request, uint32_t index,
			 uint32_t num);
/** vhost_message_mem() - SET_MEM_TABLE with one fd per region */
void vhost_message_mem(struct vhost_message *message, const struct guest_mem *mem);
/** vhost_message_fd() - KICK or CALL with an eventfd, or without (@fd -1: polling) */
void vhost_message_fd(struct vhost_message *message, enum vhost_request request, uint32_t index,
		      int fd);

/**
 * vhost_message_inflight() - GET_INFLIGHT_FD or SET_INFLIGHT_FD
 * @fd: -1 for the question
 */
void vhost_message_inflight(struct vhost_message *message, enum vhost_request request,
			    const struct vhost_inflight *inflight, int fd);

/** vhost_message_has_reply() - Does the back-end answer this one? */
bool vhost_message_has_reply(const struct vhost_message *message);

/* What the back-end answered. */
struct vhost_reply {
	uint64_t u64;
	uint32_t index;			/* GET_VRING_BASE only */
	struct vhost_inflight inflight; /* GET_INFLIGHT_FD only; the descriptor comes beside it */
	int fd; /* that descriptor; set by the caller, -1 when there is none */
};

#define VHOST_REPLY_BYTES_MAX (sizeof(struct vhost_header) + sizeof(struct vhost_inflight))

/**
 * vhost_reply_parse() - Check and read what the back-end has sent so far
 * @sent:  the message we wait for an answer to
 * @bytes: received, hostile
 * @n:     how many, up to VHOST_REPLY_BYTES_MAX
 * @why:   phrase, set on -EPROTO
 *
 * Return: 0 with @reply filled; -EAGAIN when more has to come; -EPROTO when it is no answer to @sent.
 */
int vhost_reply_parse(const struct vhost_message *sent, const uint8_t *bytes, size_t n,
		      struct vhost_reply *reply, const char **why);

#endif
