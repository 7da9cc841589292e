/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each of two hosts asks its netloomd for:
 *
 *      hostA                                     hostB
 *   a -- [ s ] --- VLAN 10 = VNI 10010 --- [ s ] -- b
 *   a2 ------------ a cable, VNI 77 ------------- b2
 *   [ t ]----- a trunk, VNI 78, between ------- [ u ]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/desired.h"
#include "topo/host.h"

static const char lab[] =
	"name: lab\n"
	"topology:\n"
	"  hosts:\n"
	"    hostA: { vtep: 192.0.2.1, uplink: eth0 }\n"
	"    hostB: { vtep: [192.0.2.2, '2001:db8::2'], uplink: eth9, udp-port: 8472, dscp: 46, "
	"checksum: zero }\n"
	"    alone: { vtep: 192.0.2.3, uplink: eth0 }\n"
	"  nodes:\n"
	"    s: { kind: switch, host: [hostA, hostB], vxlan: { vlan 10: { vni: 10010, bum-limit: 9 "
	"} } }\n"
	"    t: { kind: switch, host: hostA }\n"
	"    u: { kind: switch, host: hostB }\n"
	"    z: { kind: switch, host: alone }\n"
	"    a: { kind: vm, host: hostA }\n"
	"    b: { kind: tap, host: hostB, netns: blue, ipv4: { eth1: 10.0.0.2/24 } }\n"
	"  links:\n"
	"    - { endpoints: ['a:eth1', 's:p1'], vlan: { access: 10 } }\n"
	"    - { endpoints: ['b:eth1', 's:p2'], vlan: { access: 10 } }\n"
	"    - { endpoints: ['a:eth2', 'b:eth2'], vni: 77, mtu: 1400 }\n"
	"    - { endpoints: ['t:up', 'u:up'], vni: 78, vlan: { trunk: [10, 20] }, impair: { delay: "
	"20ms } }\n"
	"    - { endpoints: ['t:p3', 'b:eth3'], vni: 79, carrier: always }\n"
	"    - { endpoints: ['t:p4', 'b:eth4'], vni: 80, liveness: { mode: auto, interval: 50ms, "
	"multiplier: 5 } }\n"
	"    - { endpoints: ['t:p5', 'b:eth5'], vni: 81, liveness: off }\n";

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

static json_t *params_of(const char *host)
{
	assert_int_equal(host_select(&topo, host, NULL), 0);
	return desired_apply_params(&topo);
}

/* The object of a list whose @key is @value. */
static const json_t *find(const json_t *params, const char *list, const char *key,
			  const char *value)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(params, list), i, item) {
		const json_t *found = json_object_get(item, key);
		char number[24];

		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(found));
		if (strcmp(json_is_string(found) ? json_string_value(found) : number, value) == 0)
			return item;
	}
	fail_msg("no %s has %s %s", list, key, value);
	return NULL;
}

static void expect(const json_t *object, const char *key, const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	if (!json_equal(json_object_get(object, key), value))
		fail_msg("%s is %s, not %s", key,
			 json_dumps(json_object_get(object, key), JSON_ENCODE_ANY), json);
	json_decref(value);
}

static void each_host_gets_its_part(void **state)
{
	json_t *params = params_of("hostA");
	const json_t *vni = find(params, "vnis", "vni", "10010");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(params, "switches")),
			 7); /* s, t, and those of five cables */
	assert_int_equal(json_array_size(json_object_get(params, "ports")), 11);
	assert_int_equal(json_array_size(json_object_get(params, "vteps")), 1);
	assert_int_equal(json_array_size(json_object_get(params, "vnis")), 6);
	expect(find(params, "ports", "type", "uplink"), "name", "\"lab/hostA:eth0\"");
	expect(find(params, "ports", "type", "uplink"), "local", "[\"192.0.2.1\"]");
	expect(find(params, "vteps", "name", "lab/hostB"), "remote", "\"192.0.2.2\"");
	expect(find(params, "vteps", "name", "lab/hostB"), "uplink", "\"lab/hostA:eth0\"");
	expect(find(params, "vteps", "name", "lab/hostB"), "udp_port", "8472");
	expect(find(params, "vteps", "name", "lab/hostB"), "dscp", "46");
	expect(find(params, "vteps", "name", "lab/hostB"), "checksum", "\"zero\"");
	expect(vni, "switch", "\"lab/s\"");
	expect(vni, "vlan", "10");
	expect(vni, "vteps", "[\"lab/hostB\"]");
	expect(vni, "mtu", "1500");
	expect(vni, "bum_limit", "9");
	json_decref(params);

	params = params_of("hostB");
	expect(find(params, "ports", "type", "uplink"), "local",
	       "[\"192.0.2.2\", \"2001:db8::2\"]");
	expect(find(params, "ports", "type", "uplink"), "udp_port", "8472");
	expect(find(params, "vteps", "name", "lab/hostA"), "udp_port", "4789");
	expect(find(params, "vnis", "vni", "10010"), "vteps", "[\"lab/hostA\"]");
	expect(find(params, "ports", "name", "lab/b:eth1"), "type", "\"tap\"");
	expect(find(params, "ports", "name", "lab/b:eth1"), "netns", "\"blue\"");
	expect(find(params, "ports", "name", "lab/b:eth1"), "addresses", "[\"10.0.0.2/24\"]");
	expect(find(params, "ports", "name", "lab/b:eth1"), "switch", "\"lab/s\"");
	json_decref(params);
}

static void a_host_that_shares_nothing_needs_no_uplink(void **state)
{
	json_t *params = params_of("alone");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(params, "switches")), 1);
	expect(params, "ports", "[]");
	expect(params, "vteps", "[]");
	expect(params, "vnis", "[]");
	json_decref(params);
}

static void a_cable_between_hosts_is_a_switch_that_touches_nothing(void **state)
{
	json_t *params = params_of("hostA");
	const json_t *sw = find(params, "switches", "name", "lab/vni-77");
	const json_t *port = find(params, "ports", "name", "lab/a:eth2");
	const json_t *vni = find(params, "vnis", "vni", "77");

	(void)state;
	expect(sw, "learning", "false");
	expect(sw, "reserved", "\"forward\"");
	expect(port, "type", "\"vhost-user\"");
	expect(port, "switch", "\"lab/vni-77\"");
	expect(port, "vlan", "{\"tunnel\": 1}");
	assert_null(json_object_get(port, "wire"));
	expect(vni, "switch", "\"lab/vni-77\"");
	expect(vni, "vlan", "1");
	expect(vni, "tag", "\"keep\"");
	expect(vni, "learning", "false");
	expect(vni, "mtu", "1400");
	expect(vni, "liveness", "\"on\"");
	assert_null(json_object_get(vni, "liveness_ms"));
	json_decref(params);
}

static void a_cable_is_watched_unless_its_carrier_is_not_to_follow(void **state)
{
	json_t *params = params_of("hostA");
	const json_t *vni = find(params, "vnis", "vni", "80");

	(void)state;
	expect(find(params, "vnis", "vni", "78"), "liveness", "\"on\"");
	expect(find(params, "vnis", "vni", "79"), "liveness", "\"off\"");
	expect(find(params, "vnis", "vni", "81"), "liveness", "\"off\"");
	expect(vni, "liveness", "\"auto\"");
	expect(vni, "liveness_ms", "50");
	expect(vni, "liveness_multiplier", "5");
	assert_null(json_object_get(find(params, "vnis", "vni", "10010"), "liveness"));
	json_decref(params);
}

static void a_cable_between_switches_is_patched_in_on_both_hosts(void **state)
{
	static const char *const hosts[] = {"hostA", "hostB"};
	static const char *const names[] = {"lab/t:up", "lab/u:up"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct arena arena = {.head = NULL};
		json_t *params = params_of(hosts[i]);
		const json_t *near = find(params, "ports", "name", names[i]);
		const json_t *far = find(params, "ports", "name", "lab/vni-78:up");

		expect(near, "type", "\"patch\"");
		expect(near, "peer", "\"lab/vni-78:up\"");
		expect(near, "vlan", "{\"trunk\": [10, 20]}");
		/* On each host what its own end sends. */
		assert_non_null(json_object_get(json_object_get(near, "impair"), "out"));
		assert_null(json_object_get(json_object_get(near, "impair"), "in"));
		assert_null(json_object_get(far, "impair"));
		expect(near, "switch", i == 0 ? "\"lab/t\"" : "\"lab/u\"");
		assert_string_equal(json_string_value(json_object_get(far, "peer")), names[i]);
		expect(far, "switch", "\"lab/vni-78\"");
		expect(far, "vlan", "{\"tunnel\": 1}");
		assert_string_equal(desired_port_name(&arena, &topo, i == 0 ? "t" : "u", "up"),
				    names[i]);
		arena_free(&arena);
		json_decref(params);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_host_gets_its_part),
		cmocka_unit_test(a_host_that_shares_nothing_needs_no_uplink),
		cmocka_unit_test(a_cable_between_hosts_is_a_switch_that_touches_nothing),
		cmocka_unit_test(a_cable_is_watched_unless_its_carrier_is_not_to_follow),
		cmocka_unit_test(a_cable_between_switches_is_patched_in_on_both_hosts),
	};

	return cmocka_run_group_tests(tests, lab_read, lab_free);
}
