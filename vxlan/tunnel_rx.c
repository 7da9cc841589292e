/* SPDX-License-Identifier: BSD-3-Clause */
/* See tunnel_rx.h. */
#include "tunnel_rx.h"

#include "liveness.h"

static void frame_move(struct frame *to, const struct frame *from)
{
	if (to == from)
		return;
	*to = *from;
	to->hdr = to->buf + (from->hdr - from->buf);
}

/*
 * What came for one VNI through one tunnel, added to the counters at once: they are shared between workers, and a locked addition
 * costs as much as a frame.
 */
struct tally {
	struct overlay_counters *counters;
	struct port *tunnel; /* NULL: none of ours */
	uint64_t pkts, bytes;
};

static void tally_close(const struct tally *tally)
{
	if (tally->pkts == 0)
		return;
	overlay_count(&tally->counters->rx_pkts, tally->pkts);
	overlay_count(&tally->counters->rx_bytes, tally->bytes);
	if (tally->tunnel == NULL)
		return;
	overlay_count(&tally->tunnel->rxq[0].pkts, tally->pkts);
	overlay_count(&tally->tunnel->rxq[0].bytes, tally->bytes);
}

/* The port that stands for a VTEP on a VNI's switch, or VTEP_NONE. */
static uint16_t tunnel_index(const struct overlay_view *view, uint16_t peer, uint16_t sw)
{
	return sw < view->n_switches ? view->tunnel_of[peer * view->n_switches + sw] : VTEP_NONE;
}

/* Counted once on the uplink, and again for those it may be about. */
static void refused(const struct overlay_view *view, struct port *uplink, uint16_t worker,
		    const struct decap_info *info)
{
	port_drop(uplink, worker, info->drop, 1);
	if (info->peer != VTEP_NONE) {
		const struct vtep_peer *peer = &view->table->peers[info->peer];

		overlay_count(&overlay_vtep_counters(peer->slot)->rx_drops[info->drop], 1);
	}
	if (info->vni != VTEP_NONE) {
		struct overlay_counters *counters =
			overlay_counters(view->table->vnis[info->vni].slot);

		overlay_count(&counters->rx_drops, 1);
		overlay_count(&counters->drops[info->drop], 1);
	}
}

/* A burst for many VNIs waits for each of their lines at once rather than in turn. */
static void prefetch_counters(const struct overlay_view *view, const struct decap_info *infos,
			      uint16_t n)
{
	for (uint16_t i = 1; i < n; i++)
		if (infos[i].verdict == DECAP_INNER && infos[i].vni != infos[i - 1].vni)
			__builtin_prefetch(overlay_counters(view->table->vnis[infos[i].vni].slot),
					   1);
}

uint16_t tunnel_rx(const struct overlay_view *view, struct port *uplink, uint16_t worker,
		   struct frame *frames, uint16_t n, struct pull_scratch *scratch)
{
	struct decap_info infos[FRAME_BURST];
	struct tally tally = {0};
	const struct decap_info *last = NULL;
	const struct vtep_vni *vni = NULL;
	uint16_t kept = 0, index = VTEP_NONE;

	if (view == NULL) {
		port_drop(uplink, worker, DROP_VXLAN_UNKNOWN_VTEP, n);
		return 0;
	}
	decap_burst(view->table, frames, infos, n, scratch);
	prefetch_counters(view, infos, n);
	for (uint16_t i = 0; i < n; i++) {
		if (infos[i].verdict != DECAP_INNER) {
			if (infos[i].verdict == DECAP_BFD)
				infos[i].drop =
					(uint8_t)liveness_receive(view, &infos[i], &frames[i]);
			if (infos[i].drop != DROP_NONE)
				refused(view, uplink, worker, &infos[i]);
			continue;
		}
		if (last == NULL || infos[i].vni != last->vni || infos[i].peer != last->peer) {
			tally_close(&tally);
			last = &infos[i];
			vni = &view->table->vnis[last->vni];
			index = tunnel_index(view, last->peer, vni->sw);
			tally = (struct tally){.counters = overlay_counters(vni->slot)};
			if (index < view->n_tunnels)
				tally.tunnel = view->tunnels[index].port;
		}
		frames[i].in_port = index;
		frames[i].given_vid = vni->vid;
		frames[i].no_learn = vni->learning_off;
		tally.pkts++;
		tally.bytes += frames[i].len;
		frame_move(&frames[kept++], &frames[i]);
	}
	tally_close(&tally);
	return kept;
}
