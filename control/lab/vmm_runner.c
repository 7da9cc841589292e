/* SPDX-License-Identifier: BSD-3-Clause */
/* A node's vm-runner: the command line of vm-runner/README.md. */
#include <stdio.h>
#include <string.h>

#include "lab/proc.h"
#include "lab/vmm.h"

static void put2(json_t *argv, const char *option, json_t *value)
{
	json_array_append_new(argv, json_string(option));
	json_array_append_new(argv, value);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

json_t *vmm_runner_net(const json_t *nic, const char *folder)
{
	return json_sprintf("socket=%s/%s.sock,mac=%s,id=%s,queues=%d,mtu=%d%s", folder,
			    text_of(nic, "name"), text_of(nic, "mac"), text_of(nic, "name"),
			    (int)number_of(nic, "queues"), (int)number_of(nic, "mtu"),
			    json_is_true(json_object_get(nic, "packed")) ? ",packed=on" : "");
}

json_t *vmm_argv_runner(const json_t *spec, const char *folder)
{
	const json_t *disk = json_object_get(spec, "disk");
	json_t *argv = json_array();
	char program[4096];
	const json_t *nic;
	size_t i;

	proc_program_find("vm-runner", program, sizeof(program));
	json_array_append_new(argv, json_string(program));
	put2(argv, "--name", json_string(text_of(spec, "name")));
	put2(argv, "--kernel", json_string(text_of(spec, "kernel")));
	put2(argv, "--initrd", json_string(text_of(spec, "initrd")));
	put2(argv, "--initrd", json_sprintf("%s/node.cpio", folder));
	put2(argv, "--append",
	     json_sprintf("console=ttyS0 quiet cryptomgr.notests panic=-1 %s",
			  text_of(spec, "append")));
	put2(argv, "--memory", json_sprintf("%dM", (int)number_of(spec, "memory")));
	put2(argv, "--cpus", json_sprintf("%d", (int)number_of(spec, "vcpus")));
	if (json_is_true(json_object_get(spec, "hugepages")))
		json_array_append_new(argv, json_string("--hugepages"));
	json_array_foreach (json_object_get(spec, "nics"), i, nic)
		put2(argv, "--net", vmm_runner_net(nic, folder));
	if (disk != NULL) {
		const char *mode = text_of(disk, "mode");

		/* An overlay is a copy in the node's folder, made before the start. */
		if (strcmp(mode, "overlay") == 0)
			put2(argv, "--disk", json_sprintf("file=%s/disk.raw,id=disk0", folder));
		else
			put2(argv, "--disk",
			     json_sprintf("file=%s,id=disk0%s", text_of(disk, "file"),
					  strcmp(mode, "readonly") == 0 ? ",readonly=on" : ""));
	}
	put2(argv, "--console",
	     json_sprintf("socket=%s/console.sock,log=%s/console.log", folder, folder));
	put2(argv, "--serial", json_sprintf("log=%s/boot.log", folder));
	put2(argv, "--port",
	     json_sprintf("name=org.qemu.guest_agent.0,socket=%s/agent.sock", folder));
	put2(argv, "--control", json_sprintf("%s/control.sock", folder));
	return argv;
}
