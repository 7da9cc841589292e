/* SPDX-License-Identifier: BSD-3-Clause */
/* From the model to the VTEP table's specification, and what of an overlay is refused before that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <jansson.h>

#include "model_parse.h"
#include "overlay_spec.h"

#define SWITCHES "[{\"name\":\"s\"},{\"name\":\"t\"}]"
#define UPLINKS                                                                                    \
	"[{\"name\":\"u4\",\"type\":\"uplink\",\"ifname\":\"e0\",\"local\":[\"192.0.2.1\"],"       \
	"\"source_ports\":\"50000-50999\"},"                                                       \
	"{\"name\":\"u6\",\"type\":\"uplink\",\"ifname\":\"e1\",\"local\":[\"2001:db8::1\","       \
	"\"198.51.100.1\"]}]"
#define VTEPS                                                                                      \
	"[{\"name\":\"a\",\"uplink\":\"u4\",\"remote\":\"192.0.2.2\",\"dscp\":46,"                 \
	"\"checksum\":\"on\",\"udp_port\":8472},"                                                  \
	"{\"name\":\"b\",\"uplink\":\"u6\",\"remote\":\"2001:db8::2\",\"checksum\":\"zero\"},"     \
	"{\"name\":\"c\",\"uplink\":\"u6\",\"remote\":\"198.51.100.3\"}]"
#define VNIS                                                                                       \
	"[{\"vni\":7,\"switch\":\"t\",\"vlan\":10,\"vteps\":[\"b\"],\"learn_vteps\":true},"        \
	"{\"vni\":8,\"switch\":\"s\",\"vlan\":10,\"vteps\":[\"a\",\"c\"],\"learning\":false,"      \
	"\"flood\":false,\"tag\":\"keep\",\"mtu\":1400}]"

static struct model *model;
static struct problems problems;
static struct overlay_spec *spec;

static void load(const char *vteps, const char *vnis)
{
	json_t *lists[4] = {json_loads(SWITCHES, 0, NULL), json_loads(UPLINKS, 0, NULL),
			    json_loads(vteps, 0, NULL), json_loads(vnis, 0, NULL)};

	for (int i = 0; i < 4; i++)
		assert_non_null(lists[i]);
	model_objects_parse(model, lists[0], lists[1], NULL, &problems);
	model_overlay_parse(model, lists[2], lists[3], NULL, &problems);
	for (int i = 0; i < 4; i++)
		json_decref(lists[i]);
	model_overlay_derive(model, &problems);
	model_overlay_check(model, &problems);
}

static int setup(void **state)
{
	(void)state;
	model = model_new();
	memset(&problems, 0, sizeof(problems));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	overlay_spec_free(spec);
	spec = NULL;
	model_free(model);
	return 0;
}

static void refused(const char *vteps, const char *vnis, const char *words)
{
	bool found = false;

	load(vteps, vnis);
	assert_true(problems.n > 0);
	for (unsigned int i = 0; i < problems_kept(&problems); i++)
		found |= strstr(problems.text[i], words) != NULL;
	if (!found)
		fail_msg("\"%s\" is not in \"%s\"", words, problems.text[0]);
	model_free(model);
	model = model_new();
	memset(&problems, 0, sizeof(problems));
}

static void peers_get_what_their_vtep_and_uplink_say(void **state)
{
	const struct vtep_peer_spec *a, *b;

	(void)state;
	load(VTEPS, VNIS);
	assert_int_equal(problems.n, 0);
	spec = overlay_spec_new(model, false);
	assert_int_equal(spec->spec.n_locals, 3);
	assert_int_equal(spec->spec.n_peers, 3);
	a = &spec->peers[0];
	b = &spec->peers[1];
	assert_int_equal(a->src_port_min, 50000);
	assert_int_equal(a->src_port_max, 50999);
	assert_int_equal(a->udp_port, 8472);
	assert_true(a->dscp_fixed);
	assert_int_equal(a->dscp, 46);
	assert_int_equal(a->csum, VTEP_CSUM_ON);
	assert_int_equal(b->csum, VTEP_CSUM_ZERO);
	assert_false(b->dscp_fixed);
	assert_int_equal(b->src_port_min, 49152);
}

static void more_vteps_than_there_are_counters_for_are_refused(void **state)
{
	enum { N = VTEP_PEERS_MAX + 1, EACH = 80 };
	char *vteps = malloc((size_t)N * EACH);
	size_t at = 0;

	(void)state;
	assert_non_null(vteps);
	for (int i = 0; i < N; i++)
		at += (size_t)snprintf(
			vteps + at, EACH,
			"%s{\"name\":\"v%d\",\"uplink\":\"u4\",\"remote\":\"10.1.%d.%d\"}%s",
			i == 0 ? "[" : "", i, i / 200, 1 + i % 200, i == N - 1 ? "]" : ",");
	refused(vteps, "[]", "4097 VTEPs: there is room for 4096");
	free(vteps);
}

static void source_address_is_of_the_same_uplink_and_family(void **state)
{
	(void)state;
	load(VTEPS, VNIS);
	spec = overlay_spec_new(model, false);
	assert_int_equal(spec->local_uplink[spec->peers[0].local], 0);
	assert_true(spec->locals[spec->peers[1].local].is_v6);
	assert_false(spec->locals[spec->peers[2].local].is_v6);
	assert_int_equal(spec->local_uplink[spec->peers[2].local], 1);
}

static void named_vteps_are_flooded_to_and_others_may_join(void **state)
{
	const struct vtep_vni_spec *seven, *eight;

	(void)state;
	load(VTEPS, VNIS);
	spec = overlay_spec_new(model, false);
	seven = &spec->vnis[0];
	eight = &spec->vnis[1];
	assert_int_equal(eight->n_members, 2);
	assert_true(eight->members[0].flood && eight->members[1].flood);
	assert_true(eight->learning_off && eight->flood_off);
	assert_false(eight->suppress); /* as learning */
	assert_false(eight->announce);
	assert_true(seven->suppress);
	assert_true(seven->announce);
	assert_int_equal(eight->tag, VTEP_TAG_KEEP);
	assert_int_equal(seven->n_members, 3);
	assert_int_equal(seven->members[0].peer, 1);
	assert_true(seven->members[0].flood);
	assert_false(seven->members[1].flood);
	assert_false(seven->members[2].flood);
	overlay_spec_flood(spec, 0, seven->members[2].peer);
	assert_true(seven->members[2].flood);
	assert_false(seven->members[1].flood);
}

static void ports_stand_for_each_vtep_on_each_switch(void **state)
{
	(void)state;
	load(VTEPS, VNIS);
	assert_non_null(model_port_find(model, "a:s"));
	assert_non_null(model_port_find(model, "c:s"));
	assert_null(model_port_find(model, "b:s"));
	assert_non_null(model_port_find(model, "b:t"));
	assert_non_null(model_port_find(model, "a:t")); /* may join VNI 7 */
	assert_true(vlan_is_member(&model_port_find(model, "a:t")->vlan, 10));
}

static void switches_that_run_have_their_index(void **state)
{
	(void)state;
	load(VTEPS, VNIS);
	model_switch_find(model, "s")->index = 5;
	model_switch_find(model, "t")->index = 9;
	spec = overlay_spec_new(model, true);
	assert_int_equal(spec->vnis[0].sw, 9);
	assert_int_equal(spec->vnis[1].sw, 5);
}

static void what_cannot_work_is_refused_with_a_sentence(void **state)
{
#define VTEP(fields) "[{\"name\":\"a\",\"uplink\":\"u4\"," fields "}]"
#define VNI(fields)  "[{\"switch\":\"s\",\"vlan\":10,\"vteps\":[\"a\"]," fields "}]"
	(void)state;
	refused(VTEP("\"remote\":\"239.0.0.1\""), "[]", "multicast");
	refused(VTEP("\"remote\":\"192.0.2.1\""), "[]", "is an address of this host");
	refused(VTEP("\"remote\":\"2001:db8::9\""), "[]", "no local address of that family");
	refused(VTEP("\"remote\":\"192.0.2\""), "[]", "is no address");
	refused(VTEP("\"remote\":\"192.0.2.2\",\"dscp\":64"), "[]", "0 to 63");
	refused(VTEP("\"remote\":\"192.0.2.2\",\"dscp\":\"high\""), "[]", "inherit");
	refused(VTEP("\"remote\":\"192.0.2.2\",\"checksum\":\"off\""), "[]", "checksum");
	refused(VTEP("\"remote\":\"192.0.2.2\",\"udp_port\":0"), "[]", "udp_port");
	refused(VTEPS, VNI("\"vni\":0"), "vni");
	refused(VTEPS, VNI("\"vni\":16777216"), "16777215");
	refused(VTEPS, VNI("\"vni\":7,\"too_big_limit\":-1"), "too_big_limit");
	refused(VTEPS,
		"[{\"vni\":7,\"switch\":\"s\",\"vlan\":10},{\"vni\":7,\"switch\":\"s\",\"vlan\":"
		"11}]",
		"is there twice");
	refused(VTEPS,
		"[{\"vni\":7,\"switch\":\"s\",\"vlan\":10},{\"vni\":8,\"switch\":\"s\",\"vlan\":"
		"10}]",
		"two VNIs");
	refused(VTEPS, VNI("\"vni\":7,\"neighbours\":[{\"ip\":\"10.0.0.1\"}]"), "mac");
	refused(VTEPS,
		VNI("\"vni\":7,\"neighbours\":[{\"ip\":\"224.0.0.1\",\"mac\":"
		    "\"02:00:00:00:00:01\"}]"),
		"no address that a station may have");
	refused(VTEPS,
		VNI("\"vni\":7,\"neighbours\":[{\"ip\":\"10.0.0.1\",\"mac\":"
		    "\"03:00:00:00:00:01\"}]"),
		"no unicast address");
	refused(VTEPS,
		VNI("\"vni\":7,\"neighbours\":[{\"ip\":\"10.0.0.1\",\"mac\":\"02:00:00:00:00:01\"},"
		    "{\"ip\":\"10.0.0.1\",\"mac\":\"02:00:00:00:00:02\"}]"),
		"given twice");
	refused(VTEPS, VNI("\"vni\":7,\"neighbours\":{}"), "must be a list");
}

static void what_is_printed_is_what_was_read(void **state)
{
	json_t *was, *is;
	struct model_vni *again;

	(void)state;
	load(VTEPS, VNI("\"vni\":7,\"suppress\":false,\"announce\":true,\"too_big_limit\":5,"
			"\"neighbours\":[{\"ip\":\"2001:db8::9\",\"mac\":\"02:00:00:00:00:09\","
			"\"router\":true},{\"ip\":\"10.0.0.1\",\"mac\":\"02:00:00:00:00:01\"}]"));
	assert_int_equal(problems.n, 0);
	was = model_vni_print(model_vni_find(model, "7"));
	again = model_vni_parse(was, "again", &problems);
	assert_non_null(again);
	assert_int_equal(problems.n, 0);
	assert_int_equal(again->n_neighs, 2);
	assert_int_equal(model_vni_neighs(again)[0].mac[5], 1); /* sorted by address */
	assert_true(model_vni_neighs(again)[1].is_router);
	is = model_vni_print(again);
	assert_true(json_equal(was, is));
	json_decref(was);
	json_decref(is);
	free(again);
	was = model_vtep_print(model_vtep_find(model, "a"));
	assert_int_equal(json_integer_value(json_object_get(was, "dscp")), 46);
	assert_string_equal(json_string_value(json_object_get(was, "checksum")), "on");
	json_decref(was);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(peers_get_what_their_vtep_and_uplink_say),
		TEST(more_vteps_than_there_are_counters_for_are_refused),
		TEST(source_address_is_of_the_same_uplink_and_family),
		TEST(named_vteps_are_flooded_to_and_others_may_join),
		TEST(ports_stand_for_each_vtep_on_each_switch),
		TEST(switches_that_run_have_their_index),
		TEST(what_cannot_work_is_refused_with_a_sentence),
		TEST(what_is_printed_is_what_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
