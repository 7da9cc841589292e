/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch that is killed while it works a ring, and the next one that takes the ring up: no descriptor is lost or given back
 * twice, whatever store was the last one. The switch dies after its 1st, 2nd, 3rd... store into the ring or the region, and so
 * does the one that takes up what it left.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/datapath/ring_guest.h"

enum died { DIED_NOT, DIED_ONCE, DIED_TWICE };

static jmp_buf death;
static unsigned int n_stored, n_allowed = UINT_MAX;

/* Called behind each store that somebody else may see. */
static void stored(void)
{
	if (n_stored++ == n_allowed)
		longjmp(death, 1);
}

/* The code under test, with that. */
#undef skip /* cmocka's */
#define RING_STORED() stored()
#include "vhost/ring_inflight.c"
#include "vhost/ring_packed.c"
#include "vhost/ring_split.c"

#define N_FRAMES  5
#define FRAME_LEN 200

static struct frame frames[FRAME_BURST];
static uint64_t drops[DROP_N];
static uint64_t region[2048];

/* As guest_new(), with an in-flight region. */
static struct guest *guest_tracked(bool packed, bool writable, uint16_t start)
{
	struct guest *g = guest_new(packed, writable, start);

	/* A ring that has come that far has used descriptors behind it. */
	for (uint16_t i = 0; packed && i < start; i++)
		guest_pdesc(g)[i].flags =
			1 << VRING_PACKED_DESC_F_AVAIL | 1 << VRING_PACKED_DESC_F_USED;
	memset(region, 0, sizeof(region));
	assert_true(ring_inflight_bytes(packed, 3, GUEST_SIZE) <= sizeof(region));
	g->setup.inflight = ring_inflight_at(region, packed, 3, GUEST_SIZE, 1);
	g->setup.recover = true;
	return g;
}

/* What the front-end says when a switch connects: split used->idx, packed what it said at first. */
static void take_up(struct guest *g)
{
	if (!g->packed)
		g->setup.next_avail = g->setup.next_used =
			__atomic_load_n(&guest_used(g)->idx, __ATOMIC_ACQUIRE);
	assert_int_equal(guest_open(g), 0);
}

/* Do @work() until it has stored @n times; then it dies: nothing after that is executed. Return: whether it died. */
static bool dies_working(struct guest *g, void (*work)(struct guest *), unsigned int n)
{
	n_stored = 0;
	n_allowed = n;
	if (setjmp(death) == 0)
		work(g);
	n_allowed = UINT_MAX;
	return n_stored > n;
}

/* Sending: the guest's transmit ring. Chains of one, two and one (indirect) slots. */

static uint8_t n_offered;

static void offer_frame(struct guest *g)
{
	uint8_t serial = n_offered++;
	uint64_t at = guest_data(serial % 16);

	guest_fill_frame(g, at, NULL, FRAME_LEN, 0);
	guest_at(g, at)[VNET_LEN_MAX] = serial;
	if (serial % 3 == 0)
		guest_offer_one(g, at, VNET_LEN_MAX + FRAME_LEN);
	else if (serial % 3 == 1)
		guest_offer(
			g, (struct guest_buf[]){{at, VNET_LEN_MAX}, {at + VNET_LEN_MAX, FRAME_LEN}},
			2);
	else
		guest_offer_indirect(
			g, serial % 8,
			(struct guest_buf[]){{at, VNET_LEN_MAX}, {at + VNET_LEN_MAX, FRAME_LEN}},
			2);
}

static void take_and_give_back(struct guest *g)
{
	take_up(g);
	ring_rx(&g->ring, frames, 3, drops);
	ring_rx_release(&g->ring);
	ring_rx(&g->ring, frames, 2, drops);
	ring_rx_release(&g->ring);
}

/* The driver's ids follow each other in both layouts; a split ring's are the descriptors'. */
static unsigned int collect_in_order(struct guest *g, unsigned int n_before, bool same_length,
				     uint32_t want)
{
	unsigned int n = 0;
	uint32_t len;
	int id;

	while ((id = guest_collect(g, &len)) >= 0) {
		if (g->packed)
			assert_int_equal(id, (n_before + n) % GUEST_SIZE);
		if (same_length)
			assert_int_equal(len, want);
		n++;
	}
	return n;
}

static enum died sender_dies_after(bool packed, uint16_t start, unsigned int n, unsigned int again)
{
	struct guest *g = guest_tracked(packed, false, start);
	unsigned int given;
	bool first, second;

	n_offered = 0;
	memset(drops, 0, sizeof(drops));
	for (int i = 0; i < N_FRAMES; i++)
		offer_frame(g);
	first = dies_working(g, take_and_give_back, n);
	second = dies_working(g, take_up, again);
	given = collect_in_order(g, 0, true, 0);
	/* A batch is seen whole or not at all; the next switch finishes one that was begun. */
	assert_true(given == 0 || given == 3 || given == 5);
	take_up(g);
	given += collect_in_order(g, given, true, 0);
	assert_true(given == 0 || given == 3 || given == 5);
	for (uint8_t serial = (uint8_t)given; serial < 100;) {
		uint16_t n_taken = ring_rx(&g->ring, frames, FRAME_BURST, drops);

		assert_true(n_taken > 0 || n_offered == given);
		for (uint16_t i = 0; i < n_taken; i++)
			assert_int_equal(frames[i].hdr[0], serial++);
		ring_rx_release(&g->ring);
		assert_false(g->ring.broken);
		assert_int_equal(collect_in_order(g, given, true, 0), n_taken);
		given += n_taken;
		while (n_offered < given + 5)
			offer_frame(g);
	}
	for (int reason = 0; reason < DROP_N; reason++)
		assert_int_equal(drops[reason], 0);
	guest_free(g);
	return first ? second ? DIED_TWICE : DIED_ONCE : DIED_NOT;
}

/* Receiving: the guest's receive ring, in which frames of two buffers are merged from several. */

static uint8_t serial_sent;

static void send_frames(struct guest *g, uint16_t n)
{
	static struct frame sent[N_FRAMES];
	static uint8_t payload[FRAME_LEN];
	struct frame_out out[N_FRAMES];
	struct frame_seg seg = {payload, FRAME_LEN - 64};

	for (uint16_t i = 0; i < n; i++) {
		struct frame *f = &sent[i];

		memset(f, 0, sizeof(*f));
		f->hdr = f->buf + FRAME_HDR_ROOM;
		f->hdr[0] = serial_sent++;
		f->hdr_len = 64;
		/* every other one goes into one buffer */
		f->len = i % 2 == 0 ? FRAME_LEN : 64;
		f->n_segs = i % 2 == 0 ? 1 : 0;
		f->segs = &seg;
		out[i] = (struct frame_out){.f = f};
	}
	ring_tx(&g->ring, out, n);
	for (uint16_t i = 0; i < n; i++)
		assert_int_equal(out[i].drop, DROP_NONE);
}

static void send_three_and_two(struct guest *g)
{
	take_up(g);
	send_frames(g, 3);
	send_frames(g, 2);
}

/* Room for 64 bytes and a header, in one descriptor or in two. */
static void offer_room(struct guest *g)
{
	uint8_t serial = n_offered++;
	uint64_t at = guest_data(serial % 16);

	if (serial % 4 == 1)
		guest_offer(g, (struct guest_buf[]){{at, 30}, {at + 30, 64 + VNET_LEN_MAX - 30}},
			    2);
	else
		guest_offer_one(g, at, VNET_LEN_MAX + 64);
}

/* Collects whole frames and checks that they follow each other from *@serial on. Return: buffers collected. */
static unsigned int collect_frames(struct guest *g, unsigned int n_before, uint8_t *serial)
{
	unsigned int n = 0;
	uint32_t len;

	while (guest_collect(g, &len) >= 0) {
		struct vnet_hdr hdr;
		uint64_t at = guest_data((n_before + n) % 16);
		uint32_t total = len;

		memcpy(&hdr, guest_at(g, at), sizeof(hdr));
		assert_int_equal(guest_at(g, at)[VNET_LEN_MAX], *serial);
		for (uint16_t i = 1; i < hdr.num_buffers; i++) {
			assert_true(guest_collect(g, &len) >= 0);
			total += len;
		}
		assert_int_equal(total, VNET_LEN_MAX + (hdr.num_buffers > 1 ? FRAME_LEN : 64));
		n += hdr.num_buffers;
		(*serial)++;
	}
	return n;
}

static enum died receiver_dies_after(bool packed, uint16_t start, unsigned int n,
				     unsigned int again)
{
	struct guest *g = guest_tracked(packed, true, start);
	unsigned int collected;
	bool first, second;
	uint8_t serial = 0;

	n_offered = 0;
	serial_sent = 0;
	while (n_offered < 12)
		offer_room(g);
	first = dies_working(g, send_three_and_two, n);
	second = dies_working(g, take_up, again);
	collected = collect_frames(g, 0, &serial);
	assert_true(serial == 0 || serial == 3 || serial == 5);
	take_up(g);
	collected += collect_frames(g, collected, &serial);
	assert_true(serial == 0 || serial == 3 || serial == 5);
	/* The next switch's frames follow, none of the dead one's appears again. */
	serial_sent = serial = 100;
	for (int i = 0; i < 20; i++) {
		while (n_offered < collected + 12)
			offer_room(g);
		send_frames(g, 2);
		collected += collect_frames(g, collected, &serial);
		assert_int_equal(serial, serial_sent);
		assert_false(g->ring.broken);
	}
	guest_free(g);
	return first ? second ? DIED_TWICE : DIED_ONCE : DIED_NOT;
}

/* @dies() after each store, and the next switch after each of its own when it takes up the ring; the third one lives. */
static void die_everywhere(enum died (*dies)(bool packed, uint16_t start, unsigned int n,
					     unsigned int again),
			   bool packed, uint16_t start)
{
	enum died died = DIED_TWICE;

	for (unsigned int n = 0; died != DIED_NOT; n++) {
		died = DIED_TWICE;
		for (unsigned int again = 0; died == DIED_TWICE; again++)
			died = dies(packed, start, n, again);
	}
}

static void killed_switch_loses_no_packed_descriptor_of_a_sender(void **state)
{
	(void)state;
	die_everywhere(sender_dies_after, true, 0);
	die_everywhere(sender_dies_after, true, GUEST_SIZE - 3); /* the batch wraps */
}

static void killed_switch_loses_no_packed_descriptor_of_a_receiver(void **state)
{
	(void)state;
	die_everywhere(receiver_dies_after, true, 0);
	die_everywhere(receiver_dies_after, true, GUEST_SIZE - 4);
}

static void killed_switch_loses_no_split_descriptor(void **state)
{
	(void)state;
	die_everywhere(sender_dies_after, false, 65533);
	die_everywhere(receiver_dies_after, false, 65533);
}

/* The driver used the batch's descriptors anew before the next switch came. */
static void batch_that_the_driver_has_seen_is_not_written_again(void **state)
{
	struct guest *g = guest_tracked(true, false, 0);
	uint64_t position;

	(void)state;
	n_offered = 0;
	assert_int_equal(guest_open(g), 0);
	for (int i = 0; i < 16 / 4 * 3; i++)
		offer_frame(g); /* of 16 descriptors */
	position = g->setup.inflight.packed->position;
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 12);
	ring_rx_release(&g->ring);
	assert_int_equal(collect_in_order(g, 0, true, 0), 12);
	for (int i = 0; i < 12; i++)
		offer_frame(g);
	g->setup.inflight.packed->position = position; /* it died just before it could write this */
	take_up(g);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 12);
	for (int i = 0; i < 12; i++)
		assert_int_equal(frames[i].hdr[0], 12 + i);
	ring_rx_release(&g->ring);
	assert_int_equal(collect_in_order(g, 12, true, 0), 12);
	guest_free(g);
}

static const char *refusal(struct guest *g)
{
	const char *why;

	assert_int_equal(ring_open(&g->ring, &g->setup, &why), -EINVAL);
	return why;
}

static void nonsense_in_the_region_is_refused(void **state)
{
	struct guest *g = guest_tracked(true, false, 0);
	struct inflight_packed *packed = g->setup.inflight.packed;
	struct ring_journal *journal = g->setup.inflight.journal;

	(void)state;
	assert_int_equal(guest_open(g), 0);
	assert_int_equal(packed->version, 1);
	assert_int_equal(packed->desc_num, GUEST_SIZE);
	assert_int_equal(packed->old_used_wrap_counter, 1);

	packed->version = 2;
	assert_non_null(strstr(refusal(g), "version"));
	packed->version = 1;
	journal->magic ^= 1;
	assert_non_null(strstr(refusal(g), "another program"));
	journal->magic ^= 1;
	packed->desc_num--;
	assert_non_null(strstr(refusal(g), "contradicts"));
	packed->desc_num++;
	packed->used_idx = packed->old_used_idx = GUEST_SIZE;
	assert_non_null(strstr(refusal(g), "contradicts"));
	packed->used_idx = 0;
	assert_non_null(strstr(refusal(g), "contradicts"));
	packed->old_used_idx = 0;
	packed->used_wrap_counter = packed->old_used_wrap_counter = 2;
	assert_non_null(strstr(refusal(g), "contradicts"));
	packed->used_wrap_counter = packed->old_used_wrap_counter = 1;
	/* batches that begin at the position: more chains than a batch has, none of no slots, not past the ring */
	journal->batch = 0x8000 | 0x7fffU << 16;
	assert_non_null(strstr(refusal(g), "contradicts"));
	journal->batch = 0x8000 | 1U << 16;
	journal->done[0] = 0;
	assert_non_null(strstr(refusal(g), "contradicts"));
	journal->done[0] = UINT64_C(17) << 16;
	assert_non_null(strstr(refusal(g), "contradicts"));
	journal->done[0] = UINT64_C(16) << 16;
	assert_int_equal(guest_open(g), 0);
	/* and after all that the ring begins where it says */
	assert_int_equal(g->ring.next_avail, 0);
	assert_false(g->ring.avail_wrap);
	guest_free(g);

	g = guest_tracked(false, false, 0);
	g->setup.inflight.split->version = 2;
	assert_non_null(strstr(refusal(g), "version"));
	guest_free(g);
}

static void layouts_are_those_of_the_specification(void **state)
{
	uint8_t base[1];
	struct ring_inflight at;

	(void)state;
	assert_int_equal(offsetof(struct inflight_split, used_idx), 14);
	assert_int_equal(offsetof(struct inflight_packed, old_free_head), 14);
	assert_int_equal(offsetof(struct inflight_packed, used_idx), 16);
	assert_int_equal(offsetof(struct inflight_packed, old_used_idx), 18);
	assert_int_equal(offsetof(struct inflight_packed, used_wrap_counter), 20);
	assert_int_equal(offsetof(struct inflight_packed, old_used_wrap_counter), 21);
	assert_int_equal(ring_inflight_bytes(false, 4, 256), 4 * 4160);
	at = ring_inflight_at(base, false, 4, 256, 2);
	assert_int_equal((uint8_t *)at.state - base, 2 * 4160);
	assert_null(at.journal);
	at = ring_inflight_at(base, true, 4, 256, 2);
	assert_int_equal((uint8_t *)at.state - base, 2 * 8256);
	assert_int_equal((uint8_t *)at.journal - base, 4 * 8256 + 2 * sizeof(*at.journal));
	assert_int_equal(ring_inflight_bytes(true, 4, 256), 4 * (8256 + sizeof(*at.journal)));
}

/* The front-end gives a region back that was closed in good order, and says where to begin. */
static void ring_that_is_not_recovered_begins_where_it_is_told(void **state)
{
	struct guest *g = guest_tracked(true, false, 0);

	(void)state;
	assert_int_equal(guest_open(g), 0);
	g->setup.recover = false;
	g->setup.next_avail = g->setup.next_used = 5 | 1 << 15;
	assert_int_equal(guest_open(g), 0);
	assert_int_equal(g->ring.next_avail, 5);
	assert_int_equal(g->setup.inflight.packed->used_idx, 5);
	assert_int_equal(g->setup.inflight.packed->old_used_idx, 5);
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_switch_loses_no_packed_descriptor_of_a_sender),
		cmocka_unit_test(killed_switch_loses_no_packed_descriptor_of_a_receiver),
		cmocka_unit_test(killed_switch_loses_no_split_descriptor),
		cmocka_unit_test(batch_that_the_driver_has_seen_is_not_written_again),
		cmocka_unit_test(nonsense_in_the_region_is_refused),
		cmocka_unit_test(layouts_are_those_of_the_specification),
		cmocka_unit_test(ring_that_is_not_recovered_begins_where_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
