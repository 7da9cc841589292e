/* SPDX-License-Identifier: BSD-3-Clause */
/* See nic_match.h. */
#include "nic_match.h"

#include <string.h>

#include "vxlan/wire.h"

static bool is_local(const struct uplink_config *config, bool is_v6, const uint8_t *address)
{
	for (uint8_t i = 0; i < config->n_locals; i++) {
		if ((config->locals[i].is_v6 != 0) == is_v6 &&
		    memcmp(config->locals[i].b, address, is_v6 ? 16 : 4) == 0)
			return true;
	}
	return false;
}

bool nic_match(const struct uplink_config *config, const uint8_t mac[6], const uint8_t *packet,
	       uint32_t len)
{
	const uint8_t *ip = packet + WIRE_ETH_LEN, *udp;
	uint16_t type;

	if (len < WIRE_ETH_LEN + WIRE_IP4_LEN + WIRE_UDP_LEN || memcmp(packet, mac, 6) != 0)
		return false;
	type = wire_get16(packet + 12);
	if (type == WIRE_TYPE_IP4) {
		if (ip[0] != 0x45 || ip[9] != WIRE_PROTO_UDP || (wire_get16(ip + 6) & 0x3fff) != 0)
			return false;
		udp = ip + WIRE_IP4_LEN;
		return wire_get16(udp + 2) == config->udp_port && is_local(config, false, ip + 16);
	}
	if (type != WIRE_TYPE_IP6 || len < WIRE_ETH_LEN + WIRE_IP6_LEN + WIRE_UDP_LEN ||
	    ip[6] != WIRE_PROTO_UDP)
		return false;
	udp = ip + WIRE_IP6_LEN;
	return wire_get16(udp + 2) == config->udp_port && is_local(config, true, ip + 24);
}
