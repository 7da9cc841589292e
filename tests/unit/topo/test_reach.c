/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who reaches whom in this lab:
 *
 *   a (access 10) --+----+  trunk 10,20  +----+-- b (access 10)
 *   c (access 20) --| s1 |---------------| s2 |-- d (trunk 10,20; eth1.10 and eth1.20)
 *   e (access 30) --+----+               +----+-- f (access 30)          g ---- wire ---- h
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topo/reach.h"

static const char lab[] =
	"name: lab\n"
	"topology:\n"
	"  nodes:\n"
	"    s1: { kind: switch }\n"
	"    s2: { kind: switch }\n"
	"    a: { kind: vm, ipv4: { eth1: 10.0.0.1/16 } }\n"
	"    b: { kind: vm, ipv4: { eth1: 10.0.0.2/16 } }\n"
	"    c: { kind: vm, ipv4: { eth1: 10.0.0.3/16 } }\n"
	"    d: { kind: vm, ipv4: { eth1.10: 10.0.0.4/16, eth1.20: 10.0.1.4/16, eth1: 10.0.2.4/16 "
	"} }\n"
	"    e: { kind: vm, ipv4: { eth1: 10.0.0.5/16 } }\n"
	"    f: { kind: vm, ipv4: { eth1: 10.0.0.6/16 } }\n"
	"    g: { kind: vm, ipv4: { eth1: 10.0.0.7/16 } }\n"
	"    h: { kind: vm, ipv4: { eth1: 192.168.0.8/24 }, ipv6: { eth1: 'fd00::8/64' }, gateway: "
	"192.168.0.1 }\n"
	"  links:\n"
	"    - { endpoints: ['a:eth1', 's1:a'], vlan: { access: 10 } }\n"
	"    - { endpoints: ['c:eth1', 's1:c'], vlan: { access: 20 } }\n"
	"    - { endpoints: ['e:eth1', 's1:e'], vlan: { access: 30 } }\n"
	"    - { endpoints: ['b:eth1', 's2:b'], vlan: { access: 10 } }\n"
	"    - { endpoints: ['d:eth1', 's2:d'], vlan: { trunk: [10, 20] } }\n"
	"    - { endpoints: ['f:eth1', 's2:f'], vlan: { access: 30 } }\n"
	"    - { endpoints: ['s1:up', 's2:up'], vlan: { trunk: [10, 20] } }\n"
	"    - { endpoints: ['g:eth1', 'h:eth1'] }\n";

static struct topo topo;

static int lab_read(void **state)
{
	static struct diag_list diags;

	(void)state;
	diag_init(&diags, "lab");
	return topo_parse(&topo, lab, sizeof(lab) - 1, &diags);
}

static int lab_free(void **state)
{
	(void)state;
	topo_free(&topo);
	return 0;
}

static bool frames(const char *from, const char *from_if, const char *to, const char *to_if)
{
	return reach_frames(&topo, topo_node_find(&topo, from), from_if, topo_node_find(&topo, to),
			    to_if);
}

static void same_vlan_reaches_across_the_trunk(void **state)
{
	(void)state;
	assert_true(frames("a", "eth1", "b", "eth1"));
	assert_true(frames("b", "eth1", "a", "eth1"));
}

static void different_vlans_never_meet(void **state)
{
	(void)state;
	assert_false(frames("a", "eth1", "c", "eth1"));
	assert_false(frames("c", "eth1", "b", "eth1"));
}

static void vlan_that_the_trunk_does_not_carry_stays_local(void **state)
{
	(void)state;
	assert_false(frames("e", "eth1", "f", "eth1"));
}

static void vlan_interface_of_a_guest_is_in_its_vlan(void **state)
{
	(void)state;
	assert_true(frames("a", "eth1", "d", "eth1.10"));
	assert_true(frames("d", "eth1.20", "c", "eth1"));
	assert_false(frames("a", "eth1", "d", "eth1.20"));
	/* The trunk has no native VLAN: untagged frames of the guest go nowhere. */
	assert_false(frames("d", "eth1", "a", "eth1"));
}

static void wire_reaches_only_its_peer(void **state)
{
	(void)state;
	assert_true(frames("g", "eth1", "h", "eth1"));
	assert_false(frames("g", "eth1", "a", "eth1"));
	assert_false(frames("a", "eth1", "h", "eth1"));
}

static void addresses_need_a_common_subnet(void **state)
{
	const struct topo_node *a = topo_node_find(&topo, "a");
	const struct topo_node *b = topo_node_find(&topo, "b");
	const struct topo_node *g = topo_node_find(&topo, "g");
	const struct topo_node *h = topo_node_find(&topo, "h");

	(void)state;
	assert_int_equal(reach_addresses(&topo, a, &a->addresses[0], b, &b->addresses[0]),
			 REACH_YES);
	/* h has a gateway, which may or may not route: nothing is claimed. */
	assert_int_equal(reach_addresses(&topo, g, &g->addresses[0], h, &h->addresses[0]),
			 REACH_UNKNOWN);
	/* IPv4 does not talk to IPv6. */
	assert_int_equal(reach_addresses(&topo, g, &g->addresses[0], h, &h->addresses[1]),
			 REACH_NO);
}

static void cut_link_reaches_nobody(void **state)
{
	(void)state;
	topo.links[6].is_up = false; /* the trunk */
	assert_false(frames("a", "eth1", "b", "eth1"));
	topo.links[6].is_up = true;
	topo.links[0].is_up = false; /* a's own */
	assert_false(frames("b", "eth1", "a", "eth1"));
	topo.links[0].is_up = true;
	assert_true(frames("b", "eth1", "a", "eth1"));
}

static void subnet_ends_at_its_prefix(void **state)
{
	struct topo_address address = {.family = 2, .bytes = {10, 0, 8, 1}, .prefix_len = 21};

	(void)state;
	assert_true(reach_subnet_has(&address, (const uint8_t[]){10, 0, 15, 255}));
	assert_false(reach_subnet_has(&address, (const uint8_t[]){10, 0, 16, 0}));
	address.prefix_len = 0;
	assert_true(reach_subnet_has(&address, (const uint8_t[]){192, 0, 2, 1}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_vlan_reaches_across_the_trunk),
		cmocka_unit_test(different_vlans_never_meet),
		cmocka_unit_test(vlan_that_the_trunk_does_not_carry_stays_local),
		cmocka_unit_test(vlan_interface_of_a_guest_is_in_its_vlan),
		cmocka_unit_test(wire_reaches_only_its_peer),
		cmocka_unit_test(addresses_need_a_common_subnet),
		cmocka_unit_test(cut_link_reaches_nobody),
		cmocka_unit_test(subnet_ends_at_its_prefix),
	};

	return cmocka_run_group_tests(tests, lab_read, lab_free);
}
