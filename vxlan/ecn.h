/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Congestion marks through a tunnel, RFC 6040.
 *
 * On the way in the outer header takes the inner mark (normal mode, §4.1). On the way out the two are combined (§4.2, figure
 * 4): congestion met in the underlay reaches the guest, and where the guest could not understand the mark the
 * packet is dropped, which every transport understands.
 */
#ifndef VXLAN_ECN_H
#define VXLAN_ECN_H

#include <stdint.h>

enum { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };
#define ECN_MASK 3
#define ECN_DROP (-1)

/**
 * ecn_combine() - The mark an inner packet leaves the tunnel with
 * @inner: the mark it carries, 0..3
 * @outer: the mark the outer header arrived with, 0..3
 *
 * Return: 0..3, or ECN_DROP.
 */
static inline int ecn_combine(uint8_t inner, uint8_t outer)
{
	static const int8_t table[4][4] = {
		/* outer:	   Not-ECT	ECT(1)	     ECT(0)	  CE */
		[ECN_NOT_ECT] = {ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT, ECN_DROP},
		[ECN_ECT1] = {ECN_ECT1, ECN_ECT1, ECN_ECT1, ECN_CE},
		[ECN_ECT0] = {ECN_ECT0, ECN_ECT1, ECN_ECT0, ECN_CE},
		[ECN_CE] = {ECN_CE, ECN_CE, ECN_CE, ECN_CE},
	};

	return table[inner & ECN_MASK][outer & ECN_MASK];
}

#endif
