/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A node's QEMU: a q35 machine without the legacy devices, and the same devices that vm-runner has:
 * virtio-net over vhost-user, virtio console and agent port, 8250. (The microvm machine would start sooner,
 * but under TCG on a busy host its guests fail to calibrate their timers and hang.)
 *
 * The VM listens on the vhost-user sockets and the switch connects, so that either may be restarted. QEMU
 * 7.2 creates each netdev only when its back-end has connected: netloomd's ports are there first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/vmm.h"

#define BRIDGE_SLOT	  8  /* of the bridge that cards are behind */
#define REST_SLOT	  9  /* first of the cards that found none */
#define TCG_CACHE_MIB	  32 /* translated code; QEMU's own default is 1 GiB */
#define VECTORS_PER_QUEUE 2

static void put(json_t *argv, const char *text)
{
	json_array_append_new(argv, json_string(text));
}

#define put2(argv, option, ...)                                                                    \
	do {                                                                                       \
		put(argv, option);                                                                 \
		json_array_append_new(argv, json_sprintf(__VA_ARGS__));                            \
	} while (0)

/*
 * Without KVM no MSI-X: QEMU 7.2.22 (Debian 12) crashes under TCG when a guest starts a vhost-user card whose
 * interrupts are MSI-X (a null pointer on the way that belongs to irqfds). INTx goes through the event loop.
 */
static int vectors_for(int queues, bool kvm)
{
	return kvm ? VECTORS_PER_QUEUE * queues + 2 : 0;
}

int vmm_qemu_vectors(const json_t *spec, const json_t *nic)
{
	return vectors_for((int)json_integer_value(json_object_get(nic, "queues")),
			   !vmm_is_emulated(spec));
}

/* A comma ends a value in QEMU's options, two are one; free() the result. */
static char *comma_double(const char *text)
{
	char *out = malloc(2 * strlen(text) + 1);
	char *at = out;

	if (out == NULL)
		abort();
	do {
		if (*text == ',')
			*at++ = ',';
		*at++ = *text;
	} while (*text++ != '\0');
	return out;
}

/*
 * Cards sit behind a bridge, a slot each: on the root bus of a q35 machine nothing can be plugged or pulled while it
 * runs. The last of very many find no slot there.
 */
static void nic_device(const json_t *nic, size_t slot, bool kvm, char *text, size_t size)
{
	int queues = (int)json_integer_value(json_object_get(nic, "queues"));
	const char *name = json_string_value(json_object_get(nic, "name"));
	char place[40];

	if (slot < VMM_QEMU_PLUGGABLE)
		snprintf(place, sizeof(place), "bus=" VMM_QEMU_BUS ",addr=%x",
			 (unsigned int)slot + 1);
	else
		snprintf(place, sizeof(place), "addr=%x",
			 REST_SLOT + (unsigned int)slot - VMM_QEMU_PLUGGABLE);
	/* rx_queue_size 1024 and mergeable buffers: bursts of jumbo frames find room. */
	snprintf(text, size,
		 "virtio-net-pci,id=nic-%s,netdev=nd-%s,mac=%s,romfile=,host_mtu=%d,mq=%s,vectors=%"
		 "d,"
		 "rx_queue_size=1024%s,%s",
		 name, name, json_string_value(json_object_get(nic, "mac")),
		 (int)json_integer_value(json_object_get(nic, "mtu")), queues > 1 ? "on" : "off",
		 vectors_for(queues, kvm),
		 json_is_true(json_object_get(nic, "packed")) ? ",packed=on" : "", place);
}

static void nics_put(json_t *argv, const json_t *nics, const char *folder, bool kvm)
{
	const json_t *nic;
	char device[400];
	size_t i;

	put2(argv, "-device", "pcie-pci-bridge,id=" VMM_QEMU_BUS ",addr=%x", BRIDGE_SLOT);
	json_array_foreach (nics, i, nic) {
		const char *name = json_string_value(json_object_get(nic, "name"));

		put2(argv, "-chardev", "socket,id=net-%s,path=%s/%s.sock,server=on,wait=off", name,
		     folder, name);
		put2(argv, "-netdev", "vhost-user,id=nd-%s,chardev=net-%s,queues=%d", name, name,
		     (int)json_integer_value(json_object_get(nic, "queues")));
		nic_device(nic, i, kvm, device, sizeof(device));
		put2(argv, "-device", "%s", device);
	}
}

static void disk_put(json_t *argv, const json_t *disk)
{
	const char *mode = json_string_value(json_object_get(disk, "mode"));
	char *file;

	if (disk == NULL)
		return;
	file = comma_double(json_string_value(json_object_get(disk, "file")));
	put2(argv, "-drive", "file=%s,format=%s,if=none,id=disk0%s", file,
	     json_string_value(json_object_get(disk, "format")),
	     strcmp(mode, "overlay") == 0    ? ",snapshot=on"
	     : strcmp(mode, "readonly") == 0 ? ",readonly=on"
					     : "");
	free(file);
	put2(argv, "-device", "virtio-blk-pci,drive=disk0,addr=6");
}

json_t *vmm_argv_qemu(const json_t *spec, const char *folder)
{
	bool kvm = !vmm_is_emulated(spec);
	json_t *argv = json_array();
	char *in = comma_double(folder);
	int memory = (int)json_integer_value(json_object_get(spec, "memory"));

	put(argv, "qemu-system-x86_64");
	put2(argv, "-name", "%s", json_string_value(json_object_get(spec, "name")));
	put(argv, "-nodefaults");
	put(argv, "-no-user-config");
	put2(argv, "-display", "none");
	put2(argv, "-machine", "q35,sata=off,smbus=off,vmport=off,i8042=off,memory-backend=ram");
	if (kvm)
		put2(argv, "-accel", "kvm");
	else
		put2(argv, "-accel", "tcg,thread=multi,tb-size=%d", TCG_CACHE_MIB);
	put2(argv, "-cpu", "%s", kvm ? "host" : "max");
	put2(argv, "-smp", "%d", (int)json_integer_value(json_object_get(spec, "vcpus")));
	put2(argv, "-m", "%d", memory);
	put2(argv, "-object", "memory-backend-memfd,id=ram,size=%dM,share=on%s", memory,
	     json_is_true(json_object_get(spec, "hugepages")) ? ",hugetlb=on,hugetlbsize=2M" : "");
	put2(argv, "-kernel", "%s", json_string_value(json_object_get(spec, "kernel")));
	put2(argv, "-initrd", "%s/initrd", folder);
	/* A busy host makes an emulated guest's check of its timer fail: no_timer_check. */
	put2(argv, "-append", "console=ttyS0 quiet mitigations=off cryptomgr.notests panic=-1%s %s",
	     kvm ? "" : " no_timer_check", json_string_value(json_object_get(spec, "append")));
	put2(argv, "-chardev", "file,id=boot,path=%s/boot.log,append=on", in);
	put2(argv, "-serial", "chardev:boot");
	put2(argv, "-device", "virtio-serial-pci,id=vs,addr=4,max_ports=4");
	put2(argv, "-chardev",
	     "socket,id=con,path=%s/console.sock,server=on,wait=off,logfile=%s/"
	     "console.log,logappend=on",
	     in, in);
	put2(argv, "-device", "virtconsole,bus=vs.0,chardev=con");
	put2(argv, "-chardev", "socket,id=agent,path=%s/agent.sock,server=on,wait=off", in);
	put2(argv, "-device", "virtserialport,bus=vs.0,chardev=agent,name=org.qemu.guest_agent.0");
	put2(argv, "-device", "virtio-rng-pci,addr=5");
	put2(argv, "-chardev", "socket,id=qmp,path=%s/control.sock,server=on,wait=off", in);
	put2(argv, "-mon", "chardev=qmp,mode=control");
	disk_put(argv, json_object_get(spec, "disk"));
	nics_put(argv, json_object_get(spec, "nics"), in, kvm);
	put2(argv, "-sandbox",
	     "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	free(in);
	return argv;
}
