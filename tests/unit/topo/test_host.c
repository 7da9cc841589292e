/* SPDX-License-Identifier: BSD-3-Clause */
/* The machines of a lab file, and which node is on which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "topo/host.h"
#include "topo/span.h"
#include "topo/uplink.h"
#include "unit/topo/parsed.h"

#define HOSTS                                                                                      \
	"name: lab\n"                                                                              \
	"topology:\n"                                                                              \
	"  hosts:\n"                                                                               \
	"    hostA: { vtep: 192.0.2.1, uplink: eth0 }\n"                                           \
	"    hostB: { vtep: [192.0.2.2, '2001:db8::2'], uplink: eth0 }\n"

static void nodes_know_their_host(void **state)
{
	struct parsed *p = expect_good(HOSTS "  groups: { b: { host: hostB } }\n"
					     "  nodes:\n"
					     "    s: { kind: switch, vxlan: { 10: 10010 } }\n"
					     "    t: { kind: switch, host: hostB }\n"
					     "    h1: { kind: vm, host: hostA }\n"
					     "    h2: { kind: vm, group: b }\n");
	const struct topo *topo = &p->topo;

	(void)state;
	assert_int_equal(topo->n_hosts, 2);
	assert_string_equal(topo->hosts[0].uplink->ifname, "eth0");
	assert_int_equal(topo->hosts[0].udp_port, 4789);
	assert_int_equal(topo->hosts[1].n_vteps, 2);
	assert_int_equal(topo_node_find(topo, "s")->hosts, 3);
	assert_int_equal(topo_node_find(topo, "t")->hosts, 2);
	assert_int_equal(topo_node_find(topo, "h1")->hosts, 1);
	assert_int_equal(topo_node_find(topo, "h2")->hosts, 2);
	parsed_free(p);
}

static void hosts_may_stand_at_the_top_of_the_file(void **state)
{
	struct parsed *p = expect_good("name: lab\n"
				       "hosts: { one: { vtep: 192.0.2.1, uplink: eth0 } }\n"
				       "topology: { nodes: { h: { kind: vm, host: one } } }\n");

	(void)state;
	assert_int_equal(p->topo.n_hosts, 1);
	parsed_free(p);
	expect_error("name: lab\n"
		     "hosts: { one: { vtep: 192.0.2.1, uplink: eth0 } }\n"
		     "topology: { hosts: { one: { vtep: 192.0.2.1, uplink: eth0 } }, nodes: {} }\n",
		     2, "`hosts` is given twice");
}

static void all_that_is_wrong_with_hosts_comes_at_once(void **state)
{
	struct parsed *p =
		parse("name: lab\n"
		      "topology:\n"
		      "  hosts:\n"
		      "    a: { vtep: 239.1.1.1, uplink: eth0 }\n"
		      "    b: { vtep: [192.0.2.2, 192.0.2.3], uplink: eth0 }\n"
		      "    c: { uplink: eth0 }\n"
		      "    d: { vtep: 'ff02::1', uplink: a/b }\n"
		      "    e: { vtep: 192.0.2.2, uplnk: eth0 }\n"
		      "    f: { vtep: 127.0.0.1, udp-port: 65536, dscp: 64, checksum: off }\n"
		      "    g: { vtep: host.example, uplink: eth0 }\n"
		      "    h: { vtep: 0.0.0.0 }\n"
		      "    -i: { vtep: 192.0.2.9 }\n"
		      "  nodes:\n"
		      "    h1: { kind: vm }\n"
		      "    h2: { kind: vm, host: z }\n"
		      "    h3: { kind: vm, host: [a, b] }\n"
		      "    h4: { kind: vm, host: e }\n"
		      "    s1: { kind: switch, host: [a, b] }\n");

	(void)state;
	expect_finding(p, 4, "`vtep: 239.1.1.1` is a multicast address");
	expect_finding(p, 5, "two IPv4 addresses");
	expect_finding(p, 6, "host \"c\" has no `vtep`");
	expect_finding(p, 7, "`vtep: ff02::1` is a multicast address");
	expect_finding(p, 7, "no name of a network interface");
	expect_finding(p, 8, "did you mean `uplink`?");
	expect_finding(p, 8, "the VTEP address 192.0.2.2 is host \"b\"'s already (line 5)");
	expect_finding(p, 8, "has no `uplink`, and node \"h4\" is on it");
	expect_finding(p, 9, "a loopback address");
	expect_finding(p, 9, "is not a whole number from 1 to 65535");
	expect_finding(p, 10, "is no address like 192.0.2.1");
	expect_finding(p, 11, "the unspecified address");
	expect_finding(p, 12, "host name \"-i\"");
	expect_finding(p, 14, "node \"h1\" has no `host`; write on which it is: a, b, c, d");
	expect_finding(p, 15, "host \"z\" is not defined in `hosts`");
	expect_finding(p, 16, "only a switch can be on several hosts");
	expect_finding(p, 18, "says no VLAN that joins them");
	expect_finding(p, 9, "`dscp: 64` is not a whole number from 0 to 63");
	expect_finding(p, 9, "`checksum: off` is unknown");
	assert_int_equal(p->diags.n_errors, 19);
	parsed_free(p);
}

static const struct topo_uplink *uplink_of(const char *uplink, struct parsed **p)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "name: lab\n"
		 "topology: { hosts: { a: { vtep: 192.0.2.1, uplink: %s } }, nodes: {} }\n",
		 uplink);
	*p = expect_good(text);
	return (*p)->topo.hosts[0].uplink;
}

static void expect_bad_uplink(const char *uplink, const char *sentence)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "name: lab\n"
		 "topology: { hosts: { a: { vtep: 192.0.2.1, uplink: %s } }, nodes: {} }\n",
		 uplink);
	expect_error(text, 2, sentence);
}

static void an_uplink_is_an_interface_or_a_card(void **state)
{
	const struct topo_uplink *uplink;
	struct parsed *p;

	(void)state;
	uplink = uplink_of("{ interface: eth0, mode: af_packet, source-ports: 50000-50009 }", &p);
	assert_string_equal(uplink->ifname, "eth0");
	assert_string_equal(uplink->mode, "af_packet");
	assert_string_equal(uplink->source_ports, "50000-50009");
	parsed_free(p);
	uplink = uplink_of("{ pci: '0000:00:03.0', addresses: 192.0.2.1/24, mtu: 9000 }", &p);
	assert_null(uplink->ifname);
	assert_string_equal(uplink_name(uplink), "0000:00:03.0");
	assert_string_equal(uplink->addresses.items[0], "192.0.2.1/24");
	assert_int_equal(uplink->mtu, 9000);
	parsed_free(p);

	uplink = uplink_of("{ interface: eth0, shortcut: on }", &p);
	assert_true(uplink->shortcut);
	parsed_free(p);
	expect_bad_uplink("{ interface: eth0, shortcut: on, mode: af_xdp }",
			  "is for packets that pass through the kernel");
	expect_bad_uplink("{ pci: '0000:00:03.0', addresses: 192.0.2.1/24, shortcut: on }",
			  "is for packets that pass through the kernel");
	expect_bad_uplink("{ mode: auto }", "names no `interface` and no `pci` address");
	expect_bad_uplink("{ pci: eth0 }", "is no PCI address like");
	expect_bad_uplink("{ interface: eth0, mtu: 9000 }", "are for a card with `pci`");
	expect_bad_uplink("{ interface: eth0, mode: xdp }", "`mode: xdp` is unknown");
	expect_bad_uplink("{ interface: eth0, source-ports: 9-8 }", "no range of ports");
	expect_bad_uplink("{ pci: '0000:00:03.0', addresses: 192.0.2.1 }", "no prefix length");
	expect_bad_uplink("interface-of-16c", "no name of a network interface");
}

static void host_without_hosts_is_refused(void **state)
{
	(void)state;
	expect_error("name: lab\ntopology:\n  nodes:\n    h1: { kind: vm, host: a }\n", 4,
		     "the file has no `hosts`");
	expect_error(HOSTS "  nodes:\n    h1: { kind: vm, host: hostBB }\n", 7,
		     "did you mean \"hostB\"?");
}

static void hosts_that_talk_need_one_family(void **state)
{
	static const char mixed[] = "name: lab\n"
				    "topology:\n"
				    "  hosts:\n"
				    "    a: { vtep: 192.0.2.1, uplink: eth0 }\n"
				    "    b: { vtep: '2001:db8::2', uplink: eth0 }\n"
				    "  nodes:\n"
				    "    h1: { kind: vm, host: a }\n"
				    "    h2: { kind: vm, host: b }\n";
	struct parsed *p = expect_good(mixed); /* nothing crosses */
	char crossing[sizeof(mixed) + 100];

	(void)state;
	parsed_free(p);
	snprintf(crossing, sizeof(crossing), "%s  links: [{ endpoints: ['h1:e', 'h2:e'] }]\n",
		 mixed);
	expect_error(crossing, 5, "have no VTEP addresses of the same family");
}

/* Both ends must take the same pair, or each drops what the other sends. */
static void both_hosts_choose_the_same_addresses(void **state)
{
	struct parsed *p = expect_good("name: lab\n"
				       "topology:\n"
				       "  hosts:\n"
				       "    a: { vtep: ['2001:db8::1', 192.0.2.1], uplink: eth0 }\n"
				       "    b: { vtep: [192.0.2.2, '2001:db8::2'], uplink: eth0 }\n"
				       "    c: { vtep: 192.0.2.3, uplink: eth0 }\n"
				       "  nodes: { s: { kind: switch, vxlan: { 10: 10 } } }\n");

	(void)state;
	assert_string_equal(span_vtep(&p->topo, 0, 1)->text, "2001:db8::1");
	assert_string_equal(span_vtep(&p->topo, 1, 0)->text, "2001:db8::2");
	assert_string_equal(span_vtep(&p->topo, 0, 2)->text, "192.0.2.1");
	assert_string_equal(span_vtep(&p->topo, 2, 0)->text, "192.0.2.3");
	parsed_free(p);
}

static void one_host_is_selected_by_name(void **state)
{
	struct parsed *p = expect_good(HOSTS "    other: { vtep: 192.0.2.9 }\n"
					     "  nodes:\n"
					     "    s: { kind: switch, vxlan: { 10: 10010 } }\n"
					     "    h2: { kind: vm, host: hostB }\n");
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(host_select(&p->topo, "hostB", &err), 0);
	assert_true(span_node_is_here(&p->topo, topo_node_find(&p->topo, "h2")));
	assert_int_equal(host_select(&p->topo, "hostA", &err), 0);
	assert_true(span_node_is_here(&p->topo, topo_node_find(&p->topo, "s")));
	assert_false(span_node_is_here(&p->topo, topo_node_find(&p->topo, "h2")));
	assert_true(host_select(&p->topo, NULL, &err) < 0);
	assert_non_null(strstr(err.text, "--host and one of hostA, hostB, other"));
	err.text[0] = '\0';
	assert_true(host_select(&p->topo, "hostC", &err) < 0);
	assert_non_null(strstr(err.text, "has no host \"hostC\""));
	err.text[0] = '\0';
	assert_true(host_select(&p->topo, "other", &err) < 0);
	assert_non_null(strstr(err.text, "netloom does not run there"));
	assert_int_equal(p->topo.self, -1);
	parsed_free(p);

	p = expect_good("name: lab\ntopology: { nodes: { h: { kind: vm } } }\n");
	assert_int_equal(host_select(&p->topo, NULL, &err), 0);
	assert_true(span_node_is_here(&p->topo, &p->topo.nodes[0]));
	err.text[0] = '\0';
	assert_true(host_select(&p->topo, "a", &err) < 0);
	assert_non_null(strstr(err.text, "leave out `--host a`"));
	parsed_free(p);
}

static void a_guest_cannot_wait_for_another_host(void **state)
{
	(void)state;
	expect_error(HOSTS "  nodes:\n"
			   "    h1: { kind: vm, host: hostA, wait-for: h2 }\n"
			   "    h2: { kind: vm, host: hostB }\n",
		     7, "is on another host; hosts are brought up one by one");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_know_their_host),
		cmocka_unit_test(hosts_may_stand_at_the_top_of_the_file),
		cmocka_unit_test(all_that_is_wrong_with_hosts_comes_at_once),
		cmocka_unit_test(an_uplink_is_an_interface_or_a_card),
		cmocka_unit_test(host_without_hosts_is_refused),
		cmocka_unit_test(hosts_that_talk_need_one_family),
		cmocka_unit_test(both_hosts_choose_the_same_addresses),
		cmocka_unit_test(one_host_is_selected_by_name),
		cmocka_unit_test(a_guest_cannot_wait_for_another_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
