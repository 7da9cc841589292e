/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decapsulation, RFC 7348 §4: from what arrived on an uplink to inner frames, and the refusal of impostors.
 *
 * A packet is taken only when source address, destination address and VNI together are configured (one look-up by (source, our
 * address), one by (peer, VNI)). Everything else for our VTEP's address and UDP port is dropped under a reason of its own.
 * What is not VXLAN for us is left alone: it is the kernel's.
 */
#ifndef VXLAN_DECAP_H
#define VXLAN_DECAP_H

#include "frame.h"
#include "pull.h"
#include "vtep.h"

enum decap_verdict {
	DECAP_INNER,	/* the frame is now the inner one */
	DECAP_NOT_OURS, /* untouched */
	DECAP_DROP,	/* refused; the frame is of no use any more */
	DECAP_BFD	/* the frame is now the inner one, from VTEP to VTEP: never for a station */
};

struct decap_info {
	uint8_t verdict; /* enum decap_verdict */
	uint8_t drop;	 /* enum drop_reason under DECAP_DROP */
	uint16_t
		vni; /* index in the table under DECAP_INNER and DECAP_BFD, and under DECAP_DROP if it is known; else VTEP_NONE */
	uint16_t
		peer; /* index in the table under DECAP_INNER and DECAP_BFD, and under DECAP_DROP if it is known; else VTEP_NONE */
};

/**
 * decap_burst() - Take the outer headers off @n frames
 * @table:   current overlay table
 * @frames:  as a port's rx gave them. An inner frame's hdr, hdr_len, len, segs, n_segs and offload are rewritten; what the
 *	     stages set is not: the inner frame has to be parsed
 * @infos:   out, one per frame
 * @n:	     at most FRAME_BURST
 * @scratch: holds segment lists until the frames are released
 *
 * Checks lengths, the IPv4 header checksum, and a UDP checksum that is there, unless the kernel vouches for it
 * (FRAME_CSUM_VALID) or has not filled it in (FRAME_NEEDS_CSUM: the packet never was on a wire). Congestion marks
 * move inwards (RFC 6040 §4.2). Inner VLAN tags are treated as the VNI says (RFC 7348 §6.1).
 *
 * Return: how many are DECAP_INNER. Context: workers; never blocks, never allocates.
 */
uint16_t decap_burst(const struct vtep_table *table, struct frame *frames, struct decap_info *infos,
		     uint16_t n, struct pull_scratch *scratch);

#endif
