/* links: vxlan datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A row of datagrams that an uplink received uncut: if it is merged into one frame, cutting that frame again gives back every
 * byte of the datagrams, but for the identification of IPv4, which the cutter gives.
 *
 * Input: byte 0 has the wishes, 1 and 2 the length of a datagram, 3 to 5 say which byte to spoil and how, the rest is the row from its first
 * VXLAN header on. With repairs on, all datagrams get the first one's headers, sequence numbers, lengths and checksums as they
 * should be; the byte is spoilt before the checksums are made. Of a row that was never on a wire TCP's checksum may change, as
 * nobody looks at it.
 */
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "decap.h"
#include "encap.h"
#include "l4.h"
#include "merge.h"
#include "packet.h"
#include "vxlan.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPAIR = 1, OUTER_V6 = 2, SPOIL = 4, IN_MEMORY = 8 };
enum { WORDS = 6, ROW_MAX = 16384, INNER = VXLAN_HDR_LEN + WIRE_ETH_LEN, TCP_MIN = 20 };

static struct vtep_table *table;

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
		 .n_nexthops = 1}};
	struct vtep_vni_spec vni = {
		.vni = 10010, .vid = 10, .tag = VTEP_TAG_KEEP, .n_members = 2, .members = members};
	struct vtep_spec spec = {.n_locals = 2,
				 .locals = locals,
				 .n_peers = 2,
				 .peers = peers,
				 .n_vnis = 1,
				 .vnis = &vni};

	for (int i = 0; i < 2; i++)
		peers[i].nexthops[0] = (struct vtep_nexthop){.mtu = UINT16_MAX, .resolved = true};
	check(vtep_table_new(&spec, &table, NULL) == 0);
}

/* Headers in front of a row, right but for its checksum, which is the kernel's to make. */
static uint16_t outer_write(uint8_t *bytes, bool is_v6, uint16_t row_len)
{
	uint16_t udp_len = (uint16_t)(row_len + WIRE_UDP_LEN), l4;
	uint8_t *ip = bytes + WIRE_ETH_LEN;

	memset(bytes, 0, VXLAN_OUTER_LEN6);
	wire_put16(bytes + 12, is_v6 ? WIRE_TYPE_IP6 : WIRE_TYPE_IP4);
	if (is_v6) {
		ip[0] = 0x60;
		wire_put16(ip + 4, udp_len);
		ip[6] = WIRE_PROTO_UDP;
		ip[7] = 64;
		memcpy(ip + 8, table->peers[1].remote.b, 16);
		memcpy(ip + 24, table->locals[1].b, 16);
		l4 = WIRE_ETH_LEN + WIRE_IP6_LEN;
	} else {
		ip[0] = 0x45;
		wire_put16(ip + 2, (uint16_t)(udp_len + WIRE_IP4_LEN));
		ip[8] = 64;
		ip[9] = WIRE_PROTO_UDP;
		memcpy(ip + 12, table->peers[0].remote.b, 4);
		memcpy(ip + 16, table->locals[0].b, 4);
		checksum_store(ip + 10, checksum_sum(ip, WIRE_IP4_LEN));
		l4 = WIRE_ETH_LEN + WIRE_IP4_LEN;
	}
	wire_put16(bytes + l4, 50000);
	wire_put16(bytes + l4 + 2, VXLAN_UDP_PORT);
	wire_put16(bytes + l4 + 4, udp_len);
	return (uint16_t)(l4 + WIRE_UDP_LEN);
}

/* Where TCP begins in a datagram that is plain TCP and has its headers whole, else 0. */
static uint16_t tcp_at(const uint8_t *d, uint32_t len)
{
	uint16_t l4;

	if (len < INNER)
		return 0;
	if (wire_get16(d + VXLAN_HDR_LEN + 12) == WIRE_TYPE_IP4)
		l4 = INNER + WIRE_IP4_LEN;
	else if (wire_get16(d + VXLAN_HDR_LEN + 12) == WIRE_TYPE_IP6)
		l4 = INNER + WIRE_IP6_LEN;
	else
		return 0;
	if (len < l4 + (uint32_t)TCP_MIN)
		return 0;
	if (d[l4 + 12] >> 4 < 5 || l4 + (uint32_t)(d[l4 + 12] >> 4) * 4 >= len)
		return 0;
	return l4;
}

/* Make row[0..len) what one large frame would be cut into. */
static void repair(uint8_t *row, uint32_t len, uint32_t segment, const uint8_t *words, bool spoil)
{
	uint16_t l4 = tcp_at(row, segment < len ? segment : len), headers;
	uint32_t step;

	if (l4 == 0)
		return;
	headers = (uint16_t)(l4 + (row[l4 + 12] >> 4) * 4);
	step = segment - headers;
	for (uint32_t at = 0, seq = 0; at < len; at += segment, seq += step) {
		uint32_t part = len - at < segment ? len - at : segment;
		uint8_t flags = at + l4 + 13 < len ? row[at + l4 + 13] : 0;
		uint8_t *d = row + at;
		bool is_last = at + segment >= len;

		if (part <= headers)
			return;
		if (at > 0) {
			memcpy(d, row, headers);
			wire_put32(d + l4 + 4, wire_get32(row + l4 + 4) + seq);
			d[l4 + 13] = (uint8_t)((row[l4 + 13] & 0x76) | (is_last ? flags & 9 : 0));
		}
		if (spoil && words[0] == (at / segment) % 256)
			d[words[1] % part] ^= words[2];
		if (l4 == INNER + WIRE_IP4_LEN) {
			wire_put16(d + INNER + 2, (uint16_t)(part - INNER));
			memset(d + INNER + 10, 0, 2);
			checksum_store(d + INNER + 10, checksum_sum(d + INNER, WIRE_IP4_LEN));
		} else {
			wire_put16(d + INNER + 4, (uint16_t)(part - l4));
		}
		memset(d + l4 + 16, 0, 2);
		checksum_store(
			d + l4 + 16,
			checksum_pseudo(l4 == INNER + WIRE_IP4_LEN ? d + INNER + 12 : d + INNER + 8,
					l4 == INNER + WIRE_IP4_LEN ? 8 : 32, WIRE_PROTO_TCP,
					part - l4) +
				checksum_sum(d + l4, part - l4));
	}
}

/* One datagram of the row against what came out of cutting, VXLAN header and all. */
static void check_same(const uint8_t *was, const uint8_t *is, uint32_t len, bool in_memory)
{
	uint8_t a[ROW_MAX], b[ROW_MAX];
	uint16_t l4 = tcp_at(was, len);

	memcpy(a, was, len);
	memcpy(b, is, len);
	memset(a, 0, VXLAN_HDR_LEN); /* reserved bits are ignored, and sent as 0 */
	memset(b, 0, VXLAN_HDR_LEN);
	if (wire_get16(a + VXLAN_HDR_LEN + 12) == WIRE_TYPE_IP4) {
		for (int at = INNER + 4; at < INNER + 12; at++) {
			if (at < INNER + 6 || at >= INNER + 10)
				a[at] = b[at] = 0;
		}
	}
	check(l4 != 0);
	if (in_memory) {
		memset(a + l4 + 16, 0, 2);
		memset(b + l4 + 16, 0, 2);
	}
	check(memcmp(a, b, len) == 0);
}

/* The frame that was made of the row, encapsulated and cut again, is the row. */
static void check_cut(struct frame *f, const uint8_t *row, uint32_t len, uint32_t segment,
		      bool in_memory)
{
	static uint8_t packet[FRAME_LEN_MAX + FRAME_PREFIX_MAX];
	static struct pull_scratch scratch;
	struct encap_dest dest = {.peer = 1};
	struct frame_out out = {.f = f};
	struct packet_cursor cursor;
	struct decap_info info;
	uint32_t at = 0, got;
	uint16_t tcp;

	decap_burst(table, f, &info, 1, &scratch);
	if (info.verdict != DECAP_INNER)
		return;
	l4_parse_tags(f);
	tcp = f->offload.csum_start;
	check(f->offload.gso != FRAME_GSO_NONE && tcp + TCP_MIN <= f->hdr_len);
	f->offload.gso_hdr_len = (uint16_t)(tcp + (f->hdr[tcp + 12] >> 4) * 4);
	if (f->offload.gso_hdr_len > f->hdr_len)
		return; /* options that are not in the snapshot: stage_parse drops it */
	encap_burst(table, &out, &dest, 1);
	check(out.drop == DROP_NONE && packet_start(&cursor, &out, dest.outer_len) == DROP_NONE);
	while ((got = packet_next(&cursor, packet, sizeof(packet))) > 0) {
		uint32_t part = len - at < segment ? len - at : segment;

		got -= dest.outer_len - (uint32_t)VXLAN_HDR_LEN;
		check(got == part);
		check_same(row + at, packet + dest.outer_len - VXLAN_HDR_LEN, part, in_memory);
		at += part;
	}
	check(at == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame_seg segs[FRAME_SEGS_MAX];
	static struct frame f;
	uint8_t *bytes, *row;
	uint16_t front, segment;
	uint32_t len, seen;
	bool in_memory;

	if (table == NULL)
		setup();
	if (size <= WORDS || size > ROW_MAX)
		return 0;
	len = (uint32_t)size - WORDS;
	segment = wire_get16(data + 1);
	in_memory = (data[0] & IN_MEMORY) != 0;
	if (segment == 0)
		return 0;
	bytes = malloc(VXLAN_OUTER_LEN6 +
		       len); /* exact, so that the sanitizer sees every overrun */
	row = malloc(len);
	check(bytes != NULL && row != NULL);
	memcpy(row, data + WORDS, len);
	if ((data[0] & REPAIR) != 0)
		repair(row, len, segment, data + 3, (data[0] & SPOIL) != 0);
	front = outer_write(bytes, (data[0] & OUTER_V6) != 0, (uint16_t)len);
	bytes = realloc(bytes, front + len);
	memcpy(bytes + front, row, len);
	if (merge_row(bytes, front + len, front, segment, !in_memory, &f, segs)) {
		seen = f.hdr_len;
		check(f.hdr >= f.buf && f.hdr + f.hdr_len <= f.buf + sizeof(f.buf));
		for (uint16_t i = 0; i < f.n_segs; i++)
			seen += f.segs[i].len;
		check(seen == f.len);
		/* Outer lengths are the uplink's to set, as it knows the front */
		wire_put16(f.hdr + front - 4, (uint16_t)(f.len - front + WIRE_UDP_LEN));
		if ((data[0] & OUTER_V6) != 0) {
			wire_put16(f.hdr + WIRE_ETH_LEN + 4,
				   (uint16_t)(f.len - front + WIRE_UDP_LEN));
		} else {
			wire_put16(f.hdr + WIRE_ETH_LEN + 2,
				   (uint16_t)(f.len - front + WIRE_UDP_LEN + WIRE_IP4_LEN));
			memset(f.hdr + WIRE_ETH_LEN + 10, 0, 2);
			checksum_store(f.hdr + WIRE_ETH_LEN + 10,
				       checksum_sum(f.hdr + WIRE_ETH_LEN, WIRE_IP4_LEN));
		}
		check_cut(&f, row, len, segment, in_memory);
	}
	free(bytes);
	free(row);
	return 0;
}
