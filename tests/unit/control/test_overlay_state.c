/* SPDX-License-Identifier: BSD-3-Clause */
/* How a VNI is, in a word and a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <jansson.h>

#include "overlay_state.h"

static struct model *model;
static struct overlay_way ways[2];
static struct overlay_vni_state state;

static void add(const char *vteps, const char *vnis)
{
	struct problems problems = {0};
	json_t *a = json_loads(vteps, 0, NULL), *b = json_loads(vnis, 0, NULL);

	assert_non_null(a);
	assert_non_null(b);
	model_overlay_parse(model, a, b, NULL, &problems);
	assert_int_equal(problems.n, 0);
	json_decref(a);
	json_decref(b);
}

static int setup(void **test)
{
	(void)test;
	model = model_new();
	memset(ways, 0, sizeof(ways));
	add("[{\"name\":\"a\",\"uplink\":\"u\",\"remote\":\"192.0.2.1\"},"
	    " {\"name\":\"b\",\"uplink\":\"u\",\"remote\":\"2001:db8::2\"}]",
	    "[{\"vni\":7,\"switch\":\"s\",\"vlan\":10,\"vteps\":[\"a\",\"b\"],\"mtu\":1400},"
	    " {\"vni\":8,\"switch\":\"s\",\"vlan\":11,\"vteps\":[]},"
	    " {\"vni\":9,\"switch\":\"s\",\"vlan\":12,\"vteps\":[\"a\"],\"learn_vteps\":true,"
	    "  \"tag\":\"keep\"}]");
	for (int i = 0; i < 2; i++)
		ways[i] = (struct overlay_way){
			.usable = true, .n_nexthops = 1, .n_resolved = 1, .mtu = 1500};
	return 0;
}

static int teardown(void **test)
{
	(void)test;
	model_free(model);
	return 0;
}

static void judge(const char *vni)
{
	overlay_vni_judge(model, model_vni_find(model, vni), ways, &state);
}

static void vni_whose_vteps_all_answer_is_up(void **test)
{
	(void)test;
	judge("7");
	assert_string_equal(overlay_vni_word(state.state), "up");
	assert_string_equal(state.detail, "");
	assert_int_equal(state.inner_mtu, 1430); /* the IPv6 one takes 70 */
}

static void vni_with_one_silent_vtep_is_degraded_and_says_which(void **test)
{
	(void)test;
	ways[0].usable = false;
	strcpy(ways[0].detail, "no route");
	judge("7");
	assert_string_equal(overlay_vni_word(state.state), "degraded");
	assert_string_equal(state.detail, "vtep a: no route");
}

static void vni_with_no_vtep_that_answers_is_down(void **test)
{
	(void)test;
	ways[0].usable = ways[1].usable = false;
	strcpy(ways[0].detail, "no route");
	judge("7");
	assert_string_equal(overlay_vni_word(state.state), "down");
	assert_string_equal(state.detail, "vtep a (and 1 more): no route");
}

static void underlay_that_shrank_degrades_the_vni_and_says_to_what(void **test)
{
	(void)test;
	ways[0].mtu = 1400;
	judge("7");
	assert_string_equal(overlay_vni_word(state.state), "degraded");
	assert_int_equal(state.inner_mtu, 1350);
	assert_non_null(strstr(state.detail, "an MTU of 1400 needs 1450 in the underlay, the route "
					     "to vtep a has 1400"));
	assert_non_null(strstr(state.detail, "set the VNI's to 1350"));
}

static void underlay_smaller_than_the_headers_leaves_nothing(void **test)
{
	(void)test;
	ways[1].mtu = 60;
	judge("7");
	assert_int_equal(state.inner_mtu, 0);
	assert_string_equal(overlay_vni_word(state.state), "degraded");
}

static void vni_without_vteps_is_down_and_says_how_to_add_one(void **test)
{
	(void)test;
	judge("8");
	assert_string_equal(overlay_vni_word(state.state), "down");
	assert_non_null(strstr(state.detail, "netloom vni set 8 --vteps NAME"));
}

static void vtep_that_may_join_counts_and_a_kept_tag_takes_room(void **test)
{
	(void)test;
	judge("9");
	assert_int_equal(state.inner_mtu, 1500 - 70 - 4);
	ways[1].usable = false;
	judge("9");
	assert_string_equal(overlay_vni_word(state.state), "degraded");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(vni_whose_vteps_all_answer_is_up),
		TEST(vni_with_one_silent_vtep_is_degraded_and_says_which),
		TEST(vni_with_no_vtep_that_answers_is_down),
		TEST(underlay_that_shrank_degrades_the_vni_and_says_to_what),
		TEST(underlay_smaller_than_the_headers_leaves_nothing),
		TEST(vni_without_vteps_is_down_and_says_how_to_add_one),
		TEST(vtep_that_may_join_counts_and_a_kept_tag_takes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
