/* SPDX-License-Identifier: BSD-3-Clause */
/* From a lab file to what is asked of netloomd, told to the guest, and done when the file changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/cli.h"
#include "lab/desired.h"
#include "lab/file.h"
#include "lab/matrix.h"
#include "lab/node.h"
#include "lab/nodeconf.h"
#include "lab/plan.h"
#include "lab/rundir.h"
#include "lab/vmm.h"

static const char lab[] =
	"name: lab\n"
	"topology:\n"
	"  nodes:\n"
	"    s1: { kind: switch, reserved: { \"0e\": peer }, peer-port: p1 }\n"
	"    s2: { kind: switch, ageing: 60 }\n"
	"    h1: { kind: vm, ipv4: { eth1: 10.0.10.1/24 }, gateway: 10.0.10.254 }\n"
	"    h2: { kind: vm, ipv4: { eth1: 10.0.10.2/24, eth2.7: 10.7.0.2/24 } }\n"
	"  links:\n"
	"    - { endpoints: ['h1:eth1', 's1:p1'], vlan: { trunk: [10, 20-29, 40], native: 10 }, "
	"mtu: 9000 "
	"}\n"
	"    - { endpoints: ['s1:up', 's2:up'] }\n"
	"    - { endpoints: ['s2:p1', 'h2:eth1'], vlan: { access: 10 }, admin: down }\n"
	"    - { endpoints: ['h1:eth2', 'h2:eth2'], queues: 2 }\n";

static struct topo topo;

static int lab_read(void **state)
{
	static struct diag_list diags;

	(void)state;
	if (setenv("NETLOOM_RUNDIR", "/run/unit", 1) < 0)
		return -1;
	diag_init(&diags, "lab");
	return topo_parse(&topo, lab, sizeof(lab) - 1, &diags);
}

static int lab_free(void **state)
{
	(void)state;
	topo_free(&topo);
	return 0;
}

static const json_t *named(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
			return item;
	}
	fail_msg("nothing is called %s", name);
	return NULL;
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void model_becomes_switches_ports_patches_and_wires(void **state)
{
	json_t *params = desired_apply_params(&topo);
	const json_t *switches = json_object_get(params, "switches");
	const json_t *ports = json_object_get(params, "ports");
	const json_t *port;
	json_t *trunk;

	(void)state;
	assert_string_equal(text(params, "owner"), "lab");
	assert_int_equal(json_array_size(switches), 2);
	assert_int_equal(json_array_size(ports), 6);
	assert_int_equal(json_integer_value(json_object_get(named(switches, "lab/s2"), "ageing_s")),
			 60);
	assert_string_equal(text(named(switches, "lab/s1"), "peer_port"), "lab/h1:eth1");
	assert_string_equal(text(json_object_get(named(switches, "lab/s1"), "reserved"), "0e"),
			    "peer");

	port = named(ports, "lab/h1:eth1");
	assert_string_equal(text(port, "type"), "vhost-user");
	assert_string_equal(text(port, "socket"), "/run/unit/labs/lab/h1/eth1.sock");
	assert_string_equal(text(port, "mac"), "02:df:5c:0e:6d:3a");
	assert_string_equal(text(port, "switch"), "lab/s1");
	assert_int_equal(json_integer_value(json_object_get(port, "mtu")), 9000);
	trunk = json_pack("{s:[i, s, i], s:i}", "trunk", 10, "20-29", 40, "native", 10);
	assert_true(json_equal(json_object_get(port, "vlan"), trunk));
	json_decref(trunk);

	port = named(ports, "lab/s1:up");
	assert_string_equal(text(port, "type"), "patch");
	assert_string_equal(text(port, "peer"), "lab/s2:up");
	assert_string_equal(text(port, "switch"), "lab/s1");
	assert_null(json_object_get(port, "vlan"));

	assert_string_equal(text(named(ports, "lab/h2:eth1"), "admin"), "down");

	port = named(ports, "lab/h1:eth2");
	assert_string_equal(text(port, "wire"), "lab/h2:eth2");
	assert_null(json_object_get(port, "switch"));
	assert_int_equal(json_integer_value(json_object_get(port, "queues")), 2);
	json_decref(params);
}

static void either_end_of_a_link_names_its_port(void **state)
{
	struct arena arena = {.head = NULL};

	(void)state;
	assert_string_equal(desired_port_name(&arena, &topo, "s1", "p1"), "lab/h1:eth1");
	assert_string_equal(desired_port_name(&arena, &topo, "h1", "eth1"), "lab/h1:eth1");
	assert_string_equal(desired_port_name(&arena, &topo, "s2", "up"), "lab/s2:up");
	assert_null(desired_port_name(&arena, &topo, "s2", "p9"));
	arena_free(&arena);
}

static void guest_is_told_names_and_addresses(void **state)
{
	struct arena arena = {.head = NULL};
	const char *conf = nodeconf_text(&arena, topo_node_find(&topo, "h1"));

	(void)state;
	assert_non_null(strstr(conf, "hostname h1\n"));
	assert_non_null(strstr(conf, "mac eth1 02:"));
	assert_non_null(strstr(conf, "mtu eth1 9000\n"));
	assert_non_null(strstr(conf, "address eth1 10.0.10.1/24\n"));
	assert_non_null(strstr(conf, "gateway eth1 10.0.10.254\n"));
	conf = nodeconf_script(&arena, topo_node_find(&topo, "h2"));
	assert_non_null(strstr(conf, "link add link eth2 name eth2.7 type vlan id 7"));
	arena_free(&arena);
}

static enum plan_action compare(const json_t *record, bool runs, const char *old_memory,
				const char *net, char *why, size_t size)
{
	json_t *spec = json_pack("{s:i, s:s}", "memory", atoi(old_memory), "vmm", "qemu");
	json_t *addresses = json_pack("{s:[s]}", "addresses", net);
	enum plan_action action = plan_action_of(record, runs, spec, addresses, why, size);

	json_decref(spec);
	json_decref(addresses);
	return action;
}

static void only_what_differs_is_done(void **state)
{
	json_t *record = json_pack("{s:{s:i, s:s}, s:{s:[s]}}", "spec", "memory", 128, "vmm",
				   "qemu", "net", "addresses", "eth1 10.0.0.1/24");
	char why[64];

	(void)state;
	assert_int_equal(compare(record, true, "128", "eth1 10.0.0.1/24", why, sizeof(why)),
			 PLAN_KEEP);
	assert_int_equal(compare(record, true, "128", "eth1 10.0.0.9/24", why, sizeof(why)),
			 PLAN_READDRESS);
	assert_int_equal(compare(record, true, "256", "eth1 10.0.0.1/24", why, sizeof(why)),
			 PLAN_RESTART);
	assert_string_equal(why, "memory 128 -> 256");
	assert_int_equal(compare(record, false, "128", "eth1 10.0.0.1/24", why, sizeof(why)),
			 PLAN_START);
	assert_int_equal(compare(NULL, false, "128", "eth1 10.0.0.1/24", why, sizeof(why)),
			 PLAN_START);
	json_decref(record);
}

static enum plan_action cards_change(const char *vmm, int n_before, int n_after, char *why,
				     size_t size)
{
	json_t *before = json_array(), *record, *spec, *net = json_object();
	enum plan_action action;

	for (int i = 1; i <= n_before; i++)
		json_array_append_new(before, json_pack("{s:o}", "name", json_sprintf("eth%d", i)));
	spec = json_pack("{s:s, s:[]}", "vmm", vmm, "nics");
	for (int i = 1; i <= n_after; i++)
		json_array_append_new(json_object_get(spec, "nics"),
				      json_pack("{s:o}", "name", json_sprintf("eth%d", i)));
	record = json_pack("{s:{s:s, s:o}}", "spec", "vmm", vmm, "nics", before);
	action = plan_action_of(record, true, spec, net, why, size);
	json_decref(record);
	json_decref(spec);
	json_decref(net);
	return action;
}

static void cards_are_plugged_and_pulled_as_far_as_the_vmm_can(void **state)
{
	char why[64];

	(void)state;
	assert_int_equal(cards_change("vm-runner", 1, 2, why, sizeof(why)), PLAN_REPLUG);
	assert_string_equal(why, "cards: +eth2");
	assert_int_equal(cards_change("vm-runner", 24, 0, why, sizeof(why)), PLAN_REPLUG);
	assert_int_equal(cards_change("vm-runner", 24, 25, why, sizeof(why)), PLAN_RESTART);
	assert_int_equal(cards_change("vm-runner", 25, 1, why, sizeof(why)), PLAN_RESTART);
	assert_int_equal(cards_change("qemu", 1, 31, why, sizeof(why)), PLAN_REPLUG);
	assert_int_equal(cards_change("qemu", 32, 31, why, sizeof(why)), PLAN_RESTART);
}

static void matrix_compares_expected_with_found(void **state)
{
	struct arena arena = {.head = NULL};
	struct matrix matrix;
	size_t n_wrong;

	(void)state;
	assert_int_equal(matrix_new(&matrix, &topo), 0);
	/* h1:eth1, h2:eth1, h2:eth2.7 */
	assert_int_equal(matrix.n_hosts, 3);
	assert_non_null(strstr(matrix_script(&arena, &matrix, 0), "-I eth1 10.0.10.2 "));
	/* Nothing measured is nothing right, except inside one VM. */
	assert_int_equal(matrix_n_wrong(&matrix), 4);
	/* h2's link is cut in the file: silence is right, an answer is not. */
	matrix_result_parse(&matrix, 0, "1 no\n2 no\n");
	matrix_result_parse(&matrix, 1, "0 no\nnonsense\n77 yes\n");
	matrix_result_parse(&matrix, 2, "0 no\n");
	n_wrong = matrix_n_wrong(&matrix);
	assert_int_equal(n_wrong, 0);
	matrix_result_parse(&matrix, 0, "1 yes\n");
	assert_int_equal(matrix_n_wrong(&matrix), 1);
	matrix_free(&matrix);
	arena_free(&arena);
}

static void long_socket_paths_are_refused_with_a_sentence(void **state)
{
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(rundir_sockets_check(&topo, &err), 0);
	/* 32 + 32 characters and a long interface name still fit under /run/netloom. */
	assert_true(strlen("/run/netloom/labs//.sock") + 32 + 1 + 32 + 15 < 108);
}

static void node_arguments_are_taken_apart(void **state)
{
	char ifname[TOPO_IFNAME_MAX + 1];
	char node[TOPO_NAME_MAX + 1];
	char name[TOPO_NAME_MAX + 1];
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(cli_node_split("campus/h1:eth1", name, node, ifname, &err), 0);
	assert_string_equal(name, "campus");
	assert_string_equal(node, "h1");
	assert_string_equal(ifname, "eth1");
	assert_int_equal(cli_node_split("campus/h1", name, node, NULL, &err), 0);
	assert_true(cli_node_split("campus/h1", name, node, ifname, &err) < 0);
	assert_true(cli_node_split("campus/h1:eth1", name, node, NULL, &err) < 0);
	assert_true(cli_node_split("campus", name, node, NULL, &err) < 0);
	assert_true(cli_node_split("../x", name, node, NULL, &err) < 0);
	assert_true(cli_node_split("a/..", name, node, NULL, &err) < 0);
	assert_true(cli_node_split("a/b/c", name, node, NULL, &err) < 0);
}

static void both_vmms_get_every_card(void **state)
{
	json_t *spec = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:[{s:s, s:s, s:i, s:i}, "
		"{s:s, s:s, s:i, "
		"s:i, s:b}]}",
		"name", "lab/h1", "vmm", "qemu", "accel", "tcg", "kernel", "/k", "initrd", "/i",
		"append", "", "memory", 128, "vcpus", 1, "hugepages", 0, "nics", "name", "eth1",
		"mac", "02:00:00:00:00:01", "mtu", 1500, "queues", 1, "name", "eth2", "mac",
		"02:00:00:00:00:02", "mtu", 9000, "queues", 2, "packed", 1);
	static const char *const vmms[] = {"qemu", "vm-runner"};

	(void)state;
	assert_non_null(spec);
	for (size_t v = 0; v < 2; v++) {
		json_t *argv;
		char *all;

		json_object_set_new(spec, "vmm", json_string(vmms[v]));
		argv = vmm_argv(spec, "/run/n");
		all = json_dumps(argv, JSON_COMPACT);
		assert_non_null(strstr(all, "/run/n/eth1.sock"));
		assert_non_null(strstr(all, "/run/n/eth2.sock"));
		assert_non_null(strstr(all, "mac=02:00:00:00:00:02"));
		assert_non_null(strstr(all, "org.qemu.guest_agent.0"));
		/* One of them has packed rings. */
		assert_null(strstr(strstr(all, "packed=on") + 1, "packed=on"));
		assert_true(strstr(all, "packed=on") > strstr(all, "mac=02:00:00:00:00:02"));
		free(all);
		json_decref(argv);
	}
	json_decref(spec);
}

/* The rest of a file's name must not become options: `x.raw,readonly=off` is a file. */
static void comma_in_a_disk_is_no_option(void **state)
{
	char folder[] = "/tmp/netloom-unit-XXXXXX";
	char kernel[64];
	char file[64];
	char doubled[64];
	char head[600] = "\177ELF";
	struct topo_disk disk = {.file = file, .format = TOPO_DISK_RAW, .mode = TOPO_DISK_READONLY};
	struct topo_node node = {.name = "h1",
				 .kind = TOPO_VM,
				 .kernel = kernel,
				 .initrd = kernel,
				 .disk = &disk,
				 .vmm = TOPO_VMM_RUNNER};
	struct vmm_image image = {.kernel = ""};
	struct vmm_kvm kvm = {.works = true};
	struct err err = {.text = ""};
	json_t *spec;
	json_t *argv;
	char *all;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(kernel, sizeof(kernel), "%s/kernel", folder);
	snprintf(file, sizeof(file), "%s/x.raw,readonly=off", folder);
	snprintf(doubled, sizeof(doubled), "file=%s/x.raw,,readonly=off,format=raw", folder);
	assert_int_equal(file_write(kernel, head, sizeof(head), NULL), 0);
	assert_int_equal(file_write(file, head, sizeof(head), NULL), 0);
	assert_null(vmm_spec(&topo, &node, "/", &image, &kvm, &err));
	assert_non_null(strstr(err.text, "no disk with a comma in its path"));
	node.vmm = TOPO_VMM_AUTO;
	spec = vmm_spec(&topo, &node, "/", &image, &kvm, &err);
	assert_non_null(spec);
	assert_string_equal(vmm_spec_name(spec), "qemu");
	argv = vmm_argv(spec, "/run/a,b");
	all = json_dumps(argv, JSON_COMPACT);
	assert_non_null(strstr(all, doubled));
	assert_non_null(strstr(all, "path=/run/a,,b/console.sock,server=on"));
	assert_non_null(strstr(all, "logfile=/run/a,,b/console.log,logappend=on"));
	free(all);
	json_decref(argv);
	json_decref(spec);
	/* An overlay is a file of ours. */
	disk.mode = TOPO_DISK_OVERLAY;
	node.vmm = TOPO_VMM_RUNNER;
	spec = vmm_spec(&topo, &node, "/", &image, &kvm, &err);
	assert_non_null(spec);
	json_decref(spec);
	assert_int_equal(file_remove_tree(folder, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_becomes_switches_ports_patches_and_wires),
		cmocka_unit_test(either_end_of_a_link_names_its_port),
		cmocka_unit_test(guest_is_told_names_and_addresses),
		cmocka_unit_test(only_what_differs_is_done),
		cmocka_unit_test(cards_are_plugged_and_pulled_as_far_as_the_vmm_can),
		cmocka_unit_test(matrix_compares_expected_with_found),
		cmocka_unit_test(long_socket_paths_are_refused_with_a_sentence),
		cmocka_unit_test(node_arguments_are_taken_apart),
		cmocka_unit_test(both_vmms_get_every_card),
		cmocka_unit_test(comma_in_a_disk_is_no_option),
	};

	return cmocka_run_group_tests(tests, lab_read, lab_free);
}
