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
#include <unistd.h>

#include "bpf_writer.h"

#define ETH_LEN 14
#define IP4_LEN 20
#define IP6_LEN 40
#define UDP_LEN 8

/* Registers: r6 the context, r2 the packet, r3 its end; r4 and r5 are for the moment. */

enum label { LABEL_PASS, LABEL_TAKE, LABEL_IP4, LABEL_NEXT };

static uint32_t word(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* To LABEL_TAKE if the @words * 4 bytes at @off are one of our addresses of the family, else to LABEL_PASS. */
static void take_addresses(struct bpf_writer *w, const struct uplink_config *config, bool is_v6,
			   int16_t off)
{
	int words = is_v6 ? 4 : 1;

	for (uint8_t i = 0; i < config->n_locals; i++) {
		if ((config->locals[i].is_v6 != 0) != is_v6)
			continue;
		for (int j = 0; j < words; j++)
			bpf_expect(w, BPF_W, R2, (int16_t)(off + 4 * j),
				   word(config->locals[i].b + (size_t)4 * (size_t)j), LABEL_NEXT);
		bpf_jump(w, BPF_JMP | BPF_JA, 0, 0, 0, LABEL_TAKE);
		bpf_label(w, LABEL_NEXT);
	}
	bpf_jump(w, BPF_JMP | BPF_JA, 0, 0, 0, LABEL_PASS);
}

size_t xdp_program_write(const struct xdp_filter *filter, int map_fd, struct bpf_insn *code)
{
	struct bpf_writer w;
	uint16_t udp_port = htons(filter->config->udp_port), mac_end;

	bpf_writer_init(&w, code, XDP_PROGRAM_MAX);
	bpf_move(&w, R6, R1);
	bpf_load(&w, BPF_W, R2, R6, offsetof(struct xdp_md, data));
	bpf_load(&w, BPF_W, R3, R6, offsetof(struct xdp_md, data_end));
	bpf_move(&w, R4, R2);
	bpf_math_constant(&w, BPF_ADD, R4, (int32_t)filter->len_max);
	bpf_jump(&w, BPF_JMP | BPF_JGT | BPF_X, R3, R4, 0, LABEL_PASS);
	bpf_need(&w, R2, R3, ETH_LEN + IP4_LEN + UDP_LEN, LABEL_PASS);
	memcpy(&mac_end, filter->mac + 4, sizeof(mac_end));
	bpf_expect(&w, BPF_W, R2, 0, word(filter->mac), LABEL_PASS);
	bpf_expect(&w, BPF_H, R2, 4, mac_end, LABEL_PASS);
	bpf_load(&w, BPF_H, R5, R2, 12);
	bpf_jump(&w, BPF_JMP | BPF_JEQ | BPF_K, R5, 0, htons(ETH_P_IP), LABEL_IP4);
	bpf_jump(&w, BPF_JMP | BPF_JNE | BPF_K, R5, 0, htons(ETH_P_IPV6), LABEL_PASS);

	bpf_need(&w, R2, R3, ETH_LEN + IP6_LEN + UDP_LEN, LABEL_PASS);
	bpf_expect(&w, BPF_B, R2, ETH_LEN + 6, IPPROTO_UDP, LABEL_PASS);
	bpf_expect(&w, BPF_H, R2, ETH_LEN + IP6_LEN + 2, udp_port, LABEL_PASS);
	take_addresses(&w, filter->config, true, ETH_LEN + 24);

	bpf_label(&w, LABEL_IP4);
	bpf_expect(&w, BPF_B, R2, ETH_LEN, 0x45, LABEL_PASS);
	bpf_expect(&w, BPF_B, R2, ETH_LEN + 9, IPPROTO_UDP, LABEL_PASS);
	bpf_load(&w, BPF_H, R5, R2, ETH_LEN + 6); /* more fragments, or an offset */
	bpf_jump(&w, BPF_JMP | BPF_JSET | BPF_K, R5, 0, htons(0x3fff), LABEL_PASS);
	bpf_expect(&w, BPF_H, R2, ETH_LEN + IP4_LEN + 2, udp_port, LABEL_PASS);
	take_addresses(&w, filter->config, false, ETH_LEN + 16);

	bpf_label(&w, LABEL_TAKE);
	bpf_load(&w, BPF_W, R2, R6, offsetof(struct xdp_md, rx_queue_index));
	bpf_constant64(&w, R1, BPF_PSEUDO_MAP_FD, (uint32_t)map_fd);
	bpf_move_constant(&w, R3, XDP_PASS); /* a queue without a socket */
	bpf_call(&w, BPF_FUNC_redirect_map);
	bpf_exit(&w);
	bpf_label(&w, LABEL_PASS);
	bpf_move_constant(&w, R0, XDP_PASS);
	bpf_exit(&w);
	return bpf_writer_end(&w);
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
	fd = bpf_system(BPF_MAP_CREATE, &attr);
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
	return bpf_system(BPF_MAP_UPDATE_ELEM, &attr);
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
	fd = bpf_system(BPF_PROG_LOAD, &attr);
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
	fd = bpf_system(BPF_LINK_CREATE, &attr);
	close(program); /* the link holds it */
	if (fd == -EBUSY || fd == -EEXIST)
		return err_set(err, EBUSY,
			       "another XDP program is on the interface; `ip link show` names it");
	if (fd < 0)
		return err_set(err, -fd, "the interface takes no XDP program%s: %s",
			       native ? " in its driver" : "", strerror(-fd));
	return fd;
}
