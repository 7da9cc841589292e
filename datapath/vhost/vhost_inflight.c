/* SPDX-License-Identifier: BSD-3-Clause */
/* Making, mapping and handing out memory for in-flight state; see vhost_inflight.h. */
#include "vhost/vhost_inflight.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vhost/ring.h"

#define PAGE	       4096
#define MAPPED_LEN_MAX (UINT64_C(64) << 20) /* 64 rings of 32768 take less */
#define SEALS	       (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const char *request_fault(const struct vhost_message_inflight *asked, uint16_t n_queues)
{
	if (asked->n_queues == 0 || asked->n_queues > n_queues)
		return "in-flight memory refused: it is not for 1 to as many rings as the port has";
	if (asked->queue_size == 0 || asked->queue_size > RING_SIZE_MAX)
		return "in-flight memory refused: the size of its rings is not within 1..32768";
	return NULL;
}

const char *vhost_inflight_make(struct vhost_message *msg, bool packed, uint16_t n_queues)
{
	struct vhost_message_inflight *asked = &msg->payload.inflight;
	const char *why = request_fault(asked, n_queues);
	uint64_t len;
	int fd;

	if (why != NULL)
		return why;
	if (msg->n_fds != 0)
		return "in-flight memory refused: the question has a file descriptor";
	len = ring_inflight_bytes(packed, asked->n_queues, asked->queue_size);
	len = (len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	fd = memfd_create("netloom-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return "no memory or descriptors left for in-flight state; raise the limits";
	if (ftruncate(fd, (off_t)len) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		close(fd);
		return "no memory left for in-flight state";
	}
	asked->mmap_size = len;
	asked->mmap_offset = 0;
	asked->padding = 0;
	msg->size = sizeof(*asked);
	msg->fds[0] = fd;
	msg->n_fds = 1;
	return NULL;
}

/* Only memory that is shared can be mapped for writing and stay: nothing of a disk, nothing that may block. */
static const char *file_fault(int fd, uint64_t end)
{
	struct stat st;

	if (fcntl(fd, F_GET_SEALS) < 0)
		return "in-flight memory refused: its file is not shared memory";
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < end)
		return "in-flight memory refused: its file is shorter than it says";
	return NULL;
}

const char *vhost_inflight_take(struct vhost_inflight *inflight, const struct vhost_message *msg,
				bool packed, uint16_t n_queues)
{
	struct vhost_message_inflight given = msg->payload.inflight;
	const char *why = request_fault(&given, n_queues);
	void *mapped;

	if (why != NULL)
		return why;
	if (msg->n_fds != 1 || msg->fds[0] < 0)
		return "in-flight memory refused: it has not exactly one file descriptor";
	if (given.mmap_size < ring_inflight_bytes(packed, given.n_queues, given.queue_size) ||
	    given.mmap_size > MAPPED_LEN_MAX)
		return "in-flight memory refused: its size is not what such rings need";
	if (given.mmap_offset % PAGE != 0 || given.mmap_offset > UINT64_MAX / 2)
		return "in-flight memory refused: its offset is impossible";
	why = file_fault(msg->fds[0], given.mmap_offset + given.mmap_size);
	if (why != NULL)
		return why;
	mapped = mmap(NULL, given.mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, msg->fds[0],
		      (off_t)given.mmap_offset);
	if (mapped == MAP_FAILED)
		return "in-flight memory refused: it cannot be mapped for reading and writing";
	*inflight = (struct vhost_inflight){
		.mapped = mapped,
		.len = given.mmap_size,
		.packed = packed,
		.n_queues = given.n_queues,
		.queue_size = given.queue_size,
		.recover = UINT64_MAX,
	};
	return NULL;
}

void vhost_inflight_drop(struct vhost_inflight *inflight)
{
	if (inflight->mapped != NULL)
		munmap(inflight->mapped, inflight->len);
	memset(inflight, 0, sizeof(*inflight));
}

struct ring_inflight vhost_inflight_ring(struct vhost_inflight *inflight, bool packed,
					 uint16_t index, uint16_t size, bool *recover)
{
	uint64_t bit = UINT64_C(1) << index;

	*recover = inflight->recover & bit;
	if (inflight->mapped == NULL || inflight->packed != packed || index >= inflight->n_queues ||
	    size > inflight->queue_size)
		return (struct ring_inflight){0};
	return ring_inflight_at(inflight->mapped, packed, inflight->n_queues, inflight->queue_size,
				index);
}
