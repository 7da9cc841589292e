/* SPDX-License-Identifier: BSD-3-Clause */
/* See tunnel_rx.h. */
#include "tunnel_rx.h"

static void frame_move(struct frame *to, const struct frame *from)
{
	if (to == from)
		return;
	*to = *from;
	to->hdr = to->buf + (from->hdr - from->buf);
}

uint16_t tunnel_rx(const struct overlay_view *view, struct port *uplink, uint16_t worker,
		   struct frame *frames, uint16_t n, struct pull_scratch *scratch)
{
	struct decap_info infos[FRAME_BURST];
	uint16_t kept = 0;

	if (view == NULL) {
		port_drop(uplink, worker, DROP_VXLAN_UNKNOWN_VTEP, n);
		return 0;
	}
	decap_burst(view->table, frames, infos, n, scratch);
	for (uint16_t i = 0; i < n; i++) {
		const struct vtep_vni *vni;
		struct overlay_counters *counters;
		uint16_t index;

		if (infos[i].verdict == DECAP_DROP)
			port_drop(uplink, worker, infos[i].drop, 1);
		if (infos[i].verdict != DECAP_INNER)
			continue;
		vni = &view->table->vnis[infos[i].vni];
		index = vni->sw < view->n_switches
				? view->tunnel_of[infos[i].peer * view->n_switches + vni->sw]
				: VTEP_NONE;
		frames[i].in_port = index;
		frames[i].given_vid = vni->vid;
		frames[i].no_learn = vni->learning_off;
		counters = overlay_counters(vni->slot);
		overlay_count(&counters->rx_pkts, 1);
		overlay_count(&counters->rx_bytes, frames[i].len);
		if (index < view->n_tunnels && view->tunnels[index].port != NULL) {
			struct port *tunnel = view->tunnels[index].port;

			overlay_count(&tunnel->rxq[0].pkts, 1);
			overlay_count(&tunnel->rxq[0].bytes, frames[i].len);
		}
		frame_move(&frames[kept++], &frames[i]);
	}
	return kept;
}
