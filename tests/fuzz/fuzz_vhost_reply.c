/* links: vm base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A back-end that answers anything it likes: the bytes of the input are what it sends, cut where the input says.
 * A whole conversation is driven from the first question on, without a socket: whatever is said, the front-end
 * either goes on to its next message, waits, or refuses; it never asks without end.
 *
 * Input: pairs of a length byte and that many bytes, each pair what one recv() yields.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vhost/phase.h"
#include "vhost/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES_MAX 2000 /* more than a start and a stop of 32 rings take */

static uint8_t used_ring[64] __attribute__((aligned(8)));

static void run_fill(struct vhost_run *run)
{
	memset(run, 0, sizeof(*run));
	run->features = 0x5ffffffff; /* packed rings, too */
	run->mtu = 1500;
	run->n_rings = 4;
	for (int i = 0; i < run->n_rings; i++)
		run->rings[i] = (struct vhost_ring){.size = 256,
						    .desc = used_ring,
						    .avail = used_ring,
						    .used = used_ring,
						    .kick_fd = 0,
						    .call_fd = -1};
}

/* What a sound back-end sends along with in-flight memory. */
static int memory_file(void)
{
	int fd = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 8192) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		abort();
	return fd;
}

/* Move on when a phase has no more to say: handshake, start, run, stop, end. */
static bool phase_move(struct vhost_talk *talk)
{
	static const enum vhost_phase next[] = {
		[VHOST_PHASE_HANDSHAKE] = VHOST_PHASE_STARTING,
		[VHOST_PHASE_STARTING] = VHOST_PHASE_RUNNING,
		[VHOST_PHASE_RUNNING] = VHOST_PHASE_STOPPING,
		[VHOST_PHASE_STOPPING] = VHOST_PHASE_NONE,
	};

	vhost_phase_enter(talk, next[talk->phase]);
	return talk->phase != VHOST_PHASE_NONE;
}

/* The next question, or false at the end. */
static bool question(struct vhost_talk *talk, const struct vhost_run *run,
		     const struct guest_mem *mem, struct vhost_message *message)
{
	for (unsigned int n = 0; n < MESSAGES_MAX; n++) {
		if (!vhost_phase_next(talk, run, 3, mem, message)) {
			if (!phase_move(talk))
				return false;
		} else if (message->header.size > sizeof(message->payload)) {
			abort();
		} else if (vhost_message_has_reply(message)) {
			return true;
		}
	}
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_mem mem = {.n_regions = 1, .regions = {{.bytes = 1 << 21}}};
	uint8_t received[VHOST_REPLY_BYTES_MAX];
	struct vhost_message message;
	struct vhost_talk talk;
	struct vhost_reply reply;
	struct vhost_run run;
	const char *why = NULL;
	size_t n = 0;

	run_fill(&run);
	vhost_phase_init(&talk);
	vhost_phase_enter(&talk, VHOST_PHASE_HANDSHAKE);
	if (!question(&talk, &run, &mem, &message))
		abort();
	for (size_t at = 0; at < size;) {
		size_t piece = data[at++], room = sizeof(received) - n;
		int rc;

		if (piece > size - at)
			piece = size - at;
		if (piece > room)
			piece = room;
		memcpy(received + n, data + at, piece);
		at += piece;
		n += piece;
		rc = vhost_reply_parse(&message, received, n, &reply, &why);
		if (rc == -EAGAIN && n == sizeof(received))
			abort(); /* a full buffer has to be decided on */
		if (rc == -EAGAIN)
			continue;
		if (rc && !why)
			abort();
		if (rc)
			break;
		reply.fd =
			message.header.request == VHOST_GET_INFLIGHT_FD && !reply.inflight.padding
				? memory_file()
				: -1;
		why = vhost_phase_answer(&talk, &message, &reply);
		if (reply.fd >= 0)
			close(reply.fd);
		n = 0;
		if (why || !question(&talk, &run, &mem, &message))
			break;
	}
	vhost_phase_forget(&talk);
	return 0;
}
