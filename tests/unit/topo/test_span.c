/* SPDX-License-Identifier: BSD-3-Clause */
/* What crosses between the hosts of a lab, and under which VNI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "topo/span.h"
#include "topo/reach.h"
#include "unit/topo/parsed.h"

/* Nodes from line 8 on. */
#define HOSTS                                                                                      \
	"name: lab\n"                                                                              \
	"topology:\n"                                                                              \
	"  hosts:\n"                                                                               \
	"    a: { vtep: 192.0.2.1, uplink: eth0 }\n"                                               \
	"    b: { vtep: 192.0.2.2, uplink: eth0 }\n"                                               \
	"    c: { vtep: 192.0.2.3, uplink: eth0 }\n"                                               \
	"  nodes:\n"
#define VMS                                                                                        \
	"    ha: { kind: vm, host: a }\n"                                                          \
	"    hb: { kind: vm, host: b }\n"

static void the_forms_of_vxlan_mean_the_same(void **state)
{
	struct parsed *p = expect_good(
		HOSTS
		"    s: { kind: switch, vxlan: { vlan 10: vni 10010, 20: 10020, 30: { vni: vni "
		"10030, "
		"bum-limit: 100, flood: off, learning: no, suppress: yes, mtu: 1400, tag: refuse } "
		"} }\n" VMS "  links:\n"
		"    - { endpoints: ['ha:e1', 's:p'], vlan: { trunk: [10, 30] }, mtu: 9000 }\n");
	const struct topo_node *sw = topo_node_find(&p->topo, "s");

	(void)state;
	assert_int_equal(sw->n_vnis, 3);
	assert_int_equal(sw->vnis[0].vid, 10);
	assert_int_equal(sw->vnis[0].vni, 10010);
	assert_int_equal(sw->vnis[0].mtu, 9000); /* its largest link's */
	assert_true(sw->vnis[0].flood && sw->vnis[0].learning);
	assert_int_equal(sw->vnis[1].vni, 10020);
	assert_int_equal(sw->vnis[1].mtu, 1500);
	assert_int_equal(sw->vnis[2].vni, 10030);
	assert_int_equal(sw->vnis[2].mtu, 1400);
	assert_int_equal(sw->vnis[2].bum_limit, 100);
	assert_false(sw->vnis[2].flood || sw->vnis[2].learning);
	assert_true(sw->vnis[2].suppress);
	assert_false(sw->vnis[2].announce);
	assert_int_equal(sw->vnis[2].tag, TOPO_TAG_REFUSE);
	parsed_free(p);
}

static void bad_vnis_are_refused_all_at_once(void **state)
{
	struct parsed *p =
		parse(HOSTS "    s1: { kind: switch, vxlan: { 10: 0 } }\n"
			    "    s2: { kind: switch, vxlan: { 10: 16777216 } }\n"
			    "    s3: { kind: switch, vxlan: { 4095: 1 } }\n"
			    "    s4: { kind: switch, vxlan: { 10: ten } }\n"
			    "    s5: { kind: switch, vxlan: { 10: 7, vlan 10: 8 } }\n"
			    "    s6: { kind: switch, vxlan: { 10: 7 } }\n"
			    "    s7: { kind: switch, vxlan: [10] }\n"
			    "    s8: { kind: switch, vxlan: { 10: { mtu: 1500, tg: x } } }\n"
			    "    s9: { kind: switch, vxlan: { 10: -1 } }\n"
			    "    ha: { kind: vm, host: a }\n"
			    "    hb: { kind: vm, host: b }\n"
			    "  links:\n"
			    "    - { endpoints: ['ha:e1', 'hb:e1'], vni: 7 }\n"
			    "    - { endpoints: ['ha:e2', 'hb:e2'], vni: 0 }\n"
			    "    - { endpoints: ['ha:e3', 's5:p'], vni: 9 }\n");

	(void)state;
	expect_finding(p, 8, "VNI 0 names no network; use 1 to 16777215");
	expect_finding(p, 9, "VNI 16777216 does not fit VXLAN's 24 bits");
	expect_finding(p, 10, "VLAN 4095 is reserved");
	expect_finding(p, 11, "VNI \"ten\" is not a number");
	expect_finding(p, 12, "VLAN 10 has two VNIs");
	expect_finding(p, 13, "VNI 7 is given twice; it is already on line 12");
	expect_finding(p, 14, "`vxlan` is a map of VLANs and VNIs");
	expect_finding(p, 15, "VLAN 10 has no `vni`");
	expect_finding(p, 15, "unknown key `tg`; did you mean `tag`?");
	expect_finding(p, 16, "is not a number");
	expect_finding(p, 20, "VNI 7 is given twice; it is already on line 12");
	expect_finding(p, 21, "VNI 0 names no network");
	expect_finding(p, 22, "both ends are on the same host");
	parsed_free(p);
}

static void liveness_is_for_cables_between_hosts(void **state)
{
	struct parsed *p =
		parse(HOSTS "    h2: { kind: vm, host: a }\n" VMS "  links:\n"
			    "    - { endpoints: ['ha:e1', 'hb:e1'], liveness: auto }\n"
			    "    - { endpoints: ['ha:e2', 'h2:e2'], liveness: on }\n"
			    "    - { endpoints: ['ha:e3', 'hb:e3'], liveness: perhaps }\n"
			    "    - { endpoints: ['ha:e4', 'hb:e4'], liveness: { interval: 49ms, "
			    "multiplier: 51, often: yes } }\n");

	(void)state;
	assert_int_equal(p->topo.links[0].liveness, TOPO_LIVENESS_AUTO);
	expect_finding(p, 13, "`liveness` belongs to a link between hosts");
	expect_finding(p, 14, "perhaps");
	expect_finding(p, 15, "`interval: 49ms` is not a time from 50ms to 60s");
	expect_finding(p, 15, "multiplier");
	expect_finding(p, 15, "unknown key `often`");
	parsed_free(p);
}

static uint32_t vni_of(const char *links, const char *node, const char *ifname)
{
	struct parsed *p;
	char text[2048];
	uint32_t vni = 0;

	snprintf(text, sizeof(text), "%s  links:\n%s", HOSTS VMS, links);
	p = expect_good(text);
	for (size_t i = 0; i < p->topo.n_links; i++) {
		const struct topo_link *link = &p->topo.links[i];

		for (int end = 0; end < 2; end++) {
			if (strcmp(link->ends[end].node, node) == 0 &&
			    strcmp(link->ends[end].ifname, ifname) == 0)
				vni = link->vni;
		}
	}
	parsed_free(p);
	return vni;
}

static void a_links_vni_comes_from_the_names_of_its_ends(void **state)
{
	uint32_t vni = vni_of("    - { endpoints: ['ha:e1', 'hb:e1'] }\n", "ha", "e1");

	(void)state;
	/* The number is a promise: hosts with different versions of netloom must agree. */
	assert_int_equal(vni, 9281406);
	assert_true(vni >= SPAN_CHOSEN_FIRST && vni <= TOPO_VNI_MAX);
	assert_int_equal(vni_of("    - { endpoints: ['hb:e1', 'ha:e1'], mtu: 9000 }\n", "ha", "e1"),
			 vni);
	assert_int_equal(vni_of("    - { endpoints: ['hb:e0', 'ha:e0'], vni: 5 }\n"
				"    - { endpoints: ['ha:e2', 'hb:e2'] }\n"
				"    - { endpoints: ['hb:e1', 'ha:e1'] }\n",
				"ha", "e1"),
			 vni);
	assert_int_not_equal(vni_of("    - { endpoints: ['ha:e2', 'hb:e1'] }\n", "ha", "e2"), vni);
	/* One that somebody has written is never chosen. */
	assert_int_not_equal(vni_of("    - { endpoints: ['ha:e2', 'hb:e2'], vni: 9281406 }\n"
				    "    - { endpoints: ['ha:e1', 'hb:e1'] }\n",
				    "ha", "e1"),
			     vni);
}

static void many_links_get_vnis_of_their_own(void **state)
{
	enum { N = 2000 };
	static char text[N * 64 + 8192];
	static bool seen[TOPO_VNI_MAX + 1];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s", HOSTS);
	struct parsed *p;

	(void)state;
	for (int i = 0; i < N / 25; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "    x%d: { kind: vm, host: a }\n"
					 "    y%d: { kind: vm, host: b }\n",
					 i, i);
	used += (size_t)snprintf(text + used, sizeof(text) - used, "  links:\n");
	for (int i = 0; i < N; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "    - { endpoints: ['x%d:e%d', 'y%d:e%d'] }\n", i / 25,
					 i % 25, i / 25, i % 25);
	p = expect_good(text);
	for (size_t i = 0; i < p->topo.n_links; i++) {
		uint32_t vni = p->topo.links[i].vni;

		assert_true(vni >= SPAN_CHOSEN_FIRST && vni <= TOPO_VNI_MAX);
		assert_false(seen[vni]);
		seen[vni] = true;
	}
	parsed_free(p);
}

static void a_link_is_where_its_ends_are(void **state)
{
	struct parsed *p =
		expect_good(HOSTS "    s: { kind: switch, host: [a, b], vxlan: { 10: 10 } }\n"
				  "    t: { kind: switch, host: c }\n" VMS "  links:\n"
				  "    - { endpoints: ['ha:e1', 's:p1'], vlan: { access: 10 } }\n"
				  "    - { endpoints: ['ha:e2', 't:p2'] }\n"
				  "    - { endpoints: ['ha:e3', 'hb:e3'] }\n");
	const struct topo_link *links = p->topo.links;

	(void)state;
	assert_false(span_link_crosses(&p->topo, &links[0]));
	assert_true(span_link_crosses(&p->topo, &links[1]));
	assert_true(span_link_crosses(&p->topo, &links[2]));
	p->topo.self = 0;
	assert_true(span_link_is_here(&p->topo, &links[0]));
	assert_int_equal(span_link_host_towards(&p->topo, &links[1]), 2);
	assert_int_equal(span_link_host_towards(&p->topo, &links[2]), 1);
	p->topo.self = 1;
	assert_false(span_link_is_here(&p->topo, &links[0]));
	assert_false(span_link_is_here(&p->topo, &links[1]));
	assert_int_equal(span_link_host_towards(&p->topo, &links[2]), 0);
	p->topo.self = 2;
	assert_true(span_link_is_here(&p->topo, &links[1]));
	assert_true(span_hosts_talk(&p->topo, 0, 1));
	assert_true(span_hosts_talk(&p->topo, 2, 0));
	assert_false(span_hosts_talk(&p->topo, 1, 2));
	parsed_free(p);
}

static void links_that_cannot_cross_are_refused(void **state)
{
	(void)state;
	expect_error(HOSTS "    s: { kind: switch, host: [a, b], vxlan: { 10: 10 } }\n"
			   "    hc: { kind: vm, host: c }\n"
			   "  links: [{ endpoints: ['hc:e', 's:p'] }]\n",
		     10, "node \"hc\" is on host \"c\", where switch \"s\" is not; add it");
	expect_error(HOSTS "    s: { kind: switch, host: [a, b], vxlan: { 10: 10, 20: 20 } }\n"
			   "    t: { kind: switch, host: [b, a], vxlan: { 10: 11 } }\n"
			   "  links: [{ endpoints: ['s:up', 't:up'] }]\n",
		     10, "both span VLAN 10: a loop");
	expect_error(HOSTS "    ha: { kind: vm, host: a }\n"
			   "    hb: { kind: vm, host: b }\n"
			   "  links: [{ endpoints: ['ha:e', 'hb:e'], vlan: { access: 1 } }]\n",
		     10, "a wire without a switch passes every frame");
	expect_error("name: "
		     "a23456789-123456789-12345678\n"
		     "topology:\n"
		     "  hosts: { a: { vtep: 192.0.2.1, uplink: e }, b: { vtep: 192.0.2.2, uplink: "
		     "e } }\n"
		     "  nodes: { s23456789: { kind: switch, vxlan: { 1: 1 } } }\n",
		     4, "characters too long together; shorten one");
}

static bool reaches(const struct topo *topo, const char *from, const char *to)
{
	return reach_frames(topo, topo_node_find(topo, from), "e", topo_node_find(topo, to), "e");
}

static void vlans_reach_as_far_as_they_span(void **state)
{
	/* s spans VLAN 10 and not 20; t is on c and joined to s's VLANs by a cable from a switch on b */
	struct parsed *p = expect_good(
		HOSTS "    s: { kind: switch, host: [a, b], vxlan: { 10: 10 } }\n"
		      "    u: { kind: switch, host: b }\n"
		      "    t: { kind: switch, host: c }\n"
		      "    a10: { kind: vm, host: a }\n"
		      "    b10: { kind: vm, host: b }\n"
		      "    a20: { kind: vm, host: a }\n"
		      "    b20: { kind: vm, host: b }\n"
		      "    c10: { kind: vm, host: c }\n"
		      "    c20: { kind: vm, host: c }\n"
		      "  links:\n"
		      "    - { endpoints: ['a10:e', 's:p1'], vlan: { access: 10 } }\n"
		      "    - { endpoints: ['b10:e', 's:p2'], vlan: { access: 10 } }\n"
		      "    - { endpoints: ['a20:e', 's:p3'], vlan: { access: 20 } }\n"
		      "    - { endpoints: ['b20:e', 's:p4'], vlan: { access: 20 } }\n"
		      "    - { endpoints: ['c10:e', 't:p1'], vlan: { access: 10 } }\n"
		      "    - { endpoints: ['c20:e', 't:p2'], vlan: { access: 20 } }\n"
		      "    - { endpoints: ['s:up', 'u:down'], vlan: { trunk: [10, 20] } }\n"
		      "    - { endpoints: ['u:up', 't:up'], vlan: { trunk: [10, 20] } }\n");
	const struct topo *topo = &p->topo;

	(void)state;
	assert_true(reaches(topo, "a10", "b10"));
	assert_true(reaches(topo, "c10", "a10"));
	assert_true(reaches(topo, "a10", "c10"));
	assert_false(reaches(topo, "a20", "b20"));
	assert_true(reaches(topo, "b20", "c20"));
	assert_false(reaches(topo, "c20", "a20"));
	assert_false(reaches(topo, "a10", "c20"));
	parsed_free(p);
}

static void a_switch_alone_with_vxlan_is_only_warned_about(void **state)
{
	struct parsed *p = parse(HOSTS "    s: { kind: switch, host: a, vxlan: { 10: 10 } }\n");

	(void)state;
	assert_int_equal(p->rc, 0);
	expect_finding(p, 8, "`vxlan` reaches no other host");
	parsed_free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forms_of_vxlan_mean_the_same),
		cmocka_unit_test(bad_vnis_are_refused_all_at_once),
		cmocka_unit_test(liveness_is_for_cables_between_hosts),
		cmocka_unit_test(a_links_vni_comes_from_the_names_of_its_ends),
		cmocka_unit_test(many_links_get_vnis_of_their_own),
		cmocka_unit_test(a_link_is_where_its_ends_are),
		cmocka_unit_test(links_that_cannot_cross_are_refused),
		cmocka_unit_test(vlans_reach_as_far_as_they_span),
		cmocka_unit_test(a_switch_alone_with_vxlan_is_only_warned_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
