/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must hold for both ring layouts. test_ring_split.c and test_ring_packed.c define GUEST_PACKED, include this, and
 * add what only their layout has.
 */
#ifndef TESTS_UNIT_DATAPATH_RING_CASES_H
#define TESTS_UNIT_DATAPATH_RING_CASES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/datapath/ring_guest.h"

static struct frame frames[FRAME_BURST];
static uint64_t drops[DROP_N];
static uint8_t flat[FRAME_LEN_MAX];

static struct guest *sender(void)
{
	struct guest *g = guest_new(GUEST_PACKED, false, 0);

	memset(drops, 0, sizeof(drops));
	assert_int_equal(guest_open(g), 0);
	return g;
}

static struct guest *receiver(bool mergeable)
{
	struct guest *g = guest_new(GUEST_PACKED, true, 0);

	g->setup.mergeable = mergeable;
	assert_int_equal(guest_open(g), 0);
	return g;
}

/* One bad chain: dropped under @reason, given back unused, and the next good one still arrives. */
static void expect_dropped(struct guest *g, int id, enum drop_reason reason)
{
	uint32_t len;

	guest_fill_frame(g, guest_data(30), NULL, 60, 9);
	guest_offer_one(g, guest_data(30), VNET_LEN_MAX + 60);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	assert_int_equal(drops[reason], 1);
	assert_false(g->ring.broken);
	ring_rx_release(&g->ring);
	assert_int_equal(guest_collect(g, &len), id);
	assert_int_equal(len, 0);
	assert_true(guest_collect(g, &len) >= 0);
	guest_free(g);
}

static void short_frame_is_snapshot_whole(void **state)
{
	struct guest *g = sender();
	uint32_t len;
	int id;

	(void)state;
	guest_fill_frame(g, guest_data(0), NULL, 60, 1);
	id = guest_offer_one(g, guest_data(0), VNET_LEN_MAX + 60);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	assert_int_equal(frames[0].len, 60);
	assert_int_equal(frames[0].hdr_len, 60);
	assert_int_equal(frames[0].n_segs, 0);
	assert_memory_equal(frames[0].hdr, guest_at(g, guest_data(0) + VNET_LEN_MAX), 60);
	assert_int_equal(guest_collect(g, &len), -1);
	assert_true(ring_rx_release(&g->ring));
	assert_int_equal(guest_collect(g, &len), id);
	assert_int_equal(len, 0);
	assert_int_equal(guest_collect(g, &len), -1);
	guest_free(g);
}

static void long_frame_leaves_its_rest_in_guest_memory(void **state)
{
	struct guest *g = sender();

	(void)state;
	guest_fill_frame(g, guest_data(0), NULL, 1500, 1);
	guest_offer_one(g, guest_data(0), VNET_LEN_MAX + 1500);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	assert_int_equal(frames[0].len, 1500);
	assert_int_equal(frames[0].hdr_len, FRAME_HDR_MAX);
	assert_int_equal(frames[0].n_segs, 1);
	assert_ptr_equal(frames[0].segs[0].base,
			 guest_at(g, guest_data(0)) + VNET_LEN_MAX + FRAME_HDR_MAX);
	assert_int_equal(frames[0].segs[0].len, 1500 - FRAME_HDR_MAX);
	guest_free(g);
}

static void header_and_payload_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (uint32_t first = 1; first < 200; first++) {
		for (int indirect = 0; indirect < 2; indirect++) {
			struct guest *g = sender();
			struct guest_buf bufs[] = {{guest_data(0), first},
						   {guest_data(0) + first, 3},
						   {guest_data(0) + first + 3, 600 - first}};
			uint32_t len;

			guest_fill_frame(g, guest_data(0), NULL, 603 - VNET_LEN_MAX, 1);
			if (indirect)
				guest_offer_indirect(g, 0, bufs, 3);
			else
				guest_offer(g, bufs, 3);
			assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
			assert_int_equal(guest_flatten(&frames[0], flat), 603 - VNET_LEN_MAX);
			assert_int_equal(frames[0].hdr_len, FRAME_HDR_MAX);
			assert_memory_equal(flat, guest_at(g, guest_data(0) + VNET_LEN_MAX),
					    603 - VNET_LEN_MAX);
			ring_rx_release(&g->ring);
			assert_true(guest_collect(g, &len) >= 0);
			guest_free(g);
		}
	}
}

static void many_laps_keep_order(void **state)
{
	struct guest *g = sender();
	uint32_t len;

	(void)state;
	for (unsigned int lap = 0; lap < 9000; lap++) {
		uint16_t n = 1 + lap % 5;

		for (uint16_t i = 0; i < n; i++) {
			guest_fill_frame(g, guest_data(i), NULL, 64, (uint8_t)(lap + i));
			if ((lap + i) % 3 == 0)
				guest_offer(g,
					    (struct guest_buf[]){{guest_data(i), 30},
								 {guest_data(i) + 30, 64 - 18}},
					    2);
			else
				guest_offer_one(g, guest_data(i), VNET_LEN_MAX + 64);
		}
		assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), n);
		for (uint16_t i = 0; i < n; i++)
			assert_int_equal(frames[i].hdr[0], (uint8_t)(lap + i));
		ring_rx_release(&g->ring);
		for (uint16_t i = 0; i < n; i++)
			assert_true(guest_collect(g, &len) >= 0);
		assert_int_equal(guest_collect(g, &len), -1);
	}
	guest_free(g);
}

static void guest_that_rewrites_its_header_changes_nothing(void **state)
{
	struct guest *from = sender(), *to = receiver(true);
	struct vnet_hdr hdr = {.flags = VNET_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
	struct frame_out out = {.f = &frames[0]};
	uint8_t before[100];
	struct vnet_hdr got;

	(void)state;
	guest_fill_frame(from, guest_data(0), &hdr, 100, 1);
	memcpy(before, guest_at(from, guest_data(0) + VNET_LEN_MAX), 100);
	guest_offer_one(from, guest_data(0), VNET_LEN_MAX + 100);
	assert_int_equal(ring_rx(&from->ring, frames, FRAME_BURST, drops), 1);

	guest_fill(from, guest_data(0), VNET_LEN_MAX + 100, 0xee);
	assert_int_equal(frames[0].offload.csum_start, 34);
	guest_offer_one(to, guest_data(0), 2048);
	ring_tx(&to->ring, &out, 1);
	assert_int_equal(out.drop, DROP_NONE);
	memcpy(&got, guest_at(to, guest_data(0)), sizeof(got));
	assert_int_equal(got.csum_start, 34);
	assert_memory_equal(guest_at(to, guest_data(0) + VNET_LEN_MAX), before, 100);
	guest_free(from);
	guest_free(to);
}

static void empty_descriptor_is_dropped(void **state)
{
	struct guest *g = sender();

	(void)state;
	expect_dropped(g, guest_offer_one(g, guest_data(0), 0), DROP_BAD_DESCRIPTOR);
}

static void chain_shorter_than_its_header_is_dropped(void **state)
{
	struct guest *g = sender();

	(void)state;
	expect_dropped(g, guest_offer_one(g, guest_data(0), VNET_LEN_MAX - 1), DROP_BAD_DESCRIPTOR);
	g = sender();
	expect_dropped(
		g, guest_offer(g, (struct guest_buf[]){{guest_data(0), 5}, {guest_data(1), 6}}, 2),
		DROP_BAD_DESCRIPTOR);
}

static void frame_of_no_bytes_is_dropped(void **state)
{
	struct guest *g = sender();

	(void)state;
	expect_dropped(g, guest_offer_one(g, guest_data(0), VNET_LEN_MAX), DROP_BAD_DESCRIPTOR);
}

static void frame_of_one_byte_is_taken(void **state)
{
	struct guest *g = sender();

	(void)state;
	guest_fill_frame(g, guest_data(0), NULL, 1, 77);
	guest_offer_one(g, guest_data(0), VNET_LEN_MAX + 1);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	assert_int_equal(frames[0].hdr_len, 1);
	assert_int_equal(frames[0].hdr[0], 77);
	guest_free(g);
}

static void frame_longer_than_any_is_dropped(void **state)
{
	struct guest *g = sender();

	(void)state;
	expect_dropped(g, guest_offer_one(g, guest_data(0), VNET_LEN_MAX + FRAME_LEN_MAX + 1),
		       DROP_OVERSIZE);
}

static void buffer_outside_memory_is_dropped(void **state)
{
	static const struct guest_buf bad[] = {
		{GUEST_BASE + GUEST_LEN - 10, 11},
		{GUEST_BASE + GUEST_LEN, 100},
		{GUEST_BASE - 1, 100},
		{0, 100},
		{UINT64_MAX - 10, 100},
		{GUEST_BASE + 100, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct guest *g = sender();

		expect_dropped(g, guest_offer(g, &bad[i], 1), DROP_BAD_DESCRIPTOR);
		g = sender();
		expect_dropped(
			g, guest_offer(g, (struct guest_buf[]){{guest_data(0), 100}, bad[i]}, 2),
			DROP_BAD_DESCRIPTOR);
		g = sender();
		expect_dropped(g,
			       guest_offer_indirect(
				       g, 0, (struct guest_buf[]){{guest_data(0), 100}, bad[i]}, 2),
			       DROP_BAD_DESCRIPTOR);
	}
}

static void buffer_to_write_is_no_frame(void **state)
{
	struct guest *g = sender();
	int id;

	(void)state;
	g->writable = true;
	id = guest_offer_one(g, guest_data(0), 100);
	g->writable = false;
	expect_dropped(g, id, DROP_BAD_DESCRIPTOR);
}

static void nested_table_is_dropped(void **state)
{
	struct guest *g = sender();
	int id = guest_offer_indirect(
		g, 0, (struct guest_buf[]){{guest_data(0), 100}, {GUEST_BASE + GUEST_TABLE, 16}},
		2);

	(void)state;
	/* flags are at the same place in both kinds of table, but for their order with `next` */
	if (GUEST_PACKED)
		((struct vring_packed_desc *)(g->ram + GUEST_TABLE))[1].flags =
			VRING_DESC_F_INDIRECT;
	else
		((struct vring_desc *)(g->ram + GUEST_TABLE))[1].flags = VRING_DESC_F_INDIRECT;
	expect_dropped(g, id, DROP_BAD_DESCRIPTOR);
}

static void table_of_odd_length_is_dropped(void **state)
{
	static const uint32_t lens[] = {0, 8, 17, 16 * 67, GUEST_LEN * 2};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct guest *g = sender();
		int id = guest_offer_indirect(g, 0, (struct guest_buf[]){{guest_data(0), 100}}, 1);

		if (GUEST_PACKED)
			guest_pdesc(g)[0].len = lens[i];
		else
			guest_desc(g)[0].len = lens[i];
		if (!GUEST_PACKED && lens[i] == 16 * 67)
			guest_free(g); /* a split table may be longer than its chain */
		else
			expect_dropped(g, id, DROP_BAD_DESCRIPTOR);
	}
}

static void table_is_refused_when_not_negotiated(void **state)
{
	struct guest *g = guest_new(GUEST_PACKED, false, 0);

	(void)state;
	memset(drops, 0, sizeof(drops));
	g->setup.indirect = false;
	assert_int_equal(guest_open(g), 0);
	expect_dropped(g, guest_offer_indirect(g, 0, (struct guest_buf[]){{guest_data(0), 100}}, 1),
		       DROP_BAD_DESCRIPTOR);
}

static void chain_of_many_buffers_is_taken_up_to_a_limit(void **state)
{
	struct guest *g = sender();
	struct guest_buf bufs[RING_BUFS_MAX + 1];

	(void)state;
	for (unsigned int i = 0; i < RING_BUFS_MAX + 1; i++)
		bufs[i] = (struct guest_buf){guest_data(1) + i, 300};
	guest_offer_indirect(g, 0, bufs, FRAME_SEGS_MAX);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	assert_int_equal(frames[0].n_segs, FRAME_SEGS_MAX);
	assert_int_equal(guest_flatten(&frames[0], flat), 300 * FRAME_SEGS_MAX - VNET_LEN_MAX);
	guest_free(g);

	g = sender();
	expect_dropped(g, guest_offer_indirect(g, 0, bufs, RING_BUFS_MAX), DROP_BAD_DESCRIPTOR);
	g = sender();
	expect_dropped(g, guest_offer_indirect(g, 0, bufs, RING_BUFS_MAX + 1), DROP_BAD_DESCRIPTOR);
}

static void burst_of_scattered_frames_never_outgrows_its_segments(void **state)
{
	struct guest *g = sender();
	struct guest_buf bufs[FRAME_SEGS_MAX];
	unsigned int n = 0, got = 0;

	(void)state;
	for (unsigned int i = 0; i < FRAME_SEGS_MAX; i++)
		bufs[i] = (struct guest_buf){guest_data(1) + i, 300};
	for (n = 0; n < GUEST_SIZE - 1; n++)
		guest_offer_indirect(g, n % 8, bufs, FRAME_SEGS_MAX);
	for (unsigned int i = 0; i < GUEST_SIZE; i++) {
		got += ring_rx(&g->ring, frames, FRAME_BURST, drops);
		ring_rx_release(&g->ring);
	}
	assert_int_equal(got, n);
	guest_free(g);
}

static void contradictory_offload_is_dropped(void **state)
{
	static const struct vnet_hdr bad[] = {
		{.flags = VNET_F_NEEDS_CSUM, .csum_start = 90, .csum_offset = 9},
		{.flags = VNET_F_NEEDS_CSUM, .csum_start = 65535, .csum_offset = 65535},
		{.flags = VNET_F_NEEDS_CSUM, .csum_start = 3, .csum_offset = 4},
		{.gso_type = VNET_GSO_TCPV4, .gso_size = 1000},
		{.flags = VNET_F_NEEDS_CSUM,
		 .csum_start = 34,
		 .csum_offset = 16,
		 .gso_type = VNET_GSO_TCPV4},
		{.flags = VNET_F_NEEDS_CSUM,
		 .csum_start = 34,
		 .csum_offset = 16,
		 .gso_type = 3,
		 .gso_size = 1000},
		{.flags = VNET_F_NEEDS_CSUM,
		 .csum_start = 85,
		 .csum_offset = 8,
		 .gso_type = VNET_GSO_TCPV4,
		 .gso_size = 1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct guest *g = sender();

		guest_fill_frame(g, guest_data(0), &bad[i], 100, 1);
		expect_dropped(g, guest_offer_one(g, guest_data(0), VNET_LEN_MAX + 100),
			       DROP_BAD_OFFLOAD);
	}
}

static void gso_header_length_comes_from_the_frame(void **state)
{
	struct guest *g = sender();
	struct vnet_hdr hdr = {.flags = VNET_F_NEEDS_CSUM,
			       .gso_type = VNET_GSO_TCPV4 | VNET_GSO_ECN,
			       .hdr_len = 9999,
			       .gso_size = 1448,
			       .csum_start = 34,
			       .csum_offset = 16};

	(void)state;
	guest_fill_frame(g, guest_data(0), &hdr, 4000, 1);
	guest_at(g, guest_data(0))[VNET_LEN_MAX + 34 + 12] = 0x80; /* data offset: 32 bytes */
	guest_offer_one(g, guest_data(0), VNET_LEN_MAX + 4000);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	assert_int_equal(frames[0].offload.gso, FRAME_GSO_TCP4);
	assert_int_equal(frames[0].offload.gso_hdr_len, 66);
	assert_int_equal(frames[0].offload.gso_size, 1448);
	assert_true(frames[0].offload.gso_ecn);
	guest_free(g);
}

/* A frame that lives in the test: @len patterned bytes, the rest behind the snapshot in one segment. */
static struct frame_out frame_to_send(uint32_t len, uint8_t seed)
{
	static uint8_t bytes[FRAME_LEN_MAX];
	static struct frame_seg seg;
	struct frame *f = &frames[0];

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(seed + i * 3 + (i >> 8));
	memset(f, 0, sizeof(*f));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	f->len = len;
	f->hdr_len = len < FRAME_HDR_MAX ? (uint16_t)len : FRAME_HDR_MAX;
	memcpy(f->hdr, bytes, f->hdr_len);
	if (len > f->hdr_len) {
		seg = (struct frame_seg){bytes + f->hdr_len, len - f->hdr_len};
		f->segs = &seg;
		f->n_segs = 1;
	}
	memcpy(flat, bytes, len);
	return (struct frame_out){.f = f, .drop = DROP_N - 1};
}

static void frame_arrives_behind_its_header(void **state)
{
	struct guest *g = receiver(true);
	struct frame_out out = frame_to_send(1000, 5);
	uint32_t len;
	struct vnet_hdr hdr;

	(void)state;
	guest_offer_one(g, guest_data(0), 2048);
	assert_true(ring_tx(&g->ring, &out, 1));
	assert_int_equal(out.drop, DROP_NONE);
	assert_int_equal(guest_collect(g, &len), 0);
	assert_int_equal(len, VNET_LEN_MAX + 1000);
	memcpy(&hdr, guest_at(g, guest_data(0)), sizeof(hdr));
	assert_int_equal(hdr.num_buffers, 1);
	assert_int_equal(hdr.flags | hdr.gso_type, 0);
	assert_memory_equal(guest_at(g, guest_data(0) + VNET_LEN_MAX), flat, 1000);
	guest_free(g);
}

static void prefix_replaces_what_is_skipped(void **state)
{
	struct guest *g = receiver(true);
	struct frame_out out = frame_to_send(300, 5);
	uint32_t len;
	struct vnet_hdr hdr;

	(void)state;
	out.skip = 12;
	out.prefix_len = 16;
	memset(out.prefix, 0xaa, 16);
	out.f->offload = (struct frame_offload){.flags = FRAME_NEEDS_CSUM,
						.gso = FRAME_GSO_TCP4,
						.gso_size = 100,
						.gso_hdr_len = 54,
						.csum_start = 34,
						.csum_offset = 16};
	guest_offer(g, (struct guest_buf[]){{guest_data(0), 5}, {guest_data(0) + 5, 2000}}, 2);
	ring_tx(&g->ring, &out, 1);
	assert_int_equal(out.drop, DROP_NONE);
	assert_int_equal(guest_collect(g, &len), 0);
	assert_int_equal(len, VNET_LEN_MAX + 304);
	memcpy(&hdr, guest_at(g, guest_data(0)), sizeof(hdr));
	assert_int_equal(hdr.flags, VNET_F_NEEDS_CSUM);
	assert_int_equal(hdr.gso_type, VNET_GSO_TCPV4);
	assert_int_equal(hdr.csum_start, 38);
	assert_int_equal(hdr.hdr_len, 58);
	assert_memory_equal(guest_at(g, guest_data(0) + VNET_LEN_MAX), out.prefix, 16);
	assert_memory_equal(guest_at(g, guest_data(0) + VNET_LEN_MAX + 16), flat + 12, 288);
	guest_free(g);
}

static void mergeable_frame_spreads_over_chains(void **state)
{
	struct guest *g = receiver(true);
	struct frame_out out = frame_to_send(1000, 5);
	uint32_t len;
	struct vnet_hdr hdr;

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		guest_offer_one(g, guest_data(0) + i * 300, 300);
	ring_tx(&g->ring, &out, 1);
	assert_int_equal(out.drop, DROP_NONE);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(guest_collect(g, &len), i);
		assert_int_equal(len, i < 3 ? 300 : VNET_LEN_MAX + 1000 - 900);
	}
	memcpy(&hdr, guest_at(g, guest_data(0)), sizeof(hdr));
	assert_int_equal(hdr.num_buffers, 4);
	assert_memory_equal(guest_at(g, guest_data(0) + VNET_LEN_MAX), flat, 1000);
	guest_free(g);
}

static void frame_without_enough_room_takes_nothing(void **state)
{
	struct guest *g = receiver(true);
	struct frame_out outs[2] = {frame_to_send(1000, 5), {.f = &frames[1]}};
	uint32_t len;

	(void)state;
	frames[1] = frames[0];
	frames[1].hdr = frames[1].buf + FRAME_HDR_ROOM;
	frames[1].len = frames[1].hdr_len;
	frames[1].n_segs = 0;
	guest_offer_one(g, guest_data(0), 300);
	guest_offer_one(g, guest_data(1), 300);
	ring_tx(&g->ring, outs, 2);
	assert_int_equal(outs[0].drop, DROP_NO_ROOM);
	assert_int_equal(outs[1].drop, DROP_NONE); /* 128 bytes fit the first buffer */
	assert_int_equal(guest_collect(g, &len), 0);
	assert_int_equal(len, VNET_LEN_MAX + FRAME_HDR_MAX);
	assert_int_equal(guest_collect(g, &len), -1);
	guest_free(g);
}

static void plain_receiver_gets_one_chain_per_frame(void **state)
{
	struct guest *g = receiver(false);
	struct frame_out out = frame_to_send(1000, 5);
	uint32_t len;

	(void)state;
	guest_offer_one(g, guest_data(0), 1011);
	guest_offer_one(g, guest_data(1), 1011);
	assert_false(ring_tx(&g->ring, &out, 1));
	assert_int_equal(out.drop, DROP_TOO_BIG_FOR_RECEIVER);
	assert_int_equal(guest_collect(g, &len), -1);
	guest_free(g);

	g = receiver(false);
	guest_offer_one(g, guest_data(0), 1012);
	ring_tx(&g->ring, &out, 1);
	assert_int_equal(out.drop, DROP_NONE);
	guest_free(g);
}

static void offload_nobody_agreed_to_is_not_sent(void **state)
{
	struct guest *g = guest_new(GUEST_PACKED, true, 0);
	struct frame_out out = frame_to_send(1000, 5);

	(void)state;
	g->setup.offloads = 0;
	assert_int_equal(guest_open(g), 0);
	guest_offer_one(g, guest_data(0), 2048);
	out.f->offload.flags = FRAME_NEEDS_CSUM;
	assert_false(ring_tx(&g->ring, &out, 1));
	assert_int_equal(out.drop, DROP_NOT_CONNECTED);
	guest_free(g);
}

static void bad_receive_buffer_is_given_back(void **state)
{
	struct guest *g = receiver(true);
	struct frame_out outs[2] = {frame_to_send(100, 5), {.f = &frames[0]}};
	uint32_t len;

	(void)state;
	guest_offer_one(g, GUEST_BASE + GUEST_LEN - 4, 2048);
	guest_offer_one(g, guest_data(0), 2048);
	ring_tx(&g->ring, outs, 2);
	assert_int_equal(outs[0].drop, DROP_BAD_DESCRIPTOR);
	assert_int_equal(outs[1].drop, DROP_NONE);
	assert_int_equal(guest_collect(g, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(guest_collect(g, &len), 1);
	guest_free(g);
}

static void huge_frame_into_tiny_buffers_is_refused(void **state)
{
	struct guest *g = receiver(true);
	struct frame_out out = frame_to_send(65000, 5);
	uint32_t len;

	(void)state;
	for (unsigned int i = 0; i < GUEST_SIZE; i++)
		guest_offer_one(g, guest_data(i), 100);
	ring_tx(&g->ring, &out, 1);
	assert_int_equal(out.drop, DROP_NO_ROOM);
	assert_int_equal(guest_collect(g, &len), -1);
	out = frame_to_send(88, 5);
	ring_tx(&g->ring, &out, 1);
	assert_int_equal(out.drop, DROP_NONE);
	guest_free(g);
}

static void ring_outside_memory_is_refused(void **state)
{
	struct guest *g = guest_new(GUEST_PACKED, false, 0);
	struct ring_setup good = g->setup;

	(void)state;
	g->setup.desc = g->ram + GUEST_LEN - 16;
	assert_int_equal(guest_open(g), -EINVAL);
	g->setup = good;
	g->setup.driver = g->ram + GUEST_LEN;
	assert_int_equal(guest_open(g), -EINVAL);
	g->setup = good;
	g->setup.device = (uint8_t *)g->ram - 64;
	assert_int_equal(guest_open(g), -EINVAL);
	g->setup = good;
	g->setup.desc = NULL;
	assert_int_equal(guest_open(g), -EINVAL);
	g->setup = good;
	g->setup.device = g->ram + GUEST_USED + 1;
	assert_int_equal(guest_open(g), -EINVAL);
	g->setup = good;
	g->setup.size = 0;
	assert_int_equal(guest_open(g), -EINVAL);
	g->setup = good;
	g->setup.size = 65535;
	assert_int_equal(guest_open(g), -EINVAL);
	guest_free(g);
}

static void ring_can_be_stopped_and_taken_up_again(void **state)
{
	struct guest *g = sender();
	uint32_t len;

	(void)state;
	for (unsigned int i = 0; i < 3 * GUEST_SIZE + 5; i++) {
		guest_fill_frame(g, guest_data(0), NULL, 64, (uint8_t)i);
		guest_offer_one(g, guest_data(0), VNET_LEN_MAX + 64);
		assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
		assert_int_equal(frames[0].hdr[0], (uint8_t)i);
		ring_rx_release(&g->ring);
		assert_true(guest_collect(g, &len) >= 0);
		ring_base(&g->ring, &g->setup.next_avail, &g->setup.next_used);
		assert_int_equal(guest_open(g), 0);
	}
	guest_free(g);
}

#define RING_CASES                                                                                 \
	cmocka_unit_test(short_frame_is_snapshot_whole),                                           \
		cmocka_unit_test(long_frame_leaves_its_rest_in_guest_memory),                      \
		cmocka_unit_test(header_and_payload_may_be_cut_anywhere),                          \
		cmocka_unit_test(many_laps_keep_order),                                            \
		cmocka_unit_test(guest_that_rewrites_its_header_changes_nothing),                  \
		cmocka_unit_test(empty_descriptor_is_dropped),                                     \
		cmocka_unit_test(chain_shorter_than_its_header_is_dropped),                        \
		cmocka_unit_test(frame_of_no_bytes_is_dropped),                                    \
		cmocka_unit_test(frame_of_one_byte_is_taken),                                      \
		cmocka_unit_test(frame_longer_than_any_is_dropped),                                \
		cmocka_unit_test(buffer_outside_memory_is_dropped),                                \
		cmocka_unit_test(buffer_to_write_is_no_frame),                                     \
		cmocka_unit_test(nested_table_is_dropped),                                         \
		cmocka_unit_test(table_of_odd_length_is_dropped),                                  \
		cmocka_unit_test(table_is_refused_when_not_negotiated),                            \
		cmocka_unit_test(chain_of_many_buffers_is_taken_up_to_a_limit),                    \
		cmocka_unit_test(burst_of_scattered_frames_never_outgrows_its_segments),           \
		cmocka_unit_test(contradictory_offload_is_dropped),                                \
		cmocka_unit_test(gso_header_length_comes_from_the_frame),                          \
		cmocka_unit_test(frame_arrives_behind_its_header),                                 \
		cmocka_unit_test(prefix_replaces_what_is_skipped),                                 \
		cmocka_unit_test(mergeable_frame_spreads_over_chains),                             \
		cmocka_unit_test(frame_without_enough_room_takes_nothing),                         \
		cmocka_unit_test(plain_receiver_gets_one_chain_per_frame),                         \
		cmocka_unit_test(offload_nobody_agreed_to_is_not_sent),                            \
		cmocka_unit_test(bad_receive_buffer_is_given_back),                                \
		cmocka_unit_test(huge_frame_into_tiny_buffers_is_refused),                         \
		cmocka_unit_test(ring_outside_memory_is_refused),                                  \
		cmocka_unit_test(ring_can_be_stopped_and_taken_up_again)

#endif
