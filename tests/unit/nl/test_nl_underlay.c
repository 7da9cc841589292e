/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links, routes and neighbours asked of the real kernel, in a network namespace of this process's own with two veth pairs:
 *
 *     u0 192.0.2.1/24, 2001:db8::1/64 ---- p0        u1 198.51.100.1/24 ---- p1
 *
 * Skipped where namespaces are not to be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>

#include "nl/nl_underlay.h"

static struct nl_underlay *underlay;

static const struct vxlan_ip near = {.b = {192, 0, 2, 9}};
static const struct vxlan_ip far = {.b = {203, 0, 113, 9}};
static const struct vxlan_ip near6 = {.is_v6 = 1, .b = {0x20, 1, 0xd, 0xb8, [15] = 9}};

static void sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int setup(void **state)
{
	struct err err = {0};

	(void)state;
	underlay = nl_underlay_new(&err);
	return underlay == NULL;
}

static int teardown(void **state)
{
	(void)state;
	nl_underlay_free(underlay);
	return 0;
}

static struct nl_hop hop_to(const struct vxlan_ip *gateway)
{
	return (struct nl_hop){.ifindex = (int)if_nametoindex("u0"), .gateway = *gateway};
}

static void link_is_told_with_all_that_matters(void **state)
{
	struct nl_link link;

	(void)state;
	assert_int_equal(nl_underlay_link(underlay, "u0", &link), 0);
	assert_int_equal(link.ifindex, if_nametoindex("u0"));
	assert_true(link.up && link.running && link.is_virtual);
	assert_int_equal(link.mtu, 1550);
	assert_memory_equal(link.mac, "\x02\0\0\0\0\x01", 6);
	sh("ip link set p0 down");
	assert_int_equal(nl_underlay_link(underlay, "u0", &link), 0);
	assert_true(link.up && !link.running);
	sh("ip link set p0 up");
}

static void link_that_is_missing_is_no_error(void **state)
{
	struct nl_link link;

	(void)state;
	assert_int_equal(nl_underlay_link(underlay, "nosuch0", &link), 0);
	assert_int_equal(link.ifindex, 0);
}

static void address_of_this_host_is_known(void **state)
{
	const struct vxlan_ip own = {.b = {192, 0, 2, 1}};
	const struct vxlan_ip own6 = {.is_v6 = 1, .b = {0x20, 1, 0xd, 0xb8, [15] = 1}};

	(void)state;
	assert_true(nl_underlay_has_address(underlay, &own));
	assert_true(nl_underlay_has_address(underlay, &own6));
	assert_false(nl_underlay_has_address(underlay, &near));
	assert_false(nl_underlay_has_address(underlay, &far));
}

static void route_on_the_link_has_the_destination_as_next_hop(void **state)
{
	struct nl_route route;

	(void)state;
	assert_int_equal(nl_underlay_route(underlay, &near, &route), 0);
	assert_int_equal(route.n_hops, 1);
	assert_true(vxlan_ip_equal(&route.hops[0].gateway, &near));
	assert_int_equal(nl_underlay_route(underlay, &near6, &route), 0);
	assert_true(vxlan_ip_equal(&route.hops[0].gateway, &near6));
	assert_int_equal(route.mtu, 0);
}

static void route_that_is_missing_or_forbidden_is_none(void **state)
{
	struct nl_route route;

	(void)state;
	assert_int_equal(nl_underlay_route(underlay, &far, &route), -ENETUNREACH);
	sh("ip route add blackhole 203.0.113.9/32");
	assert_int_equal(nl_underlay_route(underlay, &far, &route), -ENETUNREACH);
	sh("ip route del blackhole 203.0.113.9/32");
}

static void route_of_several_ways_has_all_of_them(void **state)
{
	struct nl_route route;

	(void)state;
	sh("ip route add 203.0.113.0/24 mtu 1400 nexthop via 192.0.2.8 nexthop via 198.51.100.8");
	assert_int_equal(nl_underlay_route(underlay, &far, &route), 0);
	assert_int_equal(route.n_hops, 2);
	assert_int_equal(route.mtu, 1400);
	assert_int_equal(route.hops[0].ifindex, if_nametoindex("u0"));
	assert_int_equal(route.hops[1].ifindex, if_nametoindex("u1"));
	assert_int_equal(route.hops[1].gateway.b[3], 8);
	sh("ip route del 203.0.113.0/24");
}

static void own_address_is_a_local_route(void **state)
{
	const struct vxlan_ip own = {.b = {198, 51, 100, 1}};
	struct nl_route route;

	(void)state;
	assert_int_equal(nl_underlay_route(underlay, &own, &route), 0);
	assert_true(route.is_local);
}

static void neighbour_that_is_unknown_is_asked_for_by_the_kernel(void **state)
{
	struct nl_hop hop = hop_to(&near);
	uint8_t mac[6];

	(void)state;
	sh("ip neigh flush dev u0 2>/dev/null || true");
	assert_int_equal(nl_underlay_neighbour(underlay, &hop, mac), NL_NEIGHBOUR_UNKNOWN);
	sh("ip neigh show dev u0 | grep -q '192.0.2.9 *INCOMPLETE'");
}

static void neighbour_that_is_known_has_its_mac(void **state)
{
	struct nl_hop hop = hop_to(&near), hop6 = hop_to(&near6);
	uint8_t mac[6];

	(void)state;
	sh("ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:99 nud permanent dev u0");
	assert_int_equal(nl_underlay_neighbour(underlay, &hop, mac), NL_NEIGHBOUR_USABLE);
	assert_memory_equal(mac, "\x02\0\0\0\0\x99", 6);
	sh("ip neigh replace 2001:db8::9 lladdr 02:00:00:00:00:96 nud reachable dev u0");
	assert_int_equal(nl_underlay_neighbour(underlay, &hop6, mac), NL_NEIGHBOUR_USABLE);
	assert_int_equal(mac[5], 0x96);
}

static void neighbour_that_is_stale_is_used_and_confirmed(void **state)
{
	struct nl_hop hop = hop_to(&near);
	uint8_t mac[6];

	(void)state;
	sh("ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:99 nud stale dev u0");
	assert_int_equal(nl_underlay_neighbour(underlay, &hop, mac), NL_NEIGHBOUR_USABLE);
	sh("ip neigh show dev u0 | grep -q '192.0.2.9 .*\\(DELAY\\|PROBE\\)'");
}

static void neighbour_that_does_not_answer_has_failed(void **state)
{
	struct nl_hop hop = hop_to(&near);
	uint8_t mac[6];

	(void)state;
	sh("ip neigh replace 192.0.2.9 nud failed dev u0");
	assert_int_equal(nl_underlay_neighbour(underlay, &hop, mac), NL_NEIGHBOUR_FAILED);
}

static bool told(int timeout_ms)
{
	struct pollfd pollfd = {.fd = nl_underlay_fd(underlay), .events = POLLIN};

	return poll(&pollfd, 1, timeout_ms) > 0;
}

static void changes_are_told_until_taken_note_of(void **state)
{
	static const char *const changes[] = {
		"ip route add 203.0.113.0/24 via 192.0.2.8",
		"ip route del 203.0.113.0/24",
		"ip address add 192.0.2.77/24 dev u0",
		"ip address del 192.0.2.77/24 dev u0",
		"ip neigh replace 192.0.2.66 lladdr 02:00:00:00:00:66 dev u0",
		"ip link set u0 mtu 1551"};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		do
			nl_underlay_drain(underlay);
		while (told(50));
		sh(changes[i]);
		if (!told(10000))
			fail_msg("not told of: %s", changes[i]);
	}
	sh("ip link set u0 mtu 1550");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(link_is_told_with_all_that_matters),
		TEST(link_that_is_missing_is_no_error),
		TEST(address_of_this_host_is_known),
		TEST(route_on_the_link_has_the_destination_as_next_hop),
		TEST(route_that_is_missing_or_forbidden_is_none),
		TEST(route_of_several_ways_has_all_of_them),
		TEST(own_address_is_a_local_route),
		TEST(neighbour_that_is_unknown_is_asked_for_by_the_kernel),
		TEST(neighbour_that_is_known_has_its_mac),
		TEST(neighbour_that_is_stale_is_used_and_confirmed),
		TEST(neighbour_that_does_not_answer_has_failed),
		TEST(changes_are_told_until_taken_note_of),
	};

	if (unshare(CLONE_NEWNET) != 0 ||
	    system("ip link add u0 mtu 1550 address 02:00:00:00:00:01 type veth peer name p0 && "
		   "ip link add u1 type veth peer name p1") != 0) {
		printf("skipped: needs the right to make a network namespace and veth\n");
		return 77;
	}
	if (system("for i in lo u0 p0 u1 p1; do ip link set $i up || exit 1; done; "
		   "ip address add 192.0.2.1/24 dev u0 && "
		   "ip address add 2001:db8::1/64 dev u0 nodad && "
		   "ip address add 198.51.100.1/24 dev u1") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
