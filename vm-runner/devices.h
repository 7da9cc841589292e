/* SPDX-License-Identifier: BSD-3-Clause */
/* The devices of a machine, as the command line asks for them, each at a PCI address that does not depend on the others. */
#ifndef VM_DEVICES_H
#define VM_DEVICES_H

#include "base/err.h"
#include "options.h"

struct virtio_dev;
struct vm;

struct devices {
	unsigned int n_nets;
	struct virtio_dev *nets[OPTIONS_NETS_MAX]; /* owned by the PCI bus */
};

/** devices_plug() - Make all devices and plug them in. What was made before an error is freed with the bus */
int devices_plug(struct devices *devices, struct vm *vm, const struct options *options,
		 struct err *err);

#endif
