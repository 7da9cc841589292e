/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which device sits in which PCI slot. Addresses are part of what a guest remembers (interface names, disks),
 * so each kind has slots of its own: adding a disk does not move a network card.
 */
#include "devices.h"

#include <string.h>

#include "virtio/rng.h"
#include "virtio/virtio.h"

#define SLOT_CONSOLE  1
#define SLOT_RNG      2
#define SLOT_DISKS    3 /* to 7 */
#define N_SLOTS_DISKS 5
#define SLOT_ANY      (-1)

static int slot_for(unsigned int index, unsigned int first, unsigned int n)
{
	return index < n ? (int)(first + index) : SLOT_ANY;
}

static int console_plug(struct vm *vm, const struct options *options, struct err *err)
{
	struct virtio_dev *console;
	int rc;

	if (!options->has_console && options->n_ports == 0)
		return 0;
	console = console_new(vm, &options->console, err);
	if (!console)
		return -1;
	for (unsigned int i = 0; i < options->n_ports; i++) {
		rc = console_port_add(console, options->ports[i].name, options->ports[i].socket,
				      err);
		if (rc) {
			console->ops->free(console);
			return rc;
		}
	}
	return virtio_pci_plug(vm, console, SLOT_CONSOLE, err);
}

unsigned int devices_net_find(const struct devices *devices, const char *id)
{
	struct net_status status;
	unsigned int i;

	for (i = 0; i < devices->n_nets; i++) {
		net_status(devices->nets[i], &status);
		if (!strcmp(status.id, id))
			break;
	}
	return i;
}

int devices_plug(struct devices *devices, struct vm *vm, const struct options *options,
		 struct err *err)
{
	struct virtio_dev *dev;
	int rc;

	devices->n_nets = 0;
	rc = console_plug(vm, options, err);
	if (rc)
		return rc;
	dev = rng_new(vm, err);
	if (!dev || virtio_pci_plug(vm, dev, SLOT_RNG, err))
		return -1;
	for (unsigned int i = 0; i < options->n_disks; i++) {
		dev = blk_new(vm, &options->disks[i], err);
		if (!dev || virtio_pci_plug(vm, dev, slot_for(i, SLOT_DISKS, N_SLOTS_DISKS), err))
			return -1;
	}
	for (unsigned int i = 0; i < options->n_nets; i++) {
		dev = net_new(vm, &options->nets[i], err);
		if (!dev ||
		    virtio_pci_plug(vm, dev, slot_for(i, DEVICES_SLOT_NETS, DEVICES_N_SLOT_NETS),
				    err))
			return -1;
		devices->nets[devices->n_nets++] = dev;
	}
	return 0;
}
