/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which VLANs a port carries and how its frames are tagged: IEEE 802.1Q-2018 §6.9 (ingress), §8.8
 * (egress).
 *
 * access  one VLAN, untagged. Priority-tagged frames are taken as untagged; others are refused.
 * trunk   a set of VLANs, tagged with the port's TPID, and optionally a native VLAN, sent untagged.
 * tunnel  802.1ad customer port (QinQ): whatever comes in, tagged or not, belongs to one S-VLAN;
 * its tags are payload.
 *
 * A pure table: no I/O, no allocation. Immutable once it is in a snapshot.
 */
#ifndef DATAPATH_VLAN_H
#define DATAPATH_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define VLAN_TPID_C  0x8100 /* 802.1Q customer tag */
#define VLAN_TPID_S  0x88a8 /* 802.1ad service tag */
#define VLAN_VID_MAX 4094
#define VLAN_NONE    0

enum vlan_mode { VLAN_ACCESS, VLAN_TRUNK, VLAN_TUNNEL };

struct vlan_port {
	uint8_t mode;  /* enum vlan_mode */
	uint16_t tpid; /* of tags this port sends and classifies by; VLAN_TPID_C or _S */
	/* access and tunnel VLAN, or the trunk's native VLAN; VLAN_NONE: no native */
	uint16_t pvid;
	uint64_t members[4096 / 64]; /* bit per vid the port carries, native included */
};

static inline bool vlan_is_member(const struct vlan_port *port, uint16_t vid)
{
	return (port->members[vid / 64] >> (vid % 64)) & 1;
}

/** vlan_leaves_untagged() - Whether a port sends a VLAN's frames without a tag of its own */
static inline bool vlan_leaves_untagged(const struct vlan_port *port, uint16_t vid)
{
	return port->mode != VLAN_TRUNK || vid == port->pvid;
}

/** vlan_port_allow() - Add a VLAN to the set; vid 1..VLAN_VID_MAX */
void vlan_port_allow(struct vlan_port *port, uint16_t vid);

/**
 * vlan_classify() - Decide a received frame's VLAN: 802.1Q-2018 §6.9.1
 * @port: of the ingress port
 * @f:    in: hdr, hdr_len. out: vid, prio, strip
 *
 * Return: DROP_NONE, or why the frame may not enter.
 */
enum drop_reason vlan_classify(const struct vlan_port *port, struct frame *f);

/**
 * vlan_egress() - Write the tag a frame carries on an egress port
 * @port: of the egress port, which is a member of f->vid
 * @out:  f is set; prefix, prefix_len and skip are written
 */
void vlan_egress(const struct vlan_port *port, struct frame_out *out);

#endif
