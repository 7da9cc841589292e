/* SPDX-License-Identifier: BSD-3-Clause */
/* Parsing and checking of switches and ports: every fault is found, and named. */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "model_check.h"
#include "model_parse.h"
#include "model_print.h"
#include "model_vlan.h"

static struct problems problems;

/* Parse and check switches and ports; the result is discarded. */
static void judge(const char *switches, const char *ports)
{
	struct model *model = model_new();
	json_error_t error;
	json_t *s = json_loads(switches, 0, &error), *p = json_loads(ports, 0, &error);

	assert_non_null(model);
	assert_non_null(s);
	assert_non_null(p);
	problems_init(&problems);
	model_objects_parse(model, s, p, NULL, &problems);
	model_check(model, &problems);
	json_decref(s);
	json_decref(p);
	model_free(model);
}

static void assert_fault(const char *text)
{
	for (unsigned int i = 0; i < problems_kept(&problems); i++) {
		if (strstr(problems.text[i], text) != NULL)
			return;
	}
	for (unsigned int i = 0; i < problems_kept(&problems); i++)
		print_error("found: %s\n", problems.text[i]);
	fail_msg("no fault says: %s", text);
}

static void port_refused(const char *port, const char *why)
{
	char ports[2048];

	snprintf(ports, sizeof(ports), "[%s]", port);
	judge("[{\"name\":\"s\"}]", ports);
	assert_int_not_equal(problems.n, 0);
	assert_fault(why);
}

#define VHOST "\"name\":\"p\",\"type\":\"vhost-user\",\"socket\":\"/tmp/p\""

static void proper_objects_are_accepted(void **state)
{
	(void)state;
	judge("[{\"name\":\"lab/"
	      "s1\",\"ageing_s\":20,\"reserved\":{\"02\":\"peer\",\"0e\":\"forward\"},"
	      "\"peer_port\":\"lab/"
	      "a:1\"},{\"name\":\"s2\",\"reserved\":\"forward\",\"learning\":false}]",
	      "[{\"name\":\"lab/a:1\",\"type\":\"vhost-user\",\"socket\":\"/tmp/a\",\"queues\":4,"
	      "\"server\":true,\"switch\":\"lab/s1\",\"vlan\":{\"access\":10},\"mtu\":9216},"
	      "{\"name\":\"u1\",\"type\":\"patch\",\"peer\":\"u2\",\"switch\":\"lab/s1\","
	      "\"vlan\":{\"trunk\":[10,\"20-29\"],\"native\":1,\"tpid\":\"802.1ad\"}},"
	      "{\"name\":\"u2\",\"type\":\"patch\",\"peer\":\"u1\",\"switch\":\"s2\"},"
	      "{\"name\":\"w1\",\"type\":\"pcap\",\"rx\":\"/in\",\"wire\":\"w2\"},"
	      "{\"name\":\"w2\",\"type\":\"pcap\",\"tx\":\"/"
	      "out\",\"wire\":\"w1\",\"admin\":\"down\"},"
	      "{\"name\":\"free\",\"type\":\"pcap\",\"rx\":\"/in\",\"mtu\":68}]");
	for (unsigned int i = 0; i < problems_kept(&problems); i++)
		print_error("found: %s\n", problems.text[i]);
	assert_int_equal(problems.n, 0);
}

static void vlans_that_do_not_exist_are_refused(void **state)
{
	(void)state;
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"access\":0}}",
		     "port \"p\": vlan: \"access\": VLAN 0 is reserved");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"access\":4095}}",
		     "VLAN 4095 is reserved");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"access\":4096}}",
		     "VLAN 4096 does not exist");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"tunnel\":-1}}", "VLAN -1");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[1,4095]}}",
		     "\"trunk\": VLAN 4095");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[\"10-4095\"]}}", "no range");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[\"20-10\"]}}", "no range");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[\"0-10\"]}}", "no range");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[\"5-\"]}}", "no range");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[1.5]}}", "must be a VLAN");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":\"any\"}}", "or \"all\"");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[],\"native\":4095}}",
		     "native");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[]}}", "carry nothing");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"access\":1,\"trunk\":[2]}}",
		     "exactly one");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"access\":1,\"native\":2}}",
		     "with \"trunk\" only");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":{\"trunk\":[2],\"tpid\":\"x\"}}",
		     "802.1q, 802.1ad");
	port_refused("{" VHOST ",\"switch\":\"s\",\"vlan\":[]}", "vlan: must be a JSON object");
	port_refused("{" VHOST ",\"vlan\":{\"access\":1}}", "no meaning without \"switch\"");
}

static void keys_and_types_are_checked(void **state)
{
	(void)state;
	port_refused("{" VHOST ",\"colour\":1}", "port \"p\": unknown key \"colour\"");
	port_refused("{" VHOST ",\"mtu\":\"1500\"}", "port \"p\": \"mtu\" must be an integer");
	port_refused("{" VHOST ",\"mtu\":67}", "\"mtu\" is 67, must be within 68..9216");
	port_refused("{" VHOST ",\"mtu\":9217}", "68..9216");
	port_refused("{" VHOST ",\"mtu\":18446744073709551615.0}", "integer");
	port_refused("{" VHOST ",\"queues\":0}", "1..16");
	port_refused("{" VHOST ",\"queues\":17}", "1..16");
	port_refused("{" VHOST ",\"server\":1}", "true or false");
	port_refused("{" VHOST ",\"admin\":true}", "one of: up, down");
	port_refused("{" VHOST ",\"fdb_limit\":-1}", "fdb_limit");
	port_refused("{" VHOST ",\"rx\":\"/x\"}", "\"rx\" belongs to type pcap");
	port_refused("{\"name\":\"p\",\"type\":\"vhost-user\"}", "\"socket\" is missing");
	port_refused("{\"name\":\"p\",\"type\":\"pcap\"}", "needs \"rx\" or \"tx\"");
	port_refused("{\"name\":\"p\",\"type\":\"carrier-pigeon\"}", "vhost-user, pcap, patch");
	port_refused("{\"name\":\"p\"}", "\"type\" is missing");
	port_refused("{\"type\":\"pcap\",\"rx\":\"/x\"}", "ports[0]: key \"name\" is missing");
	port_refused("{\"name\":\"a b\",\"type\":\"pcap\",\"rx\":\"/x\"}", "is no name");
	port_refused("{\"name\":\"\",\"type\":\"pcap\",\"rx\":\"/x\"}", "is no name");
	port_refused("17", "ports[0]: must be a JSON object");
	port_refused("{\"name\":\"p\",\"type\":\"pcap\",\"rx\":\"relative\"}", "absolute path");
	judge("[{\"name\":\"s\",\"reserved\":\"sometimes\"}]", "[]");
	assert_fault("switch \"s\": \"reserved\"");
	judge("[{\"name\":\"s\",\"reserved\":{\"10\":\"drop\"}}]", "[]");
	assert_fault("\"00\"..\"0f\"");
	judge("[{\"name\":\"s\",\"reserved\":{\"02\":\"peer\"}}]", "[]");
	assert_fault("needs \"peer_port\"");
	judge("[{\"name\":\"s\",\"peer_port\":\"gone\"}]", "[]");
	assert_fault("no port of this switch");
}

static void long_names_and_paths_are_refused(void **state)
{
	char port[512], name[65], path[109];

	(void)state;
	memset(name, 'n', 64);
	name[64] = '\0';
	snprintf(port, sizeof(port), "{\"name\":\"%s\",\"type\":\"pcap\",\"rx\":\"/x\"}", name);
	port_refused(port, "\"name\" has 64 characters, at most 63");
	memset(path, '/', 108);
	path[108] = '\0';
	snprintf(port, sizeof(port), "{\"name\":\"p\",\"type\":\"vhost-user\",\"socket\":\"%s\"}",
		 path);
	port_refused(port, "\"socket\" has 108 characters, at most 107");
}

static void ports_must_fit_together(void **state)
{
	(void)state;
	port_refused("{" VHOST ",\"switch\":\"gone\"}", "there is no switch \"gone\"");
	port_refused("{" VHOST ",\"switch\":\"s\",\"wire\":\"q\"}", "exclude each other");
	port_refused("{" VHOST ",\"wire\":\"q\"}", "there is no port \"q\"");
	port_refused("{" VHOST ",\"wire\":\"p\"}", "names the port itself");
	port_refused("{\"name\":\"p\",\"type\":\"patch\",\"peer\":\"q\",\"switch\":\"s\"}",
		     "there is no port \"q\"");
	port_refused("{\"name\":\"a\",\"type\":\"pcap\",\"rx\":\"/a\",\"wire\":\"b\"},"
		     "{\"name\":\"b\",\"type\":\"pcap\",\"rx\":\"/b\",\"wire\":\"c\"},"
		     "{\"name\":\"c\",\"type\":\"pcap\",\"rx\":\"/c\",\"wire\":\"b\"}",
		     "port \"b\" does not name this one back but \"c\"");
	port_refused("{\"name\":\"a\",\"type\":\"patch\",\"peer\":\"b\"},"
		     "{\"name\":\"b\",\"type\":\"patch\",\"peer\":\"a\",\"wire\":\"a\"}",
		     "a patch port joins switches");
	port_refused("{" VHOST "},{\"name\":\"q\",\"type\":\"vhost-user\",\"socket\":\"/tmp/p\"}",
		     "/tmp/p is used by port");
	port_refused("{\"name\":\"a\",\"type\":\"pcap\",\"tx\":\"/"
		     "o\"},{\"name\":\"b\",\"type\":\"pcap\",\"tx\":\"/o\"}",
		     "/o is used by port");
	port_refused("{" VHOST "},{\"name\":\"p\",\"type\":\"pcap\",\"rx\":\"/x\"}",
		     "port \"p\": the name is used twice");
	port_refused("{" VHOST ",\"owner\":\"lab\",\"switch\":\"s\"}", "belongs to owner (none)");
}

static void every_fault_is_reported_at_once(void **state)
{
	(void)state;
	judge("[{\"name\":\"s\",\"ageing_s\":-1},{\"name\":\"s\"}]",
	      "[{" VHOST ",\"mtu\":1,\"switch\":\"gone\",\"x\":0}]");
	assert_int_equal(problems.n, 5);
	assert_fault("ageing_s");
	assert_fault("used twice");
	assert_fault("mtu");
	assert_fault("gone");
	assert_fault("unknown key \"x\"");
}

static void faults_are_printable_whatever_was_sent(void **state)
{
	(void)state;
	port_refused("{\"name\":\"\\n\\u001b[31m\\u00e4\",\"type\":\"pcap\",\"rx\":\"/x\"}",
		     "is no name");
	for (unsigned int i = 0; i < problems_kept(&problems); i++) {
		for (const char *at = problems.text[i]; *at != '\0'; at++)
			assert_true(*at >= ' ' && *at <= '~');
	}
}

static void a_thousand_faults_do_not_overflow(void **state)
{
	char *ports = malloc(100000);
	size_t used = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		used += (size_t)sprintf(ports + used, "%s{\"name\":\"p%d\",\"type\":\"x\"}",
					i ? "," : "[", i);
	strcpy(ports + used, "]");
	judge("[]", ports);
	assert_int_equal(problems.n, 1000);
	assert_int_equal(problems_kept(&problems), PROBLEMS_KEPT);
	free(ports);
}

static void what_is_printed_parses_to_the_same(void **state)
{
	static const char *const vlans[] = {
		"{\"access\":10}",
		"{\"tunnel\":4094}",
		"{\"trunk\":\"all\",\"native\":1}",
		"{\"trunk\":[1,\"3-5\",4094],\"tpid\":\"802.1ad\"}",
		"{\"trunk\":[\"2-4093\"],\"native\":7}",
	};
	struct vlan_port vlan, again;
	json_error_t error;
	json_t *json, *printed;

	(void)state;
	problems_init(&problems);
	for (size_t i = 0; i < sizeof(vlans) / sizeof(vlans[0]); i++) {
		json = json_loads(vlans[i], 0, &error);
		model_vlan_parse(json, "x", &vlan, &problems);
		printed = model_vlan_print(&vlan);
		assert_true(json_equal(json, printed));
		model_vlan_parse(printed, "x", &again, &problems);
		assert_true(model_vlan_equal(&vlan, &again));
		json_decref(json);
		json_decref(printed);
	}
	json = json_loads(vlans[2], 0, &error);
	model_vlan_default(&vlan);
	model_vlan_parse(json, "x", &again, &problems);
	json_decref(json);
	assert_true(model_vlan_equal(&vlan, &again));
	assert_int_equal(problems.n, 0);
}

static void reserved_addresses_survive_printing(void **state)
{
	static const char *const texts[] = {
		"{\"name\":\"s\",\"reserved\":\"drop\"}",
		"{\"name\":\"s\",\"reserved\":\"forward\"}",
		("{\"name\":\"s\",\"reserved\":{\"02\":\"peer\",\"0e\":\"forward\"},\"peer_port\":"
		 "\"p\"}"),
		"{\"name\":\"s\",\"owner\":\"o\",\"ageing_s\":0,\"learning\":false}"};
	struct model_switch sw, again;
	json_error_t error;

	(void)state;
	problems_init(&problems);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = json_loads(texts[i], 0, &error), *printed;

		model_switch_parse(json, "x", &sw, &problems);
		printed = model_switch_print(&sw);
		model_switch_parse(printed, "x", &again, &problems);
		assert_memory_equal(&sw, &again, sizeof(sw));
		json_decref(json);
		json_decref(printed);
	}
	assert_int_equal(problems.n, 0);
}

static void only_unicast_addresses_are_stations(void **state)
{
	uint64_t mac;

	(void)state;
	assert_true(model_mac_parse("52:54:00:AB:cd:01", &mac));
	assert_int_equal(mac, 0x525400abcd01);
	assert_false(model_mac_parse("01:80:c2:00:00:00", &mac));
	assert_false(model_mac_parse("ff:ff:ff:ff:ff:ff", &mac));
	assert_false(model_mac_parse("00:00:00:00:00:00", &mac));
	assert_false(model_mac_parse("52:54:00:ab:cd", &mac));
	assert_false(model_mac_parse("52-54-00-ab-cd-01", &mac));
	assert_false(model_mac_parse("52:54:00:ab:cd:0g", &mac));
}

static void copies_are_equal_and_independent(void **state)
{
	struct model *model = model_new(), *copy;
	struct model_port port = {.mtu = 1500, .index = 7};
	struct model_station station = {.sw = "s", .port = "p3", .mac = 0x525400000001, .vid = 5};

	(void)state;
	for (int i = 99; i >= 0; i--) {
		snprintf(port.spec.name, sizeof(port.spec.name), "p%d", i);
		assert_int_equal(model_port_add(model, &port), 0);
	}
	assert_int_equal(model_port_add(model, &port), -EEXIST);
	assert_int_equal(model_station_set(model, &station), 0);
	copy = model_copy(model);
	assert_int_equal(copy->n_ports, 100);
	for (size_t i = 1; i < copy->n_ports; i++)
		assert_true(strcmp(copy->ports[i - 1]->spec.name, copy->ports[i]->spec.name) < 0);
	assert_int_equal(model_port_find(copy, "p42")->index, 7);
	model_port_find(copy, "p42")->mtu = 9000;
	assert_int_equal(model_port_find(model, "p42")->mtu, 1500);
	assert_int_equal(model_port_remove(copy, "p42"), 0);
	assert_int_equal(model_port_remove(copy, "p42"), -ENOENT);
	assert_null(model_port_find(copy, "p42"));
	assert_non_null(model_station_find(copy, "s", 5, 0x525400000001));
	model_stations_prune(copy); /* there is no switch s */
	assert_int_equal(copy->n_stations, 0);
	assert_int_equal(model->n_stations, 1);
	model_free(copy);
	model_free(model);
}

static const struct model_port *tap_settled(struct model *model, const struct model *before,
					    const char *keys)
{
	struct model_port port;
	json_error_t error;
	char text[256];
	json_t *json;

	snprintf(text, sizeof(text), "{\"name\":\"t\",\"type\":\"tap\",\"ifname\":\"t0\"%s}", keys);
	json = json_loads(text, 0, &error);
	problems_init(&problems);
	model_port_parse(json, "port", &port, &problems);
	json_decref(json);
	assert_int_equal(problems.n, 0);
	assert_int_equal(model_port_add(model, &port), 0);
	assert_int_equal(model_tap_settle(before, model), 0);
	return model_port_find(model, "t");
}

static void a_tap_keeps_the_address_that_was_chosen_for_it(void **state)
{
	struct model *none = model_new(), *first = model_new(), *again = model_new();
	struct model *other = model_new(), *own = model_new();
	const struct model_port *port = tap_settled(first, none, "");
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};

	(void)state;
	assert_true(port->tap.has_mac);
	assert_int_equal(port->tap.mac[0] & 3, 2); /* local and unicast */
	assert_memory_equal(tap_settled(again, first, "")->tap.mac, port->tap.mac, 6);
	assert_memory_not_equal(tap_settled(other, none, "")->tap.mac, port->tap.mac, 6);
	assert_memory_equal(tap_settled(own, first, ",\"mac\":\"02:00:00:00:00:07\"")->tap.mac, mac,
			    6);
	model_free(none);
	model_free(first);
	model_free(again);
	model_free(other);
	model_free(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proper_objects_are_accepted),
		cmocka_unit_test(vlans_that_do_not_exist_are_refused),
		cmocka_unit_test(keys_and_types_are_checked),
		cmocka_unit_test(long_names_and_paths_are_refused),
		cmocka_unit_test(ports_must_fit_together),
		cmocka_unit_test(every_fault_is_reported_at_once),
		cmocka_unit_test(faults_are_printable_whatever_was_sent),
		cmocka_unit_test(a_thousand_faults_do_not_overflow),
		cmocka_unit_test(what_is_printed_parses_to_the_same),
		cmocka_unit_test(reserved_addresses_survive_printing),
		cmocka_unit_test(only_unicast_addresses_are_stations),
		cmocka_unit_test(copies_are_equal_and_independent),
		cmocka_unit_test(a_tap_keeps_the_address_that_was_chosen_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
