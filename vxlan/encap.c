/* SPDX-License-Identifier: BSD-3-Clause */
/* See encap.h. Pure; workers. */
#include "encap.h"

#include <assert.h>

#include "checksum.h"
#include "entropy.h"
#include "l4.h"
#include "wire.h"

/* What an inner frame may have in front: addresses and two tags are 20. */
#define INNER_PREFIX_MAX 24
#define PLAIN_BYTES	 64 /* VXLAN_OUTER_LEN4 as whole moves */
static_assert(VXLAN_OUTER_LEN6 + INNER_PREFIX_MAX <= FRAME_PREFIX_MAX, "prefix fits");
static_assert(VTEP_OUTER_MAX <= FRAME_PREFIX_MAX, "template fits");
static_assert(VXLAN_OUTER_LEN4 <= PLAIN_BYTES && PLAIN_BYTES <= VTEP_OUTER_MAX, "of a template");

/* Largest frame that will be on the wire inside: one segment of a frame that is still to be segmented. */
static inline uint32_t inner_frame_len(const struct frame_out *out)
{
	const struct frame_offload *offload = &out->f->offload;
	uint32_t len = frame_out_len(out);
	uint32_t segment;

	if (offload->gso == FRAME_GSO_NONE)
		return len;
	segment = (uint32_t)((int)offload->gso_hdr_len + offload->gso_size + frame_out_shift(out));
	return segment < len ? segment : len;
}

/* DSCP and congestion mark of the frame that goes inside. */
static inline uint8_t inner_tos(const struct frame *f)
{
	uint8_t inner = 0;

	if (f->l3_off != 0 && f->l3_off + 2 <= f->hdr_len) {
		const uint8_t *l3 = f->hdr + f->l3_off;

		if (f->ethertype == WIRE_TYPE_IP4)
			inner = l3[1];
		else if (f->ethertype == WIRE_TYPE_IP6)
			inner = (uint8_t)(wire_get16(l3) >> 4);
	}
	return inner;
}

static enum drop_reason encap_refuse(const struct vtep_peer *peer, const struct frame_out *out)
{
	if (peer->unusable != DROP_NONE)
		return peer->unusable;
	if (out->prefix_len > INNER_PREFIX_MAX)
		return DROP_BAD_OFFLOAD; /* more tags than a VLAN egress writes */
	if (out->f->offload.gso == FRAME_GSO_UDP)
		return DROP_BAD_OFFLOAD; /* inner fragments: not offered to anyone, see README.md */
	if (inner_frame_len(out) > peer->inner_max)
		return DROP_VXLAN_TOO_BIG;
	return DROP_NONE;
}

/* Write what differs per frame into the copied template. */
static inline void write_outer(uint8_t *outer, const struct vtep_peer *peer, uint32_t vni,
			       uint32_t hash, uint8_t inner, uint16_t udp_len)
{
	uint16_t src_port = entropy_port(hash, peer->src_port_min, peer->src_port_max);
	/* RFC 6040 §4.1 normal mode, and the DSCP as configured */
	uint8_t tos = (uint8_t)(peer->tos_fixed | (inner & peer->tos_mask));
	uint8_t *ip = outer + WIRE_ETH_LEN;
	uint8_t *udp = outer + peer->outer_len - WIRE_UDP_LEN - VXLAN_HDR_LEN;

	if (peer->is_v6) {
		ip[0] = (uint8_t)(0x60 | tos >> 4);
		ip[1] = (uint8_t)(tos << 4);
		wire_put16(ip + 4, udp_len);
	} else {
		uint16_t total = (uint16_t)(udp_len + WIRE_IP4_LEN);

		ip[1] = tos;
		wire_put16(ip + 2, total);
		checksum_store(ip + 10, (uint64_t)peer->ip_sum + htobe16(tos) + htobe16(total));
	}
	wire_put16(udp, src_port);
	wire_put16(udp + 4, udp_len);
	if (peer->fill_csum) {
		uint16_t sum = checksum_fold((uint64_t)peer->pseudo_sum + htobe16(udp_len));

		memcpy(udp + 6, &sum, sizeof(sum));
	}
	wire_put32(udp + WIRE_UDP_LEN + 4, vni << 8);
}

/*
 * As many frames from the first on as need nothing special: to one peer over IPv4 without a UDP checksum, with one next hop; nothing
 * to cut, not too big; with something in front of all of them, or of none (@has_tags, a constant). On its own so that what is the
 * same for all stays in registers.
 *
 * Return: how many; the next one is not of this kind.
 */
__attribute__((always_inline)) static inline uint16_t encap_row(const struct vtep_table *table,
								struct frame_out *outs,
								struct encap_dest *dests,
								uint16_t n, const bool has_tags)
{
	const struct vtep_peer *peer = &table->peers[dests[0].peer];
	const uint32_t ip_sum = peer->ip_sum, inner_max = peer->inner_max;
	const uint16_t first_peer = dests[0].peer, uplink = peer->nexthops[0].uplink;
	const uint16_t port_min = peer->src_port_min, port_max = peer->src_port_max;
	const uint8_t tos_fixed = peer->tos_fixed, tos_mask = peer->tos_mask;
	uint16_t i;

	if (peer->unusable != DROP_NONE || peer->is_v6 || peer->fill_csum || peer->n_nexthops != 1)
		return 0;
	for (i = 0; i < n; i++) {
		struct frame_out *out = &outs[i];
		const struct frame *f = out->f;
		uint32_t len = frame_out_len(out);
		uint8_t inner[INNER_PREFIX_MAX];
		uint8_t *ip = out->prefix + WIRE_ETH_LEN, *udp = ip + WIRE_IP4_LEN, tos;
		uint16_t total;

		if (dests[i].peer != first_peer ||
		    (has_tags ? out->prefix_len == 0 || out->prefix_len > INNER_PREFIX_MAX
			      : out->prefix_len != 0) ||
		    f->offload.gso != FRAME_GSO_NONE || len > inner_max)
			break;
		/* Always all the bytes there may be: fixed sizes are copied without a loop. */
		if (!has_tags) {
			memcpy(out->prefix, peer->outer, PLAIN_BYTES);
		} else {
			memcpy(inner, out->prefix, sizeof(inner));
			memcpy(out->prefix, peer->outer, PLAIN_BYTES);
			memcpy(out->prefix + VXLAN_OUTER_LEN4, inner, sizeof(inner));
		}
		tos = (uint8_t)(tos_fixed | (inner_tos(f) & tos_mask));
		total = (uint16_t)(len + VXLAN_OUTER_LEN4 - WIRE_ETH_LEN);
		ip[1] = tos;
		wire_put16(ip + 2, total);
		checksum_store(ip + 10, ip_sum + (uint32_t)htobe16(tos) + htobe16(total));
		wire_put16(udp, entropy_port(l4_flow_hash(f), port_min, port_max));
		wire_put16(udp + 4, (uint16_t)(total - WIRE_IP4_LEN));
		wire_put32(udp + WIRE_UDP_LEN + 4, table->vnis[dests[i].vni].vni << 8);
		out->prefix_len = (uint8_t)(out->prefix_len + VXLAN_OUTER_LEN4);
		out->drop = DROP_NONE;
		dests[i].uplink = uplink;
		dests[i].outer_len = VXLAN_OUTER_LEN4;
	}
	return i;
}

static uint16_t encap_row_plain(const struct vtep_table *table, struct frame_out *outs,
				struct encap_dest *dests, uint16_t n)
{
	return encap_row(table, outs, dests, n, false);
}

static uint16_t encap_row_tagged(const struct vtep_table *table, struct frame_out *outs,
				 struct encap_dest *dests, uint16_t n)
{
	return encap_row(table, outs, dests, n, true);
}

uint16_t encap_burst(const struct vtep_table *table, struct frame_out *outs,
		     struct encap_dest *dests, uint16_t n)
{
	const struct frame *hashed = NULL;
	uint16_t kept = 0;
	uint32_t hash = 0;
	uint8_t tos = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct frame_out *out = &outs[i];
		const struct vtep_peer *peer;
		uint8_t inner[INNER_PREFIX_MAX];
		uint16_t udp_len = 0, hop = 0, row;

		row = (out->prefix_len == 0 ? encap_row_plain : encap_row_tagged)(
			table, out, &dests[i], (uint16_t)(n - i));
		if (row > 0) {
			kept = (uint16_t)(kept + row);
			i = (uint16_t)(i + row - 1);
			continue;
		}
		peer = &table->peers[dests[i].peer];
		out->drop = (uint8_t)encap_refuse(peer, out);
		if (out->drop != DROP_NONE)
			continue;
		if (out->f != hashed) {
			hashed = out->f;
			hash = l4_flow_hash(hashed);
			tos = inner_tos(hashed);
		}
		if (out->f->offload.gso == FRAME_GSO_NONE)
			udp_len = (uint16_t)(frame_out_len(out) + VXLAN_HDR_LEN + WIRE_UDP_LEN);

		/* Always all the bytes there may be: fixed sizes are copied without a loop. */
		if (out->prefix_len == 0) {
			memcpy(out->prefix, peer->outer, sizeof(peer->outer));
		} else {
			memcpy(inner, out->prefix, sizeof(inner));
			memcpy(out->prefix, peer->outer, sizeof(peer->outer));
			memcpy(out->prefix + peer->outer_len, inner, sizeof(inner));
		}
		if (peer->n_nexthops > 1) {
			/* ECMP: the low bits, which the source port leaves alone */
			hop = (uint16_t)(((hash & UINT16_MAX) * peer->n_nexthops) >> 16);
			memcpy(out->prefix, peer->nexthops[hop].dst_mac, 6);
			memcpy(out->prefix + 6, peer->nexthops[hop].src_mac, 6);
		}
		write_outer(out->prefix, peer, table->vnis[dests[i].vni].vni, hash, tos, udp_len);
		out->prefix_len = (uint8_t)(out->prefix_len + peer->outer_len);
		dests[i].uplink = peer->nexthops[hop].uplink;
		dests[i].outer_len = peer->outer_len;
		kept++;
	}
	return kept;
}
