/* SPDX-License-Identifier: BSD-3-Clause */
/* Which packets of a card are VXLAN for us, and which the kernel's: the rule of xdp_program.h, in C. Pure. */
#ifndef TAP_NIC_MATCH_H
#define TAP_NIC_MATCH_H

#include <stdbool.h>

#include "uplink_port.h"

/**
 * nic_match() - UDP to one of our addresses and our port, unfragmented, sent to @mac
 * @packet: from its Ethernet header on; @len bytes may be looked at
 */
bool nic_match(const struct uplink_config *config, const uint8_t mac[6], const uint8_t *packet,
	       uint32_t len);

#endif
