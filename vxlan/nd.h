/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 neighbour discovery, RFC 4861: solicitations and advertisements, read from the snapshot alone. */
#ifndef VXLAN_ND_H
#define VXLAN_ND_H

#include "frame.h"

enum { ND_SOLICIT = 135, ND_ADVERT = 136 };
enum { ND_OPT_SOURCE = 1, ND_OPT_TARGET = 2 };
enum { ND_LEN = 24, ND_OPT_LEN = 8 };
enum { NA_ROUTER = 0x80, NA_SOLICITED = 0x40, NA_OVERRIDE = 0x20 };

struct nd {
	const uint8_t *message; /* ICMPv6 header, in the frame's snapshot */
	uint16_t len;
	uint8_t type;	       /* ND_SOLICIT or ND_ADVERT */
	const uint8_t *source; /* IPv6 address it is from */
	const uint8_t *target;
};

/**
 * nd_parse() - Read a neighbour solicitation or advertisement
 * @l3_off: of the IPv6 header, which is not checked yet
 * @nd:	    out; points into the snapshot
 *
 * Return: false for anything else, and for what RFC 4861 §7.1.1 and §7.1.2 call invalid: a hop limit other than 255, a code, a multicast
 * target, a wrong checksum; also for what is longer than the snapshot.
 */
bool nd_parse(const struct frame *f, uint16_t l3_off, struct nd *nd);

/** nd_option() - The MAC in a link-layer address option; NULL without one, or if an option is malformed */
const uint8_t *nd_option(const struct nd *nd, uint8_t type);

#endif
