/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "This station is here now": what a host floods into a VNI when a VM attaches or has moved in, so that remote VTEPs and guests'
 * caches follow at once instead of waiting for the station to speak.
 */
#ifndef VXLAN_ANNOUNCE_H
#define VXLAN_ANNOUNCE_H

#include "reply.h"
#include "vxlan.h"

/** announce_rarp() - RARP request for itself (RFC 903): moves the MAC without knowing its addresses */
void announce_rarp(const uint8_t mac[6], struct reply *reply);

/**
 * announce_address() - The same with an address, so that caches follow too
 *
 * IPv4: an ARP announcement (RFC 5227 §2.3). IPv6: an unsolicited neighbour advertisement (RFC 4861 §7.2.6).
 */
void announce_address(const uint8_t mac[6], const struct vxlan_ip *ip, struct reply *reply);

#endif
