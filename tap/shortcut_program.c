/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See shortcut_program.h. Control thread.
 *
 * Registers: r6 the context, r7 the packet, r8 the station behind the VTEP, r9 the station behind the TAP; r0 to r5 are for the moment. A
 * helper that changes the packet makes r7 invalid, and the verifier sees to it that it is fetched again.
 */
#include "shortcut_program.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include "bpf_writer.h"
#include "vxlan/ecn.h"
#include "vxlan/vxlan.h"

#define ETH_LEN 14
#define IP4_LEN 20
#define IP6_LEN 40
#define TCP_LEN 20

/* Where fields are: in an Ethernet frame, in front of which there is @at. */
enum { ETH_SRC = 6, ETH_TYPE = 12, L3 = ETH_LEN };
enum {
	IP4_TOS = 1,
	IP4_TOTAL = 2,
	IP4_FRAG = 6,
	IP4_PROTO = 9,
	IP4_SUM = 10,
	IP4_SRC = 12,
	IP4_DST = 16
};
enum { IP6_PAYLOAD = 4, IP6_PROTO = 6, TCP_DATA_OFFSET = 12 };
enum { OUTER_UDP = ETH_LEN + IP4_LEN, OUTER_VXLAN = OUTER_UDP + 8 };
enum { UDP_DST = 2, UDP_LENGTH = 4, UDP_SUM = 6, VXLAN_VNI = 4 };

/* Of the stack: 8-byte slots, down from r10. */
enum {
	STACK_KEY = -16, /* struct shortcut_key: VNI, */
	STACK_KEY_MAC = -12,
	STACK_KEY_END = -8,  /* of the MAC address, and zero */
	STACK_TOS = -24,     /* of the inner header */
	STACK_HEADERS = -32, /* bytes of Ethernet, IP and TCP header inside */
	STACK_FLAGS = -40,   /* for bpf_skb_adjust_room() */
	STACK_PORT = -48,
	STACK_LEN = -56,
	STACK_ETH = -72,
};

/* Not in Debian 12's linux/bpf.h: Linux 6.3. */
#define ADJ_ROOM_DECAP_L3_IPV4 (UINT64_C(1) << 7)
#define ADJ_ROOM_DECAP_L3_IPV6 (UINT64_C(1) << 8)

#define FRAGMENT 0x3fff /* more of them, or an offset */

enum label { LABEL_NEXT, LABEL_DROP, LABEL_IP6, LABEL_TCP, LABEL_UNCUT, LABEL_THERE, LABEL_SAME };

static int16_t at(size_t offset)
{
	return (int16_t)offset;
}

static void context_load(struct bpf_writer *w, uint8_t reg, size_t offset)
{
	bpf_load(w, BPF_W, reg, R6, at(offset));
}

/* r7: the packet, r3: its end. */
static void packet_load(struct bpf_writer *w)
{
	context_load(w, R7, offsetof(struct __sk_buff, data));
	context_load(w, R3, offsetof(struct __sk_buff, data_end));
}

/* r0 = what @map_fd has under the MAC address at @off of the packet; to LABEL_NEXT if nothing. The key's VNI is there. */
static void station_find(struct bpf_writer *w, int map_fd, int off)
{
	bpf_load(w, BPF_W, R4, R7, at((size_t)off));
	bpf_store(w, BPF_W, R10, STACK_KEY_MAC, R4);
	bpf_load(w, BPF_H, R4, R7, at((size_t)off + 4));
	bpf_store(w, BPF_W, R10, STACK_KEY_END, R4);
	bpf_constant64(w, R1, BPF_PSEUDO_MAP_FD, (uint32_t)map_fd);
	bpf_move(w, R2, R10);
	bpf_math_constant(w, BPF_ADD, R2, STACK_KEY);
	bpf_call(w, BPF_FUNC_map_lookup_elem);
	bpf_jump(w, BPF_JMP | BPF_JEQ | BPF_K, R0, 0, 0, LABEL_NEXT);
}

/* To LABEL_NEXT unless the length field at @off speaks of all bytes from @begin on. */
static void length_expect(struct bpf_writer *w, int off, int begin)
{
	bpf_load(w, BPF_H, R5, R7, at((size_t)off));
	bpf_emit(w, BPF_ALU | BPF_END | BPF_TO_BE, R5, 0, 0, 16);
	bpf_math_constant(w, BPF_ADD, R5, begin);
	context_load(w, R4, offsetof(struct __sk_buff, len));
	bpf_jump(w, BPF_JMP | BPF_JNE | BPF_X, R5, R4, 0, LABEL_NEXT);
}

/* The TCP header at @off: how long all headers are. */
static void headers_measure(struct bpf_writer *w, int off, int before)
{
	bpf_load(w, BPF_B, R4, R7, at((size_t)(off + TCP_DATA_OFFSET)));
	bpf_math_constant(w, BPF_RSH, R4, 4);
	bpf_math_constant(w, BPF_LSH, R4, 2);
	bpf_math_constant(w, BPF_ADD, R4, before);
	bpf_store(w, BPF_DW, R10, STACK_HEADERS, R4);
}

/*
 * To LABEL_NEXT unless the frame at @front is plain TCP, of which the length is as its IP header says; else STACK_TOS,
 * STACK_HEADERS and STACK_FLAGS are there. r3 is the packet's end. An IP header that does not speak of the whole frame is one of a row
 * of segments, or has padding behind it.
 */
static void inner_look(struct bpf_writer *w, int front, uint64_t flags4, uint64_t flags6)
{
	int l3 = front + L3;

	bpf_need(w, R7, R3, l3 + IP4_LEN + TCP_LEN, LABEL_NEXT);
	bpf_load(w, BPF_H, R5, R7, at((size_t)(front + ETH_TYPE)));
	bpf_jump(w, BPF_JMP | BPF_JEQ | BPF_K, R5, 0, htons(ETH_P_IPV6), LABEL_IP6);
	bpf_jump(w, BPF_JMP | BPF_JNE | BPF_K, R5, 0, htons(ETH_P_IP), LABEL_NEXT);
	bpf_expect(w, BPF_B, R7, at((size_t)l3), 0x45, LABEL_NEXT);
	bpf_expect(w, BPF_B, R7, at((size_t)(l3 + IP4_PROTO)), IPPROTO_TCP, LABEL_NEXT);
	bpf_load(w, BPF_H, R5, R7, at((size_t)(l3 + IP4_FRAG)));
	bpf_jump(w, BPF_JMP | BPF_JSET | BPF_K, R5, 0, htons(FRAGMENT), LABEL_NEXT);
	length_expect(w, l3 + IP4_TOTAL, l3);
	bpf_load(w, BPF_B, R4, R7, at((size_t)(l3 + IP4_TOS)));
	bpf_store(w, BPF_DW, R10, STACK_TOS, R4);
	headers_measure(w, l3 + IP4_LEN, L3 + IP4_LEN);
	bpf_constant64(w, R4, 0, flags4);
	bpf_goto(w, LABEL_TCP);

	bpf_label(w, LABEL_IP6);
	bpf_need(w, R7, R3, l3 + IP6_LEN + TCP_LEN, LABEL_NEXT);
	bpf_expect(w, BPF_B, R7, at((size_t)(l3 + IP6_PROTO)), IPPROTO_TCP, LABEL_NEXT);
	length_expect(w, l3 + IP6_PAYLOAD, l3 + IP6_LEN);
	bpf_load(w, BPF_H, R4, R7, at((size_t)l3)); /* version, traffic class, ... */
	bpf_emit(w, BPF_ALU | BPF_END | BPF_TO_BE, R4, 0, 0, 16);
	bpf_jump(w, BPF_JMP | BPF_JGE | BPF_K, R4, 0, 0x7000, LABEL_NEXT);
	bpf_jump(w, BPF_JMP | BPF_JLT | BPF_K, R4, 0, 0x6000, LABEL_NEXT);
	bpf_math_constant(w, BPF_RSH, R4, 4);
	bpf_math_constant(w, BPF_AND, R4, 0xff);
	bpf_store(w, BPF_DW, R10, STACK_TOS, R4);
	headers_measure(w, l3 + IP6_LEN, L3 + IP6_LEN);
	bpf_constant64(w, R4, 0, flags6);

	bpf_label(w, LABEL_TCP);
	bpf_store(w, BPF_DW, R10, STACK_FLAGS, R4);
}

/* r1 = bytes of the largest frame that this one will be on a wire; it has @front bytes before its Ethernet header now. */
static void segment_measure(struct bpf_writer *w, int front)
{
	bpf_load(w, BPF_DW, R2, R10, STACK_HEADERS);
	context_load(w, R1, offsetof(struct __sk_buff, gso_size));
	bpf_jump(w, BPF_JMP | BPF_JEQ | BPF_K, R1, 0, 0, LABEL_UNCUT);
	bpf_math(w, BPF_ADD, R1, R2);
	bpf_goto(w, LABEL_THERE);
	bpf_label(w, LABEL_UNCUT);
	context_load(w, R1, offsetof(struct __sk_buff, len));
	bpf_math_constant(w, BPF_ADD, R1, -front);
	bpf_label(w, LABEL_THERE);
}

/* To LABEL_NEXT if r1 bytes are more than the port of r9 takes. */
static void mtu_check(struct bpf_writer *w)
{
	bpf_load(w, BPF_W, R2, R9, offsetof(struct shortcut_near, mtu));
	bpf_math_constant(w, BPF_ADD, R2, ETH_LEN);
	bpf_jump(w, BPF_JMP | BPF_JGT | BPF_X, R1, R2, 0, LABEL_NEXT);
}

/* Adds one frame of r2 bytes to two counters in a row, in what @reg points to. */
static void count(struct bpf_writer *w, uint8_t reg, size_t pkts)
{
	bpf_move_constant(w, R1, 1);
	bpf_emit(w, BPF_STX | BPF_ATOMIC | BPF_DW, reg, R1, at(pkts), BPF_ADD);
	bpf_emit(w, BPF_STX | BPF_ATOMIC | BPF_DW, reg, R2, at(pkts + sizeof(uint64_t)), BPF_ADD);
}

static void room_adjust(struct bpf_writer *w, int32_t bytes)
{
	bpf_move(w, R1, R6);
	bpf_move_constant(w, R2, bytes);
	bpf_move_constant(w, R3, BPF_ADJ_ROOM_MAC);
	bpf_load(w, BPF_DW, R4, R10, STACK_FLAGS);
	bpf_call(w, BPF_FUNC_skb_adjust_room);
	bpf_jump(w, BPF_JMP | BPF_JNE | BPF_K, R0, 0, 0, LABEL_NEXT); /* nothing has changed */
}

static void endings(struct bpf_writer *w)
{
	bpf_label(w, LABEL_NEXT);
	bpf_move_constant(w, R0, SHORTCUT_NEXT);
	bpf_exit(w);
	bpf_label(w, LABEL_DROP);
	bpf_move_constant(w, R0, SHORTCUT_DROP);
	bpf_exit(w);
}

static void key_begin(struct bpf_writer *w, uint8_t reg)
{
	bpf_store(w, BPF_W, R10, STACK_KEY, reg);
}

/* The outer headers in front of the frame: r7 points to them, r8 to their template. STACK_LEN is the inner frame's length. */
static void outer_write(struct bpf_writer *w, uint32_t vni)
{
	enum { TEMPLATE = offsetof(struct shortcut_far, outer) };
	int i = 0;

	static_assert(SHORTCUT_OUTER_LEN % 8 == 2, "eight bytes at a time, and two");

	for (; i + 8 <= SHORTCUT_OUTER_LEN; i += 8) {
		bpf_load(w, BPF_DW, R4, R8, at((size_t)(TEMPLATE + i)));
		bpf_store(w, BPF_DW, R7, at((size_t)i), R4);
	}
	bpf_load(w, BPF_H, R4, R8, at((size_t)(TEMPLATE + i)));
	bpf_store(w, BPF_H, R7, at((size_t)i), R4);

	/* RFC 6040 §4.1 normal mode, and the DSCP as configured */
	bpf_load(w, BPF_DW, R4, R10, STACK_TOS);
	bpf_load(w, BPF_B, R5, R8, offsetof(struct shortcut_far, tos_mask));
	bpf_math(w, BPF_AND, R4, R5);
	bpf_load(w, BPF_B, R5, R8, offsetof(struct shortcut_far, tos_fixed));
	bpf_math(w, BPF_OR, R4, R5);
	bpf_store(w, BPF_B, R7, L3 + IP4_TOS, R4);
	bpf_emit(w, BPF_ALU | BPF_END | BPF_TO_BE, R4, 0, 0, 16);

	bpf_load(w, BPF_DW, R5, R10, STACK_LEN);
	bpf_math_constant(w, BPF_ADD, R5, SHORTCUT_OUTER_LEN - L3);
	bpf_emit(w, BPF_ALU | BPF_END | BPF_TO_BE, R5, 0, 0, 16);
	bpf_store(w, BPF_H, R7, L3 + IP4_TOTAL, R5);

	bpf_load(w, BPF_W, R1, R8, offsetof(struct shortcut_far, ip_sum));
	bpf_math(w, BPF_ADD, R1, R4);
	bpf_math(w, BPF_ADD, R1, R5);
	for (int fold = 0; fold < 2; fold++) {
		bpf_move(w, R2, R1);
		bpf_math_constant(w, BPF_RSH, R2, 16);
		bpf_math_constant(w, BPF_AND, R1, 0xffff);
		bpf_math(w, BPF_ADD, R1, R2);
	}
	bpf_math_constant(w, BPF_XOR, R1, 0xffff);
	bpf_store(w, BPF_H, R7, L3 + IP4_SUM, R1);

	bpf_load(w, BPF_DW, R4, R10, STACK_PORT);
	bpf_emit(w, BPF_ALU | BPF_END | BPF_TO_BE, R4, 0, 0, 16);
	bpf_store(w, BPF_H, R7, OUTER_UDP, R4);
	bpf_load(w, BPF_DW, R5, R10, STACK_LEN);
	bpf_math_constant(w, BPF_ADD, R5, SHORTCUT_OUTER_LEN - OUTER_UDP);
	bpf_emit(w, BPF_ALU | BPF_END | BPF_TO_BE, R5, 0, 0, 16);
	bpf_store(w, BPF_H, R7, OUTER_UDP + UDP_LENGTH, R5);
	bpf_move_constant(w, R4, (int32_t)htonl(vni << 8));
	bpf_store(w, BPF_W, R7, OUTER_VXLAN + VXLAN_VNI, R4);
}

size_t shortcut_program_out(uint32_t ifindex, uint32_t vni, int near_fd, int far_fd,
			    struct bpf_insn *code)
{
	const uint64_t flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
			       BPF_F_ADJ_ROOM_ENCAP_L4_UDP | BPF_F_ADJ_ROOM_ENCAP_L2(ETH_LEN) |
			       BPF_F_ADJ_ROOM_ENCAP_L2_ETH;
	struct bpf_writer w;

	bpf_writer_init(&w, code, SHORTCUT_PROGRAM_MAX);
	bpf_move(&w, R6, R1);
	context_load(&w, R4, offsetof(struct __sk_buff, vlan_present));
	bpf_jump(&w, BPF_JMP | BPF_JNE | BPF_K, R4, 0, 0, LABEL_NEXT);
	context_load(&w, R4, offsetof(struct __sk_buff, len));
	bpf_jump(&w, BPF_JMP | BPF_JGT | BPF_K, R4, 0, UINT16_MAX - SHORTCUT_OUTER_LEN + L3,
		 LABEL_NEXT);
	bpf_store(&w, BPF_DW, R10, STACK_LEN, R4);
	packet_load(&w);
	inner_look(&w, 0, flags, flags);

	bpf_move_constant(&w, R4, (int32_t)vni);
	key_begin(&w, R4);
	station_find(&w, near_fd, ETH_SRC);
	bpf_move(&w, R9, R0);
	bpf_expect(&w, BPF_W, R9, offsetof(struct shortcut_near, ifindex), ifindex, LABEL_NEXT);
	station_find(&w, far_fd, 0);
	bpf_move(&w, R8, R0);
	segment_measure(&w, 0);
	bpf_load(&w, BPF_W, R2, R8, offsetof(struct shortcut_far, inner_max));
	bpf_jump(&w, BPF_JMP | BPF_JGT | BPF_X, R1, R2, 0, LABEL_NEXT);
	mtu_check(&w);

	bpf_move(&w, R1, R6);
	bpf_call(&w, BPF_FUNC_get_hash_recalc);
	bpf_emit(&w, BPF_ALU | BPF_MOV | BPF_X, R0, R0, 0, 0); /* 32 bits */
	bpf_load(&w, BPF_W, R1, R8, offsetof(struct shortcut_far, src_port_n));
	bpf_math(&w, BPF_MUL, R0, R1);
	bpf_math_constant(&w, BPF_RSH, R0, 32);
	bpf_load(&w, BPF_W, R1, R8, offsetof(struct shortcut_far, src_port_min));
	bpf_math(&w, BPF_ADD, R0, R1);
	bpf_store(&w, BPF_DW, R10, STACK_PORT, R0);

	room_adjust(&w, SHORTCUT_OUTER_LEN);
	packet_load(&w);
	bpf_need(&w, R7, R3, SHORTCUT_OUTER_LEN + ETH_LEN, LABEL_DROP);
	/* The room is behind the Ethernet header, which belongs behind the room. */
	for (int i = 0; i < 12; i += 4) {
		bpf_load(&w, BPF_W, R4, R7, (int16_t)i);
		bpf_store(&w, BPF_W, R7, (int16_t)(SHORTCUT_OUTER_LEN + i), R4);
	}
	bpf_load(&w, BPF_H, R4, R7, ETH_TYPE);
	bpf_store(&w, BPF_H, R7, SHORTCUT_OUTER_LEN + ETH_TYPE, R4);
	outer_write(&w, vni);

	bpf_load(&w, BPF_DW, R2, R10, STACK_LEN);
	count(&w, R9, offsetof(struct shortcut_counts, from_pkts));
	count(&w, R8, offsetof(struct shortcut_counts, to_pkts));
	bpf_load(&w, BPF_W, R1, R8, offsetof(struct shortcut_far, ifindex));
	bpf_move_constant(&w, R2, 0);
	bpf_call(&w, BPF_FUNC_redirect);
	bpf_exit(&w);
	endings(&w);
	return bpf_writer_end(&w);
}

/* To LABEL_NEXT unless the outer headers are of plain VXLAN to @udp_port, and to us; the key's VNI is there then. */
static void outer_look(struct bpf_writer *w, uint16_t udp_port)
{
	bpf_need(w, R7, R3, OUTER_VXLAN, LABEL_NEXT);
	bpf_expect(w, BPF_H, R7, ETH_TYPE, htons(ETH_P_IP), LABEL_NEXT);
	bpf_expect(w, BPF_B, R7, L3, 0x45, LABEL_NEXT);
	bpf_expect(w, BPF_B, R7, L3 + IP4_PROTO, IPPROTO_UDP, LABEL_NEXT);
	bpf_expect(w, BPF_H, R7, OUTER_UDP + UDP_DST, htons(udp_port), LABEL_NEXT);
	bpf_load(w, BPF_H, R5, R7, L3 + IP4_FRAG);
	bpf_jump(w, BPF_JMP | BPF_JSET | BPF_K, R5, 0, htons(FRAGMENT), LABEL_NEXT);
	bpf_expect(w, BPF_H, R7, OUTER_UDP + UDP_SUM, 0, LABEL_NEXT);

	/* Drivers put the first headers of a packet where programs can read them, maybe not all. */
	bpf_move_constant(w, R4, SHORTCUT_OUTER_LEN + ETH_LEN + IP4_LEN + TCP_LEN);
	bpf_move(w, R5, R7);
	bpf_math(w, BPF_ADD, R5, R4);
	bpf_jump(w, BPF_JMP | BPF_JLE | BPF_X, R5, R3, 0, LABEL_SAME);
	bpf_move(w, R1, R6);
	bpf_move(w, R2, R4);
	bpf_call(w, BPF_FUNC_skb_pull_data);
	bpf_label(w, LABEL_SAME);
	packet_load(w);
	bpf_need(w, R7, R3, SHORTCUT_OUTER_LEN + ETH_LEN, LABEL_NEXT);

	length_expect(w, L3 + IP4_TOTAL, L3);
	length_expect(w, OUTER_UDP + UDP_LENGTH, OUTER_UDP);
	bpf_move_constant(w, R4, 0);
	for (int i = 0; i < IP4_LEN; i += 2) {
		bpf_load(w, BPF_H, R5, R7, (int16_t)(L3 + i));
		bpf_math(w, BPF_ADD, R4, R5);
	}
	bpf_move(w, R5, R4);
	bpf_math_constant(w, BPF_RSH, R5, 16);
	bpf_math_constant(w, BPF_AND, R4, 0xffff);
	bpf_math(w, BPF_ADD, R4, R5); /* at most ten halves: no carry beyond this one */
	bpf_jump(w, BPF_JMP | BPF_JNE | BPF_K, R4, 0, 0xffff, LABEL_NEXT);

	bpf_expect(w, BPF_W, R7, OUTER_VXLAN, htonl((uint32_t)VXLAN_FLAG_VNI << 24), LABEL_NEXT);
	bpf_load(w, BPF_W, R4, R7, OUTER_VXLAN + VXLAN_VNI);
	bpf_emit(w, BPF_ALU | BPF_END | BPF_TO_BE, R4, 0, 0, 32);
	bpf_jump(w, BPF_JMP | BPF_JSET | BPF_K, R4, 0, 0xff, LABEL_NEXT);
	bpf_math_constant(w, BPF_RSH, R4, 8);
	key_begin(w, R4);
}

/* Marks of congestion stay as they are inside if the outer header has none, or the same one: RFC 6040 §4.2. */
static void ecn_look(struct bpf_writer *w)
{
	bpf_load(w, BPF_B, R4, R7, L3 + IP4_TOS);
	bpf_math_constant(w, BPF_AND, R4, ECN_MASK);
	bpf_jump(w, BPF_JMP | BPF_JEQ | BPF_K, R4, 0, ECN_NOT_ECT, LABEL_SAME);
	bpf_load(w, BPF_DW, R5, R10, STACK_TOS);
	bpf_math_constant(w, BPF_AND, R5, ECN_MASK);
	bpf_jump(w, BPF_JMP | BPF_JNE | BPF_X, R4, R5, 0, LABEL_NEXT);
	bpf_label(w, LABEL_SAME);
}

size_t shortcut_program_in(uint16_t udp_port, int near_fd, int far_fd, struct bpf_insn *code)
{
	enum { FAR_IP = offsetof(struct shortcut_far, outer) + L3 };
	struct bpf_writer w;

	bpf_writer_init(&w, code, SHORTCUT_PROGRAM_MAX);
	bpf_move(&w, R6, R1);
	context_load(&w, R4, offsetof(struct __sk_buff, vlan_present));
	bpf_jump(&w, BPF_JMP | BPF_JNE | BPF_K, R4, 0, 0, LABEL_NEXT);
	context_load(&w, R4, offsetof(struct __sk_buff, pkt_type));
	bpf_jump(&w, BPF_JMP | BPF_JNE | BPF_K, R4, 0, PACKET_HOST, LABEL_NEXT);
	packet_load(&w);
	outer_look(&w, udp_port);
	inner_look(&w, SHORTCUT_OUTER_LEN, BPF_F_ADJ_ROOM_FIXED_GSO | ADJ_ROOM_DECAP_L3_IPV4,
		   BPF_F_ADJ_ROOM_FIXED_GSO | ADJ_ROOM_DECAP_L3_IPV6);
	ecn_look(&w);

	station_find(&w, far_fd, SHORTCUT_OUTER_LEN + ETH_SRC);
	bpf_move(&w, R8, R0);
	for (int i = 0; i < 4; i += 2) { /* from that VTEP, and to the address it sends to */
		bpf_load(&w, BPF_H, R4, R7, (int16_t)(L3 + IP4_SRC + i));
		bpf_load(&w, BPF_H, R5, R8, (int16_t)(FAR_IP + IP4_DST + i));
		bpf_jump(&w, BPF_JMP | BPF_JNE | BPF_X, R4, R5, 0, LABEL_NEXT);
		bpf_load(&w, BPF_H, R4, R7, (int16_t)(L3 + IP4_DST + i));
		bpf_load(&w, BPF_H, R5, R8, (int16_t)(FAR_IP + IP4_SRC + i));
		bpf_jump(&w, BPF_JMP | BPF_JNE | BPF_X, R4, R5, 0, LABEL_NEXT);
	}
	station_find(&w, near_fd, SHORTCUT_OUTER_LEN);
	bpf_move(&w, R9, R0);
	segment_measure(&w, SHORTCUT_OUTER_LEN);
	mtu_check(&w);

	context_load(&w, R4, offsetof(struct __sk_buff, len));
	bpf_math_constant(&w, BPF_ADD, R4, -SHORTCUT_OUTER_LEN);
	bpf_store(&w, BPF_DW, R10, STACK_LEN, R4);
	for (int i = 0; i < 12; i += 4) {
		bpf_load(&w, BPF_W, R4, R7, (int16_t)(SHORTCUT_OUTER_LEN + i));
		bpf_store(&w, BPF_W, R10, (int16_t)(STACK_ETH + i), R4);
	}
	bpf_load(&w, BPF_H, R4, R7, SHORTCUT_OUTER_LEN + ETH_TYPE);
	bpf_store(&w, BPF_H, R10, STACK_ETH + ETH_TYPE, R4);
	room_adjust(&w, -SHORTCUT_OUTER_LEN);
	packet_load(&w);
	bpf_need(&w, R7, R3, ETH_LEN, LABEL_DROP);
	for (int i = 0; i < 12; i += 4) {
		bpf_load(&w, BPF_W, R4, R10, (int16_t)(STACK_ETH + i));
		bpf_store(&w, BPF_W, R7, (int16_t)i, R4);
	}
	bpf_load(&w, BPF_H, R4, R10, STACK_ETH + ETH_TYPE);
	bpf_store(&w, BPF_H, R7, ETH_TYPE, R4);
	bpf_move(&w, R1, R6);
	bpf_call(&w, BPF_FUNC_set_hash_invalid); /* it was the outer headers' */

	bpf_load(&w, BPF_DW, R2, R10, STACK_LEN);
	count(&w, R8, offsetof(struct shortcut_counts, from_pkts));
	count(&w, R9, offsetof(struct shortcut_counts, to_pkts));
	bpf_load(&w, BPF_W, R1, R9, offsetof(struct shortcut_near, ifindex));
	bpf_move_constant(&w, R2, BPF_F_INGRESS);
	bpf_call(&w, BPF_FUNC_redirect);
	bpf_exit(&w);
	endings(&w);
	return bpf_writer_end(&w);
}
