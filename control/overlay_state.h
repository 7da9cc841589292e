/* SPDX-License-Identifier: BSD-3-Clause */
/* How a VNI is, in a word and a sentence that says what to change. Control thread; pure. */
#ifndef CONTROL_OVERLAY_STATE_H
#define CONTROL_OVERLAY_STATE_H

#include "model.h"
#include "overlay_underlay.h"

enum overlay_vni_word { OVERLAY_UP, OVERLAY_DEGRADED, OVERLAY_DOWN };

struct overlay_vni_state {
	uint8_t state; /* enum overlay_vni_word */
	uint16_t
		inner_mtu; /* what guests may send to all its VTEPs that have a route, L3 bytes; 0: there is none */
	char detail[480]; /* what is wrong, or "" */
};

/**
 * overlay_vni_judge() - How is a VNI?
 * @ways: by VTEP of the model
 *
 * DOWN: no VTEP can be reached, or the list is empty. DEGRADED: one cannot, or the underlay does not carry the VNI's MTU (any more).
 */
void overlay_vni_judge(const struct model *model, const struct model_vni *vni,
		       const struct overlay_way *ways, struct overlay_vni_state *state);

/** overlay_vni_word() - "up", "degraded" or "down" */
const char *overlay_vni_word(uint8_t state);

#endif
