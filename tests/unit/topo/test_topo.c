/* SPDX-License-Identifier: BSD-3-Clause */
/* Lab files as text in, findings or a model out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "topo/mac.h"
#include "topo/topo.h"
#include "topo/tree.h"
#include "unit/topo/parsed.h"

#define HEAD                                                                                       \
	"name: lab\n"                                                                              \
	"topology:\n"                                                                              \
	"  nodes:\n"                                                                               \
	"    sw1: { kind: switch }\n"                                                              \
	"    h1: { kind: vm }\n"                                                                   \
	"    h2: { kind: vm }\n"

#define LINK1 "    - endpoints: [\"h1:eth1\", \"sw1:p1\"]\n"

static void good_file_becomes_a_model(void **state)
{
	struct parsed *p =
		parse("name: campus\n"
		      "topology:\n"
		      "  defaults: { memory: 512M, vcpus: 2 }\n"
		      "  kinds:\n"
		      "    vm: { memory: 1G, labels: { a: kind, b: kind } }\n"
		      "  groups:\n"
		      "    small: { memory: 128M, labels: { a: group } }\n"
		      "  nodes:\n"
		      "    sw1: { kind: switch, ageing: 60 }\n"
		      "    h1: { kind: vm, group: small }\n"
		      "    h2: { kind: vm, memory: 150, ipv4: { eth10: 10.0.0.2/24 } }\n"
		      "    h3: { kind: vm }\n"
		      "  links:\n"
		      "    - endpoints: [\"h2:eth10\", \"sw1:p1\"]\n"
		      "      vlan: { access: 10 }\n"
		      "    - endpoints: [\"h2:eth2\", \"sw1:p2\"]\n"
		      "      vlan: { trunk: [10, \"20-22\"], native: 7, tpid: 802.1ad }\n"
		      "      mtu: 9000\n"
		      "    - endpoints: [\"h1:eth1\", \"h3:eth1\"]\n");
	const struct topo_node *h1 = topo_node_find(&p->topo, "h1");
	const struct topo_node *h2 = topo_node_find(&p->topo, "h2");
	const struct topo_link *trunk = &p->topo.links[1];

	(void)state;
	assert_int_equal(p->rc, 0);
	assert_int_equal(p->topo.n_nodes, 4);
	assert_int_equal(topo_node_find(&p->topo, "sw1")->ageing_s, 60);
	/* node -> group -> kind -> defaults */
	assert_int_equal(h1->memory_mib, 128);
	assert_int_equal(h2->memory_mib, 150);
	assert_int_equal(topo_node_find(&p->topo, "h3")->memory_mib, 1024);
	assert_int_equal(h1->cpus, 2);
	/* labels are merged, the nearest wins */
	assert_int_equal(h1->labels.n, 2);
	assert_string_equal(h1->labels.items[0].value, "group");
	/* eth2 comes before eth10 */
	assert_int_equal(h2->n_nics, 2);
	assert_string_equal(h2->nics[0].name, "eth2");
	assert_int_equal(h2->nics[0].mtu, 9000);
	assert_true(topo_vlan_has(&trunk->vlan, 21));
	assert_true(topo_vlan_has(&trunk->vlan, 7));
	assert_false(topo_vlan_has(&trunk->vlan, 23));
	assert_int_equal(topo_vlan_untagged(&trunk->vlan), 7);
	assert_true(trunk->vlan.is_stag);
	assert_true(topo_link_is_wire(&p->topo, &p->topo.links[2]));
	parsed_free(p);
}

static void mac_addresses_are_stable_local_and_unique(void **state)
{
	struct parsed *p =
		parse(HEAD "  links:\n" LINK1 "    - endpoints: [\"h2:eth1\", \"sw1:p2\"]\n");
	struct parsed *again = parse(HEAD "  links:\n" LINK1);
	const uint8_t *one = topo_node_find(&p->topo, "h1")->nics[0].mac;
	const uint8_t *two = topo_node_find(&p->topo, "h2")->nics[0].mac;

	(void)state;
	assert_int_equal(one[0] & 0x03, 0x02);
	assert_memory_not_equal(one, two, 6);
	assert_memory_equal(one, topo_node_find(&again->topo, "h1")->nics[0].mac, 6);
	parsed_free(p);
	parsed_free(again);
}

static void unknown_key_is_named_with_what_was_meant(void **state)
{
	(void)state;
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, memroy: 1G }\n", 4,
		     "unknown key `memroy`; did you mean `memory`?");
	expect_error("name: lab\ntopology:\n  nods: {}\n  nodes: {}\n", 3, "did you mean `nodes`?");
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { acess: 1, access: 2 }\n", 9,
		     "did you mean `access`?");
	expect_error("name: lab\ncolour: red\ntopology:\n  nodes: {}\n", 2, "unknown key `colour`");
	expect_error("name: lab\ntopology:\n  nodes:\n    s: { kind: switch, memory: 1G }\n", 4,
		     "unknown key `memory`");
}

static void duplicate_name_is_refused(void **state)
{
	(void)state;
	expect_error(
		"name: lab\ntopology:\n  nodes:\n    h1: { kind: vm }\n    h1: { kind: switch }\n",
		5, "duplicate name: \"h1\" is already on line 4");
}

static void endpoint_used_twice_is_refused(void **state)
{
	(void)state;
	expect_error(HEAD "  links:\n" LINK1 "    - endpoints: [\"h1:eth1\", \"h2:eth1\"]\n", 9,
		     "endpoint \"h1:eth1\" is used twice; it is already in the link on line 8");
	expect_error(HEAD "  links:\n    - endpoints: [\"h1:eth1\", \"h1:eth1\"]\n", 8,
		     "used twice");
}

static void reserved_vlans_are_refused_each_with_its_reason(void **state)
{
	(void)state;
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { access: 0 }\n", 9, "VLAN 0 means");
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { access: 4095 }\n", 9,
		     "VLAN 4095 is reserved");
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { trunk: [1, 4096] }\n", 9,
		     "VLAN 4096 does not fit");
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { trunk: [20-10] }\n", 9,
		     "runs backwards");
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { access: red }\n", 9, "is not a number");
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { access: 1, trunk: all }\n", 9,
		     "exactly one of");
	expect_error(HEAD "  links:\n" LINK1 "      vlan: { access: 1, native: 2 }\n", 9,
		     "belongs to a `trunk`");
}

static void rings_are_chosen_for_a_node_or_an_interface(void **state)
{
	static const char text[] = "name: lab\ntopology:\n  defaults: { rings: packed }\n  nodes:\n"
				   "    h1: { kind: vm }\n"
				   "    h2: { kind: vm, rings: split }\n"
				   "    h3: { kind: vm, rings: { eth2: packed, eth3: split } }\n"
				   "    s: { kind: switch }\n"
				   "  links:\n"
				   "    - endpoints: [\"h1:eth1\", \"h2:eth1\"]\n"
				   "    - endpoints: [\"h3:eth1\", \"s:p1\"]\n"
				   "    - endpoints: [\"h3:eth2\", \"s:p2\"]\n"
				   "    - endpoints: [\"h3:eth3\", \"s:p3\"]\n";
	struct parsed *p = parse(text);

	(void)state;
	assert_int_equal(p->rc, 0);
	assert_int_equal(p->diags.n, 0);
	assert_true(topo_nic_find(topo_node_find(&p->topo, "h1"), "eth1")->packed);
	assert_false(topo_nic_find(topo_node_find(&p->topo, "h2"), "eth1")->packed);
	assert_false(topo_nic_find(topo_node_find(&p->topo, "h3"), "eth1")->packed);
	assert_true(topo_nic_find(topo_node_find(&p->topo, "h3"), "eth2")->packed);
	assert_false(topo_nic_find(topo_node_find(&p->topo, "h3"), "eth3")->packed);
	parsed_free(p);
}

#define RINGS(h1)                                                                                  \
	"name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, " h1 " }\n    h2: { kind: vm }\n"     \
	"  links:\n    - endpoints: [\"h1:eth1\", \"h2:eth1\"]\n"

static void rings_that_cannot_be_are_refused(void **state)
{
	struct parsed *p;

	(void)state;
	expect_error(RINGS("rings: round"), 4, "`rings: round` is unknown; it is split or packed");
	expect_error(RINGS("rings: { eth1: wide }"), 4, "`eth1: wide` is unknown");
	expect_error(RINGS("rings: { eth0: packed }"), 4,
		     "`rings` names interface \"eth0\", which has no link; did you mean \"eth1\"?");
	expect_error(RINGS("rings: [ packed ]"), 4, "`rings` must be a map, not a list");
	expect_error("name: lab\ntopology:\n  nodes:\n    s: { kind: switch, rings: packed }\n", 4,
		     "unknown key `rings`");
	p = parse(RINGS("vmm: qemu, rings: packed"));
	assert_int_equal(p->rc, 0);
	expect_finding(p, 4, "do not outlive a restart of the switch");
	parsed_free(p);
}

static void port_without_a_peer_is_refused(void **state)
{
	(void)state;
	expect_error(HEAD "  links:\n    - endpoints: [\"h1:eth1\"]\n", 8,
		     "port \"h1:eth1\" has no peer");
	expect_error(HEAD "  links:\n    - mtu: 1500\n", 8, "link without `endpoints`");
	expect_error(HEAD "  links:\n    - endpoints: [\"h1:eth1\", \"h2\"]\n", 8,
		     "is not \"NODE:INTERFACE\"");
	expect_error(HEAD "  links:\n    - endpoints: [\"h1:a\", \"h2:a\", \"sw1:a\"]\n", 8,
		     "a cable has two");
}

static void undefined_node_is_named_with_what_was_meant(void **state)
{
	(void)state;
	expect_error(HEAD "  links:\n    - endpoints: [\"h1:eth1\", \"sw2:p1\"]\n", 8,
		     "node \"sw2\" is not defined in `nodes`; did you mean \"sw1\"?");
}

static void wrong_types_are_refused(void **state)
{
	(void)state;
	expect_error("name: [a]\ntopology: { nodes: {} }\n", 1,
		     "must be a single value, not a list");
	expect_error("- a\n- b\n", 1, "is a list; a lab file is a map");
	expect_error("name: lab\ntopology:\n  nodes: [h1]\n", 3, "must be a map, not a list");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: [vm]\n", 4,
		     "must be a map, not a list");
	expect_error(HEAD "  links: { a: b }\n", 7, "must be a list, not a map");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, vcpus: many }\n", 4,
		     "is not a whole number from 1 to 64");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, memory: lots }\n", 4,
		     "is not a size");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, memory: 1M }\n", 4,
		     "less than the 64 MiB");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, memory: 96M }\n", 4,
		     "the default image does not fit into 96 MiB");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: router }\n", 4,
		     "`kind: router` is unknown");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: {}\n", 4, "has no `kind`");
	expect_error("name: ../etc\ntopology: { nodes: {} }\n", 1, "is not 1 to 32 of");
	expect_error("topology: { nodes: {} }\n", 1, "the lab has no `name`");
}

static void bad_addresses_are_refused(void **state)
{
	(void)state;
	expect_error(
		"name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, ipv4: { eth1: 10.0.0.256/24 "
		"} }\n    h2: { kind: vm }\n  links:\n    - endpoints: [\"h1:eth1\", "
		"\"h2:eth1\"]\n",
		4, "is not an address like 10.0.10.1/24");
	expect_error(
		"name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, ipv6: { eth1: fe80::1 } }\n",
		4, "has no prefix length");
	expect_error(
		"name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, ipv4: { eth1: 10.0.0.1/24 } "
		"}\n",
		4, "interface \"eth1\" has an address and no link");
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, ipv4: { eth1.4095: "
		     "10.0.0.1/24 } }\n    h2: { kind: vm }\n  links:\n    - endpoints: "
		     "[\"h1:eth1\", \"h2:eth1\"]\n",
		     4, "is no VLAN interface");
}

static void same_address_twice_is_only_a_warning(void **state)
{
	struct parsed *p = parse("name: lab\ntopology:\n  nodes:\n"
				 "    h1: { kind: vm, ipv4: { eth1: 10.0.0.1/24 } }\n"
				 "    h2: { kind: vm, ipv4: { eth1: 10.0.0.1/24 } }\n"
				 "  links:\n    - endpoints: [\"h1:eth1\", \"h2:eth1\"]\n");

	(void)state;
	assert_int_equal(p->rc, 0);
	assert_int_equal(p->diags.n_warnings, 1);
	expect_finding(p, 5, "address 10.0.0.1/24 is also on node \"h1\" (line 4)");
	parsed_free(p);
}

static void all_errors_come_at_once(void **state)
{
	struct parsed *p = parse("name: lab\n"
				 "topology:\n"
				 "  nodes:\n"
				 "    h1: { kind: vm, memroy: 1G }\n"
				 "    h2: { kind: vm, vcpus: 0 }\n"
				 "  links:\n"
				 "    - endpoints: [\"h1:eth1\", \"sw9:p1\"]\n"
				 "      vlan: { access: 4095 }\n"
				 "    - endpoints: [\"h1:eth1\"]\n");

	(void)state;
	assert_int_equal(p->diags.n_errors, 5);
	expect_finding(p, 4, "memroy");
	expect_finding(p, 5, "vcpus");
	expect_finding(p, 7, "sw9");
	expect_finding(p, 8, "4095");
	expect_finding(p, 9, "has no peer");
	parsed_free(p);
}

static void yaml_syntax_errors_have_a_line(void **state)
{
	(void)state;
	expect_error("name: lab\ntopology:\n  nodes: { h1: [\n", 4, "YAML syntax");
	expect_error("name: lab\n\ttopology: x\n", 2, "YAML syntax");
	expect_error("name: lab\ntopology:\n\tnodes: {}\n", 3, "indented with spaces");
	expect_error("name: \xff\xfe\n", 1, "not text in UTF-8");
	expect_error("", 0, "is empty");
	expect_error("name: a\n---\nname: b\n", 3, "a second document");
}

static void wire_and_loop_make_sense(void **state)
{
	(void)state;
	expect_error(HEAD "  links:\n    - endpoints: [\"h1:eth1\", \"h2:eth1\"]\n      vlan: { "
			  "access: 1 }\n",
		     8, "a wire without a switch passes every frame");
	expect_error(HEAD "  links:\n    - endpoints: [\"sw1:a\", \"sw1:b\"]\n", 8,
		     "both ends are on the same switch");
}

static void waiting_in_a_circle_is_refused(void **state)
{
	struct parsed *p = parse("name: lab\ntopology:\n  nodes:\n"
				 "    h1: { kind: vm, wait-for: [h2] }\n"
				 "    h2: { kind: vm, wait-for: h1 }\n"
				 "    h3: { kind: vm, wait-for: [h4] }\n");

	(void)state;
	assert_int_equal(p->diags.n_errors, 3);
	expect_finding(p, 4, "goes in a circle");
	expect_finding(p, 5, "goes in a circle");
	expect_finding(p, 6, "names \"h4\", which is not defined");
	parsed_free(p);
}

static void alias_bomb_is_refused_quickly(void **state)
{
	char text[2048] = "name: lab\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
	struct parsed *p;

	(void)state;
	for (int i = 1; i < 12; i++) {
		char line[128];

		snprintf(line, sizeof(line),
			 "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n",
			 i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
			 i - 1);
		strcat(text, line);
	}
	p = parse(text);
	assert_int_not_equal(p->rc, 0);
	assert_int_equal(p->diags.n, 1);
	assert_non_null(strstr(p->diags.items[0].text, "aliases in here multiply"));
	parsed_free(p);
}

static void aliases_of_sane_size_work(void **state)
{
	struct parsed *p = parse("name: lab\ntopology:\n  nodes:\n"
				 "    h1: &host { kind: vm, memory: 144M }\n"
				 "    h2: *host\n");

	(void)state;
	assert_int_equal(p->rc, 0);
	assert_int_equal(topo_node_find(&p->topo, "h2")->memory_mib, 144);
	parsed_free(p);
}

static void nonsense_is_bounded(void **state)
{
	size_t len = 10u << 20;
	char *text = malloc(len);
	clock_t begin = clock();
	struct parsed *p;

	(void)state;
	assert_non_null(text);
	memset(text, '[', len);
	p = parse_bytes(text, len);
	assert_non_null(strstr(p->diags.items[0].text, "a lab file is at most 4 MB"));
	parsed_free(p);
	p = parse_bytes(text, TREE_FILE_BYTES_MAX);
	assert_non_null(strstr(p->diags.items[0].text, "nested deeper than"));
	parsed_free(p);
	/* Very many errors: no more than DIAG_MAX are kept, and counted all the same. */
	for (size_t i = 0; i + 8 <= 1u << 19; i += 8)
		snprintf(text + i, 9, "%06zx:\n", i / 8);
	p = parse_bytes(text, 1u << 19);
	assert_int_equal(p->diags.n, DIAG_MAX);
	assert_true(p->diags.n_errors > DIAG_MAX);
	parsed_free(p);
	free(text);
	assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 20.0);
}

static void control_bytes_never_reach_the_terminal(void **state)
{
	struct parsed *p = parse("name: \"a\\e[31mred\"\ntopology: { nodes: {} }\n");

	(void)state;
	assert_int_equal(p->diags.n, 1);
	assert_null(strchr(p->diags.items[0].text, 0x1b));
	parsed_free(p);
}

static void too_many_interfaces_are_refused(void **state)
{
	char text[8192] = HEAD "  links:\n";
	struct parsed *p;

	(void)state;
	for (int i = 0; i < TOPO_NICS_MAX + 1; i++) {
		char line[128];

		snprintf(line, sizeof(line), "    - endpoints: [\"h1:eth%d\", \"sw1:p%d\"]\n", i,
			 i);
		strcat(text, line);
	}
	p = parse(text);
	assert_int_equal(p->diags.n, 1);
	assert_non_null(strstr(p->diags.items[0].text, "more than 32 interfaces"));
	parsed_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_file_becomes_a_model),
		cmocka_unit_test(mac_addresses_are_stable_local_and_unique),
		cmocka_unit_test(unknown_key_is_named_with_what_was_meant),
		cmocka_unit_test(duplicate_name_is_refused),
		cmocka_unit_test(endpoint_used_twice_is_refused),
		cmocka_unit_test(reserved_vlans_are_refused_each_with_its_reason),
		cmocka_unit_test(rings_are_chosen_for_a_node_or_an_interface),
		cmocka_unit_test(rings_that_cannot_be_are_refused),
		cmocka_unit_test(port_without_a_peer_is_refused),
		cmocka_unit_test(undefined_node_is_named_with_what_was_meant),
		cmocka_unit_test(wrong_types_are_refused),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(same_address_twice_is_only_a_warning),
		cmocka_unit_test(all_errors_come_at_once),
		cmocka_unit_test(yaml_syntax_errors_have_a_line),
		cmocka_unit_test(wire_and_loop_make_sense),
		cmocka_unit_test(waiting_in_a_circle_is_refused),
		cmocka_unit_test(alias_bomb_is_refused_quickly),
		cmocka_unit_test(aliases_of_sane_size_work),
		cmocka_unit_test(nonsense_is_bounded),
		cmocka_unit_test(control_bytes_never_reach_the_terminal),
		cmocka_unit_test(too_many_interfaces_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
