/* SPDX-License-Identifier: BSD-3-Clause */
/* Split rings: what both layouts share (ring_cases.h), and what can go wrong with these only. */

#define GUEST_PACKED false
#include "unit/datapath/ring_cases.h"

static void chain_that_loops_is_dropped(void **state)
{
	struct guest *g = sender();

	(void)state;
	guest_put_split(g, 0, guest_data(0), 100, VRING_DESC_F_NEXT, 1);
	guest_put_split(g, 1, guest_data(1), 100, VRING_DESC_F_NEXT, 0);
	g->next = 2;
	guest_offer_head(g, 0);
	expect_dropped(g, 0, DROP_BAD_DESCRIPTOR);
}

static void table_that_loops_is_dropped(void **state)
{
	struct guest *g = sender();
	int id = guest_offer_indirect(
		g, 0, (struct guest_buf[]){{guest_data(0), 100}, {guest_data(1), 100}}, 2);

	(void)state;
	((struct vring_desc *)(g->ram + GUEST_TABLE))[1].flags = VRING_DESC_F_NEXT;
	((struct vring_desc *)(g->ram + GUEST_TABLE))[1].next = 0;
	expect_dropped(g, id, DROP_BAD_DESCRIPTOR);
}

static void link_past_the_end_is_dropped(void **state)
{
	struct guest *g = sender();
	int id;

	(void)state;
	guest_put_split(g, 0, guest_data(0), 100, VRING_DESC_F_NEXT, GUEST_SIZE);
	g->next = 1;
	guest_offer_head(g, 0);
	expect_dropped(g, 0, DROP_BAD_DESCRIPTOR);

	g = sender();
	id = guest_offer_indirect(g, 0, (struct guest_buf[]){{guest_data(0), 100}}, 1);
	((struct vring_desc *)(g->ram + GUEST_TABLE))[0].flags = VRING_DESC_F_NEXT;
	((struct vring_desc *)(g->ram + GUEST_TABLE))[0].next = 1;
	expect_dropped(g, id, DROP_BAD_DESCRIPTOR);
}

static void index_that_jumps_breaks_the_ring(void **state)
{
	struct guest *g = sender();
	uint32_t len;

	(void)state;
	guest_fill_frame(g, guest_data(0), NULL, 60, 1);
	guest_offer_one(g, guest_data(0), 72);
	guest_avail(g)->idx += GUEST_SIZE;
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 0);
	assert_true(g->ring.broken);
	assert_false(ring_rx_release(&g->ring));
	assert_int_equal(guest_collect(g, &len), -1);
	guest_free(g);
}

static void head_past_the_end_breaks_the_ring(void **state)
{
	struct guest *g = sender();

	(void)state;
	guest_offer_head(g, GUEST_SIZE);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 0);
	assert_true(g->ring.broken);
	guest_free(g);
}

static void broken_receive_ring_takes_nothing(void **state)
{
	struct guest *g = receiver(true);
	struct frame_out out = frame_to_send(100, 1);

	(void)state;
	guest_offer_head(g, 999);
	assert_false(ring_tx(&g->ring, &out, 1));
	assert_int_equal(out.drop, DROP_NO_ROOM);
	assert_true(g->ring.broken);
	guest_free(g);
}

static void indices_wrap_at_65536(void **state)
{
	struct guest *g = guest_new(false, false, 65530);
	uint32_t len;

	(void)state;
	memset(drops, 0, sizeof(drops));
	assert_int_equal(guest_open(g), 0);
	for (unsigned int i = 0; i < 20; i++) {
		guest_fill_frame(g, guest_data(0), NULL, 60, (uint8_t)i);
		guest_offer_one(g, guest_data(0), 72);
		assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
		assert_int_equal(frames[0].hdr[0], (uint8_t)i);
		ring_rx_release(&g->ring);
		assert_true(guest_collect(g, &len) >= 0);
	}
	assert_int_equal(guest_used(g)->idx, (uint16_t)(65530 + 20));
	guest_free(g);
}

static void size_that_is_no_power_of_two_is_refused(void **state)
{
	struct guest *g = guest_new(false, false, 0);

	(void)state;
	g->setup.size = 12;
	assert_int_equal(guest_open(g), -EINVAL);
	guest_free(g);
}

static bool release_one(struct guest *g)
{
	guest_fill_frame(g, guest_data(0), NULL, 60, 1);
	guest_offer_one(g, guest_data(0), 72);
	assert_int_equal(ring_rx(&g->ring, frames, FRAME_BURST, drops), 1);
	return ring_rx_release(&g->ring);
}

static void guest_is_signalled_unless_it_declines(void **state)
{
	struct guest *g = sender();

	(void)state;
	assert_true(release_one(g));
	guest_avail(g)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(release_one(g));
	guest_free(g);
}

static void event_index_decides_about_signals(void **state)
{
	struct guest *g = guest_new(false, false, 0);

	(void)state;
	memset(drops, 0, sizeof(drops));
	g->setup.event_idx = true;
	assert_int_equal(guest_open(g), 0);
	guest_avail(g)->ring[GUEST_SIZE] = 2; /* wake me when used passes 2 */
	assert_true(release_one(g));	      /* the first one after a start always */
	assert_false(release_one(g));
	assert_true(release_one(g));
	assert_false(release_one(g));
	guest_free(g);
}

static void arming_asks_for_kicks_and_sees_what_is_there(void **state)
{
	struct guest *g = sender();

	(void)state;
	ring_arm(&g->ring, false);
	assert_int_equal(guest_used(g)->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(ring_arm(&g->ring, true));
	assert_int_equal(guest_used(g)->flags, 0);
	guest_offer_one(g, guest_data(0), 72);
	assert_true(ring_arm(&g->ring, true));
	guest_free(g);

	g = guest_new(false, false, 7);
	g->setup.event_idx = true;
	assert_int_equal(guest_open(g), 0);
	assert_false(ring_arm(&g->ring, true));
	assert_int_equal(guest_avail_event(g), 7);
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_CASES,
		cmocka_unit_test(chain_that_loops_is_dropped),
		cmocka_unit_test(table_that_loops_is_dropped),
		cmocka_unit_test(link_past_the_end_is_dropped),
		cmocka_unit_test(index_that_jumps_breaks_the_ring),
		cmocka_unit_test(head_past_the_end_breaks_the_ring),
		cmocka_unit_test(broken_receive_ring_takes_nothing),
		cmocka_unit_test(indices_wrap_at_65536),
		cmocka_unit_test(size_that_is_no_power_of_two_is_refused),
		cmocka_unit_test(guest_is_signalled_unless_it_declines),
		cmocka_unit_test(event_index_decides_about_signals),
		cmocka_unit_test(arming_asks_for_kicks_and_sees_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
