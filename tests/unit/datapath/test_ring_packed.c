/* SPDX-License-Identifier: BSD-3-Clause */
/* Packed rings: what both layouts share (ring_cases.h), and what can go wrong with these only. */

#define GUEST_PACKED true
#include "unit/datapath/ring_cases.h"

static void chain_without_an_end_breaks_the_ring(void **state)
{
	struct guest *g = sender();

	(void)state;
	for (int i = 0; i < GUEST_SIZE; i++)
		guest_put_packed(g, guest_data(0), 100, 0, VRING_DESC_F_NEXT);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 0);
	assert_true(g->ring.broken);
	assert_false(ring_rx_release(&g->ring));
	guest_free(g);
}

static void chain_into_unavailable_descriptors_breaks_the_ring(void **state)
{
	struct guest *g = sender();

	(void)state;
	guest_put_packed(g, guest_data(0), 100, 0, VRING_DESC_F_NEXT);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 0);
	assert_true(g->ring.broken);
	guest_free(g);
}

static void unusable_chain_is_skipped_whole(void **state)
{
	struct guest *g = sender();
	int id = guest_offer(
		g,
		(struct guest_buf[]){
			{guest_data(0), 100}, {0, 100}, {guest_data(1), 100}, {guest_data(2), 100}},
		4);

	(void)state;
	expect_dropped(g, id, DROP_BAD_DESCRIPTOR);
}

static void ring_of_any_size_works(void **state)
{
	(void)state;
	for (uint16_t size = 1; size < GUEST_SIZE; size++) {
		struct guest *g = guest_new(true, false, 0);
		bool wrap = true;

		g->setup.size = size;
		assert_int_equal(guest_open(g), 0);
		for (unsigned int i = 0; i < 50; i++) {
			struct vring_packed_desc *desc = &guest_pdesc(g)[i % size];

			guest_fill_frame(g, guest_data(0), NULL, 60, (uint8_t)i);
			*desc = (struct vring_packed_desc){
				.addr = guest_data(0),
				.len = 72,
				.id = (uint16_t)(1000 + i),
				.flags = wrap ? 1 << VRING_PACKED_DESC_F_AVAIL
					      : 1 << VRING_PACKED_DESC_F_USED,
			};
			assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
			assert_int_equal(frames[0].hdr[0], (uint8_t)i);
			ring_rx_release(&g->ring);
			assert_int_equal(desc->id, 1000 + i);
			assert_int_equal(desc->flags >> VRING_PACKED_DESC_F_AVAIL & 1, wrap);
			assert_int_equal(desc->flags >> VRING_PACKED_DESC_F_USED & 1, wrap);
			if (i % size == size - 1u)
				wrap = !wrap;
		}
		guest_free(g);
	}
}

/* A driver that declares used descriptors available again before it got them back: nonsense, but within bounds. */
static void descriptors_offered_twice_stay_within_bounds(void **state)
{
	struct guest *g = guest_new(true, false, 0);

	(void)state;
	memset(drops, 0, sizeof(drops));
	g->setup.size = 1;
	assert_int_equal(guest_open(g), 0);
	for (unsigned int i = 0; i < 100; i++) {
		guest_pdesc(g)[0] = (struct vring_packed_desc){
			.addr = guest_data(0),
			.len = 100,
			.flags = g->ring.avail_wrap ? 1 << VRING_PACKED_DESC_F_AVAIL
						    : 1 << VRING_PACKED_DESC_F_USED,
		};
		assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
		assert_int_equal(g->ring.next_avail, 0);
		if (i % 3 == 0)
			ring_rx_release(&g->ring);
		else
			g->ring.n_done = 0;
	}
	guest_free(g);
}

static void start_past_the_end_is_refused(void **state)
{
	struct guest *g = guest_new(true, false, 0);

	(void)state;
	g->setup.next_avail = GUEST_SIZE;
	assert_int_equal(guest_open(g), -EINVAL);
	guest_free(g);
}

static bool release_one(struct guest *g)
{
	bool signal;
	uint32_t len;

	guest_fill_frame(g, guest_data(0), NULL, 60, 1);
	guest_offer_one(g, guest_data(0), 72);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	signal = ring_rx_release(&g->ring);
	assert_true(guest_collect(g, &len) >= 0);
	return signal;
}

static void guest_is_signalled_unless_it_declines(void **state)
{
	struct guest *g = sender();

	(void)state;
	assert_true(release_one(g));
	guest_driver_event(g)->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	assert_false(release_one(g));
	guest_driver_event(g)->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	assert_true(release_one(g));
	guest_free(g);
}

static void event_offset_decides_about_signals_in_every_lap(void **state)
{
	struct guest *g = guest_new(true, false, 0);
	bool wrap = true;

	(void)state;
	memset(drops, 0, sizeof(drops));
	g->setup.event_idx = true;
	assert_int_equal(guest_open(g), 0);
	guest_driver_event(g)->flags = VRING_PACKED_EVENT_FLAG_DESC;
	for (unsigned int i = 0; i < 10 * GUEST_SIZE; i++) {
		if (i % GUEST_SIZE == 0) /* in each lap, wake me for descriptor 5 */
			guest_driver_event(g)->off_wrap = 5 | (wrap ? 1 << 15 : 0);
		assert_int_equal(release_one(g), i % GUEST_SIZE == 5 || i == 0);
		if (i % GUEST_SIZE == GUEST_SIZE - 1)
			wrap = !wrap;
	}
	guest_free(g);
}

static void arming_asks_for_kicks_and_sees_what_is_there(void **state)
{
	struct guest *g = sender();

	(void)state;
	ring_arm(&g->ring, false);
	assert_int_equal(guest_device_event(g)->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	assert_false(ring_arm(&g->ring, true));
	assert_int_equal(guest_device_event(g)->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
	guest_offer_one(g, guest_data(0), 72);
	assert_true(ring_arm(&g->ring, true));
	guest_free(g);

	g = guest_new(true, false, 7);
	g->setup.event_idx = true;
	assert_int_equal(guest_open(g), 0);
	assert_false(ring_arm(&g->ring, true));
	assert_int_equal(guest_device_event(g)->flags, VRING_PACKED_EVENT_FLAG_DESC);
	assert_int_equal(guest_device_event(g)->off_wrap, 7 | 1 << 15);
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_CASES,
		cmocka_unit_test(chain_without_an_end_breaks_the_ring),
		cmocka_unit_test(chain_into_unavailable_descriptors_breaks_the_ring),
		cmocka_unit_test(unusable_chain_is_skipped_whole),
		cmocka_unit_test(ring_of_any_size_works),
		cmocka_unit_test(descriptors_offered_twice_stay_within_bounds),
		cmocka_unit_test(start_past_the_end_is_refused),
		cmocka_unit_test(guest_is_signalled_unless_it_declines),
		cmocka_unit_test(event_offset_decides_about_signals_in_every_lap),
		cmocka_unit_test(arming_asks_for_kicks_and_sees_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
