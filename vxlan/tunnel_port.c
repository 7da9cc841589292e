/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See tunnel_port.h. tx runs on workers: VLAN -> VNI, what the VNI forbids, outer headers, uplink. The frames stay those of
 * their ingress port: nothing is copied before the uplink does.
 */
#include "tunnel_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "encap.h"
#include "overlay.h"
#include "suppress.h"
#include "toobig.h"
#include "wire.h"
#include "vlan.h"

#define TAG_OFFSET 12

struct tunnel_port {
	struct port port; /* first: see port.h */
	uint16_t index;
	/* control thread only */
	bool usable;
	char detail[128];
};

static struct tunnel_port *tunnel_of(struct port *port)
{
	return (struct tunnel_port *)port;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Answers travel untagged inside the switch; a guest's tag was the switch's to give. */
static void reply_untag(const struct frame *f, struct reply *reply)
{
	if (f->strip == 0)
		return;
	memmove(reply->bytes + 12, reply->bytes + 12 + f->strip, reply->len - 12u - f->strip);
	reply->len = (uint16_t)(reply->len - f->strip);
}

/* The first VTEP of the flood list answers for all, so that a flood is answered once. */
static bool answers_requests(const struct vtep_vni *vni, uint16_t peer)
{
	return vni->n_flood > 0 && vni->flood[0] == peer;
}

/*
 * A request that is known to have an answer: the first VTEP of the flood list gives it, in the name of the station and as if from its
 * tunnel. A station of this host has heard the request and answers itself.
 */
static void answer(const struct overlay_view *view, const struct tunnel_port *tunnel,
		   const struct vtep_vni *vni, uint16_t peer, const struct neigh_entry *entry,
		   const struct frame *f, struct reply *reply)
{
	uint16_t port;

	if (!answers_requests(vni, peer))
		return;
	overlay_count(&overlay_counters(vni->slot)->suppressed, 1);
	port = entry->port != VTEP_NONE ? entry->port : tunnel->index;
	if (port >= view->n_tunnels || view->tunnels[port].port == NULL ||
	    view->tunnels[port].sw != vni->sw)
		return;
	reply_untag(f, reply);
	overlay_reply_push(reply, port, f->vid, false);
}

/* Why a frame to all may not leave although the VNI is there. */
static enum drop_reason refuse_flood(const struct overlay_view *view,
				     const struct tunnel_port *tunnel, uint16_t peer,
				     uint32_t vni_index, const struct frame *f)
{
	const struct vtep_vni *vni = &view->table->vnis[vni_index];
	const struct bum_rate *rate = &view->limits[vni_index].bum;
	const struct neigh_table *neigh;
	const struct neigh_entry *entry;
	struct reply reply;

	if (vni->flood_off || !vtep_member_floods(view->table, peer, vni->vni))
		return DROP_VXLAN_BUM_OFF;
	neigh = vni->suppress ? overlay_neigh_current() : NULL;
	if (neigh != NULL && suppress_request(neigh, vni->vni, f, (uint32_t)(now_ns() / 1000000000),
					      &reply, &entry) == SUPPRESS_ANSWER) {
		answer(view, tunnel, vni, peer, entry, f, &reply);
		return DROP_VXLAN_SUPPRESSED;
	}
	if (rate->ns_per_frame != 0 &&
	    !bum_meter_take(&overlay_meters(vni->slot)->bum, rate, now_ns()))
		return DROP_VXLAN_BUM_LIMIT;
	return DROP_NONE;
}

/* A tag that is left behind the switch's own goes, or the frame does: RFC 7348 §6.1. */
static enum drop_reason inner_untag(const struct vtep_vni *vni, struct frame_out *out)
{
	const struct frame *f = out->f;

	if (vni->tag == VTEP_TAG_KEEP)
		return DROP_NONE;
	if (vni->tag == VTEP_TAG_REFUSE)
		return DROP_VXLAN_INNER_TAGGED;
	memcpy(out->prefix, f->hdr, TAG_OFFSET);
	out->prefix_len = TAG_OFFSET;
	out->skip = (uint8_t)(TAG_OFFSET + f->n_tags * WIRE_TAG_LEN);
	return DROP_NONE;
}

static void tell_too_big(const struct overlay_view *view, struct tunnel_port *tunnel,
			 const struct vtep_peer *peer, uint32_t vni_index,
			 const struct frame_out *out)
{
	const struct overlay_limits *limits = &view->limits[vni_index];
	uint16_t slot = view->table->vnis[vni_index].slot;
	struct reply reply;

	if (limits->no_too_big ||
	    !bum_meter_take(&overlay_meters(slot)->too_big, &limits->too_big, now_ns()) ||
	    !toobig_reply(out->f, toobig_mtu(peer, out), &reply))
		return;
	reply_untag(out->f, &reply);
	if (overlay_reply_push(&reply, tunnel->index, out->f->vid, false))
		overlay_count(&overlay_counters(slot)->too_big_answers, 1);
}

/* Frames that may leave, next to each other: headers, then the uplinks their next hops are on. */
static void send_run(const struct overlay_view *view, struct frame_out *outs,
		     struct encap_dest *dests, uint16_t n)
{
	uint16_t start = 0;

	encap_burst(view->table, outs, dests, n);
	while (start < n) {
		uint16_t end = (uint16_t)(start + 1);

		if (outs[start].drop != DROP_NONE) {
			start++;
			continue;
		}
		while (end < n && outs[end].drop == DROP_NONE &&
		       dests[end].uplink == dests[start].uplink)
			end++;
		if (dests[start].uplink < view->n_uplinks) {
			const struct overlay_uplink *uplink = &view->uplinks[dests[start].uplink];

			uplink->send(uplink->port, &outs[start], (uint16_t)(end - start),
				     dests[start].outer_len);
		} else {
			for (uint16_t i = start; i < end; i++)
				outs[i].drop = DROP_NOT_CONNECTED;
		}
		start = end;
	}
}

static void drop_all(struct frame_out *outs, uint16_t n, enum drop_reason reason)
{
	for (uint16_t i = 0; i < n; i++)
		outs[i].drop = (uint8_t)reason;
}

/* What one VNI has sent, added to its counters at once: they are shared, and a locked addition costs as much as a frame. */
struct tally {
	struct overlay_counters *counters;
	uint64_t pkts, bytes, drops;
};

static void tally_close(struct tally *tally)
{
	if (tally->pkts != 0) {
		overlay_count(&tally->counters->tx_pkts, tally->pkts);
		overlay_count(&tally->counters->tx_bytes, tally->bytes);
	}
	if (tally->drops != 0)
		overlay_count(&tally->counters->tx_drops, tally->drops);
}

static void account(const struct overlay_view *view, struct tunnel_port *tunnel,
		    const struct vtep_peer *peer, const struct frame_out *outs,
		    const struct encap_dest *dests, uint16_t n)
{
	struct tally tally = {0};
	uint16_t last = VTEP_NONE;

	for (uint16_t i = 0; i < n; i++) {
		const struct vtep_vni *vni;

		if (dests[i].vni == VTEP_NONE)
			continue;
		vni = &view->table->vnis[dests[i].vni];
		if (dests[i].vni != last) {
			tally_close(&tally);
			last = dests[i].vni;
			tally = (struct tally){.counters = overlay_counters(vni->slot)};
		}
		if (outs[i].drop == DROP_NONE) {
			tally.pkts++;
			tally.bytes += frame_out_len(&outs[i]) - peer->outer_len;
			continue;
		}
		if (outs[i].drop == DROP_VXLAN_TOO_BIG)
			tell_too_big(view, tunnel, peer, dests[i].vni, &outs[i]);
		if (outs[i].drop == DROP_VXLAN_SUPPRESSED)
			continue;
		tally.drops++;
		overlay_count(&tally.counters->drops[outs[i].drop], 1);
	}
	tally_close(&tally);
}

/* A burst for many VNIs waits for each of their lines at once rather than in turn. */
static void prefetch_counters(const struct overlay_view *view, const struct encap_dest *dests,
			      uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (dests[i].vni != VTEP_NONE)
			__builtin_prefetch(overlay_counters(view->table->vnis[dests[i].vni].slot),
					   1);
}

static void tunnel_burst(const struct overlay_view *view, struct tunnel_port *tunnel,
			 struct frame_out *outs, uint16_t n)
{
	const struct overlay_tunnel *me = &view->tunnels[tunnel->index];
	struct encap_dest dests[FRAME_BURST];
	uint16_t start = 0, i, vid = VLAN_NONE, n_vnis = 0;
	int32_t vni = -1;

	for (i = 0; i < n; i++) {
		enum drop_reason reason = DROP_NONE;

		if (outs[i].f->vid != vid) {
			vid = outs[i].f->vid;
			vni = vtep_vni_of_vlan(view->table, me->sw, vid);
			n_vnis++;
			if (vni >= 0)
				__builtin_prefetch(&view->table->vnis[vni]);
		}
		if (vni < 0) { /* the VNI has just gone */
			outs[i].drop = DROP_VLAN_NOT_MEMBER;
			dests[i].vni = VTEP_NONE;
		} else {
			dests[i] = (struct encap_dest){.vni = (uint16_t)vni, .peer = me->peer};
			if (outs[i].f->verdict == FRAME_TO_FLOOD)
				reason = refuse_flood(view, tunnel, me->peer, (uint32_t)vni,
						      outs[i].f);
			if (reason == DROP_NONE &&
			    outs[i].f->n_tags * WIRE_TAG_LEN > outs[i].f->strip)
				reason = inner_untag(&view->table->vnis[vni], &outs[i]);
			if (reason == DROP_NONE)
				continue;
			outs[i].drop = (uint8_t)reason;
		}
		send_run(view, &outs[start], &dests[start], (uint16_t)(i - start));
		start = (uint16_t)(i + 1);
	}
	if (n_vnis > 1)
		prefetch_counters(view, dests, n);
	send_run(view, &outs[start], &dests[start], (uint16_t)(n - start));
	account(view, tunnel, &view->table->peers[me->peer], outs, dests, n);
}

static void tunnel_tx(struct port *port, uint16_t queue, struct frame_out *outs, uint16_t n)
{
	const struct overlay_view *view = overlay_view_current();
	struct tunnel_port *tunnel = tunnel_of(port);

	(void)queue;
	if (view == NULL || tunnel->index >= view->n_tunnels ||
	    view->tunnels[tunnel->index].port != port) {
		drop_all(outs, n, DROP_NOT_CONNECTED);
		return;
	}
	for (uint16_t i = 0; i < n; i += FRAME_BURST)
		tunnel_burst(view, tunnel, outs + i,
			     n - i < FRAME_BURST ? (uint16_t)(n - i) : FRAME_BURST);
}

static int tunnel_open(const struct port_spec *spec, struct port **out, struct err *err)
{
	(void)out;
	return err_set(err, EINVAL, "port \"%s\": ports of type vxlan come with a VNI", spec->name);
}

static void tunnel_close(struct port *port)
{
	free(port);
}

static void tunnel_status(struct port *port, struct port_status *status)
{
	const struct tunnel_port *tunnel = tunnel_of(port);

	memset(status, 0, sizeof(*status));
	status->connected = true;
	status->running = tunnel->usable;
	status->n_queues = 1;
	snprintf(status->detail, sizeof(status->detail), "%s", tunnel->detail);
}

static int tunnel_rx_fd(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
	return -1;
}

static bool tunnel_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	(void)port;
	(void)queue;
	(void)armed;
	return false;
}

static const struct port_ops tunnel_port_ops = {
	.type = "vxlan",
	.open = tunnel_open,
	.close = tunnel_close,
	.status = tunnel_status,
	.tx = tunnel_tx,
	.rx_fd = tunnel_rx_fd,
	.rx_arm = tunnel_rx_arm,
};

int tunnel_port_new(const struct port_spec *spec, uint16_t index, struct port **out,
		    struct err *err)
{
	struct tunnel_port *tunnel = calloc(1, sizeof(*tunnel));

	if (tunnel == NULL)
		return err_set(err, ENOMEM, "port \"%s\": no memory", spec->name);
	port_init(&tunnel->port, &tunnel_port_ops, spec);
	tunnel->index = index;
	/* packet.h cuts segments and fills inner checksums when the uplink copies. */
	atomic_store(&tunnel->port.tx_offloads,
		     PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_ECN);
	*out = &tunnel->port;
	return 0;
}

void tunnel_port_explain(struct port *port, bool usable, const char *detail)
{
	struct tunnel_port *tunnel = tunnel_of(port);

	if (tunnel->usable != usable || strcmp(tunnel->detail, detail) != 0) {
		tunnel->usable = usable;
		snprintf(tunnel->detail, sizeof(tunnel->detail), "%s", detail);
		atomic_store_explicit(&port->peer_changed, true, memory_order_release);
	}
}
