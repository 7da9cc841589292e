/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP and ND suppression (RFC 9161 §3, RFC 7432 §10): a request for an address that is known is answered here, in
 * the name of the station that has it, and not flooded to every VTEP.
 */
#ifndef VXLAN_SUPPRESS_H
#define VXLAN_SUPPRESS_H

#include "neigh.h"
#include "reply.h"

enum suppress_result {
	SUPPRESS_PASS,	 /* not a request, or nobody is known: forward as usual */
	SUPPRESS_ANSWER, /* send the reply back; count the request as DROP_VXLAN_SUPPRESSED */
};

/**
 * suppress_request() - Answer an ARP request or a neighbour solicitation if we can
 * @table: what is known
 * @vni:   the frame's
 * @f:	   from a local port, tags in hdr; parsing happens here, on the snapshot alone
 * @now_s: CLOCK_MONOTONIC
 * @reply: out under SUPPRESS_ANSWER, for the port the request came from
 * @found: out under SUPPRESS_ANSWER: in whose name
 *
 * Passed on unanswered: announcements (sender asks for itself: others must hear it), requests by the very station that has the
 * address, unicast requests (they test whether the station is alive: RFC 1122 §2.3.2.1, RFC 4861 §7.3), malformed ones, ND with
 * a hop limit other than 255 or a wrong checksum (RFC 4861 §7.1.1). Duplicate address detection is answered for static entries, the
 * address is taken (RFC 5227 §2.1.1, RFC 4862 §5.4.3); what was only seen may have gone, and must defend its address itself. Nor does
 * an answer come for who has been silent for long or under a probe: neigh_table_trusts().
 */
enum suppress_result suppress_request(const struct neigh_table *table, uint32_t vni,
				      const struct frame *f, uint32_t now_s, struct reply *reply,
				      const struct neigh_entry **found);

#endif
