/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

#define ARGS_MAX  128
#define ARG_BYTES 128
#define NET_A	  "socket=/a,mac=52:54:00:00:00:01"

static char storage[ARGS_MAX][ARG_BYTES];

/* argv is cut up in place, so each test gets a copy. */
static int parse(struct options *options, struct err *err, const char *const *args, int n)
{
	char *argv[ARGS_MAX + 1] = {storage[0]};

	strcpy(storage[0], "vm-runner");
	for (int i = 0; i < n; i++) {
		snprintf(storage[i + 1], ARG_BYTES, "%s", args[i]);
		argv[i + 1] = storage[i + 1];
	}
	err->text[0] = '\0';
	return options_parse(options, n + 1, argv, err);
}

#define PARSE(...)                                                                                 \
	parse(&options, &err, (const char *const[]){"--kernel", "k", __VA_ARGS__},                 \
	      sizeof((const char *const[]){"--kernel", "k", __VA_ARGS__}) / sizeof(char *))

static struct options options;
static struct err err;

static void defaults_are_as_documented(void **state)
{
	static const char *const args[] = {"--kernel", "k"};

	(void)state;
	assert_int_equal(parse(&options, &err, args, 2), 0);
	assert_int_equal(options.memory_bytes, 256 << 20);
	assert_int_equal(options.n_cpus, 1);
	assert_true(options.sandbox);
	assert_int_equal(options.mode, OPTIONS_RUN);
}

static void everything_at_once(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--initrd", "i1", "--initrd", "i2", "--memory", "1G", "--cpus", "4",
			       "--net", NET_A ",id=eth1,queues=2,mtu=9000,link=down,offloads=off",
			       "--net", "socket=/b,mac=52:54:00:00:00:02", "--disk",
			       "file=/d,readonly=on,id=x", "--console", "socket=/c,log=/l",
			       "--port", "name=p,socket=/p", "--serial", "log=/s", "--no-sandbox"),
			 0);
	assert_int_equal(options.n_initrds, 2);
	assert_string_equal(options.initrds[1], "i2");
	assert_int_equal(options.memory_bytes, UINT64_C(1) << 30);
	assert_int_equal(options.n_nets, 2);
	assert_string_equal(options.nets[0].id, "eth1");
	assert_int_equal(options.nets[0].n_pairs, 2);
	assert_int_equal(options.nets[0].mtu, 9000);
	assert_false(options.nets[0].link_up);
	assert_int_equal(options.nets[0].offloads, NET_OFFLOADS_OFF);
	assert_int_equal(options.nets[0].mac[5], 1);
	assert_string_equal(options.nets[1].id, "net1");
	assert_true(options.nets[1].link_up);
	assert_true(options.disks[0].readonly);
	assert_string_equal(options.console.log, "/l");
	assert_string_equal(options.ports[0].name, "p");
	assert_string_equal(options.serial_log, "/s");
	assert_false(options.sandbox);
}

#define REFUSED(sentence, ...)                                                                     \
	do {                                                                                       \
		assert_int_equal(PARSE(__VA_ARGS__), -EINVAL);                                     \
		assert_string_equal(err.text, sentence);                                           \
	} while (0)

static void bad_values_are_refused_with_a_sentence(void **state)
{
	(void)state;
	REFUSED("--memory: \"x\" is not a size like 256M or 2G (up to 4096G)", "--memory", "x");
	REFUSED("--memory: \"-1\" is not a size like 256M or 2G (up to 4096G)", "--memory", "-1");
	REFUSED("--memory: \"9999999999G\" is not a size like 256M or 2G (up to 4096G)", "--memory",
		"9999999999G");
	REFUSED("--memory: 3M is not a multiple of 2M", "--memory", "3M");
	REFUSED("--memory: 0 is not a multiple of 2M", "--memory", "0");
	REFUSED("--cpus: \"0\" is not a number from 1 to 64", "--cpus", "0");
	REFUSED("--cpus: \"65\" is not a number from 1 to 64", "--cpus", "65");
	REFUSED("--cpus: \"2x\" is not a number from 1 to 64", "--cpus", "2x");
	REFUSED("--net: key \"mac\" is missing", "--net", "socket=/a");
	REFUSED("--net: key \"socket\" is missing", "--net", "mac=52:54:00:00:00:01");
	REFUSED("--net: unknown key \"mca\"", "--net", NET_A ",mca=1");
	REFUSED("--net: key \"socket\" is given twice", "--net", NET_A ",socket=/b");
	REFUSED("--net: \"queues\" is not key=value", "--net", NET_A ",queues");
	REFUSED("--net: key \"id\" has no value", "--net", NET_A ",id=");
	REFUSED("--net: queues: \"17\" is not a number from 1 to 16", "--net", NET_A ",queues=17");
	REFUSED("--net: mtu: \"67\" is not a number from 68 to 9216", "--net", NET_A ",mtu=67");
	REFUSED("--net: link: \"on\" is none of down, up", "--net", NET_A ",link=on");
	REFUSED("--net: queue_size 100 is not a power of two", "--net", NET_A ",queue_size=100");
	REFUSED("--net: mac \"1:2:3:4:5:6\" is not six hex bytes like 52:54:00:00:00:01", "--net",
		"socket=/a,mac=1:2:3:4:5:6");
	REFUSED("--net: mac 01:00:5e:00:00:01 is a multicast address", "--net",
		"socket=/a,mac=01:00:5e:00:00:01");
	REFUSED("--net: id \"net0\" is used twice", "--net", NET_A, "--net",
		"socket=/b,mac=52:54:00:00:00:02,id=net0");
	REFUSED("--net: socket /a is used twice", "--net", NET_A, "--net", NET_A);
	REFUSED("--disk: readonly: \"yes\" is none of off, on", "--disk", "file=/d,readonly=yes");
	REFUSED("--console: there is only one console", "--console", "socket=/a", "--console",
		"socket=/b");
}

static void mistakes_of_form_are_named(void **state)
{
	static const char *const none[] = {"--cpus", "1"};
	static const char *const unknown[] = {"--kernel", "k", "--bogus"};
	static const char *const valueless[] = {"--kernel"};

	(void)state;
	assert_int_equal(parse(&options, &err, none, 2), -EINVAL);
	assert_string_equal(err.text, "--kernel is missing");
	assert_int_equal(parse(&options, &err, unknown, 3), -EINVAL);
	assert_string_equal(err.text, "unknown option --bogus");
	assert_int_equal(parse(&options, &err, valueless, 1), -EINVAL);
	assert_string_equal(err.text, "--kernel needs a value");
	REFUSED("\"stray\" is not an option", "stray");
	REFUSED("--shared is for a microguest", "--shared", "f");
	REFUSED("only one --kernel or --microguest is run", "--microguest", "m");
}

static void thirty_two_cards_and_no_more(void **state)
{
	static char nets[33][ARG_BYTES];
	const char *args[2 + 66] = {"--kernel", "k"};

	(void)state;
	for (int i = 0; i < 33; i++) {
		snprintf(nets[i], ARG_BYTES, "socket=/n%d,mac=52:54:00:00:00:%02x", i, i);
		args[2 + 2 * i] = "--net";
		args[3 + 2 * i] = nets[i];
	}
	assert_int_equal(parse(&options, &err, args, 2 + 64), 0);
	assert_int_equal(options.n_nets, 32);
	assert_int_equal(parse(&options, &err, args, 2 + 66), -EINVAL);
	assert_string_equal(err.text, "--net: more than 32 network cards");
}

static void help_names_every_option(void **state)
{
	static const char *const names[] = {"--kernel",	    "--initrd",	    "--append", "--memory",
					    "--cpus",	    "--hugepages",  "--net",	"--disk",
					    "--console",    "--port",	    "--serial", "--control",
					    "--name",	    "--pidfile",    "--check",	"--shared",
					    "--no-sandbox", "--microguest", "--version"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(options_help(), names[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_as_documented),
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(bad_values_are_refused_with_a_sentence),
		cmocka_unit_test(mistakes_of_form_are_named),
		cmocka_unit_test(thirty_two_cards_and_no_more),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
