/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLAN classification and tagging. Works on the frame's private snapshot only. Any worker.
 */
#include "vlan.h"

#include <string.h>

#define TAG_OFFSET 12 /* behind the two addresses */
#define TAG_LEN	   4

static inline uint16_t read_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

void vlan_port_allow(struct vlan_port *port, uint16_t vid)
{
	port->members[vid / 64] |= UINT64_C(1) << (vid % 64);
}

static enum drop_reason classify_untagged(const struct vlan_port *port, struct frame *f)
{
	if (port->pvid == VLAN_NONE)
		return DROP_VLAN_UNTAGGED;
	f->vid = port->pvid;
	return DROP_NONE;
}

enum drop_reason vlan_classify(const struct vlan_port *port, struct frame *f)
{
	uint16_t tpid, tci, vid;

	f->vid = VLAN_NONE;
	f->prio = 0;
	f->strip = 0;
	if (port->mode == VLAN_TUNNEL || f->hdr_len < TAG_OFFSET + TAG_LEN + 2)
		return classify_untagged(port, f);
	tpid = read_be16(f->hdr + TAG_OFFSET);
	if (tpid != VLAN_TPID_C && tpid != VLAN_TPID_S)
		return classify_untagged(port, f);
	/* A tag of another kind is payload to a trunk, and a stranger to an access port. */
	if (tpid != port->tpid)
		return port->mode == VLAN_ACCESS ? DROP_VLAN_TAGGED : classify_untagged(port, f);
	tci = read_be16(f->hdr + TAG_OFFSET + 2);
	vid = tci & 0x0fff;
	if (vid > VLAN_VID_MAX)
		return DROP_VLAN_RESERVED;
	if (vid != 0 && port->mode == VLAN_ACCESS)
		return DROP_VLAN_TAGGED;
	f->prio = tci & 0xf000;
	f->strip = TAG_LEN;
	if (vid == 0)
		return classify_untagged(port, f);
	f->vid = vid;
	return DROP_NONE;
}

void vlan_egress(const struct vlan_port *port, struct frame_out *out)
{
	const struct frame *f = out->f;
	uint8_t *tag = out->prefix + TAG_OFFSET;
	uint16_t tci = f->prio | f->vid;
	bool tagged = !vlan_leaves_untagged(port, f->vid);

	out->prefix_len = 0;
	out->skip = 0;
	if (!tagged && f->strip == 0)
		return;
	if (tagged && f->strip != 0 && read_be16(f->hdr + TAG_OFFSET) == port->tpid &&
	    read_be16(f->hdr + TAG_OFFSET + 2) == tci)
		return; /* it carries that very tag */
	memcpy(out->prefix, f->hdr, TAG_OFFSET);
	out->prefix_len = TAG_OFFSET;
	out->skip = (uint8_t)(TAG_OFFSET + f->strip);
	if (!tagged)
		return;
	tag[0] = (uint8_t)(port->tpid >> 8);
	tag[1] = (uint8_t)port->tpid;
	tag[2] = (uint8_t)(tci >> 8);
	tag[3] = (uint8_t)tci;
	out->prefix_len += TAG_LEN;
}
