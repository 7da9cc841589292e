/* SPDX-License-Identifier: BSD-3-Clause */
/* What all virtio devices share, whatever they do and whatever carries them. */
#include <stdio.h>
#include <string.h>

#include "virtio/virtio.h"

void virtio_dev_init(struct virtio_dev *dev, const struct virtio_dev_ops *ops, struct vm *vm,
		     const char *name)
{
	dev->ops = ops;
	dev->vm = vm;
	snprintf(dev->id, sizeof(dev->id), "%s%s%s", ops->name, name ? " " : "", name ? name : "");
	pthread_mutex_init(&dev->lock, NULL);
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		dev->queues[i].kick_fd = -1;
		dev->queues[i].vector = VIRTIO_NO_VECTOR;
	}
}

void virtio_dev_fini(struct virtio_dev *dev)
{
	pthread_mutex_destroy(&dev->lock);
}

void virtio_config_copy(const void *config, uint32_t config_bytes, uint32_t offset, void *data,
			uint32_t bytes)
{
	uint32_t n = 0;

	memset(data, 0, bytes);
	if (offset < config_bytes)
		n = config_bytes - offset;
	memcpy(data, (const uint8_t *)config + (n ? offset : 0), n < bytes ? n : bytes);
}
