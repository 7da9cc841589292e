/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and ND answered locally, and announcements: the bytes scapy makes, and silence where others must answer. */
#include "overlay.h"

#include "announce.h"
#include "suppress.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0x0a}, mac_b[6] = {2, 0, 0, 0, 0, 0x0b};
static struct neigh_table *table;
static struct frame frame;
static struct frame_seg segs[FRAME_SEGS_MAX];
static struct reply reply;
static const struct neigh_entry *found;
static uint32_t now_s;
static uint8_t bytes[512];

static struct vxlan_ip guest_b6(void)
{
	return (struct vxlan_ip){.is_v6 = 1, .b = {0x20, 0x01, 0x0d, 0xb8, 0, 0x10, [15] = 2}};
}

static struct vxlan_ip guest_a6(void)
{
	return (struct vxlan_ip){.is_v6 = 1, .b = {0x20, 0x01, 0x0d, 0xb8, 0, 0x10, [15] = 1}};
}

static int setup_table(bool is_static)
{
	struct neigh_entry entries[2] = {
		{.vni = VNI_10010, .ip = overlay_ip4(10, 0, 10, 2), .is_static = is_static},
		{.vni = VNI_10010, .ip = guest_b6(), .is_static = is_static, .port = 7},
	};

	now_s = 1000;
	for (int i = 0; i < 2; i++) {
		memcpy(entries[i].mac, mac_b, 6);
		entries[i].seen_s = now_s;
	}
	table = neigh_table_new(entries, 2);
	return table == NULL;
}

static int setup(void **state)
{
	(void)state;
	return setup_table(true);
}

static int teardown(void **state)
{
	(void)state;
	neigh_table_free(table);
	return 0;
}

static bool answers(uint32_t vni, const uint8_t *request, uint32_t len)
{
	overlay_frame(&frame, segs, request, len, 64);
	memset(&reply, 0xee, sizeof(reply));
	return suppress_request(table, vni, &frame, now_s, &reply, &found) == SUPPRESS_ANSWER;
}

#define ANSWERS(vector) answers(VNI_10010, vector_##vector, sizeof(vector_##vector))

static void arp_request_is_answered_for_a_known_station(void **state)
{
	(void)state;
	assert_true(ANSWERS(arp_request));
	OVERLAY_ASSERT(reply.bytes, reply.len, arp_reply);
	assert_true(ANSWERS(arp_request_tagged));
	OVERLAY_ASSERT(reply.bytes, reply.len, arp_reply_tagged);
}

static void arp_probe_hears_that_the_address_is_taken(void **state)
{
	(void)state;
	assert_true(ANSWERS(arp_probe));
	assert_int_equal(wire_get16(reply.bytes + 20), 2);
	assert_memory_equal(reply.bytes + 22, mac_b, 6);
	assert_memory_equal(reply.bytes + 38, "\0\0\0\0", 4);
}

static void station_that_was_only_seen_defends_its_address_itself(void **state)
{
	(void)state;
	neigh_table_free(table);
	assert_int_equal(setup_table(false), 0);
	assert_false(ANSWERS(arp_probe));
	assert_false(ANSWERS(ns_dad));
	assert_true(ANSWERS(arp_request));
	assert_true(ANSWERS(ns));
	assert_int_equal(found->port, 7);
}

static void station_that_is_silent_for_long_is_asked_itself(void **state)
{
	(void)state;
	now_s += NEIGH_TRUST_S + 1;
	assert_true(ANSWERS(arp_request)); /* the user said so */
	neigh_table_free(table);
	assert_int_equal(setup_table(false), 0);
	now_s += NEIGH_TRUST_S;
	assert_true(ANSWERS(arp_request));
	now_s++;
	assert_false(ANSWERS(arp_request));
	assert_false(ANSWERS(ns));
	neigh_table_refresh(table, neigh_table_at(table, 0), now_s);
	assert_true(ANSWERS(arp_request));
}

static void station_that_does_not_answer_a_probe_is_asked_itself(void **state)
{
	const struct neigh_entry *entry;

	(void)state;
	neigh_table_free(table);
	assert_int_equal(setup_table(false), 0);
	entry = neigh_table_at(table, 0);
	neigh_table_probe(table, entry, now_s);
	assert_true(ANSWERS(arp_request)); /* was heard in the same second */
	now_s += 3;
	neigh_table_probe(table, entry, now_s);
	assert_false(ANSWERS(arp_request));
	neigh_table_refresh(table, entry, now_s);
	assert_true(ANSWERS(arp_request));
}

static void solicitation_is_answered_for_a_known_station(void **state)
{
	(void)state;
	assert_true(ANSWERS(ns));
	OVERLAY_ASSERT(reply.bytes, reply.len, na);
	assert_true(ANSWERS(ns_dad));
	OVERLAY_ASSERT(reply.bytes, reply.len, na_dad);
}

static void what_others_must_hear_is_passed_on(void **state)
{
	(void)state;
	assert_false(ANSWERS(arp_announce));
	assert_false(ANSWERS(arp_reply));
	assert_false(ANSWERS(na));
	assert_false(ANSWERS(inner_udp4));
	assert_false(ANSWERS(icmp_echo6));
	/* another VNI has stations of its own */
	assert_false(answers(VNI_10010 + 1, vector_arp_request, sizeof(vector_arp_request)));
	/* an address nobody is known to have */
	memcpy(bytes, vector_arp_request, sizeof(vector_arp_request));
	bytes[41] = 99;
	assert_false(answers(VNI_10010, bytes, sizeof(vector_arp_request)));
	/* unicast: is it still alive? only the station can say */
	memcpy(bytes, vector_arp_request, sizeof(vector_arp_request));
	memcpy(bytes, mac_b, 6);
	assert_false(answers(VNI_10010, bytes, sizeof(vector_arp_request)));
	/* the station itself asks */
	memcpy(bytes, vector_arp_request, sizeof(vector_arp_request));
	memcpy(bytes + 6, mac_b, 6);
	memcpy(bytes + 22, mac_b, 6);
	assert_false(answers(VNI_10010, bytes, sizeof(vector_arp_request)));
	/* in another's name */
	memcpy(bytes, vector_arp_request, sizeof(vector_arp_request));
	bytes[27] ^= 1;
	assert_false(answers(VNI_10010, bytes, sizeof(vector_arp_request)));
}

static void malformed_requests_are_passed_on(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < sizeof(vector_arp_request); len++)
		assert_false(answers(VNI_10010, vector_arp_request, len));
	for (uint32_t len = 0; len < sizeof(vector_ns); len++)
		assert_false(answers(VNI_10010, vector_ns, len));
	for (uint32_t off = 14; off < 22; off++) {
		memcpy(bytes, vector_arp_request, sizeof(vector_arp_request));
		bytes[off] ^= 4;
		assert_false(answers(VNI_10010, bytes, sizeof(vector_arp_request)));
	}
	/* any flipped bit breaks the ICMPv6 checksum; the hop limit is checked by itself */
	for (uint32_t off = 54; off < sizeof(vector_ns); off++) {
		memcpy(bytes, vector_ns, sizeof(vector_ns));
		bytes[off] ^= 1;
		assert_false(answers(VNI_10010, bytes, sizeof(vector_ns)));
	}
	memcpy(bytes, vector_ns, sizeof(vector_ns));
	bytes[21] = 254;
	assert_false(answers(VNI_10010, bytes, sizeof(vector_ns)));
}

static void announcements_are_what_scapy_makes(void **state)
{
	struct vxlan_ip ip4 = overlay_ip4(10, 0, 10, 1), ip6 = guest_a6();

	(void)state;
	announce_rarp(mac_a, &reply);
	OVERLAY_ASSERT(reply.bytes, reply.len, rarp);
	announce_address(mac_a, &ip4, &reply);
	OVERLAY_ASSERT(reply.bytes, reply.len, garp4);
	announce_address(mac_a, &ip6, &reply);
	OVERLAY_ASSERT(reply.bytes, reply.len, garp6);
}

static void reply_is_a_frame_a_port_can_send(void **state)
{
	(void)state;
	reply.len = 200;
	for (unsigned i = 0; i < 200; i++)
		reply.bytes[i] = (uint8_t)i;
	reply_frame(&reply, &frame);
	assert_int_equal(frame.hdr_len, FRAME_HDR_MAX);
	assert_int_equal(frame.n_segs, 1);
	assert_int_equal(overlay_bytes(&frame, bytes), 200);
	assert_memory_equal(bytes, reply.bytes, 200);
}

static void later_neighbour_replaces_the_earlier_one(void **state)
{
	struct neigh_entry entries[2] = {{.vni = 5, .ip = overlay_ip4(10, 0, 0, 1), .mac = {2}},
					 {.vni = 5, .ip = overlay_ip4(10, 0, 0, 1), .mac = {4}}};
	struct neigh_table *t = neigh_table_new(entries, 2);

	(void)state;
	assert_int_equal(neigh_table_count(t), 1);
	assert_int_equal(neigh_table_find(t, 5, &entries[0].ip)->mac[0], 4);
	neigh_table_free(t);
}

static void hundred_thousand_neighbours_are_all_found(void **state)
{
	enum { N = 100000 };
	struct neigh_entry *entries = calloc(N, sizeof(*entries));
	struct neigh_table *t;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		entries[i].vni = 1 + i % 4096;
		entries[i].ip = i % 3 == 0 ? guest_a6() : (struct vxlan_ip){0};
		wire_put32(entries[i].ip.b + (entries[i].ip.is_v6 ? 8 : 0), 0x0a000000 + i);
		wire_put32(entries[i].mac + 2, i);
	}
	t = neigh_table_new(entries, N);
	assert_int_equal(neigh_table_count(t), N);
	for (uint32_t i = 0; i < N; i++) {
		const struct neigh_entry *entry =
			neigh_table_find(t, entries[i].vni, &entries[i].ip);

		assert_non_null(entry);
		assert_memory_equal(entry->mac, entries[i].mac, 6);
		assert_null(neigh_table_find(t, entries[i].vni + 4096, &entries[i].ip));
	}
	print_message("100000 neighbours: %zu KiB\n", neigh_table_bytes(t) / 1024);
	neigh_table_free(t);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(arp_request_is_answered_for_a_known_station),
		TEST(arp_probe_hears_that_the_address_is_taken),
		TEST(station_that_was_only_seen_defends_its_address_itself),
		TEST(station_that_is_silent_for_long_is_asked_itself),
		TEST(station_that_does_not_answer_a_probe_is_asked_itself),
		TEST(solicitation_is_answered_for_a_known_station),
		TEST(what_others_must_hear_is_passed_on),
		TEST(malformed_requests_are_passed_on),
		TEST(announcements_are_what_scapy_makes),
		TEST(reply_is_a_frame_a_port_can_send),
		TEST(later_neighbour_replaces_the_earlier_one),
		TEST(hundred_thousand_neighbours_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
