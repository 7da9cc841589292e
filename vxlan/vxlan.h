/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VXLAN wire format, RFC 7348 §5:
 *
 *   outer Ethernet 14 | IPv4 20 or IPv6 40 | UDP 8 | VXLAN 8 | inner frame, without FCS
 *
 * VXLAN header: flags (0x08: the VNI is valid), 24 reserved bits, VNI, 8 reserved bits. Reserved bits are sent as 0 and
 * ignored on receipt, but for one: 0x01, which in draft-ietf-nvo3-vxlan-gpe says that the packet is the VTEPs' own and no station's. Only
 * BFD packets have it. No station can set it; Linux and Open vSwitch drop packets that have it.
 */
#ifndef VXLAN_VXLAN_H
#define VXLAN_VXLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VXLAN_UDP_PORT	 4789
#define VXLAN_HDR_LEN	 8
#define VXLAN_FLAG_VNI	 0x08
#define VXLAN_FLAG_OAM	 0x01
#define VXLAN_VNI_MAX	 0xffffff
#define VXLAN_OUTER_LEN4 50 /* what IPv4 encapsulation puts in front of a frame */
#define VXLAN_OUTER_LEN6 70

/* An IP address of either family; the bytes an IPv4 address does not use are zero. */
struct vxlan_ip {
	uint8_t is_v6;
	uint8_t b[16];
};

static inline bool vxlan_ip_equal(const struct vxlan_ip *a, const struct vxlan_ip *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->b, sizeof(x));
	memcpy(y, b->b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a->is_v6 == b->is_v6;
}

/**
 * vxlan_ip_unfit() - Why an address cannot be one host's: unspecified, multicast, loopback, reserved
 * Return: the word, NULL if it can.
 */
const char *vxlan_ip_unfit(const struct vxlan_ip *ip);

/** vxlan_outer_len() - Bytes in front of the inner frame */
static inline uint16_t vxlan_outer_len(bool is_v6)
{
	return is_v6 ? VXLAN_OUTER_LEN6 : VXLAN_OUTER_LEN4;
}

#endif
