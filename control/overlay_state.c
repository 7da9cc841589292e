/* SPDX-License-Identifier: BSD-3-Clause */
#include "overlay_state.h"

#include <stdio.h>
#include <string.h>

#include "vxlan/wire.h"

const char *overlay_vni_word(uint8_t state)
{
	static const char *const words[] = {
		[OVERLAY_UP] = "up", [OVERLAY_DEGRADED] = "degraded", [OVERLAY_DOWN] = "down"};

	return words[state];
}

/* What is left of the underlay's MTU for a guest. */
static uint16_t inner_mtu(const struct model_vtep *vtep, const struct model_vni *vni, uint16_t mtu)
{
	uint16_t overhead = vxlan_outer_len(vtep->remote.is_v6);

	if (vni->tag == VTEP_TAG_KEEP)
		overhead += WIRE_TAG_LEN;
	return mtu > overhead ? (uint16_t)(mtu - overhead) : 0;
}

struct tally {
	uint32_t n, n_unusable;
	const struct model_vtep *unusable,
		*narrow;	       /* the first that cannot be reached; the narrowest */
	const struct overlay_way *way; /* of `unusable` */
	uint16_t narrow_mtu;	       /* of the underlay */
};

static void tally_add(const struct model_vni *vni, const struct model_vtep *vtep,
		      const struct overlay_way *way, struct tally *tally,
		      struct overlay_vni_state *state)
{
	uint16_t inner = inner_mtu(vtep, vni, way->mtu);

	tally->n++;
	if (!way->usable) {
		if (tally->n_unusable++ == 0) {
			tally->unusable = vtep;
			tally->way = way;
		}
	}
	if (way->mtu != 0 && (tally->narrow == NULL || inner < state->inner_mtu)) {
		tally->narrow = vtep;
		tally->narrow_mtu = way->mtu;
		state->inner_mtu = inner;
	}
}

static void explain(const struct model_vni *vni, const struct tally *tally,
		    struct overlay_vni_state *state)
{
	if (tally->n == 0) {
		state->state = OVERLAY_DOWN;
		snprintf(state->detail, sizeof(state->detail),
			 "no VTEP takes part: frames stay on this host; add one with `netloom vni "
			 "set "
			 "%s --vteps NAME`",
			 vni->name);
	} else if (tally->n_unusable > 0) {
		char others[40] = "";

		state->state = tally->n_unusable == tally->n ? OVERLAY_DOWN : OVERLAY_DEGRADED;
		if (tally->n_unusable > 1)
			snprintf(others, sizeof(others), " (and %u more)", tally->n_unusable - 1);
		snprintf(state->detail, sizeof(state->detail), "vtep %s%s: %s",
			 tally->unusable->name, others, tally->way->detail);
	} else if (tally->narrow != NULL && vni->mtu > state->inner_mtu) {
		state->state = OVERLAY_DEGRADED;
		snprintf(
			state->detail, sizeof(state->detail),
			"an MTU of %u needs %u in the underlay, the route to vtep %s has %u: "
			"larger "
			"frames are answered with \"too big\"; raise the underlay's MTU or set the "
			"VNI's to %u",
			vni->mtu, (unsigned int)(vni->mtu + tally->narrow_mtu - state->inner_mtu),
			tally->narrow->name, tally->narrow_mtu, state->inner_mtu);
	}
}

void overlay_vni_judge(const struct model *model, const struct model_vni *vni,
		       const struct overlay_way *ways, struct overlay_vni_state *state)
{
	struct tally tally = {0};

	memset(state, 0, sizeof(*state));
	for (uint16_t i = 0; i < vni->n_vteps; i++) {
		uint16_t number = overlay_vtep_number(model, vni->vteps[i]);

		if (number != VTEP_NONE)
			tally_add(vni, model->vteps[number], &ways[number], &tally, state);
	}
	for (size_t i = 0; vni->learn_vteps && i < model->n_vteps; i++) {
		if (model_vni_may_join(vni, model->vteps[i]))
			tally_add(vni, model->vteps[i], &ways[i], &tally, state);
	}
	explain(vni, &tally, state);
}
