/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reverse of segmentation: TCP segments of one flow that arrived as one row (UDP datagrams behind one outer header) become one
 * frame again, for receivers that take large frames. Nothing is copied.
 */
#ifndef VXLAN_MERGE_H
#define VXLAN_MERGE_H

#include "frame.h"

/**
 * merge_row() - Make one frame of a row
 * @bytes:   the row: outer headers, then datagram after datagram, each VXLAN header and inner frame. Ours to change: headers of
 *	     the first datagram are rewritten if it succeeds
 * @len:     of the row
 * @front:   bytes of outer headers before the VXLAN header, 42 or 62
 * @segment: bytes of a datagram; the last may have fewer
 * @was_on_wire: somebody has filled the outer checksum, so bits may have changed since: the inner ones are verified. A row
 *	     that never left this host's memory is as its sender made it
 * @f:	     out: the frame, outer headers included, with GSO and an open inner checksum; as an uplink's rx would have it
 * @segs:    out, FRAME_SEGS_MAX entries that f->segs points to
 *
 * Only what segmentation of one frame can have made is merged: same VNI, addresses, ports, options, acknowledgement and window,
 * sequence numbers without a gap, equal sizes, correct lengths and checksums inside. Anything else is left alone, to be cut.
 *
 * Return: true if there is one frame now. Context: the uplink's worker; never blocks, never allocates.
 */
bool merge_row(uint8_t *bytes, uint32_t len, uint16_t front, uint16_t segment, bool was_on_wire,
	       struct frame *f, struct frame_seg *segs);

#endif
