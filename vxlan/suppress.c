/* SPDX-License-Identifier: BSD-3-Clause */
/* See suppress.h. Pure; workers. */
#include "suppress.h"

#include "checksum.h"
#include "nd.h"
#include "wire.h"

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

/* Layer 2 of the answer: from the station that has the address to the one that asked, tags as they came. */
static void reply_l2(const struct frame *f, uint16_t l3_off, const struct neigh_entry *entry,
		     struct reply *reply)
{
	memcpy(reply->bytes, f->hdr + 6, 6);
	memcpy(reply->bytes + 6, entry->mac, 6);
	memcpy(reply->bytes + 12, f->hdr + 12, l3_off - 12);
}

/* Who may be answered for: not the asker itself, and under a probe only who is sure to be there. */
static const struct neigh_entry *entry_find(const struct neigh_table *table, uint32_t vni,
					    const struct vxlan_ip *target, const struct frame *f,
					    bool is_probe, uint32_t now_s)
{
	const struct neigh_entry *entry = neigh_table_find(table, vni, target);

	if (entry == NULL || memcmp(entry->mac, f->hdr + 6, 6) == 0)
		return NULL;
	if ((is_probe && !entry->is_static) || !neigh_table_trusts(table, entry, now_s))
		return NULL;
	return entry;
}

/* RFC 826 for Ethernet and IPv4. */
static enum suppress_result answer_arp(const struct neigh_table *table, uint32_t vni,
				       const struct frame *f, uint16_t l3_off, uint32_t now_s,
				       struct reply *reply, const struct neigh_entry **found)
{
	static const uint8_t ethernet_ip4_request[8] = {0, 1, 8, 0, 6, 4, 0, ARP_REQUEST};
	const uint8_t *arp = f->hdr + l3_off;
	const struct neigh_entry *entry;
	struct vxlan_ip target = {0};
	uint8_t *out = reply->bytes + l3_off;

	if (f->hdr_len < l3_off + WIRE_ARP_LEN || memcmp(arp, ethernet_ip4_request, 8) != 0)
		return SUPPRESS_PASS;
	if (memcmp(arp + 14, arp + 24, 4) == 0)
		return SUPPRESS_PASS; /* announcement */
	if (memcmp(arp + 8, f->hdr + 6, 6) != 0)
		return SUPPRESS_PASS; /* asks in another's name: not ours to judge */
	memcpy(target.b, arp + 24, 4);
	entry = entry_find(table, vni, &target, f, wire_get32(arp + 14) == 0, now_s);
	if (entry == NULL)
		return SUPPRESS_PASS;
	*found = entry;

	reply_l2(f, l3_off, entry, reply);
	memcpy(out, ethernet_ip4_request, 8);
	out[7] = ARP_REPLY;
	memcpy(out + 8, entry->mac, 6);
	memcpy(out + 14, target.b, 4);
	memcpy(out + 18, arp + 8, 6);
	memcpy(out + 24, arp + 14, 4);
	reply->len = (uint16_t)(l3_off + WIRE_ARP_LEN);
	return SUPPRESS_ANSWER;
}

static enum suppress_result answer_nd(const struct neigh_table *table, uint32_t vni,
				      const struct frame *f, uint16_t l3_off, uint32_t now_s,
				      struct reply *reply, const struct neigh_entry **found)
{
	static const uint8_t unspecified[16];
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	const uint8_t *ip = f->hdr + l3_off;
	struct vxlan_ip target = {.is_v6 = 1};
	const struct neigh_entry *entry;
	const uint8_t *source;
	uint8_t *out = reply->bytes + l3_off;
	uint8_t *na = out + WIRE_IP6_LEN;
	struct nd nd;
	bool is_dad;

	if (!nd_parse(f, l3_off, &nd) || nd.type != ND_SOLICIT || ip[24] != 0xff)
		return SUPPRESS_PASS;
	is_dad = memcmp(ip + 8, unspecified, 16) == 0;
	source = nd_option(&nd, ND_OPT_SOURCE);
	if (source != NULL && (is_dad || memcmp(source, f->hdr + 6, 6) != 0))
		return SUPPRESS_PASS;
	memcpy(target.b, nd.target, 16);
	entry = entry_find(table, vni, &target, f, is_dad, now_s);
	if (entry == NULL)
		return SUPPRESS_PASS;
	*found = entry;

	reply_l2(f, l3_off, entry, reply);
	memset(out, 0, WIRE_IP6_LEN + ND_LEN + ND_OPT_LEN);
	out[0] = 0x60;
	wire_put16(out + 4, ND_LEN + ND_OPT_LEN);
	out[6] = WIRE_PROTO_ICMP6;
	out[7] = 255;
	memcpy(out + 8, target.b, 16);
	memcpy(out + 24, is_dad ? all_nodes : ip + 8, 16);
	na[0] = ND_ADVERT;
	na[4] = NA_OVERRIDE;
	if (!is_dad)
		na[4] |= NA_SOLICITED;
	if (entry->is_router)
		na[4] |= NA_ROUTER;
	memcpy(na + 8, target.b, 16);
	na[ND_LEN] = ND_OPT_TARGET;
	na[ND_LEN + 1] = 1;
	memcpy(na + ND_LEN + 2, entry->mac, 6);
	checksum_store(na + 2, checksum_pseudo(out + 8, 32, WIRE_PROTO_ICMP6, ND_LEN + ND_OPT_LEN) +
				       checksum_sum(na, ND_LEN + ND_OPT_LEN));
	reply->len = (uint16_t)(l3_off + WIRE_IP6_LEN + ND_LEN + ND_OPT_LEN);
	if (is_dad) {
		/* To all nodes, as RFC 4861 §7.2.4 wants it; only the asker's port gets it */
		static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

		memcpy(reply->bytes, all_nodes_mac, 6);
	}
	return SUPPRESS_ANSWER;
}

enum suppress_result suppress_request(const struct neigh_table *table, uint32_t vni,
				      const struct frame *f, uint32_t now_s, struct reply *reply,
				      const struct neigh_entry **found)
{
	uint16_t l3_off = 0;
	uint16_t type = wire_ethertype(f->hdr, f->hdr_len, &l3_off);

	/* A unicast request tests whether the station is alive; only it may answer. */
	if ((type != WIRE_TYPE_ARP && type != WIRE_TYPE_IP6) || (f->hdr[0] & 1) == 0)
		return SUPPRESS_PASS;
	return type == WIRE_TYPE_ARP ? answer_arp(table, vni, f, l3_off, now_s, reply, found)
				     : answer_nd(table, vni, f, l3_off, now_s, reply, found);
}
