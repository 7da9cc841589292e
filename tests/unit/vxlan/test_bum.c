/* SPDX-License-Identifier: BSD-3-Clause */
/* Floods: to whom, from whom never, and how many. */
#include "overlay.h"

#include "bum.h"

#define SECOND UINT64_C(1000000000)

static struct overlay o;
static struct vtep_table *table;
static struct frame frame;
static struct frame_seg segs[FRAME_SEGS_MAX];

static int setup(void **state)
{
	(void)state;
	overlay_init(&o);
	overlay_frame(&frame, segs, vector_inner_tagged, sizeof(vector_inner_tagged), 64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vtep_table_free(table);
	return 0;
}

static void flood_reaches_each_vtep_of_the_list_once(void **state)
{
	struct frame_out template = {.f = &frame, .skip = 16, .prefix_len = 12}, outs[8];
	struct encap_dest dests[8];
	enum drop_reason drop;
	uint32_t start = 0;

	(void)state;
	memcpy(template.prefix, frame.hdr, 12);
	table = overlay_table(&o);
	assert_int_equal(bum_flood(table, 0, VTEP_NONE, &template, outs, dests, 8, &start, &drop),
			 2);
	assert_int_equal(drop, DROP_NONE);
	assert_int_equal(dests[0].peer, 0);
	assert_int_equal(dests[1].peer, 1);
	assert_int_equal(encap_burst(table, outs, dests, 2), 2);
	assert_int_equal(outs[0].prefix_len, 50 + 12);
	assert_int_equal(outs[1].prefix_len, 70 + 12);
	assert_memory_equal(outs[1].prefix + 70, frame.hdr, 12);
	assert_int_equal(bum_flood(table, 0, VTEP_NONE, &template, outs, dests, 8, &start, &drop),
			 0);
}

static void flood_goes_on_where_the_room_ended(void **state)
{
	struct frame_out template = {.f = &frame}, outs[1];
	struct encap_dest dests[1];
	enum drop_reason drop;
	uint32_t start = 0;

	(void)state;
	table = overlay_table(&o);
	assert_int_equal(bum_flood(table, 0, VTEP_NONE, &template, outs, dests, 1, &start, &drop),
			 1);
	assert_int_equal(dests[0].peer, 0);
	assert_int_equal(bum_flood(table, 0, VTEP_NONE, &template, outs, dests, 1, &start, &drop),
			 1);
	assert_int_equal(dests[0].peer, 1);
	assert_int_equal(start, table->vnis[0].n_flood);
}

static void member_that_takes_no_floods_gets_none(void **state)
{
	struct frame_out template = {.f = &frame}, outs[8];
	struct encap_dest dests[8];
	enum drop_reason drop;
	uint32_t start = 0;

	(void)state;
	o.members[0].flood = false;
	table = overlay_table(&o);
	assert_int_equal(bum_flood(table, 0, VTEP_NONE, &template, outs, dests, 8, &start, &drop),
			 1);
	assert_int_equal(dests[0].peer, 1);
	assert_int_equal(vtep_member_find(table, 0, VNI_10010), 0); /* still one of us */
}

static void nothing_goes_from_tunnel_to_tunnel(void **state)
{
	struct frame_out template = {.f = &frame}, outs[8];
	struct encap_dest dests[8];
	enum drop_reason drop;
	uint32_t start = 0;

	(void)state;
	table = overlay_table(&o);
	assert_int_equal(bum_flood(table, 0, 0, &template, outs, dests, 8, &start, &drop), 0);
	assert_int_equal(drop, DROP_VXLAN_SPLIT_HORIZON);
	assert_false(bum_may_leave(0, 1));
	assert_true(bum_may_leave(VTEP_NONE, 1));
	assert_true(bum_may_leave(1, VTEP_NONE));
}

static void vni_with_floods_off_says_so(void **state)
{
	struct frame_out template = {.f = &frame}, outs[8];
	struct encap_dest dests[8];
	enum drop_reason drop;
	uint32_t start = 0;

	(void)state;
	o.vni.flood_off = true;
	table = overlay_table(&o);
	assert_int_equal(bum_flood(table, 0, VTEP_NONE, &template, outs, dests, 8, &start, &drop),
			 0);
	assert_int_equal(drop, DROP_VXLAN_BUM_OFF);
}

static void meter_lets_the_burst_pass_and_then_the_rate(void **state)
{
	struct bum_rate rate = bum_rate(1000, 50);
	struct bum_meter meter = {0};
	uint64_t now = 5 * SECOND;
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		passed += bum_meter_take(&meter, &rate, now);
	assert_int_equal(passed, 50);
	/* one second in steps of 100 us, ten times the rate offered */
	for (int i = 0; i < 10000; i++)
		passed += bum_meter_take(&meter, &rate, now += SECOND / 10000);
	assert_in_range(passed, 50 + 999, 50 + 1001);
	/* long silence gives the burst back, not more */
	passed = 0;
	now += 1000 * SECOND;
	for (int i = 0; i < 1000; i++)
		passed += bum_meter_take(&meter, &rate, now);
	assert_int_equal(passed, 50);
}

static void no_limit_means_none(void **state)
{
	struct bum_rate rate = bum_rate(0, 0);
	struct bum_meter meter = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_true(bum_meter_take(&meter, &rate, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(flood_reaches_each_vtep_of_the_list_once),
		TEST(flood_goes_on_where_the_room_ended),
		TEST(member_that_takes_no_floods_gets_none),
		TEST(nothing_goes_from_tunnel_to_tunnel),
		TEST(vni_with_floods_off_says_so),
		cmocka_unit_test(meter_lets_the_burst_pass_and_then_the_rate),
		cmocka_unit_test(no_limit_means_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
