/* SPDX-License-Identifier: BSD-3-Clause */
/* Carrying a plan out, and taking back what a broken-off one has started. One thread. */
#ifndef LAB_UP_H
#define LAB_UP_H

#include <stdbool.h>

#include "base/err.h"
#include "lab/plan.h"
#include "topo/topo.h"

#define UP_TIMINGS_MAX 8

struct up_timing {
	const char *step;
	double seconds;
};

struct up {
	const struct topo *topo;
	const char *file; /* of the user */
	const char *base;
	struct plan *plan;
	unsigned int timeout_s; /* per VM */
	bool is_quiet;
	int hold; /* of daemon_ensure(), or -1: up_run() takes it; given back when the ports are there */
	/* results */
	struct up_timing timings[UP_TIMINGS_MAX];
	size_t n_timings;
	size_t n_failed; /* VMs that did not come up, commands of `exec` that failed, uplinks that do not work */
	struct boot_vm *vms; /* of those that were started; owned */
	size_t n_vms;
	/* for taking it back */
	bool was_there; /* the lab existed before */
	bool started_daemon;
	char *old_text; /* lab.yaml as it was */
	json_t *old_apply;
};

/**
 * up_run() - Do what the plan says
 *
 * Return: 0 when the lab is there (n_failed tells of VMs that did not come up), or -errno; then everything
 * that this call started has been stopped again and netloomd has what it had before.
 */
int up_run(struct up *up, struct err *err);

/** up_free() - Free what up_run() left in @up */
void up_free(struct up *up);

#endif
