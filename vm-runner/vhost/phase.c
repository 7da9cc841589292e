/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of messages, as rte_vhost needs it:
 *   handshake: SET_OWNER, features, protocol features, number of queues;
 *   start:     features, memory, per ring NUM ADDR BASE CALL KICK, and only then ENABLE and DRIVER_OK;
 *   stop:      ENABLE 0, then GET_VRING_BASE, whose answer means that the ring is no longer touched.
 *
 * A split ring starts at its used index: what the back-end before had taken but not given back is done again, so
 * nothing of a dead back-end is needed to go on. A packed ring's position is only known to who works it. A back-end that
 * stops in good order says where. For one that dies there is in-flight memory: at each start the back-end is asked for some,
 * which is kept, and given to the next one unless this one stopped in good order. Without it packed rings cannot be taken up, and
 * nobody guesses where they are: a wrong guess writes frames into memory that the guest uses for something else.
 *
 * The memory is never looked at by us. It is taken from the back-end only as a sealed memory file of bounded size, so that
 * keeping it costs what was said, and nobody who asks for its state can be made to wait.
 *
 * A start ends with a question any back-end answers: once it has, all before it has been worked off.
 */
#include "vhost/phase.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio/virtio.h"

#define BIT(n) (UINT64_C(1) << (n))

#define PROTOCOL_FEATURES_WANTED                                                                   \
	(BIT(VHOST_PF_MQ) | BIT(VHOST_PF_REPLY_ACK) | BIT(VHOST_PF_NET_MTU) |                      \
	 BIT(VHOST_PF_STATUS) | BIT(VHOST_PF_INFLIGHT))

#define PACKED_START	   0x8000 /* index 0, wrap counter 1 */
#define INFLIGHT_BYTES_MAX (UINT64_C(16) << 20)
#define INFLIGHT_SEALS	   (F_SEAL_SHRINK | F_SEAL_GROW)

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

void vhost_phase_init(struct vhost_talk *talk)
{
	memset(talk, 0, sizeof(*talk));
	talk->kept.inflight_fd = -1;
	vhost_phase_forget(talk);
}

static void inflight_drop(struct vhost_kept *kept)
{
	if (kept->inflight_fd >= 0)
		close(kept->inflight_fd);
	kept->inflight_fd = -1;
}

void vhost_phase_forget(struct vhost_talk *talk)
{
	inflight_drop(&talk->kept);
	talk->kept.touched = false;
	for (int i = 0; i < VHOST_RINGS_MAX; i++)
		talk->kept.bases[i] = PACKED_START;
}

static bool is_packed(const struct vhost_run *run)
{
	return run->features & BIT(VIRTIO_RING_PACKED);
}

const char *vhost_phase_unfit(const struct vhost_talk *talk, const struct vhost_run *run)
{
	if (!talk->kept.touched || !is_packed(run))
		return NULL;
	if (talk->kept.inflight_fd < 0)
		return "the one before died with the guest's packed rings and left no in-flight "
		       "state; the guest's driver has to be started anew";
	if (!has(talk, VHOST_PF_INFLIGHT))
		return "it cannot take up the in-flight state of the guest's packed rings; start "
		       "netloomd again, or the guest's driver anew";
	return NULL;
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

static void ring_message(struct vhost_talk *talk, const struct vhost_run *run, unsigned int part,
			 uint16_t index, struct vhost_message *message)
{
	const struct vhost_ring *ring = &run->rings[index];

	switch (part) {
	case 0:
		vhost_message_vring(message, VHOST_SET_VRING_NUM, index, ring->size);
		break;
	case 1:
		ring_addr(message, index, ring);
		break;
	case 2:
		vhost_message_vring(message, VHOST_SET_VRING_BASE, index,
				    is_packed(run) ? talk->kept.bases[index] : used_index(ring));
		break;
	case 3:
		vhost_message_fd(message, VHOST_SET_VRING_CALL, index, ring->call_fd);
		break;
	default:
		talk->kept.touched = true;
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

/* As large as the largest ring; all are told of, whether or not they are enabled. */
static bool inflight_ask(struct vhost_talk *talk, const struct vhost_run *run,
			 struct vhost_message *message)
{
	struct vhost_kept *kept = &talk->kept;

	/* Of a back-end that stopped in good order, or whose rings others have had since: no news in it. */
	if (!kept->touched || !has(talk, VHOST_PF_INFLIGHT))
		inflight_drop(kept);
	if (kept->inflight_fd >= 0 || !has(talk, VHOST_PF_INFLIGHT))
		return false;
	memset(&kept->inflight, 0, sizeof(kept->inflight));
	kept->inflight.n_rings = run->n_rings;
	for (uint16_t i = 0; i < run->n_rings; i++)
		if (run->rings[i].size > kept->inflight.ring_size)
			kept->inflight.ring_size = run->rings[i].size;
	vhost_message_inflight(message, VHOST_GET_INFLIGHT_FD, &kept->inflight, -1);
	return true;
}

#define START_FIRST_RING 6U

static bool start_step(struct vhost_talk *talk, unsigned int step, const struct vhost_run *run,
		       uint64_t enabled, const struct guest_mem *mem, struct vhost_message *message)
{
	unsigned int enable_at = START_FIRST_RING + run->n_rings * RING_PARTS;
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
	case 4:
		return inflight_ask(talk, run, message);
	case 5:
		vhost_message_inflight(message, VHOST_SET_INFLIGHT_FD, &talk->kept.inflight,
				       talk->kept.inflight_fd);
		if (has(talk, VHOST_PF_REPLY_ACK))
			message->header.flags |= VHOST_NEED_REPLY;
		return talk->kept.inflight_fd >= 0;
	}
	if (step < enable_at) {
		unsigned int at = step - START_FIRST_RING;

		ring_message(talk, run, at % RING_PARTS, (uint16_t)(at / RING_PARTS), message);
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
	talk->kept.touched = false; /* all have said where they stopped */
	vhost_message_u64(message, VHOST_SET_STATUS, 0);
	return has(talk, VHOST_PF_STATUS);
}

static unsigned int steps_of(const struct vhost_talk *talk, const struct vhost_run *run)
{
	switch (talk->phase) {
	case VHOST_PHASE_HANDSHAKE:
		return 5;
	case VHOST_PHASE_STARTING:
		return START_FIRST_RING + run->n_rings * (RING_PARTS + 1U) + 2;
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

/* The back-end's memory for in-flight state: taken over if it is as large as it says, for good. */
static const char *inflight_take(struct vhost_kept *kept, struct vhost_reply *reply)
{
	const struct vhost_inflight *said = &reply->inflight;
	int seals = reply->fd < 0 ? -1 : fcntl(reply->fd, F_GET_SEALS);
	struct stat st;

	if (reply->fd < 0)
		return "its in-flight memory came without a file descriptor";
	if (said->bytes == 0 || said->bytes > INFLIGHT_BYTES_MAX ||
	    said->offset > INFLIGHT_BYTES_MAX)
		return "its in-flight memory is larger than 16 MiB, or empty";
	if (seals < 0 || (seals & INFLIGHT_SEALS) != INFLIGHT_SEALS)
		return "its in-flight memory is not a memory file sealed against growing and "
		       "shrinking";
	if (fstat(reply->fd, &st) < 0 || (uint64_t)st.st_size < said->offset + said->bytes ||
	    (uint64_t)st.st_size > 2 * INFLIGHT_BYTES_MAX)
		return "its in-flight memory is not as large as it says";
	kept->inflight.bytes = said->bytes;
	kept->inflight.offset = said->offset;
	kept->inflight_fd = reply->fd;
	reply->fd = -1;
	return NULL;
}

static const char *acknowledged(const struct vhost_message *sent, const struct vhost_reply *reply)
{
	if (!reply->u64)
		return NULL;
	return sent->header.request == VHOST_SET_INFLIGHT_FD
		       ? "it refused the in-flight state it was given"
		       : "it could not map the guest's memory";
}

const char *vhost_phase_answer(struct vhost_talk *talk, const struct vhost_message *sent,
			       struct vhost_reply *reply)
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
		talk->kept.bases[reply->index] = (uint16_t)reply->u64;
		return NULL;
	case VHOST_GET_INFLIGHT_FD:
		return inflight_take(&talk->kept, reply);
	}
	return acknowledged(sent, reply);
}
