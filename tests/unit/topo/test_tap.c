/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces of the host in a lab: nodes of kind tap, and `host:` of a link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "topo/reach.h"
#include "unit/topo/parsed.h"

#define SWITCH "name: lab\ntopology:\n  nodes:\n    s: { kind: switch }\n"
#define HOSTS                                                                                      \
	"name: lab\n"                                                                              \
	"topology:\n"                                                                              \
	"  hosts:\n"                                                                               \
	"    a: { vtep: 192.0.2.1, uplink: eth0 }\n"                                               \
	"    b: { vtep: 192.0.2.2, uplink: eth0 }\n"                                               \
	"  nodes:\n"                                                                               \
	"    s: { kind: switch, vxlan: { 10: 10 } }\n"

static void a_tap_is_a_node_with_addresses(void **state)
{
	struct parsed *p = expect_good(
		SWITCH "    t: { kind: tap, netns: blue, mtu: 1400, ipv4: { eth1: 10.0.0.1/24 } }\n"
		       "  links:\n"
		       "    - { endpoints: ['t:eth1', 's:p1'], vlan: { access: 10 } }\n");
	const struct topo_node *tap = topo_node_find(&p->topo, "t");

	(void)state;
	assert_int_equal(tap->kind, TOPO_TAP);
	assert_int_equal(tap->n_nics, 1);
	assert_int_equal(tap->nics[0].mtu, 1400);
	assert_string_equal(topo_nic_netns(&p->topo, tap, &tap->nics[0]), "blue");
	assert_int_equal(tap->nics[0].mac[0], 2);
	assert_int_equal(tap->n_addresses, 1);
	parsed_free(p);
}

static void one_line_makes_the_host_join(void **state)
{
	struct parsed *p = expect_good(
		SWITCH "  links:\n"
		       "    - { endpoints: ['s:p1'], host: { eth: lab0, ipv4: 10.0.0.1/24, ipv6: "
		       "'fd00::1/64', "
		       "mtu: 1400 }, vlan: { access: 10 } }\n"
		       "    - { endpoints: ['s:p2'], host: { eth: lab1, netns: /run/netns/x, ipv4: "
		       "[10.0.0.2/24, 10.0.0.3/24] } }\n");
	const struct topo_node *host = topo_node_find(&p->topo, "host");

	(void)state;
	assert_int_equal(host->kind, TOPO_TAP);
	assert_int_equal(host->n_nics, 2);
	assert_int_equal(host->n_addresses, 4);
	assert_string_equal(host->addresses[1].ifname, "lab0");
	assert_int_equal(host->addresses[1].family, AF_INET6);
	assert_string_equal(host->addresses[3].text, "10.0.0.3/24");
	assert_int_equal(host->nics[0].mtu, 1400);
	assert_string_equal(topo_nic_netns(&p->topo, host, &host->nics[0]), "");
	assert_string_equal(topo_nic_netns(&p->topo, host, &host->nics[1]), "/run/netns/x");
	parsed_free(p);
	expect_error(SWITCH "  links:\n"
			    "    - { endpoints: ['s:p1'], host: { eth: lab0 } }\n"
			    "    - { endpoints: ['s:p2'], host: { eth: lab0, netns: x } }\n",
		     7, "endpoint \"host:lab0\" is used twice");
}

static void hosts_taps_are_on_the_host_of_the_other_end(void **state)
{
	struct parsed *p = expect_good(
		HOSTS "    h: { kind: vm, host: b }\n"
		      "  links:\n"
		      "    - { endpoints: ['h:eth1'], host: { eth: lab0 } }\n"
		      "    - { endpoints: ['s:p1'], host: { on: a, eth: lab0, netns: n } }\n");

	(void)state;
	assert_int_equal(p->topo.n_nodes, 4);
	assert_string_equal(p->topo.links[0].ends[1].node, "b");
	assert_string_equal(p->topo.links[1].ends[1].node, "a");
	assert_int_equal(topo_node_find(&p->topo, "a")->hosts, 1);
	assert_true(topo_link_is_wire(&p->topo, &p->topo.links[0]));
	parsed_free(p);
	expect_error(
		HOSTS "  links:\n    - { endpoints: ['s:p'], host: { eth: lab0 } }\n", 9,
		"switch \"s\" is on several hosts; write which one joins it here, like host: { "
		"on: a");
	expect_error(HOSTS "  links:\n    - { endpoints: ['s:p'], host: { eth: lab0, on: c } }\n",
		     9, "host \"c\" is not defined in `hosts`");
	expect_error(HOSTS "    a: { kind: vm, host: b }\n"
			   "  links:\n    - { endpoints: ['s:p'], host: { eth: lab0, on: a } }\n",
		     8, "rename the node");
}

static void what_a_tap_cannot_have_is_refused(void **state)
{
	(void)state;
	expect_error(SWITCH "  links:\n    - { endpoints: ['s:p'], host: { ipv4: 10.0.0.1/24 } }\n",
		     6, "`host` names no interface");
	expect_error(SWITCH "  links:\n    - { endpoints: ['s:p', 's:q'], host: { eth: e } }\n", 6,
		     "`endpoints` names the other one");
	expect_error(SWITCH "  links:\n    - { endpoints: ['s:p'], host: { eth: a/b } }\n", 6,
		     "interface name \"a/b\"");
	expect_error(SWITCH "  links:\n    - { endpoints: ['s:p'], host: eth0 }\n", 6,
		     "`host` must be a map");
	expect_error(
		SWITCH
		"  links:\n    - { endpoints: ['s:p'], mtu: 1400, host: { eth: e, mtu: 1500 } }\n",
		6, "`mtu` is given twice");
	expect_error(SWITCH "  links:\n    - { endpoints: ['s:p'], host: { eth: e, on: a } }\n", 6,
		     "the file has no `hosts`");
	expect_error(SWITCH
		     "  links:\n    - { endpoints: ['s:p'], host: { eth: e, netns: '../x' } }\n",
		     6, "neither a name as `ip netns` has it nor an absolute path");
	expect_error(SWITCH "    t: { kind: tap, vcpus: 2 }\n", 5, "unknown key `vcpus`");
	expect_error(SWITCH "    t: { kind: tap, ipv4: { e.10: 10.0.0.1/24 } }\n"
			    "  links:\n    - { endpoints: ['t:e', 's:p'] }\n",
		     5, "interface \"e.10\" has an address and no link");
	expect_error(SWITCH "    t: { kind: tap }\n"
			    "    u: { kind: tap }\n"
			    "  links:\n"
			    "    - { endpoints: ['t:e', 's:p'] }\n"
			    "    - { endpoints: ['u:e', 's:q'] }\n",
		     9, "interface e is there already, node \"t\" has it (line 8)");
	expect_error(SWITCH "    t:\n      kind: tap\n"
			    "      ipv4: { e: [10.0.0.1/24, 10.0.0.2/24, 10.0.0.3/24, 10.0.0.4/24, "
			    "10.0.0.5/24,\n"
			    "              10.0.0.6/24, 10.0.0.7/24, 10.0.0.8/24, 10.0.0.9/24, "
			    "10.0.0.10/24] }\n"
			    "  links:\n    - { endpoints: ['t:e', 's:p'] }\n",
		     8, "has more than 8 addresses");
}

static enum reach reach(const struct topo *topo, const char *from, const char *to)
{
	const struct topo_node *a = topo_node_find(topo, from);
	const struct topo_node *b = topo_node_find(topo, to);

	return reach_addresses(topo, a, &a->addresses[0], b, &b->addresses[0]);
}

/* One kernel talks to itself without a frame, so nothing is to be expected of the lab there. */
static void taps_of_one_kernel_prove_nothing(void **state)
{
	struct parsed *p =
		expect_good(SWITCH "    t: { kind: tap, ipv4: { e0: 10.0.0.1/24 } }\n"
				   "    u: { kind: tap, ipv4: { e1: 10.0.0.2/24 } }\n"
				   "    v: { kind: tap, netns: n, ipv4: { e0: 10.0.0.3/24 } }\n"
				   "    w: { kind: tap, netns: n, ipv4: { e2: 10.0.0.4/24 } }\n"
				   "    x: { kind: tap, netns: m, ipv4: { e0: 10.0.0.5/24 } }\n"
				   "  links:\n"
				   "    - { endpoints: ['t:e0', 's:p1'], vlan: { access: 10 } }\n"
				   "    - { endpoints: ['u:e1', 's:p2'], vlan: { access: 10 } }\n"
				   "    - { endpoints: ['v:e0', 's:p3'], vlan: { access: 10 } }\n"
				   "    - { endpoints: ['w:e2', 's:p4'], vlan: { access: 20 } }\n"
				   "    - { endpoints: ['x:e0', 's:p5'], vlan: { access: 30 } }\n");

	(void)state;
	assert_int_equal(reach(&p->topo, "t", "u"), REACH_UNKNOWN);
	assert_int_equal(reach(&p->topo, "t", "v"), REACH_YES);
	assert_int_equal(reach(&p->topo, "t", "w"), REACH_UNKNOWN); /* v's kernel answers for it */
	assert_int_equal(reach(&p->topo, "t", "x"), REACH_NO);
	parsed_free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tap_is_a_node_with_addresses),
		cmocka_unit_test(one_line_makes_the_host_join),
		cmocka_unit_test(hosts_taps_are_on_the_host_of_the_other_end),
		cmocka_unit_test(what_a_tap_cannot_have_is_refused),
		cmocka_unit_test(taps_of_one_kernel_prove_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
