/* SPDX-License-Identifier: BSD-3-Clause */
/* What is overheard about addresses, and what is not believed. The bytes are those scapy makes. */
#include "overlay.h"

#include "announce.h"
#include "snoop.h"

#include "../../../vxlan/overlay.h"

#define PORT 3
#define NOW  1000

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0x0a};
static struct overlay o;
static struct frame frame;
static struct frame_seg segs[FRAME_SEGS_MAX];
static struct snoop_event event;

/* What overlay.c needs of the datapath. */
void port_quiesce(void);
void workers_wake(void);
uint16_t datapath_n_workers(void);

void port_quiesce(void)
{
}

void workers_wake(void)
{
}

uint16_t datapath_n_workers(void)
{
	return 1;
}

static int setup(void **state)
{
	struct overlay_view *view = calloc(1, sizeof(*view));

	(void)state;
	overlay_init(&o);
	o.vni.suppress = true;
	view->table = overlay_table(&o);
	overlay_publish(view);
	snoop_init(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	snoop_init(-1);
	overlay_neigh_publish(NULL);
	overlay_publish(NULL);
	return 0;
}

static void load(const uint8_t *bytes, uint32_t len)
{
	overlay_frame(&frame, segs, bytes, len, 64);
	frame.vid = o.vni.vid;
	frame.in_port = PORT;
}

#define LOAD(vector) load(vector_##vector, sizeof(vector_##vector))

/* As a station announces itself; ours to damage. */
static uint8_t *announced(const struct vxlan_ip *ip)
{
	static struct reply reply;

	announce_address(mac_a, ip, &reply);
	load(reply.bytes, reply.len);
	return reply.bytes;
}

static uint32_t heard(void)
{
	struct snoop_event events[SNOOP_EVENTS_MAX];
	uint32_t n = snoop_drain(events, SNOOP_EVENTS_MAX);

	if (n > 0)
		event = events[0];
	return n;
}

static uint32_t overheard(void)
{
	snoop_frame(&frame, o.vni.sw, NOW);
	return heard();
}

static void requests_and_replies_name_their_sender(void **state)
{
	const struct vxlan_ip a = overlay_ip4(10, 0, 10, 1), b = overlay_ip4(10, 0, 10, 2);

	(void)state;
	LOAD(arp_request);
	assert_true(snoop_parse(&frame, &event));
	assert_true(vxlan_ip_equal(&event.ip, &a));
	assert_memory_equal(event.mac, mac_a, 6);
	LOAD(arp_reply);
	assert_true(snoop_parse(&frame, &event));
	assert_true(vxlan_ip_equal(&event.ip, &b));
	LOAD(arp_request_tagged);
	assert_true(snoop_parse(&frame, &event));
	assert_true(vxlan_ip_equal(&event.ip, &a));
}

static void solicitations_and_advertisements_name_their_sender(void **state)
{
	(void)state;
	LOAD(ns);
	assert_true(snoop_parse(&frame, &event));
	assert_int_equal(event.ip.b[15], 1);
	assert_memory_equal(event.mac, mac_a, 6);
	assert_false(event.is_router);
	LOAD(na);
	assert_true(snoop_parse(&frame, &event));
	assert_int_equal(event.ip.b[15], 2);
	assert_int_equal(event.mac[5], 0x0b);
}

static void probes_say_nothing(void **state)
{
	(void)state;
	LOAD(arp_probe);
	assert_false(snoop_parse(&frame, &event));
	LOAD(ns_dad);
	assert_false(snoop_parse(&frame, &event));
}

static void what_is_about_somebody_else_is_not_believed(void **state)
{
	const struct vxlan_ip ip4 = overlay_ip4(10, 0, 10, 9), ip6 = overlay_ip6(9, 9);

	(void)state;
	announced(&ip4)[11] ^= 1; /* Ethernet source, not ARP's */
	load(announced(&ip4), 42);
	assert_true(snoop_parse(&frame, &event));
	frame.hdr[11] ^= 1;
	assert_false(snoop_parse(&frame, &event));
	announced(&ip6);
	assert_true(snoop_parse(&frame, &event));
	frame.hdr[11] ^= 1;
	assert_false(snoop_parse(&frame, &event));
}

static void what_is_malformed_is_not_believed(void **state)
{
	const struct vxlan_ip ip4 = overlay_ip4(10, 0, 10, 9), ip6 = overlay_ip6(9, 9);
	static const struct {
		uint8_t at, value;
	} arp_damage[] = {{15, 2}, {16, 9}, {18, 5}, {19, 3}, {21, 3}},
	  nd_damage[] = {{21, 254}, {54, 137}, {55, 1}, {56, 0xee}, {62, 0xff}, {79, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(arp_damage) / sizeof(arp_damage[0]); i++) {
		announced(&ip4);
		frame.hdr[arp_damage[i].at] = arp_damage[i].value;
		assert_false(snoop_parse(&frame, &event));
	}
	for (size_t i = 0; i < sizeof(nd_damage) / sizeof(nd_damage[0]); i++) {
		announced(&ip6);
		frame.hdr[nd_damage[i].at] = nd_damage[i].value;
		assert_false(snoop_parse(&frame, &event));
	}
	for (uint16_t len = 14; len < 42; len++) {
		announced(&ip4);
		frame.hdr_len = len;
		assert_false(snoop_parse(&frame, &event));
	}
	for (uint16_t len = 14; len < 86; len++) {
		announced(&ip6);
		frame.hdr_len = len;
		assert_false(snoop_parse(&frame, &event));
	}
}

static void addresses_no_station_may_have_are_not_believed(void **state)
{
	const struct vxlan_ip unfit[] = {overlay_ip4(224, 0, 0, 1),
					 overlay_ip4(127, 0, 0, 1),
					 overlay_ip4(255, 255, 255, 255),
					 {.is_v6 = 1, .b = {[15] = 1}}};

	(void)state;
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++) {
		announced(&unfit[i]);
		assert_false(snoop_parse(&frame, &event));
	}
}

static void news_carries_vni_and_port(void **state)
{
	(void)state;
	LOAD(arp_request);
	assert_int_equal(overheard(), 1);
	assert_int_equal(event.vni, VNI_10010);
	assert_int_equal(event.port, PORT);
}

static void what_is_known_is_no_news_but_refreshed(void **state)
{
	struct neigh_entry entry = {.vni = VNI_10010, .ip = overlay_ip4(10, 0, 10, 1), .seen_s = 1};
	const struct neigh_table *table;

	(void)state;
	memcpy(entry.mac, mac_a, 6);
	overlay_neigh_publish(neigh_table_new(&entry, 1));
	LOAD(arp_request);
	assert_int_equal(overheard(), 0);
	table = overlay_neigh_current();
	assert_int_equal(neigh_table_seen(table, neigh_table_at(table, 0)), NOW);
	entry.mac[5] = 0x99;
	overlay_neigh_publish(neigh_table_new(&entry, 1));
	assert_int_equal(overheard(), 1);
	entry.is_static = true;
	overlay_neigh_publish(neigh_table_new(&entry, 1));
	assert_int_equal(overheard(), 0);
}

static void unicast_request_tests_whether_the_station_is_there(void **state)
{
	struct neigh_entry entry = {
		.vni = VNI_10010, .ip = overlay_ip4(10, 0, 10, 2), .seen_s = NOW - 5};
	const struct neigh_table *table;

	(void)state;
	entry.mac[0] = 2;
	entry.mac[5] = 0x0b;
	overlay_neigh_publish(neigh_table_new(&entry, 1));
	table = overlay_neigh_current();
	LOAD(arp_request); /* to all */
	overheard();
	assert_true(neigh_table_trusts(table, neigh_table_at(table, 0), NOW));
	memcpy(frame.hdr, mac_a, 6); /* to another station */
	overheard();
	assert_true(neigh_table_trusts(table, neigh_table_at(table, 0), NOW));
	memcpy(frame.hdr, entry.mac, 6);
	overheard();
	assert_false(neigh_table_trusts(table, neigh_table_at(table, 0), NOW));
	LOAD(arp_reply); /* it is there */
	overheard();
	assert_true(neigh_table_trusts(table, neigh_table_at(table, 0), NOW));
}

static void vlans_without_suppression_are_not_listened_to(void **state)
{
	(void)state;
	LOAD(arp_request);
	frame.vid++;
	assert_int_equal(overheard(), 0);
	frame.vid--;
	frame.no_learn = true;
	assert_int_equal(overheard(), 0);
	frame.no_learn = false;
	snoop_frame(&frame, o.vni.sw + 1, NOW);
	assert_int_equal(heard(), 0);
	assert_int_equal(overheard(), 1);
}

static void liar_fills_neither_the_ring_nor_another_ports_share(void **state)
{
	struct vxlan_ip ip = overlay_ip4(10, 1, 0, 0);
	uint32_t n;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		wire_put32(ip.b, 0x0a010000 + i);
		announced(&ip);
		snoop_frame(&frame, o.vni.sw, NOW);
	}
	n = heard();
	assert_in_range(n, 1, SNOOP_EVENTS_MAX / 2);
	assert_int_equal(snoop_refused(), 20000 - n);
	LOAD(arp_request);
	frame.in_port = PORT + 1;
	assert_int_equal(overheard(), 1);
}

static void nobody_listens_and_nothing_waits(void **state)
{
	(void)state;
	snoop_init(-1);
	LOAD(arp_request);
	assert_int_equal(overheard(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(requests_and_replies_name_their_sender),
		TEST(solicitations_and_advertisements_name_their_sender),
		TEST(probes_say_nothing),
		TEST(what_is_about_somebody_else_is_not_believed),
		TEST(what_is_malformed_is_not_believed),
		TEST(addresses_no_station_may_have_are_not_believed),
		TEST(news_carries_vni_and_port),
		TEST(what_is_known_is_no_news_but_refreshed),
		TEST(unicast_request_tests_whether_the_station_is_there),
		TEST(vlans_without_suppression_are_not_listened_to),
		TEST(liar_fills_neither_the_ring_nor_another_ports_share),
		TEST(nobody_listens_and_nothing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
