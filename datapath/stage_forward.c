/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward: one port, or all of the VLAN? IEEE 802.1Q-2018 §8.8.
 *
 * Needs vid, run and the burst's dst_hash. Sets verdict and out_port. Never sends a frame back where it came from.
 */
#include "pipeline.h"
#include "reserved.h"

static enum drop_reason to_port(struct frame *f, uint16_t port)
{
	if (port == f->in_port)
		return DROP_SAME_PORT;
	f->verdict = FRAME_TO_PORT;
	f->out_port = port;
	return DROP_NONE;
}

/* A learned entry may outlive its port's membership by a moment: then the station is unknown. */
static bool entry_is_usable(const struct snapshot *cfg, const struct frame *f, uint16_t port,
			    uint8_t flags)
{
	const struct port_config *out = snapshot_port(cfg, port);

	if (out == NULL || out->role != PORT_SWITCHED || out->sw != cfg->ports[f->in_port].sw)
		return false;
	return (flags & FDB_STATIC) != 0 || vlan_is_member(&out->vlan, f->vid);
}

static enum drop_reason forward_switched(const struct burst *b, const struct port_config *in,
					 struct frame *f)
{
	const struct snapshot *cfg = b->cfg;
	const struct switch_config *sw = &cfg->switches[in->sw];
	uint8_t flags;
	int port;

	f->verdict = FRAME_TO_FLOOD;
	if ((f->hdr[0] & 1) != 0) {
		if (reserved_is_group(f->hdr) && f->in_port != sw->peer_port &&
		    sw->reserved[reserved_index(f->hdr)] == RESERVED_PEER)
			return to_port(f, sw->peer_port);
		return DROP_NONE;
	}
	port = fdb_lookup_hashed(cfg->fdb, b->dst_hash[f->run], FDB_FID(in->sw, f->vid),
				 fdb_mac(f->hdr), &flags);
	if (port < 0 || !entry_is_usable(cfg, f, (uint16_t)port, flags))
		return DROP_NONE;
	if (in->is_tunnel && cfg->ports[port].is_tunnel && port != f->in_port)
		return DROP_VXLAN_SPLIT_HORIZON;
	return to_port(f, (uint16_t)port);
}

static enum drop_reason forward(const struct burst *b, struct frame *f)
{
	const struct port_config *in = &b->cfg->ports[f->in_port];

	if (in->role != PORT_WIRE)
		return forward_switched(b, in, f);
	if (snapshot_port(b->cfg, in->peer) == NULL)
		return DROP_PORT_UNATTACHED;
	return to_port(f, in->peer);
}

void stage_forward(struct pipeline *pl, struct burst *b)
{
	const struct frame *first = NULL; /* of the run */
	enum drop_reason of_run = DROP_NONE;
	uint16_t kept = 0;

	if (b->is_alike) {
		of_run = forward(b, b->frames[0]);
		burst_spread(b);
		if (__builtin_expect(of_run == DROP_NONE, 1))
			return;
		b->is_alike = false;
	}
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];

		if (first != NULL && f->run == first->run) {
			f->verdict = first->verdict;
			f->out_port = first->out_port;
		} else {
			first = f;
			of_run = forward(b, f);
		}
		if (__builtin_expect(of_run != DROP_NONE, 0)) {
			pipeline_drop(pl, b, f, of_run);
			continue;
		}
		b->frames[kept++] = f;
	}
	b->n = kept;
}
