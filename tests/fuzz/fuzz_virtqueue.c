/* links: vm base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that writes anything into its rings: the walk over a virtqueue.
 *
 * Guest memory is two allocations of exactly the regions' sizes, so that an access past one is a sanitizer
 * report. Input: 32 bytes of queue set-up (options, size, start index, three addresses), then a script of
 * writes {u16 offset, u8 length, bytes} into the low region; after each write the queue is walked until it is
 * empty, and every part handed out is read or written whole.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "virtio/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOW_BYTES  16384
#define HIGH_BYTES 4096
#define HIGH_GPA   UINT64_C(0x100000000)
#define SETUP	   32

static uint64_t take(const uint8_t *data, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, data, bytes);
	return value;
}

static void parts_check(const struct guest_mem *mem, const struct queue_chain *chain)
{
	uint64_t out = 0, in = 0;
	volatile uint8_t sum = 0;

	(void)mem;
	for (unsigned int i = 0; i < (unsigned int)chain->n_out + chain->n_in; i++) {
		uint8_t *part = chain->iov[i].iov_base;

		if (i < chain->n_out)
			out += chain->iov[i].iov_len;
		else
			in += chain->iov[i].iov_len;
		sum = (uint8_t)(sum + part[0] + part[chain->iov[i].iov_len - 1]);
	}
	if (out != chain->out_bytes || in != chain->in_bytes)
		abort();
}

static bool walk_all(const struct guest_mem *mem, struct virtio_queue *queue, uint64_t features,
		     struct queue_chain *chain)
{
	const char *why = NULL;
	uint8_t bytes[64];
	int rc;

	for (unsigned int n = 0; n <= queue->size; n++) {
		rc = queue_walk(mem, queue, features, chain, &why);
		if (rc < 0 && !why)
			abort();
		if (rc <= 0)
			return rc == 0;
		parts_check(mem, chain);
		queue_iov_read(chain, 3, bytes, sizeof(bytes));
		queue_iov_write(chain, 1, bytes, sizeof(bytes));
	}
	return true; /* it writes into its own rings: it may go on for ever, we need not */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct queue_chain chain;
	struct guest_mem mem = {.n_regions = 2};
	struct virtio_queue queue = {.size_max = VIRTIO_QUEUE_SIZE_MAX, .enabled = true};
	uint64_t features;

	if (size < SETUP)
		return 0;
	mem.regions[0] = (struct mem_region){0, LOW_BYTES, calloc(1, LOW_BYTES), -1};
	mem.regions[1] = (struct mem_region){HIGH_GPA, HIGH_BYTES, calloc(1, HIGH_BYTES), -1};
	features = data[0] & 1 ? VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC) : 0;
	queue.size = (uint16_t)(1U << data[1] % 11);
	queue.last_avail = (uint16_t)take(data + 2, 2);
	queue.desc = take(data + 8, 8);
	queue.driver = take(data + 16, 8);
	queue.device = take(data + 24, 8);
	for (size_t at = SETUP; at + 3 <= size;) {
		uint16_t offset = (uint16_t)take(data + at, 2) % LOW_BYTES;
		size_t n = data[at + 2];

		at += 3;
		if (n > size - at)
			n = size - at;
		if (n > (size_t)LOW_BYTES - offset)
			n = (size_t)LOW_BYTES - offset;
		memcpy(mem.regions[0].host + offset, data + at, n);
		at += n;
		if (!walk_all(&mem, &queue, features, &chain))
			break;
	}
	free(mem.regions[0].host);
	free(mem.regions[1].host);
	return 0;
}
