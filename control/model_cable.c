/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See model_overlay.h: a VNI with `liveness` is a cable, and a cable has two ends: here the only port of its switch, there its only
 * VTEP. With more of either nobody could say whose carrier it decides on.
 */
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* What else is on the switch of a cable. */
struct use {
	const struct model_vni *vni;
	size_t n_ports, n_vnis;
};

static int use_compare(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	return strcmp(x->vni->sw, y->vni->sw);
}

static struct use *use_find(struct use *uses, size_t n, const char *sw)
{
	for (size_t low = 0, high = n; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(uses[middle].vni->sw, sw);

		if (order == 0)
			return &uses[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void uses_count(const struct model *model, struct use *uses, size_t n)
{
	struct use *use;

	for (size_t i = 0; i < model->n_vnis; i++) {
		use = use_find(uses, n, model->vnis[i]->sw);
		if (use != NULL)
			use->n_vnis++;
	}
	for (size_t i = 0; i < model->n_ports; i++) {
		const struct model_port *port = model->ports[i];

		if (port->attachment != MODEL_ON_SWITCH ||
		    strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0)
			continue;
		use = use_find(uses, n, port->target);
		if (use != NULL)
			use->n_ports++;
	}
}

static void use_check(const struct use *use, struct problems *problems)
{
	const struct model_vni *vni = use->vni;

	if (vni->n_vteps != 1 || vni->learn_vteps)
		problems_add(problems, PROBLEM_PARAMS,
			     "vni %s: \"liveness\" watches over a cable, which has one other end: "
			     "name one VTEP in \"vteps\", and no \"learn_vteps\"",
			     vni->name);
	if (use->n_vnis > 1)
		problems_add(problems, PROBLEM_PARAMS,
			     "vni %s: \"liveness\" watches over a cable, and switch \"%s\" has %zu "
			     "VNIs; give the cable a switch of its own",
			     vni->name, vni->sw, use->n_vnis);
	if (use->n_ports > 1)
		problems_add(problems, PROBLEM_PARAMS,
			     "vni %s: \"liveness\" watches over a cable, and switch \"%s\" has %zu "
			     "ports; a cable has one end here",
			     vni->name, vni->sw, use->n_ports);
}

void model_cables_check(const struct model *model, struct problems *problems)
{
	struct use *uses = NULL;
	size_t n = 0;

	for (size_t i = 0; i < model->n_vnis; i++)
		n += model->vnis[i]->liveness != MODEL_LIVENESS_OFF;
	if (n == 0)
		return;
	uses = calloc(n, sizeof(*uses));
	if (uses == NULL) {
		problems_add(problems, PROBLEM_MACHINE, "out of memory");
		return;
	}
	n = 0;
	for (size_t i = 0; i < model->n_vnis; i++) {
		if (model->vnis[i]->liveness != MODEL_LIVENESS_OFF)
			uses[n++].vni = model->vnis[i];
	}
	qsort(uses, n, sizeof(*uses), use_compare);
	uses_count(model, uses, n);
	for (size_t i = 0; i < n; i++)
		use_check(&uses[i], problems);
	free(uses);
}
