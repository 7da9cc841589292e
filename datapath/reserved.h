/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The group addresses 01:80:C2:00:00:0X that bridges do not forward by default: IEEE 802.1Q-2018
 * §8.6.3, table 8-1 (BPDU, PAUSE, LACP, 802.1X, LLDP, ...).
 */
#ifndef DATAPATH_RESERVED_H
#define DATAPATH_RESERVED_H

#include <stdbool.h>
#include <stdint.h>

/** reserved_is_group() - Is this destination (6 bytes) one of the sixteen? */
static inline bool reserved_is_group(const uint8_t *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && mac[3] == 0 && mac[4] == 0 &&
	       mac[5] < 16;
}

/** reserved_index() - Which one, 0..15, as in switch_config.reserved[] */
static inline uint8_t reserved_index(const uint8_t *mac)
{
	return mac[5] & 0x0f;
}

#endif
