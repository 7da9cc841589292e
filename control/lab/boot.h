/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting many VMs and seeing them come up, without a storm: how many boot at the same time is limited by
 * the CPUs (under TCG a booting guest is one busy CPU), `wait-for` and `startup-delay` are kept.
 *
 * One thread, one poll loop: for each VM a connection to its guest agent with one question asked; the
 * answer comes when the agent opens its end of the port, so nothing is polled in vain.
 */
#ifndef LAB_BOOT_H
#define LAB_BOOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "topo/topo.h"

enum boot_state {
	BOOT_WAITING, /* for its turn, its delay or another node */
	BOOT_STARTED, /* the VMM runs, the guest boots */
	BOOT_UP,      /* the agent has answered (or the node has none) */
	BOOT_FAILED,
};

struct boot_vm {
	const struct topo_node *node;
	json_t *spec; /* borrowed */
	enum boot_state state;
	uint64_t started_ns; /* CLOCK_MONOTONIC; 0: not yet */
	uint64_t up_ns;
	char failure[ERR_TEXT_MAX];
};

struct boot {
	const struct topo *topo;
	struct boot_vm *vms;
	size_t n_vms;
	unsigned int timeout_s; /* per VM, from its start to its agent's answer */
	unsigned int n_at_once; /* 0: from the number of CPUs */
	void (*progress)(const struct boot *boot, void *ctx); /* on every change and each 100 ms */
	void *ctx;
};

/**
 * boot_run() - Start all VMs and wait for their agents
 *
 * A VM that fails does not stop the others; vms[].failure says why.
 *
 * Return: number of VMs that failed, or -EINTR when jsonline_interrupted was set.
 */
int boot_run(struct boot *boot);

/** boot_parallel_limit() - VMs of that kind to boot at the same time on this machine */
unsigned int boot_parallel_limit(bool is_emulated);

#endif
