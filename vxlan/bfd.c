/* SPDX-License-Identifier: BSD-3-Clause */
/* See bfd.h. Pure. */
#include "bfd.h"

#include <string.h>

#include "checksum.h"
#include "wire.h"

#define VERSION	   1
#define HOPS	   255
#define TOS_CS6	   0xc0 /* network control, RFC 4594 §3.1 */
#define TYPE_AT	   12
#define AUTHENTIC  0x04
#define MULTIPOINT 0x01

enum { FLAG_POLL = 0x20, FLAG_FINAL = 0x10, FLAG_DEMAND = 0x02 };

static const uint8_t destination[6] = {0x00, 0x00, 0x5e, 0x00, 0x52, 0x02};
static const uint8_t loopback4[4] = {127, 0, 0, 1};
/* ::ffff:127.0.0.1, RFC 8971 §4 */
static const uint8_t loopback6[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

bool bfd_parse(const uint8_t *bytes, size_t len, struct bfd_packet *packet)
{
	if (len < BFD_LEN || bytes[0] >> 5 != VERSION || bytes[3] < BFD_LEN || bytes[3] > len)
		return false;
	if ((bytes[1] & (AUTHENTIC | MULTIPOINT)) != 0)
		return false;
	*packet = (struct bfd_packet){
		.state = bytes[1] >> 6,
		.diag = bytes[0] & 0x1f,
		.poll = (bytes[1] & FLAG_POLL) != 0,
		.final = (bytes[1] & FLAG_FINAL) != 0,
		.demand = (bytes[1] & FLAG_DEMAND) != 0,
		.detect_mult = bytes[2],
		.my_discr = wire_get32(bytes + 4),
		.your_discr = wire_get32(bytes + 8),
		.desired_tx_us = wire_get32(bytes + 12),
		.required_rx_us = wire_get32(bytes + 16),
	};
	if (packet->detect_mult == 0 || packet->my_discr == 0)
		return false;
	return packet->your_discr != 0 || packet->state == BFD_DOWN ||
	       packet->state == BFD_ADMIN_DOWN;
}

void bfd_write(const struct bfd_packet *packet, uint8_t bytes[BFD_LEN])
{
	bytes[0] = (uint8_t)(VERSION << 5 | packet->diag);
	bytes[1] = (uint8_t)(packet->state << 6 | (packet->poll ? FLAG_POLL : 0) |
			     (packet->final ? FLAG_FINAL : 0) | (packet->demand ? FLAG_DEMAND : 0));
	bytes[2] = packet->detect_mult;
	bytes[3] = BFD_LEN;
	wire_put32(bytes + 4, packet->my_discr);
	wire_put32(bytes + 8, packet->your_discr);
	wire_put32(bytes + 12, packet->desired_tx_us);
	wire_put32(bytes + 16, packet->required_rx_us);
	wire_put32(bytes + 20, 0); /* required echo interval */
}

bool bfd_is_addressed(const uint8_t *frame)
{
	return memcmp(frame, destination, sizeof(destination)) == 0;
}

static void udp_write(uint8_t *udp, const uint8_t *addresses, uint32_t addresses_len,
		      uint16_t source)
{
	uint16_t len = WIRE_UDP_LEN + BFD_LEN;

	wire_put16(udp, source);
	wire_put16(udp + 2, BFD_UDP_PORT);
	wire_put16(udp + 4, len);
	wire_put16(udp + 6, 0);
	checksum_store_udp(udp + 6, checksum_pseudo(addresses, addresses_len, WIRE_PROTO_UDP, len) +
					    checksum_sum(udp, len));
}

void bfd_frame_write(const struct bfd_packet *packet, const struct vxlan_ip *local,
		     const uint8_t mac[6], uint16_t source, struct reply *frame)
{
	uint8_t *ip = frame->bytes + WIRE_ETH_LEN;
	uint8_t *udp = ip + (local->is_v6 ? WIRE_IP6_LEN : WIRE_IP4_LEN);

	memcpy(frame->bytes, destination, 6);
	memcpy(frame->bytes + 6, mac, 6);
	wire_put16(frame->bytes + TYPE_AT, local->is_v6 ? WIRE_TYPE_IP6 : WIRE_TYPE_IP4);
	memset(ip, 0, (size_t)(udp - ip));
	frame->len = (uint16_t)(udp - frame->bytes + WIRE_UDP_LEN + BFD_LEN);
	bfd_write(packet, udp + WIRE_UDP_LEN);
	if (local->is_v6) {
		wire_put16(ip, 0x6000 | TOS_CS6 << 4);
		wire_put16(ip + 4, WIRE_UDP_LEN + BFD_LEN);
		ip[6] = WIRE_PROTO_UDP;
		ip[7] = HOPS;
		memcpy(ip + 8, local->b, 16);
		memcpy(ip + 24, loopback6, 16);
		udp_write(udp, ip + 8, 32, source);
		return;
	}
	ip[0] = 0x45;
	ip[1] = TOS_CS6;
	wire_put16(ip + 2, WIRE_IP4_LEN + WIRE_UDP_LEN + BFD_LEN);
	wire_put16(ip + 6, 0x4000); /* DF, so the id may be 0: RFC 6864 */
	ip[8] = HOPS;
	ip[9] = WIRE_PROTO_UDP;
	memcpy(ip + 12, local->b, 4);
	memcpy(ip + 16, loopback4, 4);
	checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
	udp_write(udp, ip + 12, 8, source);
}

/* IPv4 without options, not a fragment. Return: where UDP begins, 0 if it is not as it must be. */
static uint16_t ip4_parse(const struct frame *f, const struct vxlan_ip *remote, uint16_t *room)
{
	const uint8_t *ip = f->hdr + WIRE_ETH_LEN;
	uint16_t total;

	if (remote->is_v6 || f->hdr_len < WIRE_ETH_LEN + WIRE_IP4_LEN || ip[0] != 0x45)
		return 0;
	total = wire_get16(ip + 2);
	if (total < WIRE_IP4_LEN || total > f->hdr_len - WIRE_ETH_LEN ||
	    (wire_get16(ip + 6) & 0x3fff) != 0 || ip[8] != HOPS || ip[9] != WIRE_PROTO_UDP ||
	    memcmp(ip + 12, remote->b, 4) != 0 || ip[16] != 127 ||
	    checksum_fold(checksum_sum(ip, WIRE_IP4_LEN)) != UINT16_MAX)
		return 0;
	*room = (uint16_t)(total - WIRE_IP4_LEN);
	return WIRE_ETH_LEN + WIRE_IP4_LEN;
}

static uint16_t ip6_parse(const struct frame *f, const struct vxlan_ip *remote, uint16_t *room)
{
	const uint8_t *ip = f->hdr + WIRE_ETH_LEN;

	if (!remote->is_v6 || f->hdr_len < WIRE_ETH_LEN + WIRE_IP6_LEN || ip[0] >> 4 != 6)
		return 0;
	*room = wire_get16(ip + 4);
	if (*room > f->hdr_len - WIRE_ETH_LEN - WIRE_IP6_LEN || ip[6] != WIRE_PROTO_UDP ||
	    ip[7] != HOPS || memcmp(ip + 8, remote->b, 16) != 0 ||
	    memcmp(ip + 24, loopback6, 13) != 0) /* ::ffff:127.0.0.0/104 */
		return 0;
	return WIRE_ETH_LEN + WIRE_IP6_LEN;
}

bool bfd_frame_parse(const struct frame *f, const struct vxlan_ip *remote,
		     struct bfd_packet *packet)
{
	uint32_t addresses_len = remote->is_v6 ? 32 : 8;
	uint16_t off = 0, room = 0, type, len;
	const uint8_t *udp;

	if (f->hdr_len < WIRE_ETH_LEN)
		return false;
	type = wire_get16(f->hdr + TYPE_AT);
	if (type == WIRE_TYPE_IP4)
		off = ip4_parse(f, remote, &room);
	else if (type == WIRE_TYPE_IP6)
		off = ip6_parse(f, remote, &room);
	if (off == 0 || room < WIRE_UDP_LEN + BFD_LEN)
		return false;
	udp = f->hdr + off;
	len = wire_get16(udp + 4);
	if (wire_get16(udp + 2) != BFD_UDP_PORT || len > room || len < WIRE_UDP_LEN + BFD_LEN)
		return false;
	if ((remote->is_v6 || wire_get16(udp + 6) != 0) &&
	    (wire_get16(udp + 6) == 0 ||
	     checksum_fold(
		     checksum_pseudo(udp - addresses_len, addresses_len, WIRE_PROTO_UDP, len) +
		     checksum_sum(udp, len)) != UINT16_MAX))
		return false;
	return bfd_parse(udp + WIRE_UDP_LEN, len - WIRE_UDP_LEN, packet);
}
