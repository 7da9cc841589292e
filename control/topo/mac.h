/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC addresses that are the same on every start, and on every machine: a hash of lab, node and interface,
 * with the locally administered bit set (IEEE 802-2014 §8.2) and the group bit clear. Pure.
 */
#ifndef TOPO_MAC_H
#define TOPO_MAC_H

#include "topo/topo.h"

#define MAC_TEXT_SIZE 18

/** mac_hash() - 64 well mixed bits of three strings and a number; not for secrets */
uint64_t mac_hash(const char *lab, const char *node, const char *ifname, unsigned int round);

/**
 * mac_assign() - Give every interface of the lab its address
 *
 * 02: and 40 bits of the hash. Where two of one lab meet (one chance in 2 million for a thousand
 * interfaces), the later one in the file is hashed again, so that they are unique.
 */
void mac_assign(struct topo *topo);

/** mac_format() - "02:1a:..." into @text */
void mac_format(const uint8_t mac[6], char text[MAC_TEXT_SIZE]);

#endif
