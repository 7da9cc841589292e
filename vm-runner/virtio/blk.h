/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-blk on a raw file or block device: virtio 1.2 §5.2. */
#ifndef VM_VIRTIO_BLK_H
#define VM_VIRTIO_BLK_H

#include <stdbool.h>

#include "base/err.h"

struct virtio_dev;
struct vm;

struct blk_options {
	const char *file;
	bool readonly;
	const char *
		id; /* serial number the guest reads, at most 20 bytes used; NULL: the file's name */
};

/**
 * blk_new() - Open a disk
 *
 * The file is locked (flock): exclusively for a writable disk, shared for a read-only one, so that two
 * VMs cannot write the same file. Starts one thread, which must be before a sandbox forbids that.
 *
 * Return: a device to hand to virtio_pci_plug(), which owns it from then on; NULL with @err set.
 */
struct virtio_dev *blk_new(struct vm *vm, const struct blk_options *options, struct err *err);

#endif
