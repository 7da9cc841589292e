/* SPDX-License-Identifier: BSD-3-Clause */
/* See announce.h. Pure; any thread. */
#include "announce.h"

#include "checksum.h"
#include "wire.h"

static void put_l2(const uint8_t dst[6], const uint8_t src[6], uint16_t type, struct reply *reply)
{
	memset(reply->bytes, 0, sizeof(reply->bytes));
	memcpy(reply->bytes, dst, 6);
	memcpy(reply->bytes + 6, src, 6);
	wire_put16(reply->bytes + 12, type);
}

/* ARP and RARP share a layout (RFC 826, RFC 903). */
static void put_arp(const uint8_t mac[6], const uint8_t ip[4], uint16_t type, uint8_t operation,
		    bool names_target, struct reply *reply)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t ethernet_ip4[7] = {0, 1, 8, 0, 6, 4, 0};
	uint8_t *arp = reply->bytes + WIRE_ETH_LEN;

	put_l2(broadcast, mac, type, reply);
	memcpy(arp, ethernet_ip4, sizeof(ethernet_ip4));
	arp[7] = operation;
	memcpy(arp + 8, mac, 6);
	memcpy(arp + 14, ip, 4);
	if (names_target)
		memcpy(arp + 18, mac, 6);
	memcpy(arp + 24, ip, 4);
	reply->len = WIRE_ETH_LEN + WIRE_ARP_LEN;
}

void announce_rarp(const uint8_t mac[6], struct reply *reply)
{
	static const uint8_t unknown[4];

	put_arp(mac, unknown, WIRE_TYPE_RARP, 3, true, reply);
}

static void announce_ip6(const uint8_t mac[6], const uint8_t ip[16], struct reply *reply)
{
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	uint8_t *out = reply->bytes + WIRE_ETH_LEN;
	uint8_t *na = out + WIRE_IP6_LEN;

	put_l2(all_nodes_mac, mac, WIRE_TYPE_IP6, reply);
	out[0] = 0x60;
	wire_put16(out + 4, 32);
	out[6] = WIRE_PROTO_ICMP6;
	out[7] = 255;
	memcpy(out + 8, ip, 16);
	memcpy(out + 24, all_nodes, 16);
	na[0] = 136;
	na[4] = 0x20; /* override */
	memcpy(na + 8, ip, 16);
	na[24] = 2;
	na[25] = 1;
	memcpy(na + 26, mac, 6);
	checksum_store(na + 2,
		       checksum_pseudo(out + 8, 32, WIRE_PROTO_ICMP6, 32) + checksum_sum(na, 32));
	reply->len = WIRE_ETH_LEN + WIRE_IP6_LEN + 32;
}

void announce_address(const uint8_t mac[6], const struct vxlan_ip *ip, struct reply *reply)
{
	if (ip->is_v6)
		announce_ip6(mac, ip->b, reply);
	else
		put_arp(mac, ip->b, WIRE_TYPE_ARP, 1, false, reply);
}
