/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums that nobody has filled in, in packets that never were on a wire.
 *
 * Linux leaves checksums to the NIC that will send a packet. Between two namespaces there is none, and what arrives holds the sum of the
 * pseudo header where the checksum belongs. A packet socket is told (virtio-net header); an AF_XDP socket is not, so this is recognised by
 * what the field holds. A packet damaged on its way looks like that once in 65536 times, which is why only packets from
 * interfaces without hardware are looked at.
 */
#ifndef VXLAN_UNFILLED_H
#define VXLAN_UNFILLED_H

#include <stdbool.h>
#include <stdint.h>

/**
 * unfilled_complete() - Fill in the inner TCP or UDP checksum of a VXLAN packet if it was left open
 * @packet: from its Ethernet header on, ours to change
 *
 * Return: true if it is the outer UDP checksum that was left open: it is not to be verified.
 * Context: the uplink's worker; never blocks.
 */
bool unfilled_complete(uint8_t *packet, uint32_t len);

#endif
