/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of messages, as rte_vhost needs it:
 *   handshake: SET_OWNER, features, protocol features, number of queues;
 *   start:     features, memory, per ring NUM ADDR BASE CALL KICK, and only then ENABLE and DRIVER_OK;
 *   stop:      ENABLE 0, then GET_VRING_BASE, whose answer means that the ring is no longer touched.
 *
 * A ring starts at its used index: what the back-end before had taken but not given back is done again, so
 * nothing of a dead back-end is needed to go on. (Split rings only; we offer no others.)
 *
 * A start ends with a question any back-end answers: once it has, all before it has been worked off.
 */
#include "vhost/phase.h"

#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

#define PROTOCOL_FEATURES_WANTED                                                                   \
	(BIT(VHOST_PF_MQ) | BIT(VHOST_PF_REPLY_ACK) | BIT(VHOST_PF_NET_MTU) | BIT(VHOST_PF_STATUS))

/* virtio 1.2 §2.1 */
#define STATUS_FEATURES_OK (1 | 2 | 8)
#define STATUS_DRIVER_OK   (STATUS_FEATURES_OK | 4)

static bool has(const struct vhost_talk *talk, unsigned int protocol_feature)
{
	return talk->protocol_features & BIT(protocol_feature);
}

static bool has_protocol(const struct vhost_talk *talk)
{
	return talk->features & BIT(VHOST_F_PROTOCOL_FEATURES);
}

void vhost_phase_enter(struct vhost_talk *talk, enum vhost_phase phase)
{
	talk->phase = phase;
	talk->step = 0;
	if (phase == VHOST_PHASE_HANDSHAKE) {
		talk->features = talk->protocol_features = talk->enabled_sent = 0;
		talk->n_pairs = 1;
	}
}

/* Each step yields at most one message; a step that does not apply yields none. */
static bool handshake_step(struct vhost_talk *talk, unsigned int step,
			   struct vhost_message *message)
{
	switch (step) {
	case 0:
		vhost_message_init(message, VHOST_SET_OWNER);
		return true;
	case 1:
		vhost_message_init(message, VHOST_GET_FEATURES);
		return true;
	case 2:
		vhost_message_init(message, VHOST_GET_PROTOCOL_FEATURES);
		return has_protocol(talk);
	case 3:
		vhost_message_u64(message, VHOST_SET_PROTOCOL_FEATURES, talk->protocol_features);
		return has_protocol(talk);
	case 4:
		vhost_message_init(message, VHOST_GET_QUEUE_NUM);
		return has(talk, VHOST_PF_MQ);
	}
	return false;
}

static uint16_t used_index(const struct vhost_ring *ring)
{
	return __atomic_load_n((const uint16_t *)ring->used + 1, __ATOMIC_ACQUIRE);
}

static void ring_addr(struct vhost_message *message, uint16_t index, const struct vhost_ring *ring)
{
	vhost_message_init(message, VHOST_SET_VRING_ADDR);
	message->payload.addr = (struct vhost_vring_addr){.index = index,
							  .desc = (uintptr_t)ring->desc,
							  .used = (uintptr_t)ring->used,
							  .avail = (uintptr_t)ring->avail};
	message->header.size = sizeof(message->payload.addr);
}

static void ring_message(struct vhost_message *message, unsigned int part, uint16_t index,
			 const struct vhost_ring *ring)
{
	switch (part) {
	case 0:
		vhost_message_vring(message, VHOST_SET_VRING_NUM, index, ring->size);
		break;
	case 1:
		ring_addr(message, index, ring);
		break;
	case 2:
		vhost_message_vring(message, VHOST_SET_VRING_BASE, index, used_index(ring));
		break;
	case 3:
		vhost_message_fd(message, VHOST_SET_VRING_CALL, index, ring->call_fd);
		break;
	default:
		vhost_message_fd(message, VHOST_SET_VRING_KICK, index, ring->kick_fd);
		break;
	}
}

#define RING_PARTS 5

static void ring_enable(struct vhost_talk *talk, struct vhost_message *message, uint16_t index,
			bool enable)
{
	vhost_message_vring(message, VHOST_SET_VRING_ENABLE, index, enable);
	if (enable)
		talk->enabled_sent |= BIT(index);
	else
		talk->enabled_sent &= ~BIT(index);
}

static bool start_step(struct vhost_talk *talk, unsigned int step, const struct vhost_run *run,
		       uint64_t enabled, const struct guest_mem *mem, struct vhost_message *message)
{
	unsigned int enable_at = 4U + run->n_rings * RING_PARTS;
	unsigned int end_at = enable_at + run->n_rings;

	switch (step) {
	case 0:
		vhost_message_u64(message, VHOST_SET_FEATURES,
				  run->features |
					  (talk->features & BIT(VHOST_F_PROTOCOL_FEATURES)));
		return true;
	case 1:
		vhost_message_u64(message, VHOST_SET_STATUS, STATUS_FEATURES_OK);
		return has(talk, VHOST_PF_STATUS);
	case 2:
		vhost_message_mem(message, mem);
		if (has(talk, VHOST_PF_REPLY_ACK))
			message->header.flags |= VHOST_NEED_REPLY;
		return true;
	case 3:
		vhost_message_u64(message, VHOST_NET_SET_MTU, run->mtu);
		return run->mtu && has(talk, VHOST_PF_NET_MTU);
	}
	if (step < enable_at) {
		uint16_t ring = (uint16_t)((step - 4) / RING_PARTS);

		ring_message(message, (step - 4) % RING_PARTS, ring, &run->rings[ring]);
		return true;
	}
	if (step < end_at) {
		uint16_t ring = (uint16_t)(step - enable_at);

		ring_enable(talk, message, ring, enabled & BIT(ring));
		/* Without protocol features rings are enabled by their kick fd. */
		return has_protocol(talk);
	}
	if (step == end_at) {
		vhost_message_u64(message, VHOST_SET_STATUS, STATUS_DRIVER_OK);
		return has(talk, VHOST_PF_STATUS);
	}
	vhost_message_init(message, VHOST_GET_FEATURES);
	return true;
}

static bool stop_step(struct vhost_talk *talk, unsigned int step, const struct vhost_run *run,
		      struct vhost_message *message)
{
	if (step < run->n_rings) {
		ring_enable(talk, message, (uint16_t)step, false);
		return has_protocol(talk);
	}
	if (step < 2U * run->n_rings) {
		vhost_message_vring(message, VHOST_GET_VRING_BASE, step - run->n_rings, 0);
		return true;
	}
	vhost_message_u64(message, VHOST_SET_STATUS, 0);
	return has(talk, VHOST_PF_STATUS);
}

static unsigned int steps_of(const struct vhost_talk *talk, const struct vhost_run *run)
{
	switch (talk->phase) {
	case VHOST_PHASE_HANDSHAKE:
		return 5;
	case VHOST_PHASE_STARTING:
		return 4U + run->n_rings * (RING_PARTS + 1U) + 2;
	case VHOST_PHASE_STOPPING:
		return 2U * run->n_rings + 1;
	default:
		return 0;
	}
}

/* While running, the only news is which rings are to be served. */
static bool enable_next(struct vhost_talk *talk, const struct vhost_run *run, uint64_t enabled,
			struct vhost_message *message)
{
	uint64_t rings = BIT(run->n_rings) - 1;
	uint64_t differ = (enabled ^ talk->enabled_sent) & rings;
	uint16_t ring;

	if (!differ || !has_protocol(talk))
		return false;
	ring = (uint16_t)__builtin_ctzll(differ);
	ring_enable(talk, message, ring, enabled & BIT(ring));
	return true;
}

bool vhost_phase_next(struct vhost_talk *talk, const struct vhost_run *run, uint64_t enabled,
		      const struct guest_mem *mem, struct vhost_message *message)
{
	if (talk->phase == VHOST_PHASE_RUNNING)
		return enable_next(talk, run, enabled, message);
	while (talk->step < steps_of(talk, run)) {
		unsigned int step = talk->step++;

		if (talk->phase == VHOST_PHASE_HANDSHAKE ? handshake_step(talk, step, message)
		    : talk->phase == VHOST_PHASE_STARTING
			    ? start_step(talk, step, run, enabled, mem, message)
			    : stop_step(talk, step, run, message))
			return true;
	}
	return false;
}

const char *vhost_phase_answer(struct vhost_talk *talk, const struct vhost_message *sent,
			       const struct vhost_reply *reply)
{
	switch (sent->header.request) {
	case VHOST_GET_FEATURES:
		if (talk->phase == VHOST_PHASE_HANDSHAKE)
			talk->features = reply->u64;
		return NULL;
	case VHOST_GET_PROTOCOL_FEATURES:
		talk->protocol_features = reply->u64 & PROTOCOL_FEATURES_WANTED;
		return NULL;
	case VHOST_GET_QUEUE_NUM:
		talk->n_pairs = reply->u64;
		return reply->u64 ? NULL : "it has no queues";
	case VHOST_GET_VRING_BASE:
		return NULL;
	}
	return reply->u64 ? "it could not map the guest's memory" : NULL;
}
