/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is let in by a loopback server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/check.h"

static void addresses_and_localhost_are_ours(void **state)
{
	(void)state;
	assert_true(http_host_is_ours("127.0.0.1:9177", 9177, NULL));
	assert_true(http_host_is_ours("localhost:9177", 9177, NULL));
	assert_true(http_host_is_ours("LocalHost:9177", 9177, NULL));
	assert_true(http_host_is_ours("[::1]:9177", 9177, NULL));
	assert_true(http_host_is_ours("192.0.2.7:9177", 9177, NULL));
	assert_true(http_host_is_ours("127.0.0.1", 80, NULL));
	assert_true(http_host_is_ours("[::1]", 80, NULL));
}

static void names_that_resolve_to_us_are_not_ours(void **state)
{
	static const char *const names[] = {"lab.example", NULL};

	(void)state;
	assert_false(http_host_is_ours("evil.example:9177", 9177, NULL));
	assert_false(http_host_is_ours("127.0.0.1.evil.example:9177", 9177, NULL));
	assert_false(http_host_is_ours("localhost.evil.example:9177", 9177, NULL));
	assert_false(http_host_is_ours("evil.example:9177", 9177, names));
	assert_true(http_host_is_ours("lab.example:9177", 9177, names));
}

static void broken_hosts_are_not_ours(void **state)
{
	char longest[300];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(http_host_is_ours(NULL, 9177, NULL));
	assert_false(http_host_is_ours("", 9177, NULL));
	assert_false(http_host_is_ours(":9177", 9177, NULL));
	assert_false(http_host_is_ours("127.0.0.1:", 9177, NULL));
	assert_false(http_host_is_ours("127.0.0.1:9178", 9177, NULL));
	assert_false(http_host_is_ours("127.0.0.1:91770", 9177, NULL));
	assert_false(http_host_is_ours("127.0.0.1:+9177", 9177, NULL));
	assert_false(http_host_is_ours("127.0.0.1:9177x", 9177, NULL));
	assert_false(http_host_is_ours("[::1", 9177, NULL));
	assert_false(http_host_is_ours("[::1]x:9177", 9177, NULL));
	assert_false(http_host_is_ours("[evil]:9177", 9177, NULL));
	assert_false(http_host_is_ours(longest, 9177, NULL));
}

static void only_the_own_page_is_the_origin(void **state)
{
	(void)state;
	assert_true(http_origin_is_ours(NULL, "127.0.0.1:9177"));
	assert_true(http_origin_is_ours("http://127.0.0.1:9177", "127.0.0.1:9177"));
	assert_false(http_origin_is_ours("http://127.0.0.1:9178", "127.0.0.1:9177"));
	assert_false(http_origin_is_ours("https://127.0.0.1:9177", "127.0.0.1:9177"));
	assert_false(http_origin_is_ours("http://127.0.0.1:9177.evil", "127.0.0.1:9177"));
	assert_false(http_origin_is_ours("null", "127.0.0.1:9177"));
	assert_false(http_origin_is_ours("", "127.0.0.1:9177"));
	assert_false(http_origin_is_ours("http://a", NULL));
}

static void a_token_is_compared_whole(void **state)
{
	(void)state;
	assert_true(http_token_equal("abc", "abc"));
	assert_false(http_token_equal("abd", "abc"));
	assert_false(http_token_equal("ab", "abc"));
	assert_false(http_token_equal("abcd", "abc"));
	assert_false(http_token_equal("", "abc"));
	assert_false(http_token_equal(NULL, "abc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_localhost_are_ours),
		cmocka_unit_test(names_that_resolve_to_us_are_not_ours),
		cmocka_unit_test(broken_hosts_are_not_ours),
		cmocka_unit_test(only_the_own_page_is_the_origin),
		cmocka_unit_test(a_token_is_compared_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
