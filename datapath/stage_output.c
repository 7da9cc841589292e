/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output: per egress port, the tags, the MTU, and the way out: a port's queue, a patch link to
 * the next switch, or a link that is impaired, where the frame waits. IEEE 802.1Q-2018 §6.9.2, §8.8.
 *
 * Needs verdict, out_port, vid, prio, strip. A frame that reaches no port at all is dropped on its
 * ingress port; a copy that fails is dropped on its egress port.
 */
#include "pipeline.h"
#include "pipeline_impair.h"

/* Return: the port, if the frame waits in front of its I/O. */
PIPELINE_TWICE const struct port_config *output_to(struct pipeline *pl, const struct snapshot *cfg,
						   struct frame *f, uint16_t index, bool watched)
{
	const struct port_config *port = &cfg->ports[index];
	struct frame_out *out;

	if (!port->admin_up) {
		pipeline_drop_at(pl, cfg, port, f, DROP_PORT_DOWN);
	} else if (pipeline_l3_len(f) > port->mtu) {
		pipeline_drop_at(pl, cfg, port, f, DROP_OVERSIZE);
	} else if (port->role == PORT_SWITCHED && !vlan_is_member(&port->vlan, f->vid)) {
		pipeline_drop_at(pl, cfg, port, f, DROP_VLAN_NOT_MEMBER);
	} else if (port->has_detour) {
		struct frame_out crossing = {.f = f};

		if (port->role != PORT_WIRE)
			vlan_egress(&port->vlan, &crossing);
		if (watched && pl->trace != NULL)
			trace_out(pl->trace, TRACE_OUT, &crossing, index);
		if (watched && port->mirror_out != 0)
			mirror_frame(pl, cfg, port->mirror_out, &crossing);
		if (port_impair_state(port, IMPAIR_OUT) != NULL &&
		    !(watched && pipeline_is_dry(pl)))
			pipeline_impair_out(pl, cfg, index, &crossing);
		else if (port->is_patch)
			pipeline_cross(pl, cfg, &crossing, port);
	} else if (port->port == NULL) {
		pipeline_drop_at(pl, cfg, &cfg->ports[f->in_port], f, DROP_PORT_UNATTACHED);
	} else {
		out = output_add(pl, cfg, index, f);
		if (port->role == PORT_WIRE)
			out->prefix_len = out->skip = 0;
		else
			vlan_egress(&port->vlan, out);
		if (watched && pl->trace != NULL)
			trace_out(pl->trace, TRACE_OUT, out, index);
		if (watched && port->mirror_out != 0) {
			struct frame_out copy = *out;

			mirror_frame(pl, cfg, port->mirror_out, &copy);
			return NULL;
		}
		return watched && pl->trace != NULL ? NULL : port;
	}
	return NULL;
}

/* For a trace: why a flood leaves a port out. */
static void flood_skips(struct pipeline *pl, const struct frame *f, const struct port_config *in,
			uint16_t index, const struct port_config *port)
{
	enum drop_reason reason = DROP_SAME_PORT;

	if (index != f->in_port) {
		if (!port->admin_up)
			reason = DROP_PORT_DOWN;
		else if (in->is_tunnel && port->is_tunnel)
			reason = DROP_VXLAN_SPLIT_HORIZON;
		else
			reason = DROP_VLAN_NOT_MEMBER;
	}
	trace_frame(pl->trace, TRACE_SKIP, f, index, reason);
}

PIPELINE_TWICE void flood(struct pipeline *pl, const struct burst *b, struct frame *f, bool watched)
{
	const struct port_config *in = &b->cfg->ports[f->in_port];
	const struct switch_config *sw = &b->cfg->switches[in->sw];
	bool reached = false;

	for (uint32_t i = 0; i < sw->n_ports; i++) {
		uint16_t index = sw->ports[i];
		const struct port_config *port = &b->cfg->ports[index];

		if (index == f->in_port || !port->admin_up ||
		    !vlan_is_member(&port->vlan, f->vid) || (in->is_tunnel && port->is_tunnel)) {
			if (watched && pl->trace != NULL)
				flood_skips(pl, f, in, index, port);
			continue;
		}
		output_to(pl, b->cfg, f, index, watched);
		reached = true;
	}
	if (!reached)
		pipeline_drop(pl, b, f, DROP_NO_MEMBER);
}

/*
 * Which port a frame goes to is nothing that can be foreseen: no branch depends on it once a port's group knows that such
 * frames leave as they came.
 */
PIPELINE_TWICE void output_burst_plain(struct pipeline *pl, struct burst *b, bool watched)
{
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];
		const struct port_config *port;

		if (__builtin_expect(f->verdict == FRAME_TO_FLOOD, 0)) {
			flood(pl, b, f, watched);
			continue;
		}
		if (output_add_plain(&pl->output, f->out_port, f))
			continue;
		port = output_to(pl, b->cfg, f, f->out_port, watched);
		if (port != NULL && f->strip == 0 && vlan_leaves_untagged(&port->vlan, f->vid))
			output_plain(&pl->output, f->vid, 14 + (uint32_t)port->mtu);
	}
}

PIPELINE_TWICE void output_burst(struct pipeline *pl, struct burst *b, bool watched)
{
	const struct port_config *same = NULL; /* where the last frame went and its run goes */
	int run = -1;

	if (b->is_plain) {
		output_burst_plain(pl, b, watched);
		return;
	}
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];

		if (same != NULL && f->run == run && pipeline_l3_len(f) <= same->mtu &&
		    output_repeat(&pl->output, f))
			continue;
		run = f->run;
		same = NULL;
		if (f->verdict == FRAME_TO_FLOOD) {
			flood(pl, b, f, watched);
			continue;
		}
		same = output_to(pl, b->cfg, f, f->out_port, watched);
		if (b->is_alike && i == 0 && same != NULL && burst_l3_longest(b) <= same->mtu &&
		    output_repeat_all(&pl->output, &b->frames[1], (uint16_t)(b->n - 1)))
			return;
	}
}

void stage_output(struct pipeline *pl, struct burst *b)
{
	output_burst(pl, b, false);
}

void stage_output_watched(struct pipeline *pl, struct burst *b)
{
	output_burst(pl, b, true);
}
