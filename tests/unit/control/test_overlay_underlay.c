/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ways to other VTEPs over the real kernel, in a network namespace of this process's own:
 *
 *     u0 192.0.2.1/24, 192.0.2.11/32 ---- p0        u1 198.51.100.1/24 ---- p1
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
#include <jansson.h>

#include <sched.h>
#include <stdio.h>

#include "model_parse.h"
#include "overlay_underlay.h"

static struct overlay_underlay *underlay;
static struct model *model;
static struct overlay_spec *spec;
static struct overlay_uplink_state uplinks[OVERLAY_UPLINKS_MAX];
static uint16_t n_uplinks;
static struct overlay_way ways[2];

static void sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int setup(void **state)
{
	json_t *ports = json_loads("[{\"name\":\"a\",\"type\":\"uplink\",\"ifname\":\"u0\","
				   "\"local\":[\"192.0.2.1\",\"192.0.2.11\"]},"
				   "{\"name\":\"b\",\"type\":\"uplink\",\"ifname\":\"u1\","
				   "\"local\":[\"198.51.100.1\"]}]",
				   0, NULL);
	json_t *vteps =
		json_loads("[{\"name\":\"far\",\"uplink\":\"a\",\"remote\":\"203.0.113.9\"},"
			   "{\"name\":\"near\",\"uplink\":\"a\",\"remote\":\"192.0.2.9\"}]",
			   0, NULL);
	struct problems problems = {0};
	struct err err = {0};

	(void)state;
	model = model_new();
	model_objects_parse(model, NULL, ports, NULL, &problems);
	model_overlay_parse(model, vteps, NULL, NULL, &problems);
	json_decref(ports);
	json_decref(vteps);
	underlay = overlay_underlay_new(&err);
	sh("ip link set u0 up; ip link set u1 up; ip address replace 192.0.2.1/24 dev u0; "
	   "ip address replace 192.0.2.11/32 dev u0; "
	   "ip neigh flush all 2>/dev/null; ip route flush 203.0.113.0/24; "
	   "ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 nud reachable dev u0");
	return problems.n > 0 || underlay == NULL;
}

static int teardown(void **state)
{
	(void)state;
	overlay_underlay_free(underlay);
	overlay_spec_free(spec);
	spec = NULL;
	model_free(model);
	return 0;
}

static const struct vtep_peer_spec *ask(const char *vtep)
{
	size_t i = strcmp(vtep, "far") == 0 ? 0 : 1;

	overlay_spec_free(spec);
	spec = overlay_spec_new(model, false);
	memset(ways, 0, sizeof(ways));
	n_uplinks = overlay_underlay_uplinks(underlay, model, uplinks);
	overlay_underlay_ways(underlay, uplinks, n_uplinks, spec, ways);
	return &spec->peers[i];
}

static void neighbour_on_the_link_is_reached(void **state)
{
	const struct vtep_peer_spec *peer = ask("near");

	(void)state;
	assert_int_equal(n_uplinks, 2);
	assert_true(uplinks[0].usable && uplinks[1].usable);
	assert_true(ways[1].usable);
	assert_int_equal(ways[1].mtu, 1550);
	assert_int_equal(peer->n_nexthops, 1);
	assert_true(peer->nexthops[0].resolved);
	assert_int_equal(peer->nexthops[0].dst_mac[5], 9);
	assert_string_equal(ways[1].detail, "");
}

static void neighbour_the_kernel_forgot_is_used_until_it_fails(void **state)
{
	const struct vtep_peer_spec *peer = ask("near");

	(void)state;
	sh("ip neigh del 192.0.2.9 dev u0");
	peer = ask("near");
	assert_true(ways[1].usable);
	assert_true(peer->nexthops[0].resolved);
	assert_int_equal(peer->nexthops[0].dst_mac[5], 9);
	sh("ip neigh replace 192.0.2.9 nud failed dev u0");
	peer = ask("near");
	assert_false(ways[1].usable);
	assert_false(peer->nexthops[0].resolved);
	assert_non_null(strstr(ways[1].detail, "does not answer ARP or ND"));
}

static void neighbour_never_heard_of_is_not_reached_yet(void **state)
{
	(void)state;
	sh("ip neigh del 192.0.2.9 dev u0");
	ask("near");
	assert_false(ways[1].usable);
	assert_int_equal(ways[1].n_nexthops, 1);
	assert_int_equal(ways[1].n_resolved, 0);
}

static void no_route_is_said(void **state)
{
	(void)state;
	ask("far");
	assert_false(ways[0].usable);
	assert_non_null(strstr(ways[0].detail, "no route to 203.0.113.9"));
}

static void route_through_a_foreign_interface_is_said(void **state)
{
	(void)state;
	sh("ip route add 203.0.113.0/24 dev p0");
	ask("far");
	assert_false(ways[0].usable);
	assert_non_null(strstr(ways[0].detail, "no uplink or down"));
}

static void of_two_ways_the_dead_one_leaves(void **state)
{
	const struct vtep_peer_spec *peer;

	(void)state;
	sh("ip neigh replace 192.0.2.8 lladdr 02:00:00:00:00:08 nud permanent dev u0");
	sh("ip neigh replace 198.51.100.8 lladdr 02:00:00:00:00:18 nud permanent dev u1");
	sh("ip route add 203.0.113.0/24 nexthop via 192.0.2.8 nexthop via 198.51.100.8");
	peer = ask("far");
	assert_int_equal(peer->n_nexthops, 2);
	assert_int_equal(ways[0].n_resolved, 2);
	assert_int_equal(peer->nexthops[1].uplink, 1);
	sh("ip neigh replace 198.51.100.8 nud failed dev u1");
	peer = ask("far");
	assert_true(ways[0].usable);
	assert_int_equal(ways[0].n_resolved, 1);
	assert_false(peer->nexthops[1].resolved);
	sh("ip link set u1 down");
	peer = ask("far");
	assert_true(ways[0].usable);
	assert_int_equal(peer->n_nexthops, 1);
}

static void other_uplink_carries_on_while_ours_is_down(void **state)
{
	(void)state;
	sh("ip address add 192.0.2.1/32 dev lo");
	sh("ip neigh replace 198.51.100.8 lladdr 02:00:00:00:00:18 nud permanent dev u1");
	sh("ip link set u0 down");
	sh("ip route add 203.0.113.0/24 via 198.51.100.8");
	ask("far");
	assert_false(uplinks[0].usable);
	assert_true(ways[0].usable);
	ask("near");
	assert_false(ways[1].usable);
	assert_non_null(strstr(ways[1].detail, "uplink a: interface u0 is down"));
	sh("ip address del 192.0.2.1/32 dev lo");
}

static void address_that_is_not_ours_is_said(void **state)
{
	(void)state;
	sh("ip address del 192.0.2.1/24 dev u0; ip route add 192.0.2.0/24 dev u0");
	ask("near");
	assert_false(ways[1].usable);
	assert_non_null(strstr(ways[1].detail, "192.0.2.1 is not on this host"));
	assert_non_null(strstr(uplinks[0].detail, "192.0.2.1 is not on this host"));
}

static void remote_that_becomes_our_own_is_said(void **state)
{
	(void)state;
	sh("ip address add 203.0.113.9/32 dev lo");
	ask("far");
	assert_non_null(strstr(ways[0].detail, "is an address of this host"));
	sh("ip address del 203.0.113.9/32 dev lo");
}

static void uplink_that_is_missing_or_down_is_said(void **state)
{
	(void)state;
	sh("ip link set p0 down");
	ask("near");
	assert_false(uplinks[0].usable);
	assert_non_null(strstr(uplinks[0].detail, "u0 has no carrier"));
	sh("ip link set p0 up");
	snprintf(model_port_find(model, "a")->spec.ifname, 16, "gone0");
	ask("near");
	assert_non_null(strstr(uplinks[0].detail, "there is no interface gone0"));
	model_port_find(model, "a")->admin_up = false;
	ask("near");
	assert_non_null(strstr(uplinks[0].detail, "administratively down"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(neighbour_on_the_link_is_reached),
		TEST(neighbour_the_kernel_forgot_is_used_until_it_fails),
		TEST(neighbour_never_heard_of_is_not_reached_yet),
		TEST(no_route_is_said),
		TEST(route_through_a_foreign_interface_is_said),
		TEST(of_two_ways_the_dead_one_leaves),
		TEST(other_uplink_carries_on_while_ours_is_down),
		TEST(address_that_is_not_ours_is_said),
		TEST(remote_that_becomes_our_own_is_said),
		TEST(uplink_that_is_missing_or_down_is_said),
	};

	if (unshare(CLONE_NEWNET) != 0 ||
	    system("ip link add u0 mtu 1550 type veth peer name p0 && "
		   "ip link add u1 mtu 1550 type veth peer name p1") != 0) {
		printf("skipped: needs the right to make a network namespace and veth\n");
		return 77;
	}
	if (system("for i in lo u0 p0 u1 p1; do ip link set $i up || exit 1; done; "
		   "ip address add 198.51.100.1/24 dev u1") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
