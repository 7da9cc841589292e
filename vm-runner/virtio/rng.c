/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-rng (virtio 1.2 §5.4): fills what the driver posts from getrandom(2), which never blocks once the
 * host has booted. Main thread. A buffer gets at most CHUNK_BYTES, which the driver must expect: a guest
 * cannot keep our main thread at work for long with one kick.
 */
#include "virtio/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "virtio/queue.h"

#define DEVICE_ID_RNG 4
#define QUEUE_SIZE    64
#define CHUNK_BYTES   4096

struct rng {
	struct virtio_dev dev; /* first */
	struct queue_chain chain;
};

static uint64_t rng_features(struct virtio_dev *dev)
{
	(void)dev;
	return VIRTIO_BIT(VIRTIO_RING_EVENT_IDX) | VIRTIO_BIT(VIRTIO_RING_INDIRECT_DESC);
}

static int rng_activate(struct virtio_dev *dev)
{
	(void)dev;
	return 0;
}

static bool rng_reset(struct virtio_dev *dev)
{
	(void)dev;
	return true;
}

static void rng_queue_kicked(struct virtio_dev *dev, uint16_t index)
{
	struct rng *rng = (struct rng *)dev;
	unsigned int budget = QUEUE_BATCH;
	uint8_t bytes[CHUNK_BYTES];

	while (queue_next(dev, index, &rng->chain, &budget)) {
		size_t wanted =
			rng->chain.in_bytes < CHUNK_BYTES ? rng->chain.in_bytes : CHUNK_BYTES;
		ssize_t n = getrandom(bytes, wanted, 0);

		queue_push(dev, index, &rng->chain,
			   queue_iov_write(&rng->chain, 0, bytes, n < 0 ? 0 : (uint32_t)n));
	}
	queue_signal(dev, index);
}

static void rng_free(struct virtio_dev *dev)
{
	virtio_dev_fini(dev);
	free(dev);
}

static const struct virtio_dev_ops rng_ops = {
	.device_id = DEVICE_ID_RNG,
	.name = "virtio-rng",
	.features = rng_features,
	.activate = rng_activate,
	.reset = rng_reset,
	.queue_kicked = rng_queue_kicked,
	.free = rng_free,
};

struct virtio_dev *rng_new(struct vm *vm, struct err *err)
{
	struct rng *rng = calloc(1, sizeof(*rng));

	if (!rng) {
		err_set(err, ENOMEM, "virtio-rng: no memory");
		return NULL;
	}
	virtio_dev_init(&rng->dev, &rng_ops, vm, NULL);
	rng->dev.n_queues = 1;
	rng->dev.queues[0].size_max = QUEUE_SIZE;
	return &rng->dev;
}
