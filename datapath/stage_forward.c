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
static inline bool entry_is_usable(const struct snapshot *cfg, const struct port_config *in,
				   uint16_t vid, uint16_t port, uint8_t flags)
{
	const struct port_config *out = snapshot_port(cfg, port);

	if (out == NULL || out->role != PORT_SWITCHED || out->sw != in->sw)
		return false;
	return (flags & FDB_STATIC) != 0 || vlan_is_member(&out->vlan, vid);
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
	if (port < 0 || !entry_is_usable(cfg, in, f->vid, (uint16_t)port, flags))
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

/* What was not simply found: frames in @odd, a bit each. All fields of forward's are set. */
static void forward_odd(struct pipeline *pl, struct burst *b, uint64_t odd)
{
	uint64_t dropped = 0;
	uint16_t kept = 0;

	for (; odd != 0; odd &= odd - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(odd);
		enum drop_reason reason = forward(b, b->frames[i]);

		if (reason == DROP_NONE)
			continue;
		pipeline_drop(pl, b, b->frames[i], reason);
		dropped |= UINT64_C(1) << i;
	}
	for (uint16_t i = 0; i < b->n && dropped != 0; i++) {
		if ((dropped >> i & 1) == 0)
			b->frames[kept++] = b->frames[i];
	}
	if (dropped != 0)
		b->n = kept;
}

/* Stations in their first bucket that are behind another port of the switch. */
static void forward_plain(struct pipeline *pl, struct burst *b)
{
	const struct snapshot *cfg = b->cfg;
	const struct fdb *fdb = cfg->fdb;
	const struct frame first = *b->frames[0];
	const struct port_config *in = &cfg->ports[first.in_port];
	const struct key any = key_make(FDB_FID(in->sw, first.vid), 0);
	const uint16_t n = b->n;
	uint64_t odd = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct frame *f = b->frames[i];
		uint64_t word = key_word_at(f->hdr, any.word);
		const struct bucket *bucket = bucket_first(fdb, b->dst_hash[f->run]);
		uint64_t value = slot_glance(bucket_guess(bucket, word), word);
		uint16_t port = value_port(value);

		frame_as_admitted(f, &first);
		f->verdict = FRAME_TO_PORT;
		f->out_port = port;
		odd |= (uint64_t)((value & (VALUE_VALID | VALUE_FID)) != any.want ||
				  port == first.in_port ||
				  !entry_is_usable(cfg, in, first.vid, port, 0))
		       << i;
	}
	if (__builtin_expect(in->is_tunnel, 0))
		odd = n == FRAME_BURST ? UINT64_MAX : (UINT64_C(1) << n) - 1;
	if (__builtin_expect(odd != 0, 0))
		forward_odd(pl, b, odd);
}

void stage_forward(struct pipeline *pl, struct burst *b)
{
	const struct frame *first = NULL; /* of the run */
	enum drop_reason of_run = DROP_NONE;
	uint16_t kept = 0;

	if (b->is_plain) {
		forward_plain(pl, b);
		return;
	}
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
