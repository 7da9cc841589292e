/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the overlay's tests share: the two hosts of tests/fixtures/vxlan/make_vectors.py as a table, and frames over given bytes.
 */
#ifndef TESTS_VXLAN_OVERLAY_H
#define TESTS_VXLAN_OVERLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "fixtures/vxlan/vectors.h"
#include "l4.h"
#include "vtep.h"
#include "wire.h"

#define VNI_10010     10010
#define OVERLAY_PEERS 3 /* 0: IPv4 peer, 1: IPv6 peer, 2: IPv4 peer outside the VNI */

struct overlay {
	struct vxlan_ip locals[2];
	struct vtep_peer_spec peers[OVERLAY_PEERS];
	struct vtep_member members[2];
	struct vtep_vni_spec vni;
	struct vtep_spec spec;
};

static inline struct vxlan_ip overlay_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct vxlan_ip){.b = {a, b, c, d}};
}

static inline struct vxlan_ip overlay_ip6(uint8_t net, uint8_t host)
{
	return (struct vxlan_ip){.is_v6 = 1, .b = {0x20, 0x01, 0x0d, 0xb8, 0, net, [15] = host}};
}

/** overlay_init() - VTEP A of the vectors, with B as its peer in VNI 10010; source port always 50000 */
static inline void overlay_init(struct overlay *o)
{
	const struct vtep_nexthop hop = {.uplink = 5,
					 .mtu = 1500,
					 .resolved = true,
					 .dst_mac = {2, 0, 0, 0, 1, 0x0b},
					 .src_mac = {2, 0, 0, 0, 1, 0x0a}};

	memset(o, 0, sizeof(*o));
	o->locals[0] = overlay_ip4(192, 0, 2, 1);
	o->locals[1] = overlay_ip6(0, 1);
	o->peers[0] = (struct vtep_peer_spec){
		.remote = overlay_ip4(192, 0, 2, 2), .local = 0, .slot = 10};
	o->peers[1] = (struct vtep_peer_spec){.remote = overlay_ip6(0, 2), .local = 1, .slot = 11};
	o->peers[2] = (struct vtep_peer_spec){
		.remote = overlay_ip4(192, 0, 2, 3), .local = 0, .slot = 12};
	for (int i = 0; i < OVERLAY_PEERS; i++) {
		o->peers[i].src_port_min = o->peers[i].src_port_max = 50000;
		o->peers[i].n_nexthops = 1;
		o->peers[i].nexthops[0] = hop;
	}
	o->members[0] = (struct vtep_member){.peer = 0, .flood = true};
	o->members[1] = (struct vtep_member){.peer = 1, .flood = true};
	o->vni = (struct vtep_vni_spec){.vni = VNI_10010,
					.sw = 3,
					.vid = 10,
					.slot = 7,
					.n_members = 2,
					.members = o->members};
	o->spec = (struct vtep_spec){.n_locals = 2,
				     .locals = o->locals,
				     .n_peers = OVERLAY_PEERS,
				     .peers = o->peers,
				     .n_vnis = 1,
				     .vnis = &o->vni};
}

/* The same setting for all peers. */
#define OVERLAY_SET(o, field, value)                                                               \
	do {                                                                                       \
		for (int i_ = 0; i_ < OVERLAY_PEERS; i_++)                                         \
			(o)->peers[i_].field = (value);                                            \
	} while (0)

static inline struct vtep_table *overlay_table(const struct overlay *o)
{
	struct vtep_table *table = NULL;
	struct err err = {0};
	int ret = vtep_table_new(&o->spec, &table, &err);

	if (ret != 0)
		fail_msg("table refused: %s", err.text);
	return table;
}

/** overlay_frame_uplink() - A parsed frame over @bytes: @front + 128 in the snapshot, the rest in segments of @seg_len */
static inline void overlay_frame_uplink(struct frame *f, struct frame_seg *segs,
					const uint8_t *bytes, uint32_t len, uint32_t seg_len,
					uint32_t front)
{
	uint32_t off;

	memset(f, 0, sizeof(*f));
	f->hdr = f->buf + FRAME_HDR_ROOM - front;
	f->hdr_len = (uint16_t)(len < front + FRAME_HDR_MAX ? len : front + FRAME_HDR_MAX);
	memcpy(f->hdr, bytes, f->hdr_len);
	f->len = len;
	f->segs = segs;
	for (off = f->hdr_len; off < len; off += segs[f->n_segs++].len) {
		assert_in_range(f->n_segs, 0, FRAME_SEGS_MAX - 1);
		segs[f->n_segs] =
			(struct frame_seg){bytes + off, len - off < seg_len ? len - off : seg_len};
	}
	l4_parse_tags(f);
}

/** overlay_frame() - With 128 bytes in the snapshot */
static inline void overlay_frame(struct frame *f, struct frame_seg *segs, const uint8_t *bytes,
				 uint32_t len, uint32_t seg_len)
{
	overlay_frame_uplink(f, segs, bytes, len, seg_len, 0);
}

/** overlay_bytes() - All bytes of a frame. Return: its length */
static inline uint32_t overlay_bytes(const struct frame *f, uint8_t *bytes)
{
	uint32_t len = f->hdr_len;

	memcpy(bytes, f->hdr, f->hdr_len);
	for (uint16_t i = 0; i < f->n_segs; i++) {
		memcpy(bytes + len, f->segs[i].base, f->segs[i].len);
		len += f->segs[i].len;
	}
	return len;
}

/** overlay_assert_bytes() - Equal in length and in every byte, or say where not */
static inline void overlay_assert_bytes(const uint8_t *found, uint32_t found_len,
					const uint8_t *wanted, uint32_t wanted_len)
{
	uint32_t len = found_len < wanted_len ? found_len : wanted_len;

	for (uint32_t i = 0; i < len; i++) {
		if (found[i] != wanted[i])
			fail_msg("byte %u is %02x, wanted %02x", i, found[i], wanted[i]);
	}
	assert_int_equal(found_len, wanted_len);
}

#define OVERLAY_ASSERT(found, found_len, vector)                                                   \
	overlay_assert_bytes(found, found_len, vector_##vector, sizeof(vector_##vector))

#endif
