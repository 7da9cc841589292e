/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket's methods, as README.md has them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "control_methods.h"
#include "devices.h"
#include "machine.h"
#include "virtio/virtio.h"

static struct vm *vm;
static struct devices devices;
static struct control_target target;
static char socket_path[] = "/tmp/netloom-ctl-XXXXXX";

static int target_make(void **state)
{
	struct net_options net = {.id = "eth1", .socket = socket_path, .mac = {2}, .link_up = true};

	(void)state;
	close(mkstemp(socket_path));
	unlink(socket_path);
	vm = vm_new_detached(2 << 20);
	if (!vm)
		return -1;
	devices.nets[0] = net_new(vm, &net, NULL);
	devices.n_nets = 1;
	if (!devices.nets[0] || virtio_pci_plug(vm, devices.nets[0], 8, NULL))
		return -1;
	control_methods_init(&target, vm, &devices);
	return 0;
}

static int target_free(void **state)
{
	(void)state;
	vm_free(vm);
	strcpy(socket_path + strlen(socket_path) - 6, "XXXXXX");
	return 0;
}

static json_t *ask(const char *line)
{
	char *answer = control_methods_answer(&target, line, strlen(line));
	json_t *json;

	assert_non_null(answer);
	assert_int_equal(answer[strlen(answer) - 1], '\n');
	assert_null(memchr(answer, '\n', strlen(answer) - 1));
	json = json_loads(answer, 0, NULL);
	assert_non_null(json);
	free(answer);
	return json;
}

static void fails(const char *line, json_int_t code, const char *sentence)
{
	json_t *answer = ask(line), *error = json_object_get(answer, "error");

	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	assert_non_null(strstr(json_string_value(json_object_get(error, "message")), sentence));
	assert_null(json_object_get(answer, "result"));
	json_decref(answer);
}

static void status_says_what_the_readme_says(void **state)
{
	static const char *const keys[] = {"name", "pid",	   "state", "uptime_s",
					   "cpus", "memory_bytes", "nics"};
	static const char *const nic_keys[] = {"id",	   "mac",      "link",	  "connected",
					       "carrier",  "running",  "queues",  "active_queues",
					       "features", "connects", "refused", "leaving"};
	json_t *answer = ask("{\"id\": \"x\", \"method\": \"status\"}");
	json_t *result = json_object_get(answer, "result");
	json_t *nic = json_array_get(json_object_get(result, "nics"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(answer, "id")), "x");
	assert_string_equal(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(json_object_get(result, keys[i]));
	assert_int_equal(json_object_size(result), sizeof(keys) / sizeof(keys[0]));
	for (size_t i = 0; i < sizeof(nic_keys) / sizeof(nic_keys[0]); i++)
		assert_non_null(json_object_get(nic, nic_keys[i]));
	assert_int_equal(json_object_size(nic), sizeof(nic_keys) / sizeof(nic_keys[0]));
	assert_string_equal(json_string_value(json_object_get(nic, "link")), "up");
	json_decref(answer);
}

static void a_link_goes_down_and_up(void **state)
{
	struct net_status status;

	(void)state;
	json_decref(
		ask("{\"method\": \"nic.link\", \"params\": {\"id\": \"eth1\", \"up\": false}}"));
	net_status(devices.nets[0], &status);
	assert_false(status.link_up);
	json_decref(
		ask("{\"method\": \"nic.link\", \"params\": {\"id\": \"eth1\", \"up\": true}}"));
	net_status(devices.nets[0], &status);
	assert_true(status.link_up);
}

static void stop_presses_the_button_and_force_ends(void **state)
{
	json_t *answer;

	(void)state;
	json_decref(ask("{\"method\": \"stop\"}"));
	assert_false(atomic_load(&vm->ending));
	answer = ask("{\"method\": \"status\"}");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(answer, "result"), "state")),
		"stopping");
	json_decref(answer);
	json_decref(ask("{\"method\": \"stop\", \"params\": {\"force\": true}}"));
	assert_true(atomic_load(&vm->ending));
	assert_int_equal(vm->end_code, VM_EXIT_KILLED);
}

static void nonsense_is_answered_with_a_sentence(void **state)
{
	static char deep[60000];

	(void)state;
	fails("", -32700, "not JSON");
	fails("{", -32700, "not JSON");
	fails("{\"method\": \"status\", \"method\": \"stop\"}", -32700, "duplicate");
	fails("\xff\xfe", -32700, "not JSON");
	memset(deep, '[', sizeof(deep) - 1);
	fails(deep, -32700, "not JSON");
	fails("[]", -32600, "not a request");
	fails("{}", -32600, "not a request");
	fails("{\"method\": 7}", -32600, "not a request");
	fails("{\"method\": \"dance\"}", -32601, "unknown method \"dance\"");
	fails("{\"method\": \"status\", \"params\": [1]}", -32602, "params");
	fails("{\"method\": \"stop\", \"params\": {\"force\": \"yes\"}}", -32602, "force");
	fails("{\"method\": \"nic.link\"}", -32602, "id is a string");
	fails("{\"method\": \"nic.link\", \"params\": {\"id\": 1, \"up\": true}}", -32602, "id");
	fails("{\"method\": \"nic.link\", \"params\": {\"id\": \"eth9\", \"up\": true}}", 1,
	      "there is no network card \"eth9\"");
}

static void a_long_name_is_cut_within_a_letter_and_still_json(void **state)
{
	char line[256] = "{\"method\": \"x";

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(line, "\xc3\xa4");
	strcat(line, "\"}");
	fails(line, -32601, "unknown method");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, target_make, target_free)
	const struct CMUnitTest tests[] = {
		TEST(status_says_what_the_readme_says),
		TEST(a_link_goes_down_and_up),
		TEST(stop_presses_the_button_and_force_ends),
		TEST(nonsense_is_answered_with_a_sentence),
		TEST(a_long_name_is_cut_within_a_letter_and_still_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
