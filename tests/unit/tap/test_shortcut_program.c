/* SPDX-License-Identifier: BSD-3-Clause */
/* The shortcut's programs, run by the kernel on frames of ours: what they make of them, and what they leave alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "checksum.h"
#include "tap/bpf_writer.h"
#include "tap/shortcut.h"
#include "vxlan/vxlan.h"
#include "vxlan/wire.h"

#define VNI	     10010
#define TAP_IFINDEX  17
#define PAYLOAD	     40
#define MTU	     1500
#define CONTEXT_GSO  60000
#define OUTER	     SHORTCUT_OUTER_LEN
#define LEN4	     (WIRE_ETH_LEN + WIRE_IP4_LEN + WIRE_TCP_LEN + PAYLOAD)
#define LEN6	     (WIRE_ETH_LEN + WIRE_IP6_LEN + WIRE_TCP_LEN + PAYLOAD)
#define BUFFER_BYTES 4096

static const uint8_t near_mac[6] = {2, 0, 0, 0, 0, 1}, far_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t near_vtep[4] = {192, 0, 2, 1}, far_vtep[4] = {192, 0, 2, 2};

/* Maps are made here, for the programs' addresses are all that shortcut.c hides. */
static int near_fd = -1, far_fd = -1, out_fd = -1, in_fd = -1;
static uint8_t frame[BUFFER_BYTES], result[BUFFER_BYTES];
static uint32_t result_len;

static int map_new(uint32_t value_size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = sizeof(struct shortcut_key);
	attr.value_size = value_size;
	attr.max_entries = 8;
	return bpf_system(BPF_MAP_CREATE, &attr);
}

static void element(enum bpf_cmd command, int map, const uint8_t mac[6], const void *value)
{
	struct shortcut_key key = {.vni = VNI};
	union bpf_attr attr;

	memcpy(key.mac, mac, sizeof(key.mac));
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)value;
	assert_int_equal(bpf_system(command, &attr), 0);
}

static int load(const struct bpf_insn *code, size_t n)
{
	static char log[1 << 20];
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uint64_t)(uintptr_t)code;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "BSD-3-Clause";
	fd = bpf_system(BPF_PROG_LOAD, &attr);
	if (fd < 0 && fd != -EPERM) {
		attr.log_buf = (uint64_t)(uintptr_t)log;
		attr.log_size = sizeof(log);
		attr.log_level = 1;
		bpf_system(BPF_PROG_LOAD, &attr);
		fprintf(stderr, "%s\n", log);
	}
	return fd;
}

static int programs_load(void **state)
{
	struct bpf_insn code[SHORTCUT_PROGRAM_MAX];
	size_t n;

	(void)state;
	near_fd = map_new(sizeof(struct shortcut_near));
	far_fd = map_new(sizeof(struct shortcut_far));
	if (near_fd == -EPERM)
		return 0;
	n = shortcut_program_out(TAP_IFINDEX, VNI, near_fd, far_fd, code);
	assert_in_range(n, 1, SHORTCUT_PROGRAM_MAX);
	out_fd = load(code, n);
	n = shortcut_program_in(VXLAN_UDP_PORT, near_fd, far_fd, code);
	assert_in_range(n, 1, SHORTCUT_PROGRAM_MAX);
	in_fd = load(code, n);
	return out_fd < 0 || in_fd < 0 ? -1 : 0;
}

/* Both stations are there; outside: DSCP as it is inside. */
static int stations_enter(void **state)
{
	struct shortcut_near near = {.ifindex = TAP_IFINDEX, .mtu = MTU};
	struct shortcut_far far = {.ifindex = 1,
				   .inner_max = MTU + WIRE_ETH_LEN,
				   .tos_mask = 0xff,
				   .src_port_min = 49152,
				   .src_port_n = 16384};
	uint8_t *ip = far.outer + WIRE_ETH_LEN, *udp = ip + WIRE_IP4_LEN;

	(void)state;
	if (near_fd < 0) {
		print_message("no BPF here: run as root\n");
		skip();
	}
	memset(far.outer, 0xa0, 12);
	wire_put16(far.outer + 12, WIRE_TYPE_IP4);
	ip[0] = 0x45;
	wire_put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = WIRE_PROTO_UDP;
	memcpy(ip + 12, near_vtep, 4);
	memcpy(ip + 16, far_vtep, 4);
	far.ip_sum = checksum_fold(checksum_sum(ip, WIRE_IP4_LEN));
	wire_put16(udp + 2, VXLAN_UDP_PORT);
	udp[8] = VXLAN_FLAG_VNI;
	element(BPF_MAP_UPDATE_ELEM, near_fd, near_mac, &near);
	element(BPF_MAP_UPDATE_ELEM, far_fd, far_mac, &far);
	return 0;
}

/* One TCP segment from here to there, in frame[]. */
static uint32_t frame4(void)
{
	uint8_t *ip = frame + WIRE_ETH_LEN;

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	memcpy(frame, far_mac, 6);
	memcpy(frame + 6, near_mac, 6);
	wire_put16(frame + 12, WIRE_TYPE_IP4);
	memset(ip, 0, WIRE_IP4_LEN);
	ip[0] = 0x45;
	ip[1] = 0xb8 | 2; /* EF, ECT(0) */
	wire_put16(ip + 2, LEN4 - WIRE_ETH_LEN);
	ip[9] = WIRE_PROTO_TCP;
	ip[WIRE_IP4_LEN + 12] = 5 << 4;
	return LEN4;
}

static uint32_t frame6(void)
{
	uint8_t *ip = frame + WIRE_ETH_LEN;

	frame4();
	wire_put16(frame + 12, WIRE_TYPE_IP6);
	memset(ip, 0, WIRE_IP6_LEN);
	wire_put16(ip, 0x6000 | (0xb8 | 2) << 4);
	wire_put16(ip + 4, WIRE_TCP_LEN + PAYLOAD);
	ip[6] = WIRE_PROTO_TCP;
	ip[WIRE_IP6_LEN + 12] = 5 << 4;
	return LEN6;
}

/* What a program makes of @len bytes; the result is in result[]. */
static int run(int program, const uint8_t *data, uint32_t len, uint32_t gso_size)
{
	struct __sk_buff context = {.gso_size = gso_size};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uint64_t)(uintptr_t)data;
	attr.test.data_size_in = len;
	attr.test.data_out = (uint64_t)(uintptr_t)result;
	attr.test.data_size_out = sizeof(result);
	if (gso_size != 0) {
		attr.test.ctx_in = (uint64_t)(uintptr_t)&context;
		attr.test.ctx_size_in = sizeof(context);
	}
	assert_int_equal(bpf_system(BPF_PROG_TEST_RUN, &attr), 0);
	result_len = attr.test.data_size_out;
	return (int)attr.test.retval;
}

static struct shortcut_counts counts_of(int map, const uint8_t mac[6])
{
	union {
		struct shortcut_counts counts;
		struct shortcut_near near;
		struct shortcut_far far;
	} value = {.counts = {0}};

	element(BPF_MAP_LOOKUP_ELEM, map, mac, &value);
	return value.counts;
}

/* Frames that leave become packets with the outer headers netloomd would have written. */
static void check_outer(uint32_t len)
{
	const uint8_t *ip = result + WIRE_ETH_LEN, *udp = ip + WIRE_IP4_LEN;

	assert_int_equal(result_len, len + OUTER);
	assert_int_equal(result[0], 0xa0);
	assert_int_equal(result[11], 0xa0);
	assert_int_equal(wire_get16(result + 12), WIRE_TYPE_IP4);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(ip[1], 0xb8 | 2);
	assert_int_equal(wire_get16(ip + 2), len + OUTER - WIRE_ETH_LEN);
	assert_int_equal(wire_get16(ip + 6), 0x4000);
	assert_int_equal(checksum_fold(checksum_sum(ip, WIRE_IP4_LEN)), 0xffff);
	assert_memory_equal(ip + 12, near_vtep, 4);
	assert_memory_equal(ip + 16, far_vtep, 4);
	assert_in_range(wire_get16(udp), 49152, 65535);
	assert_int_equal(wire_get16(udp + 2), VXLAN_UDP_PORT);
	assert_int_equal(wire_get16(udp + 4), len + OUTER - WIRE_ETH_LEN - WIRE_IP4_LEN);
	assert_int_equal(wire_get16(udp + 6), 0);
	assert_int_equal(udp[8], VXLAN_FLAG_VNI);
	assert_int_equal(wire_get32(udp + 12), VNI << 8);
	assert_memory_equal(result + OUTER, frame, len);
}

static void tcp_between_stations_is_encapsulated(void **state)
{
	(void)state;
	assert_int_equal(run(out_fd, frame, frame4(), 0), SHORTCUT_REDIRECT);
	check_outer(LEN4);
	assert_int_equal(run(out_fd, frame, frame6(), 0), SHORTCUT_REDIRECT);
	check_outer(LEN6);
	assert_int_equal(counts_of(near_fd, near_mac).from_pkts, 2);
	assert_int_equal(counts_of(near_fd, near_mac).from_bytes, LEN4 + LEN6);
	assert_int_equal(counts_of(far_fd, far_mac).to_pkts, 2);
	assert_int_equal(counts_of(far_fd, far_mac).to_bytes, LEN4 + LEN6);
	assert_int_equal(counts_of(far_fd, far_mac).from_pkts, 0);
}

/* Whatever differs in one bit of the first bytes from what is taken: left alone, and not counted. */
static void any_other_frame_is_left_as_it_was(void **state)
{
	static const uint16_t at4[] = {0, 5, 6, 11, 12, 13, 14, 16, 17, 20, 21, 23};
	static const uint16_t at6[] = {0, 5, 6, 11, 12, 13, 14, 18, 19, 20};

	(void)state;
	for (size_t i = 0; i < sizeof(at4) / sizeof(at4[0]); i++) {
		frame4();
		frame[at4[i]] ^= 0x10;
		assert_int_equal(run(out_fd, frame, LEN4, 0), SHORTCUT_NEXT);
		assert_int_equal(result_len, LEN4);
		assert_memory_equal(result, frame, LEN4);
	}
	for (size_t i = 0; i < sizeof(at6) / sizeof(at6[0]); i++) {
		frame6();
		frame[at6[i]] ^= 0x10;
		assert_int_equal(run(out_fd, frame, LEN6, 0), SHORTCUT_NEXT);
		assert_memory_equal(result, frame, LEN6);
	}
	assert_int_equal(run(out_fd, frame, frame4() - PAYLOAD - 1, 0), SHORTCUT_NEXT);
	assert_int_equal(counts_of(near_fd, near_mac).from_pkts, 0);
}

static void a_station_of_another_interface_is_not_this_ones(void **state)
{
	struct shortcut_near near = {.ifindex = TAP_IFINDEX + 1, .mtu = MTU};

	(void)state;
	element(BPF_MAP_UPDATE_ELEM, near_fd, near_mac, &near);
	assert_int_equal(run(out_fd, frame, frame4(), 0), SHORTCUT_NEXT);
}

/* netloomd answers "too big". */
static void what_does_not_fit_the_way_is_left(void **state)
{
	uint32_t len = MTU + WIRE_ETH_LEN;

	(void)state;
	frame4();
	wire_put16(frame + 16, MTU);
	assert_int_equal(run(out_fd, frame, len, 0), SHORTCUT_REDIRECT);
	wire_put16(frame + 16, MTU + 1);
	assert_int_equal(run(out_fd, frame, len + 1, 0), SHORTCUT_NEXT);
	wire_put16(frame + 16, MTU);
	assert_int_equal(run(out_fd, frame, len, CONTEXT_GSO), SHORTCUT_NEXT);
}

/* A packet from there to here, as its own program there would have made it, in frame[]. */
static uint32_t packet(uint32_t (*inner)(void))
{
	uint32_t len = inner();

	assert_int_equal(run(out_fd, frame, len, 0), SHORTCUT_REDIRECT);
	memcpy(frame, result, result_len);
	memset(frame, 0, 6); /* of the interface it comes in on, which is lo in a trial run */
	memcpy(frame + 26, far_vtep, 4);
	memcpy(frame + 30, near_vtep, 4);
	memcpy(frame + OUTER, near_mac, 6);
	memcpy(frame + OUTER + 6, far_mac, 6);
	stations_enter(NULL); /* counters are 0 again */
	return result_len;
}

static void tcp_between_stations_is_decapsulated(void **state)
{
	uint32_t len = packet(frame4);

	(void)state;
	assert_int_equal(run(in_fd, frame, len, 0), SHORTCUT_REDIRECT);
	assert_int_equal(result_len, LEN4);
	assert_memory_equal(result, frame + OUTER, LEN4);
	assert_int_equal(counts_of(far_fd, far_mac).from_pkts, 1);
	assert_int_equal(counts_of(near_fd, near_mac).to_bytes, LEN4);

	len = packet(frame6);
	assert_int_equal(run(in_fd, frame, len, 0), SHORTCUT_REDIRECT);
	assert_int_equal(result_len, LEN6);
	assert_memory_equal(result, frame + OUTER, LEN6);
}

static void outer_sum_write(void)
{
	uint16_t sum;

	memset(frame + 24, 0, 2);
	sum = (uint16_t)~checksum_fold(checksum_sum(frame + WIRE_ETH_LEN, WIRE_IP4_LEN));
	memcpy(frame + 24, &sum, sizeof(sum));
}

/* Impostors, other VNIs, what has to be verified or combined first: netloomd's. */
static void any_other_packet_is_left_as_it_was(void **state)
{
	/* outer: destination, type, IP version, length, fragment, protocol, checksum, addresses, UDP port, length and checksum, flags,
	 * reserved, VNI; inner: addresses, type, version, length, fragment, protocol */
	static const uint16_t at[] = {5,  12, 13, 14, 16, 17, 20, 21, 23, 24, 26, 29, 30,
				      33, 36, 37, 38, 39, 40, 41, 42, 43, 45, 46, 48, 49,
				      50, 55, 56, 61, 62, 63, 64, 66, 67, 70, 71, 73};
	uint32_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		len = packet(frame4);
		frame[at[i]] ^= 0x10;
		if (at[i] != 24)
			outer_sum_write();
		assert_int_equal(run(in_fd, frame, len, 0), SHORTCUT_NEXT);
		assert_int_equal(result_len, len);
		assert_memory_equal(result, frame, len);
	}
	len = packet(frame4);
	assert_int_equal(run(in_fd, frame, len - PAYLOAD, 0), SHORTCUT_NEXT);
	assert_int_equal(counts_of(far_fd, far_mac).from_pkts, 0);
}

/* @mark outside and one ECT(0) inside. */
static int verdict_of_mark(uint8_t mark)
{
	uint32_t len = packet(frame4);

	frame[15] = (uint8_t)((frame[15] & ~3) | mark);
	outer_sum_write();
	return run(in_fd, frame, len, 0);
}

static void congestion_in_the_underlay_is_not_lost(void **state)
{
	(void)state;
	assert_int_equal(verdict_of_mark(0), SHORTCUT_REDIRECT);
	assert_int_equal(verdict_of_mark(2), SHORTCUT_REDIRECT);
	assert_int_equal(verdict_of_mark(3), SHORTCUT_NEXT);
	assert_int_equal(verdict_of_mark(1), SHORTCUT_NEXT);
}

/* A row of segments has one outer header, and the kernel must not take its first segment for all of it. */
static void a_row_of_segments_is_left(void **state)
{
	uint32_t len = packet(frame4);

	(void)state;
	wire_put16(frame + 16, (uint16_t)(2 * len - WIRE_ETH_LEN));
	outer_sum_write();
	assert_int_equal(run(in_fd, frame, 2 * len, 0), SHORTCUT_NEXT);
}

static void what_the_interface_does_not_take_is_left(void **state)
{
	struct shortcut_near near = {.ifindex = TAP_IFINDEX, .mtu = LEN4 - WIRE_ETH_LEN - 1};
	uint32_t len = packet(frame4);

	(void)state;
	element(BPF_MAP_UPDATE_ELEM, near_fd, near_mac, &near);
	assert_int_equal(run(in_fd, frame, len, 0), SHORTCUT_NEXT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, stations_enter)
	const struct CMUnitTest tests[] = {
		TEST(tcp_between_stations_is_encapsulated),
		TEST(any_other_frame_is_left_as_it_was),
		TEST(a_station_of_another_interface_is_not_this_ones),
		TEST(what_does_not_fit_the_way_is_left),
		TEST(tcp_between_stations_is_decapsulated),
		TEST(any_other_packet_is_left_as_it_was),
		TEST(congestion_in_the_underlay_is_not_lost),
		TEST(a_row_of_segments_is_left),
		TEST(what_the_interface_does_not_take_is_left),
	};

	return cmocka_run_group_tests(tests, programs_load, NULL);
}
