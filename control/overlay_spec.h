/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the model to the VTEP table's specification. Next hops are added by whoever knows them.
 */
#ifndef CONTROL_OVERLAY_SPEC_H
#define CONTROL_OVERLAY_SPEC_H

#include "model.h"
#include "vxlan/vtep.h"

struct overlay_spec {
	struct vtep_spec spec; /* points into the arrays below */
	struct vxlan_ip locals[VTEP_LOCALS_MAX];
	uint16_t local_uplink
		[VTEP_LOCALS_MAX];    /* position of its uplink among the uplinks in the model */
	struct vtep_peer_spec *peers; /* one per VTEP that has an uplink, */
	uint16_t *peer_vtep;	      /* which is model->vteps[peer_vtep[peer]] */
	struct vtep_vni_spec *vnis;   /* as model->vnis */
	struct vtep_member *members;
};

/**
 * overlay_spec_new() - Build a specification
 * @running: switches have their indices; else their position is taken, which does for a check
 *
 * What refers to nothing is left out: model_overlay_check() has a sentence for it.
 * Return: owned by the caller, NULL without memory.
 */
struct overlay_spec *overlay_spec_new(const struct model *model, bool running);
void overlay_spec_free(struct overlay_spec *spec);

/** overlay_spec_flood() - Put a peer, which must be a member of the VNI to be heard, into its flood list */
void overlay_spec_flood(struct overlay_spec *spec, uint32_t vni, uint16_t peer);

/** overlay_vtep_number() - Where a VTEP is in model->vteps, VTEP_NONE if it is not */
uint16_t overlay_vtep_number(const struct model *model, const char *name);

/** overlay_uplink_at() - The model's uplink number @position, NULL beyond the last */
const struct model_port *overlay_uplink_at(const struct model *model, uint16_t position);

#endif
