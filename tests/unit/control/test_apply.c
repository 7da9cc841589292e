/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes, whole or not at all: control_change() over a datapath without workers. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <setjmp.h>
#include <cmocka.h>

#include "control.h"
#include "fake_datapath.h"
#include "model_parse.h"
#include "model_print.h"
#include "rpc/request.h"

static struct control control;
static char dir[32], state_path[64];
static struct evbuffer *output;
static json_t *answer;

static void daemon_start(void)
{
	static const struct datapath_options options = {.n_workers = 1, .fdb_capacity = 4096};
	struct err err = {.text = ""};

	assert_int_equal(datapath_start(&options, &err), 0);
	memset(&control, 0, sizeof(control));
	control.base = event_base_new();
	control.state_path = state_path;
	assert_int_equal(control_start(&control, &err), 0);
}

static void daemon_stop(void)
{
	control_stop(&control);
	assert_null(fake.fdb); /* nothing is left of the datapath */
	event_base_free(control.base);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/netloom-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(state_path, sizeof(state_path), "%s/state", dir);
	output = evbuffer_new();
	answer = NULL;
	daemon_start();
	return 0;
}

static int teardown(void **state)
{
	char bad[80];

	(void)state;
	daemon_stop();
	json_decref(answer);
	evbuffer_free(output);
	assert_int_equal(fake.n_opens, fake.n_closes);
	snprintf(bad, sizeof(bad), "%s.bad", state_path);
	unlink(bad);
	unlink(state_path);
	assert_int_equal(rmdir(dir), 0); /* nothing else was left there */
	return 0;
}

/* One request; the answer is kept until the next. Return: its error code, 0 for a result. */
static int ask(const char *method, const char *params)
{
	char line[8192];
	json_error_t error;
	int n = snprintf(line, sizeof(line),
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
			 params);

	assert_true(n < (int)sizeof(line));
	rpc_request_line(&control, NULL, line, (size_t)n, output);
	json_decref(answer);
	answer = json_loadb((const char *)evbuffer_pullup(output, -1), evbuffer_get_length(output),
			    0, &error);
	evbuffer_drain(output, evbuffer_get_length(output));
	assert_non_null(answer);
	return (int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static const char *message(void)
{
	const char *text =
		json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

	return text == NULL ? "" : text;
}

/* The op of the change of an object, "" when it did not change. */
static const char *op(const char *name)
{
	json_t *change;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(answer, "result"), "changes"), i,
			    change) {
		if (strcmp(json_string_value(json_object_get(change, "name")), name) == 0)
			return json_string_value(json_object_get(change, "op"));
	}
	return "";
}

static size_t n_changes(void)
{
	return json_array_size(json_object_get(json_object_get(answer, "result"), "changes"));
}

static const struct model_port *find(const char *name)
{
	return model_port_find(apply_model(control.apply), name);
}

static int serial(const char *name)
{
	const struct port *port = apply_live(control.apply, find(name))->port;

	return port == NULL ? 0 : ((const struct fake_port *)port)->serial;
}

static const struct port_config *config(const char *name)
{
	return &fake.current->ports[find(name)->index];
}

#define VHOST(name, path, more)                                                                    \
	"{\"name\":\"" name "\",\"type\":\"vhost-user\",\"socket\":\"" path "\"" more "}"
#define LAB(switches, ports) "{\"owner\":\"lab\",\"switches\":[" switches "],\"ports\":[" ports "]}"
#define S1		     "{\"name\":\"s1\"}"
#define ON(vlan)	     ",\"switch\":\"s1\",\"vlan\":{\"access\":" vlan "}"

static void apply_twice_changes_nothing(void **state)
{
	const char *lab = LAB(S1, VHOST("a", "/a", ON("10")) "," VHOST("b", "/b", ON("10")));
	int n_publishes;

	(void)state;
	assert_int_equal(ask("apply", lab), 0);
	assert_int_equal(n_changes(), 3);
	assert_string_equal(op("s1"), "add");
	assert_int_equal(config("a")->role, PORT_SWITCHED);
	assert_true(vlan_is_member(&config("a")->vlan, 10));
	n_publishes = fake.n_publishes;
	assert_int_equal(ask("apply", lab), 0);
	assert_int_equal(n_changes(), 0);
	assert_int_equal(fake.n_publishes, n_publishes);
	assert_int_equal(fake.n_opens, 2);
}

static void dry_run_only_says(void **state)
{
	(void)state;
	assert_int_equal(ask("apply", "{\"owner\":\"lab\",\"switches\":[" S1
				      "],\"ports\":[],\"dry_run\":true}"),
			 0);
	assert_string_equal(op("s1"), "add");
	assert_int_equal(apply_model(control.apply)->n_switches, 0);
	assert_int_equal(access(state_path, F_OK), -1);
}

static void untouched_ports_keep_their_object(void **state)
{
	int a, b, c;
	uint16_t index;

	(void)state;
	assert_int_equal(
		ask("apply", LAB(S1, VHOST("a", "/a", ON("10")) "," VHOST(
					     "b", "/b", ON("10")) "," VHOST("c", "/c", ON("10")))),
		0);
	a = serial("a");
	b = serial("b");
	c = serial("c");
	index = find("c")->index;
	/* a: another VLAN, MTU and admin; b: goes; c: another socket; d: new */
	assert_int_equal(
		ask("apply",
		    LAB(S1, VHOST("a", "/a", ON("20") ",\"mtu\":9000,\"admin\":\"down\"") "," VHOST(
				    "c", "/c2", ON("10")) "," VHOST("d", "/d", ""))),
		0);
	assert_string_equal(op("a"), "change");
	assert_string_equal(op("b"), "remove");
	assert_string_equal(op("c"), "replace");
	assert_string_equal(op("d"), "add");
	assert_int_equal(serial("a"), a);
	assert_int_not_equal(serial("c"), c);
	assert_int_equal(find("c")->index, index);
	assert_int_equal(config("a")->mtu, 9000);
	assert_false(config("a")->admin_up);
	assert_int_equal(config("d")->role, PORT_DETACHED);
	assert_false(fake_path_used("/b"));
	assert_false(fake_path_used("/c"));
	(void)b;
}

static void failed_open_leaves_everything(void **state)
{
	int a, n_publishes;

	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	a = serial("a");
	n_publishes = fake.n_publishes;
	strcpy(fake.fail_path, "/bad");
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("20")) "," VHOST(
						      "b", "/b", "") "," VHOST("c", "/bad", ""))),
			 PROBLEM_MACHINE);
	assert_non_null(strstr(message(), "port \"c\""));
	assert_int_equal(serial("a"), a);
	assert_true(vlan_is_member(&config("a")->vlan, 10));
	assert_null(find("b"));
	assert_false(fake_path_used("/b"));
	assert_int_equal(fake.n_publishes, n_publishes);
	daemon_stop(); /* and the state says so too */
	daemon_start();
	assert_null(find("b"));
	assert_true(vlan_is_member(&find("a")->vlan, 10));
}

static void faulty_request_leaves_everything(void **state)
{
	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	assert_int_equal(ask("apply", LAB("", VHOST("a", "/a", ON("10")))), PROBLEM_PARAMS);
	assert_int_equal(ask("apply", LAB(S1 ",{\"name\":\"s2\"}", VHOST("a", "/a", ON("4095")))),
			 PROBLEM_PARAMS);
	assert_int_equal(ask("apply", LAB(S1, "7")), PROBLEM_PARAMS);
	assert_int_equal(apply_model(control.apply)->n_switches, 1);
	assert_int_equal(serial("a"), 1);
}

static void replaced_port_may_keep_its_socket(void **state)
{
	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")) "," VHOST("b", "/b", ""))),
			 0);
	assert_int_equal(
		ask("port.set", VHOST("a", "/a", ",\"owner\":\"lab\",\"queues\":4" ON("10"))), 0);
	assert_string_equal(op("a"), "replace");
	assert_int_equal(apply_live(control.apply, find("a"))->port->spec.n_queues, 4);
	assert_int_equal(config("a")->role, PORT_SWITCHED);
	/* two ports that swap their sockets */
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/b", "") "," VHOST("b", "/a", ""))), 0);
	assert_string_equal(apply_live(control.apply, find("b"))->port->spec.path, "/a");
	/* a port that gets another name */
	assert_int_equal(ask("apply", LAB(S1, VHOST("x", "/b", "") "," VHOST("b", "/a", ""))), 0);
	assert_string_equal(op("a"), "remove");
	assert_string_equal(op("x"), "add");
}

static void failed_replacement_brings_the_old_port_back(void **state)
{
	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	strcpy(fake.fail_path, "/bad");
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10") ",\"queues\":2") "," VHOST(
						      "z", "/bad", ""))),
			 PROBLEM_MACHINE);
	assert_int_equal(apply_live(control.apply, find("a"))->port->spec.n_queues, 1);
	assert_ptr_equal(config("a")->port, apply_live(control.apply, find("a"))->port);
	assert_int_equal(config("a")->role, PORT_SWITCHED);
}

static void state_comes_back(void **state)
{
	(void)state;
	assert_int_equal(
		ask("apply", LAB(S1 ",{\"name\":\"s2\",\"ageing_s\":9}",
				 VHOST("a", "/a", ON("10")) ","
							    "{\"name\":\"u\",\"type\":\"patch\","
							    "\"peer\":\"v\",\"switch\":\"s1\"},"
							    "{\"name\":\"v\",\"type\":\"patch\","
							    "\"peer\":\"u\",\"switch\":\"s2\"},"
							    "{\"name\":\"w\",\"type\":\"pcap\","
							    "\"rx\":\"/r\",\"wire\":\"x\"},"
							    "{\"name\":\"x\",\"type\":\"pcap\","
							    "\"tx\":\"/t\",\"wire\":\"w\"}")),
		0);
	assert_int_equal(ask("fdb.set",
			     "{\"switch\":\"s1\",\"vlan\":10,\"mac\":\"52:54:00:00:00:01\","
			     "\"port\":\"a\"}"),
			 0);
	daemon_stop();
	assert_int_equal(fake.n_opens, fake.n_closes);
	daemon_start();
	assert_int_equal(apply_model(control.apply)->n_ports, 5);
	assert_int_equal(config("a")->role, PORT_SWITCHED);
	assert_true(config("u")->is_patch);
	assert_int_equal(config("u")->peer, find("v")->index);
	assert_int_equal(config("w")->role, PORT_WIRE);
	assert_int_equal(config("w")->peer, find("x")->index);
	assert_int_equal(model_switch_find(apply_model(control.apply), "s2")->ageing_s, 9);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(config("a")->sw, 10), 0x525400000001, NULL),
			 find("a")->index);
}

static void port_that_cannot_come_back_does_not_stop_the_others(void **state)
{
	static const struct datapath_options options = {.n_workers = 1, .fdb_capacity = 4096};
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(
		ask("apply",
		    LAB(S1, VHOST("a", "/a", ",\"wire\":\"b\"") "," VHOST(
				    "b", "/b", ",\"wire\":\"a\"") "," VHOST("c", "/c", ON("10")))),
		0);
	daemon_stop();
	assert_int_equal(datapath_start(&options, &err), 0);
	strcpy(fake.fail_path, "/b");
	memset(&control, 0, sizeof(control));
	control.base = event_base_new();
	control.state_path = state_path;
	assert_int_equal(control_start(&control, &err), 0);

	assert_int_equal(apply_model(control.apply)->n_ports, 3);
	assert_int_equal(config("c")->role, PORT_SWITCHED);
	assert_int_equal(config("b")->role, PORT_UNUSED);
	assert_int_equal(config("a")->role, PORT_DETACHED);
	assert_non_null(strstr(apply_live(control.apply, find("b"))->error, "/b"));
	/* a change of something else does not fail because of it */
	assert_int_equal(ask("port.admin", "{\"name\":\"c\",\"admin\":\"down\"}"), 0);
	assert_int_equal(n_changes(), 1);
	/* naming it tries again */
	fake.fail_path[0] = '\0';
	assert_int_equal(ask("port.set", VHOST("b", "/b", ",\"owner\":\"lab\",\"wire\":\"a\"")), 0);
	assert_string_equal(op("b"), "replace");
	assert_int_equal(config("a")->role, PORT_WIRE);
	assert_int_equal(config("b")->role, PORT_WIRE);
}

static void damaged_state_is_kept_aside(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "{\"netloomd\":2,\"switches\":[],\"ports\":[],\"fdb\":[]}",
		"{\"netloomd\":1,\"switches\":[],\"ports\":[{\"name\":\"a\"}],\"fdb\":[]}"};
	char bad[80], text[16];
	FILE *file;

	(void)state;
	snprintf(bad, sizeof(bad), "%s.bad", state_path);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		daemon_stop();
		file = fopen(state_path, "w");
		fputs(texts[i], file);
		fclose(file);
		unlink(bad);
		daemon_start();
		assert_int_equal(apply_model(control.apply)->n_ports, 0);
		file = fopen(bad, "r");
		assert_non_null(file);
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		assert_memory_equal(text, texts[i], strlen(text));
		fclose(file);
	}
}

static void unwritable_state_refuses_the_change(void **state)
{
	char trap[80];

	(void)state;
	assert_int_equal(ask("switch.set", S1), 0);
	snprintf(trap, sizeof(trap), "%s.new", state_path);
	assert_int_equal(mkdir(trap, 0700), 0); /* root may write anywhere, but not into this */
	assert_int_equal(ask("switch.set", "{\"name\":\"s2\"}"), PROBLEM_MACHINE);
	assert_non_null(strstr(message(), "nothing was changed"));
	assert_int_equal(ask("port.set", VHOST("a", "/a", "")), PROBLEM_MACHINE);
	assert_int_equal(fake.n_opens, 0);
	assert_int_equal(apply_model(control.apply)->n_switches, 1);
	rmdir(trap);
	assert_int_equal(ask("switch.set", "{\"name\":\"s2\"}"), 0);
}

static void owners_cannot_touch_each_other(void **state)
{
	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	assert_int_equal(ask("apply", "{\"owner\":\"other\",\"switches\":[" S1 "],\"ports\":[]}"),
			 PROBLEM_STATE);
	assert_int_equal(ask("apply", "{\"owner\":\"other\",\"switches\":[],\"ports\":[" VHOST(
					      "o", "/o", ON("1")) "]}"),
			 PROBLEM_STATE);
	assert_int_equal(ask("switch.set", S1), PROBLEM_STATE);
	assert_int_equal(ask("port.set", VHOST("a", "/a", "")), PROBLEM_STATE);
	assert_int_equal(
		ask("apply", "{\"owner\":\"other\",\"switches\":[{\"name\":\"t\"}],\"ports\":[]}"),
		0);
	assert_int_equal(ask("apply", LAB("", "")), 0);
	assert_int_equal(apply_model(control.apply)->n_switches, 1);
	assert_int_equal(ask("status", "{}"), 0);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(answer, "result"), "owners")), 1);
}

static void learn(const char *port, uint16_t vid, uint64_t mac, uint8_t flags)
{
	assert_int_equal(fdb_learn(fake.fdb, FDB_FID(config(port)->sw, vid), mac, find(port)->index,
				   flags, 0, 1),
			 FDB_ADDED);
}

static void entries_go_with_what_they_hang_on(void **state)
{
	(void)state;
	assert_int_equal(
		ask("apply",
		    LAB(S1 ",{\"name\":\"s2\"}",
			VHOST("a", "/a", ",\"switch\":\"s1\",\"vlan\":{\"trunk\":[10,20]}") "," VHOST(
				"b", "/b", ON("10")) "," VHOST("c", "/c",
							       ON("10")) "," VHOST("d", "/d",
										   ON("10")))),
		0);
	learn("a", 10, 1, 0);
	learn("a", 20, 2, 0);
	learn("b", 10, 3, 0);
	learn("c", 10, 4, 0);
	learn("d", 10, 5, 0);
	learn("d", 10, 6, FDB_STICKY);
	assert_int_equal(
		ask("apply",
		    LAB(S1 ",{\"name\":\"s2\"}",
			VHOST("a", "/a", ",\"switch\":\"s1\",\"vlan\":{\"trunk\":[10]}") "," VHOST(
				"c", "/c",
				",\"switch\":\"s2\",\"vlan\":{\"access\":"
				"10}") "," VHOST("d", "/d",
						 ON("10") ",\"admin\":"
							  "\"down\""))),
		0);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(config("a")->sw, 10), 1, NULL),
			 find("a")->index);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(config("a")->sw, 20), 2, NULL), -1);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(config("a")->sw, 10), 3, NULL), -1);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(config("a")->sw, 10), 4, NULL), -1);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(config("a")->sw, 10), 5, NULL), -1);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(config("a")->sw, 10), 6, NULL),
			 find("d")->index);
	assert_int_equal(fdb_count(fake.fdb), 2);
	assert_int_equal(ask("apply", LAB("", "")), 0);
	assert_int_equal(fdb_count(fake.fdb), 0);
}

static void static_entries_follow_the_model(void **state)
{
	const char *entry =
		"{\"switch\":\"s1\",\"vlan\":10,\"mac\":\"52:54:00:00:00:01\",\"port\":\"a\"}";
	uint8_t flags;

	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	assert_int_equal(
		ask("fdb.set",
		    "{\"switch\":\"s1\",\"vlan\":11,\"mac\":\"52:54:00:00:00:01\",\"port\":\"a\"}"),
		PROBLEM_STATE);
	assert_int_equal(
		ask("fdb.set",
		    "{\"switch\":\"s1\",\"vlan\":10,\"mac\":\"01:54:00:00:00:01\",\"port\":\"a\"}"),
		PROBLEM_PARAMS);
	assert_int_equal(ask("fdb.set", entry), 0);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(0, 10), 0x525400000001, &flags), 0);
	assert_int_equal(flags, FDB_STATIC);
	assert_int_equal(ask("port.admin", "{\"name\":\"a\",\"admin\":\"down\"}"), 0);
	assert_int_equal(fdb_count(fake.fdb), 1);
	assert_int_equal(ask("fdb.flush", "{}"), 0);
	assert_int_equal(fdb_count(fake.fdb), 1);
	assert_int_equal(ask("fdb.list", "{\"switch\":\"s1\"}"), 0);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(answer, "result"), "entries")), 1);
	assert_int_equal(
		ask("fdb.delete", "{\"switch\":\"s1\",\"vlan\":10,\"mac\":\"52:54:00:00:00:01\"}"),
		0);
	assert_int_equal(
		ask("fdb.delete", "{\"switch\":\"s1\",\"vlan\":10,\"mac\":\"52:54:00:00:00:01\"}"),
		PROBLEM_STATE);
	assert_int_equal(fdb_count(fake.fdb), 0);
	assert_int_equal(ask("fdb.set", entry), 0);
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("20")))), 0);
	assert_string_equal(op("s1 vlan 10 52:54:00:00:00:01"), "remove");
	assert_int_equal(fdb_count(fake.fdb), 0);
}

static void full_table_makes_room_for_static_entries(void **state)
{
	uint64_t mac = 1;

	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	while (fdb_learn(fake.fdb, FDB_FID(0, 10), mac, 0, 0, 0, 1) == FDB_ADDED)
		mac++;
	assert_true(mac > 4000);
	assert_int_equal(
		ask("fdb.set",
		    "{\"switch\":\"s1\",\"vlan\":10,\"mac\":\"52:54:00:00:00:01\",\"port\":\"a\"}"),
		0);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(0, 10), 0x525400000001, NULL), 0);
}

static uint32_t one_second(uint32_t fid, void *arg)
{
	(void)fid;
	(void)arg;
	return 1;
}

/* "Sticky" in fdb.set says that the user pinned the station: it is as lasting as a static one. */
static void sticky_entries_of_the_user_stay(void **state)
{
	static const char entry[] = "{\"switch\":\"s1\",\"vlan\":10,\"mac\":\"52:54:00:00:00:01\","
				    "\"port\":\"a\",\"sticky\":true}";
	const json_t *flags;
	uint8_t bits;

	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	assert_int_equal(ask("fdb.set", entry), 0);
	fdb_age(fake.fdb, UINT32_C(1) << 18, one_second, NULL, SIZE_MAX / 2);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(0, 10), 0x525400000001, &bits), 0);
	assert_int_equal(bits, FDB_STATIC | FDB_STICKY);
	assert_int_equal(ask("fdb.flush", "{}"), 0);
	assert_int_equal(ask("fdb.list", "{}"), 0);
	flags = json_object_get(
		json_array_get(json_object_get(json_object_get(answer, "result"), "entries"), 0),
		"flags");
	assert_int_equal(json_array_size(flags), 2);
	assert_string_equal(json_string_value(json_array_get(flags, 0)), "static");
	assert_string_equal(json_string_value(json_array_get(flags, 1)), "sticky");
	/* another change does not enter it again */
	fdb_learn(fake.fdb, FDB_FID(0, 10), 0x525400000001, 0, FDB_STATIC | FDB_STICKY, 0, 77);
	assert_int_equal(ask("switch.set", "{\"name\":\"s2\"}"), 0);
	assert_int_equal(fdb_counters(fake.fdb).learned, 1);
}

static void full_table_loses_few_entries_for_one_of_the_user(void **state)
{
	uint64_t mac = 1;
	uint32_t before;

	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	for (uint16_t port = 0; port < 100; port++)
		while (fdb_learn(fake.fdb, FDB_FID(0, 10), mac, port, 0, 0, 1) == FDB_ADDED)
			mac++;
	while (fdb_learn(fake.fdb, FDB_FID(0, 10), mac, 0, FDB_STATIC, 0, 1) == FDB_ADDED)
		mac++;
	before = fdb_count(fake.fdb);
	assert_int_equal(ask("fdb.set", "{\"switch\":\"s1\",\"vlan\":10,\"mac\":"
					"\"52:54:00:00:00:01\",\"port\":\"a\",\"sticky\":true}"),
			 0);
	assert_int_equal(fdb_lookup(fake.fdb, FDB_FID(0, 10), 0x525400000001, NULL), 0);
	assert_true(fdb_count(fake.fdb) > before - before / 10);
}

static void indices_are_not_reused_within_a_change(void **state)
{
	uint16_t a;

	(void)state;
	assert_int_equal(ask("apply", LAB(S1, VHOST("a", "/a", ON("10")))), 0);
	a = find("a")->index;
	assert_int_equal(ask("apply", LAB(S1, VHOST("b", "/b", ON("10")))), 0);
	assert_int_not_equal(find("b")->index, a);
	assert_int_equal(
		ask("apply", LAB(S1, VHOST("b", "/b", ON("10")) "," VHOST("c", "/c", ON("10")))),
		0);
	assert_int_equal(find("c")->index, a);
}

static void things_in_use_cannot_be_deleted(void **state)
{
	(void)state;
	assert_int_equal(
		ask("apply",
		    LAB(S1, VHOST("a", "/a", ON("10")) "," VHOST(
				    "w", "/w", ",\"wire\":\"x\"") "," VHOST("x", "/x",
									    ",\"wire\":\"w\""))),
		0);
	assert_int_equal(ask("switch.delete", "{\"name\":\"s1\"}"), PROBLEM_STATE);
	assert_int_equal(ask("port.delete", "{\"name\":\"w\"}"), PROBLEM_STATE);
	assert_int_equal(ask("port.delete", "{\"name\":\"nobody\"}"), PROBLEM_STATE);
	assert_int_equal(ask("port.delete", "{\"name\":\"a\"}"), 0);
	assert_int_equal(ask("switch.delete", "{\"name\":\"s1\"}"), 0);
	assert_int_equal(ask("switch.delete", "{\"name\":\"s1\"}"), PROBLEM_STATE);
}

static void requests_are_judged_strictly(void **state)
{
	static const struct {
		const char *line;
		int code;
	} cases[] = {
		{"{", -32700},
		{"nonsense", -32700},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"method\":\"stop\"}",
		 -32700},
		{"\xff\xfe", -32700},
		{"[]", -32600},
		{"1", -32600},
		{"\"x\"", -32600},
		{"{}", -32600},
		{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}", -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"status\"}", -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"extra\":1}", -32600},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", -32601},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Status\"}", -32601},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":[]}", -32602},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"x\":1}}",
		 -32602},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"apply\"}", -32602},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.admin\",\"params\":{\"name\":1,"
		 "\"admin\":2}}",
		 -32602},
	};
	json_error_t error;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rpc_request_line(&control, NULL, cases[i].line, strlen(cases[i].line), output);
		json_decref(answer);
		answer = json_loadb((const char *)evbuffer_pullup(output, -1),
				    evbuffer_get_length(output), 0, &error);
		evbuffer_drain(output, evbuffer_get_length(output));
		if (json_integer_value(json_object_get(json_object_get(answer, "error"), "code")) !=
		    cases[i].code)
			fail_msg("%s: expected %d", cases[i].line, cases[i].code);
	}
}

static void notifications_are_not_answered(void **state)
{
	const char *line = "{\"jsonrpc\":\"2.0\",\"method\":\"switch.set\",\"params\":" S1 "}";

	(void)state;
	rpc_request_line(&control, NULL, line, strlen(line), output);
	assert_int_equal(evbuffer_get_length(output), 0);
	assert_int_equal(apply_model(control.apply)->n_switches, 1);
}

static void too_many_values_are_refused_before_they_cost_memory(void **state)
{
	size_t length = 4 << 20;
	char *line = malloc(length);

	(void)state;
	memset(line, '[', length);
	rpc_request_line(&control, NULL, line, length, output);
	assert_non_null(strstr((const char *)evbuffer_pullup(output, -1), "too many values"));
	evbuffer_drain(output, evbuffer_get_length(output));
	free(line);
}

/* "ports": [{},{},...] with one more than possible: one sentence, and not a fault for each of them. */
static void more_objects_than_possible_are_refused_unread(void **state)
{
	static const char *const keys[] = {"ports", "switches"};
	static const size_t most[] = {SNAPSHOT_PORTS_MAX, SNAPSHOT_SWITCHES_MAX};

	(void)state;
	for (int i = 0; i < 2; i++) {
		json_t *list = json_array(), *request, *error;
		json_error_t why;
		char *line;

		for (size_t j = 0; j <= most[i]; j++)
			json_array_append_new(list, json_object());
		request = json_pack("{s:s, s:i, s:s, s:{s:s, s:o, s:[]}}", "jsonrpc", "2.0", "id",
				    1, "method", "apply", "params", "owner", "lab", keys[i], list,
				    keys[1 - i]);
		line = json_dumps(request, JSON_COMPACT);
		rpc_request_line(&control, NULL, line, strlen(line), output);
		free(line);
		json_decref(request);
		json_decref(answer);
		answer = json_loadb((const char *)evbuffer_pullup(output, -1),
				    evbuffer_get_length(output), 0, &why);
		evbuffer_drain(output, evbuffer_get_length(output));
		error = json_object_get(answer, "error");
		assert_int_equal(json_integer_value(json_object_get(error, "code")),
				 PROBLEM_PARAMS);
		assert_non_null(strstr(json_string_value(json_object_get(error, "message")),
				       "are possible"));
		assert_int_equal(
			json_array_size(json_object_get(json_object_get(error, "data"), "errors")),
			1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(apply_twice_changes_nothing),
		TEST(dry_run_only_says),
		TEST(untouched_ports_keep_their_object),
		TEST(failed_open_leaves_everything),
		TEST(faulty_request_leaves_everything),
		TEST(replaced_port_may_keep_its_socket),
		TEST(failed_replacement_brings_the_old_port_back),
		TEST(state_comes_back),
		TEST(port_that_cannot_come_back_does_not_stop_the_others),
		TEST(damaged_state_is_kept_aside),
		TEST(unwritable_state_refuses_the_change),
		TEST(owners_cannot_touch_each_other),
		TEST(entries_go_with_what_they_hang_on),
		TEST(static_entries_follow_the_model),
		TEST(full_table_makes_room_for_static_entries),
		TEST(sticky_entries_of_the_user_stay),
		TEST(full_table_loses_few_entries_for_one_of_the_user),
		TEST(indices_are_not_reused_within_a_change),
		TEST(things_in_use_cannot_be_deleted),
		TEST(requests_are_judged_strictly),
		TEST(notifications_are_not_answered),
		TEST(too_many_values_are_refused_before_they_cost_memory),
		TEST(more_objects_than_possible_are_refused_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
