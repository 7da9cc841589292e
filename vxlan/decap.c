/* SPDX-License-Identifier: BSD-3-Clause */
/* See decap.h. Pure; workers. */
#include "decap.h"

#include "bfd.h"
#include "checksum.h"
#include "ecn.h"
#include "wire.h"

/* The outer headers of one packet, copied out of the snapshot. Lengths are checked against the frame when `ours` is true. */
struct outer {
	bool is_v6;
	bool is_known; /* addresses are those of struct known */
	bool is_oam;
	uint8_t tos;
	uint16_t local;	  /* index in the table */
	uint16_t udp_off; /* from hdr */
	uint16_t udp_len;
	uint32_t vni;
	const uint8_t *addresses; /* in the snapshot: source, destination */
};

#define VNI_NONE UINT32_MAX

/*
 * Who sent the last packet to whom, if they are peers, and for which VNI, if they may. What agrees with it needs no look-up; packets
 * come in rows from one VTEP.
 */
struct known {
	uint8_t addresses_len; /* 0: nothing is known */
	uint8_t addresses[32]; /* as in the IP header */
	uint32_t vni;	       /* VNI_NONE: none yet */
	uint16_t local, peer, vni_index;
};

static inline bool known_ip4(const struct known *known, const uint8_t *addresses)
{
	return known->addresses_len == 8 && memcmp(known->addresses, addresses, 8) == 0;
}

static inline bool known_ip6(const struct known *known, const uint8_t *addresses)
{
	return known->addresses_len == 32 && memcmp(known->addresses, addresses, 32) == 0;
}

/* DROP_NONE with *@ours false: not VXLAN for us. */
static enum drop_reason outer_parse_ip4(const struct vtep_table *table, const struct known *known,
					const struct frame *f, struct outer *outer, bool *ours)
{
	const uint8_t *ip = f->hdr + WIRE_ETH_LEN;
	uint16_t left = f->hdr_len - WIRE_ETH_LEN;
	uint16_t ihl, total, fragment;
	if (left < WIRE_IP4_LEN || ip[0] >> 4 != 4 || ip[9] != WIRE_PROTO_UDP)
		return DROP_NONE;
	ihl = (uint16_t)((ip[0] & 0xf) * 4);
	if (ihl < WIRE_IP4_LEN || left < ihl + WIRE_UDP_LEN)
		return DROP_NONE;
	outer->is_known = known_ip4(known, ip + 12);
	if (outer->is_known) {
		outer->local = known->local;
	} else {
		struct vxlan_ip dst = {0};

		memcpy(dst.b, ip + 16, 4);
		outer->local = vtep_local_find(table, &dst);
	}
	fragment = wire_get16(ip + 6);
	if (outer->local == VTEP_NONE || (fragment & 0x1fff) != 0 ||
	    wire_get16(ip + ihl + 2) != table->udp_port)
		return DROP_NONE; /* later fragments have no UDP header: the kernel's */

	*ours = true;
	outer->addresses = ip + 12;
	outer->is_v6 = false;
	outer->tos = ip[1];
	outer->udp_off = (uint16_t)(WIRE_ETH_LEN + ihl);
	outer->udp_len = wire_get16(ip + ihl + 4);
	total = wire_get16(ip + 2);
	if ((fragment & 0x2000) != 0)
		return DROP_VXLAN_FRAGMENT;
	if (total > f->len - WIRE_ETH_LEN || total < ihl || outer->udp_len > total - ihl)
		return DROP_VXLAN_BAD_LENGTH;
	if (checksum_fold(ihl == WIRE_IP4_LEN ? checksum_sum_ip4(ip) : checksum_sum(ip, ihl)) !=
	    UINT16_MAX)
		return DROP_VXLAN_BAD_CHECKSUM;
	return DROP_NONE;
}

static enum drop_reason outer_parse_ip6(const struct vtep_table *table, const struct known *known,
					const struct frame *f, struct outer *outer, bool *ours)
{
	const uint8_t *ip = f->hdr + WIRE_ETH_LEN;
	uint16_t left = f->hdr_len - WIRE_ETH_LEN;
	uint16_t payload;

	if (left < WIRE_IP6_LEN + WIRE_UDP_LEN || ip[0] >> 4 != 6 || ip[6] != WIRE_PROTO_UDP)
		return DROP_NONE;
	outer->is_known = known_ip6(known, ip + 8);
	if (outer->is_known) {
		outer->local = known->local;
	} else {
		struct vxlan_ip dst = {.is_v6 = 1};

		memcpy(dst.b, ip + 24, 16);
		outer->local = vtep_local_find(table, &dst);
	}
	if (outer->local == VTEP_NONE || wire_get16(ip + WIRE_IP6_LEN + 2) != table->udp_port)
		return DROP_NONE;

	*ours = true;
	outer->is_v6 = true;
	outer->addresses = ip + 8;
	outer->tos = (uint8_t)(wire_get16(ip) >> 4);
	outer->udp_off = WIRE_ETH_LEN + WIRE_IP6_LEN;
	outer->udp_len = wire_get16(ip + WIRE_IP6_LEN + 4);
	payload = wire_get16(ip + 4);
	if (payload > f->len - WIRE_ETH_LEN - WIRE_IP6_LEN || outer->udp_len > payload)
		return DROP_VXLAN_BAD_LENGTH;
	return DROP_NONE;
}

/* From the UDP header on: RFC 7348 §5. */
static enum drop_reason outer_parse_vxlan(const struct frame *f, struct outer *outer)
{
	const uint8_t *vxlan = f->hdr + outer->udp_off + WIRE_UDP_LEN;

	if (outer->udp_len < WIRE_UDP_LEN + VXLAN_HDR_LEN ||
	    f->hdr_len < outer->udp_off + WIRE_UDP_LEN + VXLAN_HDR_LEN)
		return DROP_VXLAN_BAD_LENGTH;
	if ((vxlan[0] & VXLAN_FLAG_VNI) == 0)
		return DROP_VXLAN_NO_VNI;
	outer->is_oam = (vxlan[0] & VXLAN_FLAG_OAM) != 0;
	outer->vni = wire_get32(vxlan + 4) >> 8;
	if (outer->udp_len < WIRE_UDP_LEN + VXLAN_HDR_LEN + WIRE_ETH_LEN)
		return DROP_VXLAN_INNER_RUNT;
	return DROP_NONE;
}

/* Who sent it, and may they? What is found is known for the next. */
static enum drop_reason outer_authorise(const struct vtep_table *table, struct known *known,
					const struct outer *outer, struct decap_info *info)
{
	uint8_t len = outer->is_v6 ? 16 : 4;
	struct vxlan_ip src = {.is_v6 = outer->is_v6};
	int32_t vni;

	if (outer->is_known && outer->vni == known->vni) {
		info->peer = known->peer;
		info->vni = known->vni_index;
		return DROP_NONE;
	}
	if (outer->is_known) {
		info->peer = known->peer;
	} else {
		memcpy(src.b, outer->addresses, len);
		if (vtep_local_find(table, &src) != VTEP_NONE)
			return DROP_VXLAN_OWN_ADDRESS;
		info->peer = vtep_peer_find(table, &src, outer->local);
		if (info->peer == VTEP_NONE)
			return DROP_VXLAN_UNKNOWN_VTEP;
		known->addresses_len = (uint8_t)(2 * len);
		memcpy(known->addresses, outer->addresses, known->addresses_len);
		known->local = outer->local;
		known->peer = info->peer;
		known->vni = VNI_NONE;
	}
	vni = vtep_member_find(table, info->peer, outer->vni);
	if (vni < 0) {
		vni = vtep_vni_find(table, outer->vni);
		if (vni < 0)
			return DROP_VXLAN_UNKNOWN_VNI;
		info->vni = (uint16_t)vni;
		return DROP_VXLAN_VTEP_NOT_IN_VNI;
	}
	info->vni = (uint16_t)vni;
	known->vni = outer->vni;
	known->vni_index = info->vni;
	return DROP_NONE;
}

/* Sum of @len bytes of a frame from @off on, through snapshot and segments. */
static uint64_t frame_sum(const struct frame *f, uint32_t off, uint32_t len)
{
	uint32_t part = f->hdr_len > off ? f->hdr_len - off : 0;
	uint32_t done;
	uint64_t sum;

	if (part > len)
		part = len;
	sum = checksum_sum(f->hdr + off, part);
	done = part;
	for (uint16_t i = 0; i < f->n_segs && done < len; i++) {
		uint64_t seg;

		part = f->segs[i].len < len - done ? f->segs[i].len : len - done;
		seg = checksum_sum(f->segs[i].base, part);
		sum += (done & 1) != 0 ? checksum_swap(seg) : seg;
		done += part;
	}
	return sum;
}

static enum drop_reason outer_verify_udp(const struct vtep_peer *peer, const struct frame *f,
					 const struct outer *outer)
{
	const uint8_t *udp = f->hdr + outer->udp_off;
	const uint8_t *addresses = f->hdr + WIRE_ETH_LEN + (outer->is_v6 ? 8 : 12);
	uint64_t sum;

	if (udp[6] == 0 && udp[7] == 0)
		return outer->is_v6 && !peer->zero_csum6_rx ? DROP_VXLAN_BAD_CHECKSUM : DROP_NONE;
	if ((f->offload.flags & (FRAME_CSUM_VALID | FRAME_NEEDS_CSUM)) != 0)
		return DROP_NONE;
	sum = checksum_pseudo(addresses, outer->is_v6 ? 32 : 8, WIRE_PROTO_UDP, outer->udp_len);
	sum += frame_sum(f, outer->udp_off, outer->udp_len);
	return checksum_fold(sum) == UINT16_MAX ? DROP_NONE : DROP_VXLAN_BAD_CHECKSUM;
}

/* Offload wishes were relative to the outer packet; keep those that are about the inner one. */
static enum drop_reason offload_move(struct frame_offload *offload, uint16_t outer_len)
{
	if ((offload->flags & FRAME_NEEDS_CSUM) != 0 &&
	    offload->csum_start >= outer_len + WIRE_ETH_LEN) {
		offload->csum_start = (uint16_t)(offload->csum_start - outer_len);
		offload->flags = FRAME_NEEDS_CSUM;
	} else {
		offload->flags = 0; /* was about the outer checksum, which has served */
		offload->csum_start = 0;
		offload->csum_offset = 0;
	}
	if (offload->gso == FRAME_GSO_NONE)
		return DROP_NONE;
	/* Segmentation needs the inner checksum to be open; where the inner headers end is for the parser to find. */
	if (offload->flags != FRAME_NEEDS_CSUM || offload->gso == FRAME_GSO_UDP)
		return DROP_BAD_OFFLOAD;
	offload->gso_hdr_len = 0;
	return DROP_NONE;
}

/* Combine the congestion marks and correct the inner IPv4 header's checksum (RFC 1624). */
static enum drop_reason inner_mark(struct frame *f, uint8_t outer_tos)
{
	uint16_t l3_off = 0;
	uint16_t type = wire_ethertype(f->hdr, f->hdr_len, &l3_off);
	uint8_t *ip = f->hdr + l3_off;
	uint16_t old_word, new_word, check;
	uint8_t tos;
	int mark;

	if (type == WIRE_TYPE_IP4 && f->hdr_len >= l3_off + WIRE_IP4_LEN)
		tos = ip[1];
	else if (type == WIRE_TYPE_IP6 && f->hdr_len >= l3_off + WIRE_IP6_LEN)
		tos = (uint8_t)(wire_get16(ip) >> 4);
	else
		return DROP_NONE;
	mark = ecn_combine(tos, outer_tos);
	if (mark == ECN_DROP)
		return DROP_VXLAN_ECN;
	if (mark == (tos & ECN_MASK))
		return DROP_NONE;

	tos = (uint8_t)((tos & ~ECN_MASK) | mark);
	if (type == WIRE_TYPE_IP6) {
		ip[1] = (uint8_t)((ip[1] & 0x0f) | tos << 4);
		return DROP_NONE;
	}
	old_word = wire_get16(ip);
	ip[1] = tos;
	new_word = wire_get16(ip);
	check = wire_get16(ip + 10);
	wire_put16(ip + 10, (uint16_t)~checksum_fold((uint16_t)~check +
						     (uint64_t)(uint16_t)~old_word + new_word));
	return DROP_NONE;
}

/* RFC 7348 §6.1. */
static enum drop_reason inner_untag(struct frame *f, uint8_t treatment, struct frame_seg *segs)
{
	uint16_t type = wire_get16(f->hdr + 12);
	uint8_t macs[12];

	if (treatment == VTEP_TAG_KEEP || (type != WIRE_TYPE_TAG_C && type != WIRE_TYPE_TAG_S))
		return DROP_NONE;
	if (treatment == VTEP_TAG_REFUSE)
		return DROP_VXLAN_INNER_TAGGED;
	if (f->len < WIRE_ETH_LEN + WIRE_TAG_LEN)
		return DROP_VXLAN_INNER_RUNT;
	memcpy(macs, f->hdr, sizeof(macs));
	memcpy(f->hdr + WIRE_TAG_LEN, macs, sizeof(macs));
	pull_window(f, WIRE_TAG_LEN, f->len - WIRE_TAG_LEN, segs);
	if (f->offload.csum_start >= WIRE_TAG_LEN)
		f->offload.csum_start -= WIRE_TAG_LEN;
	return DROP_NONE;
}

/*
 * The next packet of a row: IPv4 without options, fragments, marks or a UDP checksum, from the same VTEP, for a VNI it may send to,
 * with an untagged frame inside. All is checked that is checked below; what differs in any way is left to that.
 *
 * Return: false with the frame untouched if it is not that.
 */
static inline bool decap_again(const struct vtep_table *table, struct known *known, struct frame *f,
			       struct frame_seg *segs)
{
	static const uint8_t ip4_udp[4] = {0x08, 0x00, 0x45, 0x00}; /* type, version and IHL */
	const uint8_t *hdr = f->hdr, *udp = hdr + WIRE_ETH_LEN + WIRE_IP4_LEN;
	uint64_t addresses, known_addresses;
	uint32_t front, want, total, udp_len, vni;
	int32_t vni_index;
	uint16_t type;

	if (known->addresses_len != 8 || f->hdr_len < VXLAN_OUTER_LEN4 + WIRE_ETH_LEN)
		return false;
	memcpy(&front, hdr + 12, sizeof(front));
	memcpy(&want, ip4_udp, sizeof(want));
	memcpy(&addresses, hdr + WIRE_ETH_LEN + 12, sizeof(addresses));
	memcpy(&known_addresses, known->addresses, sizeof(known_addresses));
	if (((front ^ want) & htobe32(0xffffff00u | ECN_MASK)) != 0 ||
	    addresses != known_addresses || hdr[WIRE_ETH_LEN + 9] != WIRE_PROTO_UDP ||
	    (wire_get16(hdr + WIRE_ETH_LEN + 6) & 0x3fff) != 0 ||
	    wire_get16(udp + 2) != table->udp_port || wire_get16(udp + 6) != 0 ||
	    (udp[WIRE_UDP_LEN] & (VXLAN_FLAG_VNI | VXLAN_FLAG_OAM)) != VXLAN_FLAG_VNI)
		return false;
	total = wire_get16(hdr + WIRE_ETH_LEN + 2);
	udp_len = wire_get16(udp + 4);
	type = wire_get16(udp + WIRE_UDP_LEN + VXLAN_HDR_LEN + 12);
	if (total > f->len - WIRE_ETH_LEN || udp_len + WIRE_IP4_LEN > total ||
	    udp_len < WIRE_UDP_LEN + VXLAN_HDR_LEN + WIRE_ETH_LEN || type == WIRE_TYPE_TAG_C ||
	    type == WIRE_TYPE_TAG_S || (f->offload.flags & FRAME_NEEDS_CSUM) != 0 ||
	    f->offload.gso != FRAME_GSO_NONE ||
	    checksum_fold(checksum_sum_ip4(hdr + WIRE_ETH_LEN)) != UINT16_MAX)
		return false;
	vni = wire_get32(udp + WIRE_UDP_LEN + 4) >> 8;
	if (__builtin_expect(vni != known->vni, 0)) {
		vni_index = vtep_member_find(table, known->peer, vni);
		if (vni_index < 0)
			return false;
		known->vni = vni;
		known->vni_index = (uint16_t)vni_index;
	}
	offload_move(&f->offload, VXLAN_OUTER_LEN4);
	pull_window(f, VXLAN_OUTER_LEN4, udp_len - WIRE_UDP_LEN - VXLAN_HDR_LEN, segs);
	return true;
}

/* Return: DROP_NONE with the verdict DECAP_NOT_OURS, and the frame untouched, if it is none of ours. */
static enum drop_reason decap_one(const struct vtep_table *table, struct known *known,
				  struct frame *f, struct decap_info *info, struct frame_seg *segs)
{
	enum drop_reason drop = DROP_NONE;
	struct outer outer;
	uint16_t outer_len, type;
	bool ours = false;

	info->verdict = DECAP_NOT_OURS;
	if (f->hdr_len < WIRE_ETH_LEN)
		return DROP_NONE;
	type = wire_get16(f->hdr + 12);
	if (type == WIRE_TYPE_IP4)
		drop = outer_parse_ip4(table, known, f, &outer, &ours);
	else if (type == WIRE_TYPE_IP6)
		drop = outer_parse_ip6(table, known, f, &outer, &ours);
	if (!ours || drop != DROP_NONE)
		return drop;

	drop = outer_parse_vxlan(f, &outer);
	if (drop == DROP_NONE)
		drop = outer_authorise(table, known, &outer, info);
	if (drop == DROP_NONE)
		drop = outer_verify_udp(&table->peers[info->peer], f, &outer);
	if (drop != DROP_NONE)
		return drop;

	outer_len = (uint16_t)(outer.udp_off + WIRE_UDP_LEN + VXLAN_HDR_LEN);
	drop = offload_move(&f->offload, outer_len);
	if (drop != DROP_NONE)
		return drop;
	pull_window(f, outer_len, outer.udp_len - WIRE_UDP_LEN - VXLAN_HDR_LEN, segs);
	if (f->hdr_len < WIRE_ETH_LEN)
		return DROP_VXLAN_INNER_RUNT; /* segments shorter than announced */
	if (outer.is_oam && bfd_is_addressed(f->hdr)) {
		info->verdict = DECAP_BFD;
		return DROP_NONE;
	}
	info->verdict = DECAP_INNER;
	drop = inner_mark(f, outer.tos);
	if (drop == DROP_NONE)
		drop = inner_untag(f, table->vnis[info->vni].tag, segs);
	return drop;
}

uint16_t decap_burst(const struct vtep_table *table, struct frame *frames, struct decap_info *infos,
		     uint16_t n, struct pull_scratch *scratch)
{
	struct known known = {.vni = VNI_NONE};
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (decap_again(table, &known, &frames[i], scratch->segs[i])) {
			infos[i] = (struct decap_info){.verdict = DECAP_INNER,
						       .drop = DROP_NONE,
						       .peer = known.peer,
						       .vni = known.vni_index};
			kept++;
			continue;
		}
		infos[i] = (struct decap_info){.peer = VTEP_NONE, .vni = VTEP_NONE};
		infos[i].drop =
			(uint8_t)decap_one(table, &known, &frames[i], &infos[i], scratch->segs[i]);
		if (infos[i].drop != DROP_NONE)
			infos[i].verdict = DECAP_DROP;
		kept += infos[i].verdict == DECAP_INNER;
	}
	return kept;
}
