/* SPDX-License-Identifier: BSD-3-Clause */
/* See shortcut.h. */
#include "shortcut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf_writer.h"

/* Not in Debian 12's linux/bpf.h: Linux 6.6. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47 };

struct shortcut {
	int maps[SHORTCUT_SIDES];
};

static int map_new(const char *name, uint32_t value_size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = sizeof(struct shortcut_key);
	attr.value_size = value_size;
	attr.max_entries = SHORTCUT_STATIONS_MAX;
	memcpy(attr.map_name, name, strlen(name));
	return bpf_system(BPF_MAP_CREATE, &attr);
}

int shortcut_new(struct shortcut **out, struct err *err)
{
	struct shortcut *shortcut = malloc(sizeof(*shortcut));
	int fd;

	if (shortcut == NULL)
		return err_set(err, ENOMEM, "out of memory");
	shortcut->maps[SHORTCUT_NEAR] = map_new("netloom_near", sizeof(struct shortcut_near));
	shortcut->maps[SHORTCUT_FAR] = map_new("netloom_far", sizeof(struct shortcut_far));
	for (int i = 0; i < SHORTCUT_SIDES; i++) {
		fd = shortcut->maps[i];
		if (fd >= 0)
			continue;
		shortcut_free(shortcut);
		return err_set(err, -fd, "this kernel makes no BPF map: %s%s", strerror(-fd),
			       fd == -EPERM
				       ? "; run netloomd as root or with CAP_BPF and CAP_NET_ADMIN"
				       : "");
	}
	*out = shortcut;
	return 0;
}

void shortcut_free(struct shortcut *shortcut)
{
	if (shortcut == NULL)
		return;
	for (int i = 0; i < SHORTCUT_SIDES; i++) {
		if (shortcut->maps[i] >= 0)
			close(shortcut->maps[i]);
	}
	free(shortcut);
}

static int element(const struct shortcut *shortcut, enum bpf_cmd command, enum shortcut_side side,
		   const struct shortcut_key *key, const void *value)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)shortcut->maps[side];
	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)value;
	return bpf_system(command, &attr);
}

int shortcut_put(struct shortcut *shortcut, enum shortcut_side side, const struct shortcut_key *key,
		 const void *value)
{
	return element(shortcut, BPF_MAP_UPDATE_ELEM, side, key, value);
}

/* Either value begins with its counters. */
static void counts_ask(const struct shortcut *shortcut, enum bpf_cmd command,
		       enum shortcut_side side, const struct shortcut_key *key,
		       struct shortcut_counts *counts)
{
	union {
		struct shortcut_near near;
		struct shortcut_far far;
	} value;

	memset(counts, 0, sizeof(*counts));
	if (element(shortcut, command, side, key, &value) == 0)
		memcpy(counts, &value, sizeof(*counts));
}

void shortcut_take(struct shortcut *shortcut, enum shortcut_side side,
		   const struct shortcut_key *key, struct shortcut_counts *counts)
{
	counts_ask(shortcut, BPF_MAP_LOOKUP_AND_DELETE_ELEM, side, key, counts);
}

void shortcut_read(struct shortcut *shortcut, enum shortcut_side side,
		   const struct shortcut_key *key, struct shortcut_counts *counts)
{
	counts_ask(shortcut, BPF_MAP_LOOKUP_ELEM, side, key, counts);
}

static int attach(const struct bpf_insn *code, size_t n, uint32_t ifindex, uint32_t where,
		  struct err *err)
{
	static const char license[] = "BSD-3-Clause", name[] = "netloom_short";
	union bpf_attr attr;
	int program, fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.expected_attach_type = where;
	attr.insns = (uint64_t)(uintptr_t)code;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t)license;
	memcpy(attr.prog_name, name, sizeof(name));
	program = bpf_system(BPF_PROG_LOAD, &attr);
	if (program < 0)
		return err_set(err, -program, "the kernel refuses the shortcut's program: %s%s",
			       strerror(-program),
			       program == -EINVAL ? "; it takes Linux 6.6 or later" : "");
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = where;
	fd = bpf_system(BPF_LINK_CREATE, &attr);
	close(program); /* the link holds it */
	if (fd < 0)
		return err_set(err, -fd, "the interface does not take the shortcut's program: %s%s",
			       strerror(-fd), fd == -EINVAL ? "; it takes Linux 6.6 or later" : "");
	return fd;
}

int shortcut_on_tap(struct shortcut *shortcut, uint32_t ifindex, uint32_t vni, struct err *err)
{
	struct bpf_insn code[SHORTCUT_PROGRAM_MAX];
	size_t n = shortcut_program_out(ifindex, vni, shortcut->maps[SHORTCUT_NEAR],
					shortcut->maps[SHORTCUT_FAR], code);

	return attach(code, n, ifindex, TCX_EGRESS, err);
}

int shortcut_on_uplink(struct shortcut *shortcut, uint32_t ifindex, uint16_t udp_port,
		       struct err *err)
{
	struct bpf_insn code[SHORTCUT_PROGRAM_MAX];
	size_t n = shortcut_program_in(udp_port, shortcut->maps[SHORTCUT_NEAR],
				       shortcut->maps[SHORTCUT_FAR], code);

	return attach(code, n, ifindex, TCX_INGRESS, err);
}
