/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building vhost-user messages and checking the answers. Pure: no socket, no state. All answers a network
 * front-end asks for are 8 bytes (a u64, or ring index and number), but the one about in-flight memory.
 */
#include "vhost/proto.h"

#include <errno.h>
#include <string.h>

void vhost_message_init(struct vhost_message *message, enum vhost_request request)
{
	memset(message, 0, sizeof(*message));
	message->header.request = request;
	message->header.flags = VHOST_VERSION;
}

void vhost_message_u64(struct vhost_message *message, enum vhost_request request, uint64_t value)
{
	vhost_message_init(message, request);
	message->payload.u64 = value;
	message->header.size = sizeof(message->payload.u64);
}

void vhost_message_vring(struct vhost_message *message, enum vhost_request request, uint32_t index,
			 uint32_t num)
{
	vhost_message_init(message, request);
	message->payload.state = (struct vhost_vring_state){.index = index, .num = num};
	message->header.size = sizeof(message->payload.state);
}

void vhost_message_mem(struct vhost_message *message, const struct guest_mem *mem)
{
	vhost_message_init(message, VHOST_SET_MEM_TABLE);
	message->payload.mem.n_regions = mem->n_regions;
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct mem_region *region = &mem->regions[i];

		message->payload.mem.regions[i] =
			(struct vhost_mem_region){.gpa = region->gpa,
						  .bytes = region->bytes,
						  .user_addr = (uintptr_t)region->host};
		message->fds[i] = region->fd;
	}
	message->n_fds = mem->n_regions;
	message->header.size = (uint32_t)(offsetof(struct vhost_mem_table, regions) +
					  mem->n_regions * sizeof(struct vhost_mem_region));
}

void vhost_message_fd(struct vhost_message *message, enum vhost_request request, uint32_t index,
		      int fd)
{
	vhost_message_u64(message, request, fd < 0 ? index | VHOST_VRING_NO_FD : index);
	if (fd < 0)
		return;
	message->fds[0] = fd;
	message->n_fds = 1;
}

void vhost_message_inflight(struct vhost_message *message, enum vhost_request request,
			    const struct vhost_inflight *inflight, int fd)
{
	vhost_message_init(message, request);
	message->payload.inflight = *inflight;
	message->header.size = sizeof(*inflight);
	if (fd < 0)
		return;
	message->fds[0] = fd;
	message->n_fds = 1;
}

bool vhost_message_has_reply(const struct vhost_message *message)
{
	switch (message->header.request) {
	case VHOST_GET_FEATURES:
	case VHOST_GET_PROTOCOL_FEATURES:
	case VHOST_GET_QUEUE_NUM:
	case VHOST_GET_VRING_BASE:
	case VHOST_GET_INFLIGHT_FD:
		return true;
	}
	return message->header.flags & VHOST_NEED_REPLY;
}

int vhost_reply_parse(const struct vhost_message *sent, const uint8_t *bytes, size_t n,
		      struct vhost_reply *reply, const char **why)
{
	struct vhost_header header;
	struct vhost_vring_state state;
	size_t due = sent->header.request == VHOST_GET_INFLIGHT_FD ? sizeof(reply->inflight)
								   : sizeof(reply->u64);

	*why = NULL;
	if (n < sizeof(header))
		return -EAGAIN;
	memcpy(&header, bytes, sizeof(header));
	if (!vhost_message_has_reply(sent))
		*why = "it answered where no answer was due";
	else if ((header.flags & VHOST_VERSION_MASK) != VHOST_VERSION)
		*why = "it speaks another version of the protocol";
	else if (!(header.flags & VHOST_REPLY))
		*why = "it sent something that is not an answer";
	else if (header.request != sent->header.request)
		*why = "it answered another question";
	else if (header.size != due)
		*why = "its answer has the wrong length";
	else if (n > sizeof(header) + due)
		*why = "it spoke without being asked";
	if (*why)
		return -EPROTO;
	if (n < sizeof(header) + header.size)
		return -EAGAIN;
	memcpy(&reply->u64, bytes + sizeof(header), sizeof(reply->u64));
	reply->index = 0;
	if (header.request == VHOST_GET_INFLIGHT_FD)
		memcpy(&reply->inflight, bytes + sizeof(header), sizeof(reply->inflight));
	if (header.request == VHOST_GET_VRING_BASE) {
		memcpy(&state, bytes + sizeof(header), sizeof(state));
		reply->index = state.index;
		reply->u64 = state.num;
		if (state.index != sent->payload.state.index) {
			*why = "it answered for another ring";
			return -EPROTO;
		}
	}
	return 0;
}
