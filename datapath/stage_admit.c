/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * admit: may this frame enter here, and into which VLAN? IEEE 802.1Q-2018 §6.9, §8.6.2.
 *
 * Needs parse. Sets vid, prio, strip. On wires only the port's state and MTU count. Decides once for a run of frames, but
 * for their length.
 */
#include "pipeline.h"
#include "reserved.h"

static inline bool source_is_valid(const uint8_t *source)
{
	return (source[0] & 1) == 0 && fdb_mac(source) != 0;
}

/*
 * Reserved addresses are decided before the VLAN: a port may refuse untagged frames and still see
 * BPDUs.
 */
static bool reserved_is_dropped(const struct snapshot *cfg, const struct port_config *in,
				const struct frame *f)
{
	const struct switch_config *sw = &cfg->switches[in->sw];
	uint8_t action;

	if (!reserved_is_group(f->hdr))
		return false;
	action = sw->reserved[reserved_index(f->hdr)];
	return action == RESERVED_DROP ||
	       (action == RESERVED_PEER && snapshot_port(cfg, sw->peer_port) == NULL);
}

static enum drop_reason admit_switched(const struct snapshot *cfg, const struct port_config *in,
				       struct frame *f)
{
	enum drop_reason reason;

	if (in->sw >= cfg->n_switches || !cfg->switches[in->sw].used)
		return DROP_PORT_UNATTACHED;
	if (!source_is_valid(f->hdr + 6))
		return DROP_SOURCE_MULTICAST;
	if (reserved_is_dropped(cfg, in, f))
		return DROP_RESERVED_MULTICAST;
	if (f->given_vid != VLAN_NONE) {
		f->vid = f->given_vid;
		f->prio = 0;
		f->strip = 0;
		reason = DROP_NONE;
	} else {
		reason = vlan_classify(&in->vlan, f);
	}
	if (reason != DROP_NONE)
		return reason;
	return vlan_is_member(&in->vlan, f->vid) ? DROP_NONE : DROP_VLAN_NOT_MEMBER;
}

/* Whether the port takes anything at all. */
static enum drop_reason admit_port(const struct port_config *in)
{
	if (in->role == PORT_UNUSED || in->role == PORT_DETACHED)
		return DROP_PORT_UNATTACHED;
	return in->admin_up ? DROP_NONE : DROP_PORT_DOWN;
}

static enum drop_reason admit_frame(const struct snapshot *cfg, const struct port_config *in,
				    struct frame *f)
{
	if (in->role != PORT_WIRE)
		return admit_switched(cfg, in, f);
	f->vid = VLAN_NONE;
	f->strip = 0;
	return DROP_NONE;
}

/* For a burst whose frames differ in nothing that counts here. Return: false if some are dropped, and each has to be looked at. */
static bool admit_first(struct burst *b)
{
	struct frame *first = b->frames[0];
	const struct port_config *in = &b->cfg->ports[first->in_port];

	if (b->is_plain && in->role != PORT_SWITCHED)
		return false;
	return admit_port(in) == DROP_NONE && burst_l3_longest(b) <= in->mtu &&
	       admit_frame(b->cfg, in, first) == DROP_NONE;
}

void stage_admit(struct pipeline *pl, struct burst *b)
{
	enum drop_reason of_port = DROP_NONE, of_run = DROP_NONE, reason;
	const struct frame *first = NULL; /* of the run */
	const struct port_config *in = NULL;
	uint16_t kept = 0;

	if ((b->is_alike || b->is_plain) && admit_first(b))
		return;
	b->is_alike = b->is_plain = false;
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];

		if (first != NULL && f->run == first->run) {
			f->vid = first->vid;
			f->prio = first->prio;
			f->strip = first->strip;
		} else {
			first = f;
			in = &b->cfg->ports[f->in_port];
			of_port = admit_port(in);
			of_run = of_port == DROP_NONE ? admit_frame(b->cfg, in, f) : of_port;
		}
		reason = of_run;
		if (__builtin_expect(of_port == DROP_NONE && pipeline_l3_len(f) > in->mtu, 0))
			reason = DROP_OVERSIZE;
		if (__builtin_expect(reason != DROP_NONE, 0)) {
			pipeline_drop(pl, b, f, reason);
			continue;
		}
		b->frames[kept++] = f;
	}
	b->n = kept;
}
