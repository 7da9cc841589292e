/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `up` will do: the difference between the lab file and what runs. Made before anything is touched,
 * shown to the user, and then carried out as it was shown. One thread.
 */
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "lab/vmm.h"
#include "topo/topo.h"

enum plan_action {
	PLAN_KEEP,
	PLAN_START,	/* not there, or not running any more */
	PLAN_RESTART,	/* what decides how it starts has changed */
	PLAN_REPLUG,	/* only cards have come or gone: plugged and pulled while it runs */
	PLAN_READDRESS, /* only its addresses have changed: set in the running guest */
	PLAN_STOP,	/* no longer in the file */
};

struct plan_step {
	enum plan_action action;
	const struct topo_node *node; /* NULL for PLAN_STOP */
	char name[TOPO_NAME_MAX + 1];
	char why[160];
	json_t *spec; /* owned; NULL for PLAN_STOP */
};

struct plan {
	struct plan_step *steps;
	size_t n_steps;
	json_t *apply; /* parameters of netloomd's `apply` */
	json_t *changes; /* what netloomd said it would change; without a daemon: everything is added */
	struct vmm_kvm kvm;
};

/**
 * plan_make() - Compare
 * @topo: wanted
 * @base: folder for relative paths
 * @plan: out; plan_free() in every case
 *
 * Builds the default image when it is missing and needed. Touches nothing else.
 */
int plan_make(const struct topo *topo, const char *base, struct plan *plan, struct err *err);

/** plan_action_of() - The comparison for one VM: its record from the last start against the file */
enum plan_action plan_action_of(const json_t *record, bool is_running, const json_t *spec,
				const json_t *net, char *why, size_t why_size);

/** plan_count() - Steps with that action */
size_t plan_count(const struct plan *plan, enum plan_action action);

/** plan_is_empty() - Nothing to do */
bool plan_is_empty(const struct plan *plan);

/** plan_memory_check() - The VMs to be started fit into the memory that is available, or a sentence */
int plan_memory_check(const struct plan *plan, struct err *err);

/** plan_json() - The plan for --json; new reference */
json_t *plan_json(const struct plan *plan);

/** plan_free() - Free what a plan owns */
void plan_free(struct plan *plan);

#endif
