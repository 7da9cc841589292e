/* links: vxlan datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an uplink may be sent: a packet is decapsulated, and what comes out is parsed, overheard, answered, encapsulated again and written.
 *
 * Input: byte 0 chooses segment length, byte 1 offload wishes and repairs, then the packet. With repairs on, the
 * outer IPv4 header's and the inner ICMPv6 checksum are made right, so that mutations get past them.
 */
#include <stdlib.h>
#include <string.h>

#include "bfd.h"
#include "bum.h"
#include "checksum.h"
#include "decap.h"
#include "encap.h"
#include "l4.h"
#include "neigh.h"
#include "packet.h"
#include "snoop.h"
#include "suppress.h"
#include "toobig.h"
#include "unfilled.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPAIR = 1, NEEDS_CSUM = 2, CSUM_VALID = 4, GSO4 = 8, GSO6 = 16 };
enum { UNFILLED = NEEDS_CSUM | CSUM_VALID }; /* which together mean nothing else */

static struct vtep_table *table;
static struct neigh_table *neighbours;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void setup(void)
{
	static const struct vxlan_ip locals[2] = {
		{.b = {192, 0, 2, 1}}, {.is_v6 = 1, .b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}};
	static const struct vtep_member members[2] = {{.peer = 0, .flood = true},
						      {.peer = 1, .flood = true}};
	struct vtep_peer_spec peers[2] = {
		{.remote = {.b = {192, 0, 2, 2}}, .local = 0, .n_nexthops = 1},
		{.remote = {.is_v6 = 1, .b = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}},
		 .local = 1,
		 .csum = VTEP_CSUM_ZERO,
		 .n_nexthops = 1}};
	struct vtep_vni_spec vnis[3];
	struct vtep_spec spec = {.n_locals = 2,
				 .locals = locals,
				 .n_peers = 2,
				 .peers = peers,
				 .n_vnis = 3,
				 .vnis = vnis};
	static const struct neigh_entry known[2] = {
		{.vni = 10010, .ip = {.b = {10, 0, 10, 2}}, .mac = {2, 0, 0, 0, 0, 0x0b}},
		{.vni = 10010,
		 .ip = {.is_v6 = 1, .b = {0xfd, 0, [7] = 10, [15] = 2}},
		 .mac = {2, 0, 0, 0, 0, 0x0b},
		 .is_router = true,
		 .is_static = true}};

	for (int i = 0; i < 2; i++)
		peers[i].nexthops[0] = (struct vtep_nexthop){.mtu = 9000, .resolved = true};
	for (uint32_t v = 0; v < 3; v++)
		vnis[v] = (struct vtep_vni_spec){.vni = 10010 + v,
						 .vid = (uint16_t)(10 + v),
						 .tag = (uint8_t)v, /* one of each treatment */
						 .n_members = 2,
						 .members = members};
	check(vtep_table_new(&spec, &table, NULL) == 0);
	neighbours = neigh_table_new(known, 2);
	check(neighbours != NULL);
}

/* The frame contract of datapath/frame.h. */
static void check_frame(const struct frame *f)
{
	uint32_t len = f->hdr_len;
	volatile uint8_t sink = 0;

	check(f->hdr >= f->buf && f->hdr + f->hdr_len <= f->buf + sizeof(f->buf));
	for (uint16_t i = 0; i < f->n_segs; i++) {
		len += f->segs[i].len;
		for (uint32_t b = 0; b < f->segs[i].len; b++)
			sink ^= f->segs[i].base[b];
	}
	(void)sink;
	check(len == f->len);
}

/* As stage_parse does: the payload begins behind the TCP header that the checksum starts at. */
static void set_headers_len(struct frame *f)
{
	uint16_t tcp = f->offload.csum_start;

	if (f->offload.gso != FRAME_GSO_NONE && tcp + 20 <= f->hdr_len)
		f->offload.gso_hdr_len = (uint16_t)(tcp + (f->hdr[tcp + 12] >> 4) * 4);
}

/* So that ND gets past its checksum; only what is whole in the snapshot is read as ND. */
static void repair_icmp6(struct frame *f)
{
	uint16_t l3 = 0, len;
	uint8_t *ip = f->hdr, *icmp;

	if (wire_ethertype(f->hdr, f->hdr_len, &l3) != WIRE_TYPE_IP6 ||
	    f->hdr_len < l3 + WIRE_IP6_LEN + 8 || f->hdr[l3 + 6] != WIRE_PROTO_ICMP6)
		return;
	ip = f->hdr + l3;
	icmp = ip + WIRE_IP6_LEN;
	len = wire_get16(ip + 4);
	if (len < 8 || len > f->hdr_len - l3 - WIRE_IP6_LEN)
		return;
	memset(icmp + 2, 0, 2);
	checksum_store(icmp + 2, checksum_pseudo(ip + 8, 32, WIRE_PROTO_ICMP6, len) +
					 checksum_sum(icmp, len));
}

/* An answer is a proper packet, for the one that asked. */
static void check_reply(const struct frame *f, const struct reply *reply)
{
	uint16_t l3 = 0, len;
	uint16_t type = wire_ethertype(reply->bytes, reply->len, &l3);
	const uint8_t *ip = reply->bytes + l3;

	check(reply->len <= REPLY_LEN_MAX && reply->len > l3);
	check(memcmp(reply->bytes, f->hdr + 6, 6) == 0 || reply->bytes[0] == 0x33);
	if (type == WIRE_TYPE_IP4) {
		len = wire_get16(ip + 2);
		check(len == reply->len - l3 && ip[0] == 0x45);
		check(checksum_fold(checksum_sum(ip, WIRE_IP4_LEN)) == UINT16_MAX);
		check(checksum_fold(checksum_sum(ip + WIRE_IP4_LEN, (size_t)len - WIRE_IP4_LEN)) ==
		      UINT16_MAX);
	} else if (type == WIRE_TYPE_IP6) {
		len = wire_get16(ip + 4);
		check(len == reply->len - l3 - WIRE_IP6_LEN && ip[0] >> 4 == 6);
		check(checksum_fold(checksum_pseudo(ip + 8, 32, WIRE_PROTO_ICMP6, len) +
				    checksum_sum(ip + WIRE_IP6_LEN, len)) == UINT16_MAX);
	} else {
		check(type == WIRE_TYPE_ARP && reply->len == l3 + WIRE_ARP_LEN);
	}
}

/* What a frame says about its sender, who is not a group and has an address that can be one. */
static void overhear(const struct frame *f)
{
	struct snoop_event event;

	if (!snoop_parse(f, &event))
		return;
	check(memcmp(event.mac, f->hdr + 6, 6) == 0);
	check(event.ip.is_v6 ? event.ip.b[0] != 0xff : event.ip.b[0] < 224 && event.ip.b[0] != 0);
}

static void send_on(struct frame *f)
{
	static uint8_t packet[FRAME_LEN_MAX + FRAME_PREFIX_MAX];
	struct frame_out template = {.f = f};
	struct frame_out outs[2];
	struct encap_dest dests[2];
	enum drop_reason drop;
	uint32_t start = 0;
	uint16_t n = bum_flood(table, 0, VTEP_NONE, &template, outs, dests, 2, &start, &drop);

	encap_burst(table, outs, dests, n);
	for (uint16_t i = 0; i < n; i++) {
		struct packet_cursor cursor;
		uint32_t count = 0;

		if (outs[i].drop != DROP_NONE ||
		    packet_start(&cursor, &outs[i], dests[i].outer_len) != DROP_NONE)
			continue;
		while (packet_next(&cursor, packet, sizeof(packet)) > 0)
			count++;
		check(packet_is_done(&cursor) && count == packet_count(&cursor));
	}
}

/* Behind the same packet, which made its VTEP known, the same becomes of one as alone. */
static void decap_in_row(const struct frame *f, const struct frame *alone,
			 const struct decap_info *info)
{
	static struct frame pair[2];
	static struct pull_scratch scratch;
	static uint8_t a[FRAME_LEN_MAX], b[FRAME_LEN_MAX];
	struct frame_out outs[2] = {{.f = (struct frame *)alone}, {.f = &pair[1]}};
	struct decap_info infos[2];

	for (int i = 0; i < 2; i++) {
		pair[i] = *f;
		pair[i].hdr = pair[i].buf + (f->hdr - f->buf);
	}
	decap_burst(table, pair, infos, 2, &scratch);
	check(infos[0].verdict == info->verdict && infos[1].verdict == info->verdict);
	check(infos[1].drop == info->drop && infos[1].vni == info->vni &&
	      infos[1].peer == info->peer);
	if (info->verdict != DECAP_INNER && info->verdict != DECAP_BFD)
		return;
	check(alone->len == pair[1].len);
	check(frame_out_copy(&outs[0], a, alone->len) == frame_out_copy(&outs[1], b, alone->len));
	check(memcmp(a, b, alone->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pull_scratch scratch;
	struct frame_seg segs[FRAME_SEGS_MAX];
	struct decap_info info;
	struct reply reply;
	struct frame f, received;
	uint8_t *packet;
	uint32_t seg_len, off;
	uint8_t wishes;

	if (table == NULL)
		setup();
	if (size < 2 || size > 16384)
		return 0;
	seg_len = data[0] + 1U > size / 32 ? data[0] + 1U : (uint32_t)size / 32;
	wishes = data[1];
	data += 2;
	size -= 2;
	packet = malloc(size + 1); /* exact, so that the sanitizer sees every overrun */
	check(packet != NULL);
	memcpy(packet, data, size);
	if ((wishes & REPAIR) != 0 && size >= 34) {
		memset(packet + 24, 0, 2);
		checksum_store(packet + 24, checksum_sum(packet + 14, 20));
	}

	if ((wishes & UNFILLED) == UNFILLED)
		unfilled_complete(packet, (uint32_t)size);

	memset(&f, 0, sizeof(f));
	f.hdr = f.buf + FRAME_HDR_ROOM;
	f.hdr_len = size < FRAME_HDR_MAX ? (uint16_t)size : FRAME_HDR_MAX;
	memcpy(f.hdr, packet, f.hdr_len);
	f.len = (uint32_t)size;
	f.segs = segs;
	for (off = f.hdr_len; off < size; off += segs[f.n_segs++].len)
		segs[f.n_segs] = (struct frame_seg){
			packet + off, size - off < seg_len ? (uint32_t)size - off : seg_len};
	f.offload.flags = (uint8_t)((wishes & NEEDS_CSUM ? FRAME_NEEDS_CSUM : 0) |
				    (wishes & CSUM_VALID ? FRAME_CSUM_VALID : 0));
	f.offload.gso = wishes & GSO4	? FRAME_GSO_TCP4
			: wishes & GSO6 ? FRAME_GSO_TCP6
					: FRAME_GSO_NONE;
	f.offload.gso_size = 100;
	f.offload.csum_start = (uint16_t)((wishes & GSO6 ? 104 : 84) + (wishes >> 5));
	f.offload.csum_offset = 16;

	received = f;
	received.hdr = received.buf + FRAME_HDR_ROOM;
	decap_burst(table, &f, &info, 1, &scratch);
	check_frame(&f);
	decap_in_row(&received, &f, &info);
	if (info.verdict == DECAP_BFD) {
		static const struct vxlan_ip remote = {.b = {192, 0, 2, 2}};
		struct bfd_packet control;

		check(f.hdr_len >= WIRE_ETH_LEN && bfd_is_addressed(f.hdr));
		if (bfd_frame_parse(&f, &remote, &control))
			check(control.my_discr != 0);
	}
	if (info.verdict == DECAP_INNER) {
		const struct neigh_entry *found;

		check(info.drop == DROP_NONE && f.len >= WIRE_ETH_LEN && f.hdr_len >= WIRE_ETH_LEN);
		l4_parse_tags(&f);
		set_headers_len(&f);
		if ((wishes & REPAIR) != 0)
			repair_icmp6(&f);
		overhear(&f);
		if (suppress_request(neighbours, 10010, &f, 1, &reply, &found) == SUPPRESS_ANSWER)
			check_reply(&f, &reply);
		if (toobig_reply(&f, 1400, &reply))
			check_reply(&f, &reply);
		send_on(&f);
	}
	free(packet);
	return 0;
}
