/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has which address: what is overheard, what the user says, what is forgotten, and what is not answered for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/clock.h"
#include "fake_datapath.h"
#include "l4.h"
#include "overlay_neigh.h"
#include "vxlan/announce.h"
#include "vxlan/overlay.h"
#include "vxlan/snoop.h"

#define SW     1
#define VID    10
#define LOCAL  3
#define TUNNEL 4
#define VNI    7

static struct event_base *base;
static struct overlay_neigh *neigh;
static struct model *model;
static struct port tunnel;
static uint64_t generation;
static struct overlay_neigh_info seen[8];
static size_t n_seen;

static struct vxlan_ip address(uint32_t number)
{
	return (struct vxlan_ip){
		.b = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
}

static uint64_t mac_of(uint32_t number)
{
	return UINT64_C(0x020000000000) | number;
}

static void view_publish(bool suppress)
{
	static const struct vxlan_ip local = {.b = {192, 0, 2, 1}};
	const struct vtep_vni_spec vni = {.vni = VNI, .sw = SW, .vid = VID, .suppress = suppress};
	const struct vtep_spec spec = {.n_locals = 1, .locals = &local, .n_vnis = 1, .vnis = &vni};
	struct overlay_view *view = calloc(1, sizeof(*view));
	struct err err = {0};

	assert_int_equal(vtep_table_new(&spec, &view->table, &err), 0);
	view->n_tunnels = TUNNEL + 1;
	view->tunnels = calloc(view->n_tunnels, sizeof(*view->tunnels));
	view->tunnels[TUNNEL] = (struct overlay_tunnel){.port = &tunnel, .sw = SW};
	overlay_publish(view);
}

static int setup(void **state)
{
	static const struct datapath_options options = {.n_workers = 1, .fdb_capacity = 65536};
	struct err err = {0};

	(void)state;
	datapath_start(&options, &err);
	base = event_base_new();
	neigh = overlay_neigh_new(base, &err);
	model = model_new();
	view_publish(true);
	return neigh == NULL;
}

static int teardown(void **state)
{
	(void)state;
	overlay_neigh_free(neigh);
	overlay_publish(NULL);
	model_free(model);
	event_base_free(base);
	datapath_stop();
	datapath_fini();
	return 0;
}

static void station_learn(uint32_t number, uint16_t port)
{
	fdb_learn(fake.fdb, FDB_FID(SW, VID), mac_of(number), port, 0, 0, 1);
}

static void mac_bytes(uint32_t number, uint8_t mac[6])
{
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(mac_of(number) >> (40 - 8 * i));
}

/* A station says that it has an address. */
static void say(uint32_t station, uint32_t ip, uint16_t port)
{
	struct vxlan_ip what = address(ip);
	struct reply reply;
	struct frame frame;
	uint8_t mac[6];

	mac_bytes(station, mac);
	announce_address(mac, &what, &reply);
	reply_frame(&reply, &frame);
	l4_parse_tags(&frame);
	frame.vid = VID;
	frame.in_port = port;
	snoop_frame(&frame, SW, 1);
}

static void hear(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Let the table be made anew. */
static void settle(void)
{
	const struct timeval limit = {.tv_usec = 150000};

	hear();
	event_base_loopexit(base, &limit);
	event_base_dispatch(base);
}

static void see(const struct overlay_neigh_info *info, void *arg)
{
	(void)arg;
	if (n_seen < sizeof(seen) / sizeof(seen[0]))
		seen[n_seen] = *info;
	n_seen++;
}

static size_t look(void)
{
	n_seen = 0;
	overlay_neigh_walk(neigh, see, NULL);
	return n_seen;
}

static const struct neigh_entry *answer_for(uint32_t ip)
{
	const struct neigh_table *table = overlay_neigh_current();
	const struct vxlan_ip what = address(ip);

	return table != NULL ? neigh_table_find(table, VNI, &what) : NULL;
}

static void vni_say(uint32_t station, uint32_t ip)
{
	union {
		struct model_vni vni;
		uint8_t room[sizeof(struct model_vni) + sizeof(struct model_neigh)];
	} one = {.vni = {.name = "7", .vni = VNI, .sw = "s", .vid = VID, .suppress = true}};
	struct model_neigh *said = (struct model_neigh *)one.vni.vteps[0];

	one.vni.n_neighs = 1;
	said->ip = address(ip);
	mac_bytes(station, said->mac);
	model_vni_remove(model, "7");
	assert_int_equal(model_vni_add(model, &one.vni), 0);
	overlay_neigh_model(neigh, model, ++generation);
}

static void overheard_station_is_answered_for_where_the_fdb_has_it(void **state)
{
	(void)state;
	station_learn(1, TUNNEL);
	say(1, 1, TUNNEL);
	settle();
	assert_int_equal(look(), 1);
	assert_true(seen[0].answered);
	assert_int_equal(seen[0].port, TUNNEL);
	assert_non_null(answer_for(1));
	assert_int_equal(answer_for(1)->port, TUNNEL);
	assert_false(answer_for(1)->is_static);
	station_learn(1, LOCAL);
	overlay_neigh_moved(neigh, mac_of(1));
	settle();
	assert_int_equal(answer_for(1)->port, LOCAL);
}

static void station_that_nobody_has_seen_is_not_answered_for(void **state)
{
	(void)state;
	say(1, 1, LOCAL);
	settle();
	assert_int_equal(look(), 1);
	assert_false(seen[0].answered);
	assert_null(answer_for(1));
}

static void station_heard_while_the_second_turns_is_kept(void **state)
{
	(void)state;
	station_learn(1, LOCAL);
	say(1, 1, LOCAL);
	settle();
	assert_non_null(answer_for(1));
	/* by a worker, whose clock is read after control's */
	neigh_table_refresh(overlay_neigh_current(), answer_for(1),
			    (uint32_t)(clock_now_ns() / CLOCK_NS_PER_SECOND) + 2);
	overlay_neigh_model(neigh, model, ++generation);
	assert_int_equal(look(), 1);
	assert_int_equal(seen[0].age_s, 0);
}

static void station_that_is_gone_is_forgotten(void **state)
{
	(void)state;
	station_learn(1, LOCAL);
	say(1, 1, LOCAL);
	settle();
	fdb_delete(fake.fdb, FDB_FID(SW, VID), mac_of(1));
	for (int i = 0; i < 50 && look() > 0; i++) { /* it has three seconds to come back */
		settle();
		overlay_neigh_model(neigh, model, ++generation);
	}
	assert_int_equal(look(), 0);
	settle();
	assert_null(answer_for(1));
}

static void address_goes_with_another_mac_that_claims_it(void **state)
{
	uint8_t mac[6];

	(void)state;
	station_learn(1, LOCAL);
	station_learn(2, TUNNEL);
	say(1, 1, LOCAL);
	settle();
	say(2, 1, TUNNEL);
	settle();
	mac_bytes(2, mac);
	assert_memory_equal(answer_for(1)->mac, mac, 6);
	assert_int_equal(answer_for(1)->port, TUNNEL);
	assert_int_equal(look(), 1);
}

static void address_that_several_fight_for_is_nobodys(void **state)
{
	(void)state;
	station_learn(1, LOCAL);
	station_learn(2, TUNNEL);
	for (uint32_t i = 0; i < 8; i++)
		say(1 + i % 2, 1, i % 2 == 0 ? LOCAL : TUNNEL);
	settle();
	assert_int_equal(look(), 1);
	assert_true(seen[0].contested);
	assert_false(seen[0].answered);
	assert_null(answer_for(1));
}

static void what_the_user_says_is_not_overruled(void **state)
{
	uint8_t mac[6];

	(void)state;
	station_learn(1, LOCAL);
	say(1, 1, LOCAL);
	settle();
	vni_say(2, 1);
	say(1, 1, LOCAL);
	settle();
	assert_int_equal(look(), 1);
	assert_true(seen[0].is_static);
	mac_bytes(2, mac);
	assert_memory_equal(answer_for(1)->mac, mac, 6);
	assert_int_equal(answer_for(1)->port,
			 SNAPSHOT_NONE); /* nobody has seen it: answered all the same */
	vni_say(2, 5);
	settle();
	assert_null(answer_for(1));
	assert_non_null(answer_for(5));
}

static void port_has_no_more_than_its_share(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < NEIGH_LOCAL_MAX + 100; i++) {
		station_learn(i, LOCAL);
		if (i % 128 == 0) { /* as if the port had been quiet for a while */
			hear();
			snoop_init(overlay_neigh_fd(neigh));
		}
		say(i, i, LOCAL);
	}
	hear();
	assert_int_equal(look(), NEIGH_LOCAL_MAX);
	assert_int_equal(overlay_neigh_refused(neigh), 100);
	station_learn(5000, TUNNEL);
	say(5000, 5000, TUNNEL);
	hear();
	assert_int_equal(look(), NEIGH_LOCAL_MAX + 1);
}

static void switching_suppression_off_forgets_what_was_overheard(void **state)
{
	(void)state;
	station_learn(1, LOCAL);
	say(1, 1, LOCAL);
	settle();
	assert_int_equal(look(), 1);
	view_publish(false);
	overlay_neigh_model(neigh, model, ++generation);
	assert_int_equal(look(), 0);
	settle();
	assert_null(answer_for(1));
}

static void station_has_the_addresses_it_said(void **state)
{
	struct vxlan_ip addresses[4];
	uint8_t mac[6];

	(void)state;
	station_learn(1, LOCAL);
	for (uint32_t ip = 1; ip <= 3; ip++)
		say(1, ip, LOCAL);
	say(2, 9, LOCAL);
	hear();
	mac_bytes(1, mac);
	assert_int_equal(overlay_neigh_addresses(neigh, VNI, mac, addresses, 4), 3);
	assert_int_equal(overlay_neigh_addresses(neigh, VNI, mac, addresses, 2), 2);
	assert_int_equal(overlay_neigh_addresses(neigh, VNI + 1, mac, addresses, 4), 0);
	mac_bytes(3, mac);
	assert_int_equal(overlay_neigh_addresses(neigh, VNI, mac, addresses, 4), 0);
}

static void many_bindings_come_and_go_in_any_order(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		station_learn(i, TUNNEL);
		say(i, i, TUNNEL);
	}
	hear();
	assert_int_equal(look(), 200);
	for (uint32_t i = 0; i < 200;
	     i++) { /* each in turn becomes the user's: one goes, one comes */
		vni_say(i, i);
		assert_int_equal(look(), 200 - i);
		if (i == 60)
			break;
	}
	settle();
	assert_true(answer_for(60)->is_static);
	assert_null(answer_for(59));
	assert_non_null(answer_for(61));
	assert_non_null(answer_for(199));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(overheard_station_is_answered_for_where_the_fdb_has_it),
		TEST(station_that_nobody_has_seen_is_not_answered_for),
		TEST(station_heard_while_the_second_turns_is_kept),
		TEST(station_that_is_gone_is_forgotten),
		TEST(address_goes_with_another_mac_that_claims_it),
		TEST(address_that_several_fight_for_is_nobodys),
		TEST(what_the_user_says_is_not_overruled),
		TEST(port_has_no_more_than_its_share),
		TEST(switching_suppression_off_forgets_what_was_overheard),
		TEST(station_has_the_addresses_it_said),
		TEST(many_bindings_come_and_go_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
