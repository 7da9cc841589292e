/* SPDX-License-Identifier: BSD-3-Clause */
/* See xdp_program.h. Control thread. */
#include "xdp_program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define JUMPS_MAX 96
#define ETH_LEN	  14
#define IP4_LEN	  20
#define IP6_LEN	  40
#define UDP_LEN	  8

/* Registers: r6 the context, r2 the packet, r3 its end; r4 and r5 are for the moment. */
enum { R0, R1, R2, R3, R4, R5, R6 };

/* BPF_K and BPF_IMM, which are 0, left out. */
enum { ADD_CONSTANT = BPF_ALU64 | BPF_ADD, LOAD_CONSTANT64 = BPF_LD | BPF_DW };

/* Where a jump leads; resolved at the end. */
enum label { LABEL_PASS, LABEL_TAKE, LABEL_IP4, LABEL_NEXT, LABELS };

struct writer {
	struct bpf_insn *code;
	size_t n;
	size_t n_jumps;
	struct {
		size_t at;
		enum label to;
	} jumps[JUMPS_MAX];
};

static void emit(struct writer *w, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (w->n < XDP_PROGRAM_MAX)
		w->code[w->n] = (struct bpf_insn){
			.code = op, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
	w->n++;
}

static void jump(struct writer *w, uint8_t op, uint8_t dst, uint8_t src, int32_t imm, enum label to)
{
	if (w->n_jumps < JUMPS_MAX) {
		w->jumps[w->n_jumps].at = w->n;
		w->jumps[w->n_jumps++].to = to;
	}
	emit(w, op, dst, src, 0, imm);
}

/* Jumps to @label so far lead here. */
static void label(struct writer *w, enum label name)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n_jumps; i++) {
		size_t at = w->jumps[i].at;

		if (w->jumps[i].to != name)
			w->jumps[kept++] = w->jumps[i];
		else if (at < XDP_PROGRAM_MAX)
			w->code[at].off = (int16_t)(w->n - at - 1);
	}
	w->n_jumps = kept;
}

static void load(struct writer *w, uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	emit(w, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

/* @bytes of the packet at @off against a constant as it lies in memory; if they differ, to @to. */
static void expect(struct writer *w, uint8_t size, int16_t off, uint32_t value, enum label to)
{
	load(w, size, R5, R2, off);
	jump(w, BPF_JMP32 | BPF_JNE | BPF_K, R5, 0, (int32_t)value, to);
}

/* Bytes 0..@len of the packet may be read after this. */
static void need(struct writer *w, int32_t len)
{
	emit(w, BPF_ALU64 | BPF_MOV | BPF_X, R4, R2, 0, 0);
	emit(w, ADD_CONSTANT, R4, 0, 0, len);
	jump(w, BPF_JMP | BPF_JGT | BPF_X, R4, R3, 0, LABEL_PASS);
}

static uint32_t word(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* To LABEL_TAKE if the @words * 4 bytes at @off are one of our addresses of the family, else to LABEL_PASS. */
static void take_addresses(struct writer *w, const struct uplink_config *config, bool is_v6,
			   int16_t off)
{
	int words = is_v6 ? 4 : 1;

	for (uint8_t i = 0; i < config->n_locals; i++) {
		if ((config->locals[i].is_v6 != 0) != is_v6)
			continue;
		for (int j = 0; j < words; j++)
			expect(w, BPF_W, (int16_t)(off + 4 * j),
			       word(config->locals[i].b + (size_t)4 * (size_t)j), LABEL_NEXT);
		jump(w, BPF_JMP | BPF_JA, 0, 0, 0, LABEL_TAKE);
		label(w, LABEL_NEXT);
	}
	jump(w, BPF_JMP | BPF_JA, 0, 0, 0, LABEL_PASS);
}

size_t xdp_program_write(const struct xdp_filter *filter, int map_fd, struct bpf_insn *code)
{
	struct writer w = {.code = code};
	uint16_t udp_port = htons(filter->config->udp_port), mac_end;

	emit(&w, BPF_ALU64 | BPF_MOV | BPF_X, R6, R1, 0, 0);
	load(&w, BPF_W, R2, R6, offsetof(struct xdp_md, data));
	load(&w, BPF_W, R3, R6, offsetof(struct xdp_md, data_end));
	emit(&w, BPF_ALU64 | BPF_MOV | BPF_X, R4, R2, 0, 0);
	emit(&w, ADD_CONSTANT, R4, 0, 0, (int32_t)filter->len_max);
	jump(&w, BPF_JMP | BPF_JGT | BPF_X, R3, R4, 0, LABEL_PASS);
	need(&w, ETH_LEN + IP4_LEN + UDP_LEN);
	memcpy(&mac_end, filter->mac + 4, sizeof(mac_end));
	expect(&w, BPF_W, 0, word(filter->mac), LABEL_PASS);
	expect(&w, BPF_H, 4, mac_end, LABEL_PASS);
	load(&w, BPF_H, R5, R2, 12);
	jump(&w, BPF_JMP | BPF_JEQ | BPF_K, R5, 0, htons(ETH_P_IP), LABEL_IP4);
	jump(&w, BPF_JMP | BPF_JNE | BPF_K, R5, 0, htons(ETH_P_IPV6), LABEL_PASS);

	need(&w, ETH_LEN + IP6_LEN + UDP_LEN);
	expect(&w, BPF_B, ETH_LEN + 6, IPPROTO_UDP, LABEL_PASS);
	expect(&w, BPF_H, ETH_LEN + IP6_LEN + 2, udp_port, LABEL_PASS);
	take_addresses(&w, filter->config, true, ETH_LEN + 24);

	label(&w, LABEL_IP4);
	expect(&w, BPF_B, ETH_LEN, 0x45, LABEL_PASS);
	expect(&w, BPF_B, ETH_LEN + 9, IPPROTO_UDP, LABEL_PASS);
	load(&w, BPF_H, R5, R2, ETH_LEN + 6); /* more fragments, or an offset */
	jump(&w, BPF_JMP | BPF_JSET | BPF_K, R5, 0, htons(0x3fff), LABEL_PASS);
	expect(&w, BPF_H, ETH_LEN + IP4_LEN + 2, udp_port, LABEL_PASS);
	take_addresses(&w, filter->config, false, ETH_LEN + 16);

	label(&w, LABEL_TAKE);
	load(&w, BPF_W, R2, R6, offsetof(struct xdp_md, rx_queue_index));
	emit(&w, LOAD_CONSTANT64, R1, BPF_PSEUDO_MAP_FD, 0, map_fd);
	emit(&w, 0, 0, 0, 0, 0);
	emit(&w, BPF_ALU64 | BPF_MOV | BPF_K, R3, 0, 0, XDP_PASS); /* a queue without a socket */
	emit(&w, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map);
	emit(&w, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	label(&w, LABEL_PASS);
	emit(&w, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, XDP_PASS);
	emit(&w, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return w.n <= XDP_PROGRAM_MAX && w.n_jumps == 0 ? w.n : 0;
}

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	int ret = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	return ret >= 0 ? ret : -errno;
}

int xdp_program_map(uint32_t n_queues, struct err *err)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_XSKMAP;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint32_t);
	attr.max_entries = n_queues;
	fd = bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		return err_set(err, -fd, "this kernel makes no map of AF_XDP sockets: %s",
			       strerror(-fd));
	return fd;
}

int xdp_program_map_set(int map_fd, uint32_t queue, int socket_fd)
{
	union bpf_attr attr;
	uint32_t value = (uint32_t)socket_fd;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = (uint64_t)(uintptr_t)&queue;
	attr.value = (uint64_t)(uintptr_t)&value;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int program_load(const struct xdp_filter *filter, int map_fd, struct err *err)
{
	struct bpf_insn code[XDP_PROGRAM_MAX];
	union bpf_attr attr;
	size_t n = xdp_program_write(filter, map_fd, code);
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.expected_attach_type = BPF_XDP;
	attr.insns = (uint64_t)(uintptr_t)code;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "BSD-3-Clause";
	memcpy(attr.prog_name, "netloom_vxlan", sizeof("netloom_vxlan"));
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return err_set(err, -fd, "the kernel refuses the XDP program: %s%s", strerror(-fd),
			       fd == -EPERM
				       ? "; run netloomd as root or with CAP_BPF and CAP_NET_ADMIN"
				       : "");
	return fd;
}

int xdp_program_attach(const struct xdp_filter *filter, int map_fd, int ifindex, bool native,
		       struct err *err)
{
	union bpf_attr attr;
	int program = program_load(filter, map_fd, err), fd;

	if (program < 0)
		return program;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_ifindex = (uint32_t)ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
	fd = bpf(BPF_LINK_CREATE, &attr);
	close(program); /* the link holds it */
	if (fd == -EBUSY || fd == -EEXIST)
		return err_set(err, EBUSY,
			       "another XDP program is on the interface; `ip link show` names it");
	if (fd < 0)
		return err_set(err, -fd, "the interface takes no XDP program%s: %s",
			       native ? " in its driver" : "", strerror(-fd));
	return fd;
}
