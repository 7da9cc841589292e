/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Encapsulation, RFC 7348 §4 and §5: outer headers in front of frames that are about to leave.
 *
 * It runs after the inner frame has its final tags (frame_out.prefix and skip as vlan_egress() left them) and puts the
 * outer headers in front of that prefix. No payload byte is touched. What can only be done with the payload in hand (software
 * segmentation, checksums) is left for packet.h, at the moment of the one copy.
 */
#ifndef VXLAN_ENCAP_H
#define VXLAN_ENCAP_H

#include "frame.h"
#include "vtep.h"

struct encap_dest {
	uint16_t vni;  /* index in the table */
	uint16_t peer; /* index in the table */

	/* written by encap_burst() for frames that are not dropped */
	uint16_t uplink;   /* vtep_nexthop.uplink of the next hop that was chosen */
	uint8_t outer_len; /* bytes put in front */
};

/**
 * encap_burst() - Put outer headers in front of @n frames
 * @table: current overlay table
 * @outs:  in: f (parsed), prefix and skip of the inner frame. out: prefix, prefix_len; drop is DROP_NONE, or why the frame cannot go
 * @dests: where to, one per frame
 *
 * Copies of one frame next to each other (a flood) are hashed once. Lengths and the IPv4 checksum are final, except for a
 * frame to be segmented (gso), whose lengths are written per segment by packet_next(). A UDP checksum that must be filled
 * holds the sum of its pseudo header (never 0), one that need not be is 0.
 * DF is set on IPv4, and nothing is ever fragmented: DROP_VXLAN_TOO_BIG says that the guest should be told, see toobig.h.
 *
 * Return: how many may be sent. Context: workers; never blocks, never allocates.
 */
uint16_t encap_burst(const struct vtep_table *table, struct frame_out *outs,
		     struct encap_dest *dests, uint16_t n);

#endif
