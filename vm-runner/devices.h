/* SPDX-License-Identifier: BSD-3-Clause */
/* The devices of a machine, as the command line asks for them, each at a PCI address that does not depend on the others. */
#ifndef VM_DEVICES_H
#define VM_DEVICES_H

#include "base/err.h"
#include "options.h"

#define DEVICES_SLOT_NETS   8 /* PCI slots of network cards: from here to 31, the last */
#define DEVICES_N_SLOT_NETS 24

struct event;
struct virtio_dev;
struct vm;

struct devices {
	unsigned int n_nets;
	struct virtio_dev *nets[OPTIONS_NETS_MAX]; /* owned by the PCI bus */
	struct net_plug {
		struct vm *vm;
		struct event *ejected, *tick;
		uint64_t leave_by_ns[DEVICES_SLOT_NETS +
				     DEVICES_N_SLOT_NETS]; /* by slot; 0: it stays */
	} plug;						   /* net_plug.h */
};

/** devices_net_find() - The place of a card in nets[], n_nets if there is none of that id. Main thread */
unsigned int devices_net_find(const struct devices *devices, const char *id);

/** devices_plug() - Make all devices and plug them in. What was made before an error is freed with the bus */
int devices_plug(struct devices *devices, struct vm *vm, const struct options *options,
		 struct err *err);

#endif
