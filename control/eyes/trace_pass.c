/* SPDX-License-Identifier: BSD-3-Clause */
#include "eyes/trace_pass.h"

#include <stdio.h>
#include <string.h>

#include "model_vlan.h"

/* `--trunk 10,20 --native 1`: the port's VLANs as options of `netloom port set`, with one VLAN more. */
static void trunk_with(const struct vlan_port *vlan, uint16_t vid, char *text, size_t size)
{
	struct vlan_port more = *vlan;
	char words[96], native[20] = "";

	more.mode = VLAN_TRUNK;
	vlan_port_allow(&more, vid);
	if (vlan->mode != VLAN_TRUNK) {
		memset(more.members, 0, sizeof(more.members));
		vlan_port_allow(&more, vid);
		if (vlan->pvid != VLAN_NONE && vlan->pvid != vid)
			vlan_port_allow(&more, vlan->pvid);
	}
	more.tpid = VLAN_TPID_C;
	more.pvid = VLAN_NONE;
	model_vlan_text(&more, words, sizeof(words));
	if (vlan->pvid != VLAN_NONE)
		snprintf(native, sizeof(native), " --native %u", vlan->pvid);
	snprintf(text, size, "--%s%s%s", words, native,
		 vlan->tpid == VLAN_TPID_S ? " --tpid 802.1ad" : "");
}

static void tagged(const struct trace_event *event, const struct model_port *port, char *text,
		   size_t size)
{
	char options[160];

	if (event->vid != VLAN_NONE || port->vlan.mode != VLAN_ACCESS) {
		snprintf(text, size, "send it without a tag");
		return;
	}
	trunk_with(&port->vlan, event->tag & 0xfff, options, sizeof(options));
	if ((event->tag & 0xfff) == 0 || (event->tag & 0xfff) > VLAN_VID_MAX)
		snprintf(text, size, "send it without a tag: it is in VLAN %u then",
			 port->vlan.pvid);
	else
		snprintf(
			text, size,
			"`netloom port set %s %s`; or send it without a tag: it is in VLAN %u then",
			port->spec.name, options, port->vlan.pvid);
}

static void not_member(const struct trace_event *event, const struct model_port *port, char *text,
		       size_t size)
{
	char options[160];

	trunk_with(&port->vlan, event->vid, options, sizeof(options));
	snprintf(text, size, "`netloom port set %s %s`", port->spec.name, options);
}

static void no_member(const struct trace_event *event, const struct model_port *port, char *text,
		      size_t size)
{
	snprintf(text, size, "attach another port of switch %s to VLAN %u", port->target,
		 event->vid);
}

static void untagged(const struct model_port *port, char *text, size_t size)
{
	char vlan[96], options[160];
	uint16_t first = 1;

	while (first < VLAN_VID_MAX && !vlan_is_member(&port->vlan, first))
		first++;
	trunk_with(&port->vlan, first, options, sizeof(options));
	model_vlan_text(&port->vlan, vlan, sizeof(vlan));
	snprintf(text, size,
		 "`netloom port set %s %s --native %u`; or send it with a tag the port takes (%s)",
		 port->spec.name, options, first, vlan);
}

void trace_pass(const struct model *model, const struct trace_event *event,
		const struct model_port *port, enum drop_reason reason, char *text, size_t size)
{
	(void)model;
	snprintf(text, size, "%s", drop_sentence(reason));
	if (port == NULL)
		return;
	switch (reason) {
	case DROP_VLAN_TAGGED:
		tagged(event, port, text, size);
		break;
	case DROP_VLAN_UNTAGGED:
		untagged(port, text, size);
		break;
	case DROP_VLAN_NOT_MEMBER:
		not_member(event, port, text, size);
		break;
	case DROP_NO_MEMBER:
		no_member(event, port, text, size);
		break;
	case DROP_PORT_DOWN:
		snprintf(text, size,
			 "`netloom link set %s up` (by hand: `netloom port set %s --admin up`)",
			 port->spec.name, port->spec.name);
		break;
	case DROP_OVERSIZE:
		snprintf(text, size,
			 "`netloom port set %s --mtu N` with an N above %u, or smaller frames",
			 port->spec.name, port->mtu);
		break;
	case DROP_RESERVED_MULTICAST:
		snprintf(text, size, "`netloom switch set %s --reserved forward`", port->target);
		break;
	case DROP_STICKY_MOVE:
		snprintf(text, size,
			 "remove the entry that pins this address elsewhere: `netloom show fdb` "
			 "has it");
		break;
	case DROP_NOT_CONNECTED:
		snprintf(text, size, "start the machine behind %s, or its driver", port->spec.name);
		break;
	default:
		break;
	}
}
