/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interface setup against the real kernel: a TAP made in one network namespace of this process's own and moved into
 * another, which is named by /proc/self/fd. Skipped where namespaces or /dev/net/tun are not to be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "nl/nl_link.h"
#include "nl/nl_socket.h"
#include "tap/tap_device.h"

static int home = -1, other = -1; /* namespaces */
static char other_path[64];

static void name_check_refuses_what_the_kernel_would(void **state)
{
	(void)state;
	assert_null(nl_ifname_check("eth0"));
	assert_null(nl_ifname_check("fifteen-chars-x"));
	assert_non_null(nl_ifname_check("sixteen-chars-xy"));
	assert_non_null(nl_ifname_check(""));
	assert_non_null(nl_ifname_check(".."));
	assert_non_null(nl_ifname_check("a b"));
	assert_non_null(nl_ifname_check("a/b"));
	assert_non_null(nl_ifname_check("tap%d"));
}

static void address_is_parsed_with_its_length(void **state)
{
	static const char *const wrong[] = {
		"",	   "10.0.0.1/33", "10.0.0/8",	"10.0.0.1/",   "10.0.0.1/a",
		"::1/129", "10.0.0.1/-1", "fe80::1%lo", "10.0.0.1/8 ", "1:2/3"};
	struct nl_address address;

	(void)state;
	assert_int_equal(nl_address_parse("10.1.2.3/24", &address, NULL), 0);
	assert_int_equal(address.family, AF_INET);
	assert_int_equal(address.prefix_len, 24);
	assert_memory_equal(address.bytes, "\x0a\x01\x02\x03", 4);
	assert_int_equal(nl_address_parse("2001:db8::1", &address, NULL), 0);
	assert_int_equal(address.family, AF_INET6);
	assert_int_equal(address.prefix_len, 128);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = {0};

		assert_int_equal(nl_address_parse(wrong[i], &address, &err), -EINVAL);
		assert_true(err.text[0] != '\0');
	}
}

static void namespace_that_is_none_is_refused(void **state)
{
	static const char *const wrong[] = {"no-such-namespace-here", "/etc/passwd", "../x", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err err = {0};
		int fd = -1;

		assert_true(nl_netns_open(wrong[i], &fd, &err) < 0);
		assert_int_equal(fd, -1);
		assert_true(err.text[0] != '\0');
	}
}

/* Output of a command run inside a namespace. */
static void run_in(int netns, const char *command, char *output, size_t room)
{
	size_t got;
	FILE *pipe;

	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	got = fread(output, 1, room - 1, pipe);
	output[got] = '\0';
	pclose(pipe);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
}

static void interface_arrives_in_its_namespace_with_all_it_needs(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x77};
	struct nl_address addresses[2];
	struct nl_link_setup setup = {.netns = other_path,
				      .new_name = "eth1",
				      .mac = mac,
				      .mtu = 1450,
				      .up = true,
				      .n_addresses = 2,
				      .addresses = addresses};
	char name[16], output[4096];
	struct err err = {0};
	int fd = -1;

	(void)state;
	assert_int_equal(nl_address_parse("10.9.8.7/24", &addresses[0], NULL), 0);
	assert_int_equal(nl_address_parse("2001:db8:9::7/64", &addresses[1], NULL), 0);
	assert_int_equal(tap_device_open("", 1, &fd, &err), 0);
	assert_int_equal(tap_device_name(fd, name), 0);
	setup.ifname = name;
	if (nl_link_configure(&setup, &err) != 0)
		fail_msg("%s", err.text);

	run_in(other, "ip address show dev eth1", output, sizeof(output));
	assert_non_null(strstr(output, "02:00:00:00:00:77"));
	assert_non_null(strstr(output, "mtu 1450"));
	assert_non_null(strstr(output, ",UP"));
	assert_non_null(strstr(output, "inet 10.9.8.7/24"));
	assert_non_null(strstr(output, "inet6 2001:db8:9::7/64"));
	run_in(home, "ip -o link", output, sizeof(output));
	assert_null(strstr(output, name));

	if (nl_link_set_mtu(other_path, "eth1", 1400, &err) != 0)
		fail_msg("%s", err.text);
	run_in(other, "ip link show dev eth1", output, sizeof(output));
	assert_non_null(strstr(output, "mtu 1400"));
	assert_non_null(strstr(output, ",UP"));
	close(fd);
}

static void name_taken_in_the_namespace_is_said(void **state)
{
	struct nl_link_setup setup = {.netns = other_path, .new_name = "lo"};
	struct err err = {0};
	char name[16];
	int fd = -1;

	(void)state;
	assert_int_equal(tap_device_open("", 1, &fd, &err), 0);
	assert_int_equal(tap_device_name(fd, name), 0);
	setup.ifname = name;
	assert_int_equal(nl_link_configure(&setup, &err), -EEXIST);
	assert_non_null(strstr(err.text, name));
	close(fd);
}

static void interface_that_is_missing_is_said(void **state)
{
	const struct nl_link_setup setup = {.ifname = "nosuch0", .up = true};
	struct err err = {0};

	(void)state;
	assert_int_equal(nl_link_configure(&setup, &err), -ENODEV);
	assert_string_equal(err.text, "interface \"nosuch0\": does not exist");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_check_refuses_what_the_kernel_would),
		cmocka_unit_test(address_is_parsed_with_its_length),
		cmocka_unit_test(namespace_that_is_none_is_refused),
		cmocka_unit_test(interface_arrives_in_its_namespace_with_all_it_needs),
		cmocka_unit_test(name_taken_in_the_namespace_is_said),
		cmocka_unit_test(interface_that_is_missing_is_said),
	};

	if (access("/dev/net/tun", R_OK | W_OK) != 0 || unshare(CLONE_NEWNET) != 0) {
		printf("skipped: needs /dev/net/tun and the right to make a network namespace\n");
		return 77;
	}
	other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (other < 0 || unshare(CLONE_NEWNET) != 0)
		return 77;
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(other_path, sizeof(other_path), "/proc/self/fd/%d", other);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
