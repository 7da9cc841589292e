/* SPDX-License-Identifier: BSD-3-Clause */
/* From the model, what runs of it, and the state of the kernel's network to the workers' view of the overlay. Control thread only. */
#ifndef CONTROL_OVERLAY_VIEW_H
#define CONTROL_OVERLAY_VIEW_H

#include "apply.h"
#include "overlay_underlay.h"

/** overlay_uplinks_follow() - Tell the ports what the kernel says; an uplink they cannot use leads nowhere */
void overlay_uplinks_follow(const struct live_port *live, struct overlay_uplink_state *uplinks,
			    uint16_t n);

/**
 * overlay_view_build() - Build a view, and tell uplinks and tunnels how they are
 * @live: what is behind the model's ports, by index
 * @spec: with next hops and slots; learned flood lists are added
 *
 * Return: for overlay_publish(), or NULL with @err filled.
 */
struct overlay_view *overlay_view_build(const struct model *model, const struct live_port *live,
					struct overlay_spec *spec,
					const struct overlay_uplink_state *uplinks,
					uint16_t n_uplinks, const struct overlay_way *ways,
					struct err *err);

#endif
