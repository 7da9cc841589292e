/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-rng: the host's random numbers for the guest, virtio 1.2 §5.4. */
#ifndef VM_VIRTIO_RNG_H
#define VM_VIRTIO_RNG_H

#include "base/err.h"

struct virtio_dev;
struct vm;

/** rng_new() - Return: a device to hand to virtio_pci_plug(), NULL with @err set */
struct virtio_dev *rng_new(struct vm *vm, struct err *err);

#endif
