/* SPDX-License-Identifier: BSD-3-Clause */
/* See toobig.h. Pure; workers. */
#include "toobig.h"

#include "checksum.h"
#include "wire.h"

enum { ICMP_UNREACHABLE = 3, ICMP_FRAG_NEEDED = 4, ICMP6_TOO_BIG = 2 };

uint16_t toobig_mtu(const struct vtep_peer *peer, const struct frame_out *out)
{
	/* Everything in front of L3 that will be inside the tunnel. */
	int inner_l2 = out->f->l3_off + frame_out_shift(out);

	if (out->f->l3_off == 0 || inner_l2 < WIRE_ETH_LEN)
		inner_l2 = WIRE_ETH_LEN;
	return peer->inner_max > inner_l2 ? (uint16_t)(peer->inner_max - inner_l2) : 0;
}

/* Layer 2 of the answer: the guest's own, turned round. */
static void reply_l2(const struct frame *f, uint16_t l3_off, struct reply *reply)
{
	memcpy(reply->bytes, f->hdr + 6, 6);
	memcpy(reply->bytes + 6, f->hdr, 6);
	memcpy(reply->bytes + 12, f->hdr + 12, l3_off - 12);
}

static bool is_icmp4_error(uint8_t type)
{
	/* Everything that is not a query or its answer: RFC 1122 §3.2.2. */
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static bool reply_ip4(const struct frame *f, uint16_t l3_off, uint16_t mtu, struct reply *reply)
{
	const uint8_t *ip = f->hdr + l3_off;
	uint16_t left = f->hdr_len - l3_off;
	uint8_t *out = reply->bytes + l3_off;
	uint8_t *icmp = out + WIRE_IP4_LEN;
	uint16_t ihl, quoted, total;

	if (left < WIRE_IP4_LEN || ip[0] >> 4 != 4)
		return false;
	ihl = (uint16_t)((ip[0] & 0xf) * 4);
	if (ihl < WIRE_IP4_LEN || left < ihl + 8)
		return false;
	if (ip[16] >= 224 || ip[12] >= 224 || wire_get32(ip + 12) == 0 ||
	    (wire_get16(ip + 6) & 0x1fff) != 0)
		return false;
	if (ip[9] == WIRE_PROTO_ICMP && is_icmp4_error(ip[ihl]))
		return false;

	quoted = left;
	total = (uint16_t)(WIRE_IP4_LEN + WIRE_ICMP_LEN + quoted);
	memset(out, 0, WIRE_IP4_LEN + WIRE_ICMP_LEN);
	out[0] = 0x45;
	out[1] = 0xc0; /* internetwork control, RFC 1812 §4.3.2.5 */
	wire_put16(out + 2, total);
	out[8] = 64;
	out[9] = WIRE_PROTO_ICMP;
	memcpy(out + 12, ip + 16, 4);
	memcpy(out + 16, ip + 12, 4);
	checksum_store(out + 10, checksum_sum(out, WIRE_IP4_LEN));
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = ICMP_FRAG_NEEDED;
	wire_put16(icmp + 6, mtu);
	memcpy(icmp + WIRE_ICMP_LEN, ip, quoted);
	checksum_store(icmp + 2, checksum_sum(icmp, (size_t)(WIRE_ICMP_LEN + quoted)));
	reply->len = (uint16_t)(l3_off + total);
	return true;
}

static bool reply_ip6(const struct frame *f, uint16_t l3_off, uint16_t mtu, struct reply *reply)
{
	const uint8_t *ip = f->hdr + l3_off;
	uint16_t left = f->hdr_len - l3_off;
	uint8_t *out = reply->bytes + l3_off;
	uint8_t *icmp = out + WIRE_IP6_LEN;
	uint16_t icmp_len;

	if (left < WIRE_IP6_LEN + 8 || ip[0] >> 4 != 6)
		return false;
	if (ip[8] == 0xff || ip[24] == 0xff || checksum_fold(checksum_sum(ip + 8, 16)) == 0)
		return false;
	if (ip[6] == WIRE_PROTO_ICMP6 && ip[WIRE_IP6_LEN] < 128)
		return false;

	icmp_len = (uint16_t)(WIRE_ICMP_LEN + left);
	memset(out, 0, WIRE_IP6_LEN + WIRE_ICMP_LEN);
	out[0] = 0x60;
	wire_put16(out + 4, icmp_len);
	out[6] = WIRE_PROTO_ICMP6;
	out[7] = 64;
	memcpy(out + 8, ip + 24, 16);
	memcpy(out + 24, ip + 8, 16);
	icmp[0] = ICMP6_TOO_BIG;
	wire_put32(icmp + 4, mtu);
	memcpy(icmp + WIRE_ICMP_LEN, ip, left);
	checksum_store(icmp + 2, checksum_pseudo(out + 8, 32, WIRE_PROTO_ICMP6, icmp_len) +
					 checksum_sum(icmp, icmp_len));
	reply->len = (uint16_t)(l3_off + WIRE_IP6_LEN + icmp_len);
	return true;
}

bool toobig_reply(const struct frame *f, uint16_t mtu, struct reply *reply)
{
	uint16_t l3_off = 0;
	uint16_t type = wire_ethertype(f->hdr, f->hdr_len, &l3_off);

	if ((f->hdr[0] & 1) != 0 || (type != WIRE_TYPE_IP4 && type != WIRE_TYPE_IP6))
		return false;
	reply_l2(f, l3_off, reply);
	return type == WIRE_TYPE_IP4 ? reply_ip4(f, l3_off, mtu, reply)
				     : reply_ip6(f, l3_off, mtu, reply);
}
