/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a node's virtual machine is run: which VMM, and with which command line.
 *
 * Everything that decides how a VM *starts* is in one JSON object, its spec. It is kept with the running
 * node; `up` compares it with what the file says now, and a VM is restarted when, and only when, it differs.
 * Addresses are not in it: they are changed while the guest runs. One thread.
 */
#ifndef LAB_VMM_H
#define LAB_VMM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "topo/topo.h"

#define VMM_QEMU_BUS	     "cards" /* of the bridge that QEMU's cards are behind */
#define VMM_QEMU_PLUGGABLE   31	     /* cards there */
#define VMM_RUNNER_PLUGGABLE 24	     /* cards of a vm-runner that have a PCI slot of their own */

struct vmm_image {
	char kernel[4096];
	char initrd[4096];
};

struct vmm_kvm {
	bool works;	/* a 64-bit kernel can run in KVM here */
	char text[256]; /* why, or why not */
};

/** vmm_image_default() - Paths of the default kernel and initrd, built when missing (may take a minute) */
int vmm_image_default(struct vmm_image *image, struct err *err);

/** vmm_kvm_check() - What `vm-runner --check` says, remembered in the run directory */
void vmm_kvm_check(struct vmm_kvm *kvm);

/**
 * vmm_spec() - Everything that decides how a node's VM starts
 * @base:  folder that relative paths of the lab file start from
 * @image: default image
 * @kvm:   decides between vm-runner and QEMU where the file does not
 *
 * Return: new reference, or NULL with a sentence: missing files, a disk no VMM reads.
 */
json_t *vmm_spec(const struct topo *topo, const struct topo_node *node, const char *base,
		 const struct vmm_image *image, const struct vmm_kvm *kvm, struct err *err);

/** vmm_argv() - The command line for a spec, as a JSON list; files of the node are in @folder */
json_t *vmm_argv(const json_t *spec, const char *folder);

/** vmm_spec_name() - "vm-runner" or "qemu", and "kvm" or "tcg", for tables */
const char *vmm_spec_name(const json_t *spec);

/** vmm_is_emulated() - The spec runs under TCG: a CPU per booting guest, and patience */
bool vmm_is_emulated(const json_t *spec);

/** vmm_argv_qemu() / vmm_argv_runner() - The two command lines behind vmm_argv() */
json_t *vmm_argv_qemu(const json_t *spec, const char *folder);
json_t *vmm_argv_runner(const json_t *spec, const char *folder);

/** vmm_pluggable() - How many cards the spec's VMM can plug and pull; when there are more, none */
size_t vmm_pluggable(const json_t *spec);

/** vmm_runner_net() - A card as vm-runner's --net says it, and nic.add; new reference */
json_t *vmm_runner_net(const json_t *nic, const char *folder);

/** vmm_qemu_vectors() - MSI-X vectors of a card of a QEMU of that spec, 0 for none */
int vmm_qemu_vectors(const json_t *spec, const json_t *nic);

#endif
