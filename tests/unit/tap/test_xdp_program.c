/* SPDX-License-Identifier: BSD-3-Clause */
/* The XDP program, run by the kernel on packets of ours: what it takes, and what it leaves to the kernel. */
#include "veth.h"

#include <linux/bpf.h>
#include <sys/syscall.h>

#include "tap/xdp_program.h"
#include "tap/xdp_socket.h"

#define LEN_MAX 1792

static int program = -1, map = -1;
static struct xdp_socket xsk;
static uint8_t packet[2 * VETH_PACKET_MAX];

static const struct uplink_config config = {
	.udp_port = VXLAN_UDP_PORT,
	.n_locals = 4,
	.locals = {{.b = {198, 51, 100, 1}},
		   {.is_v6 = 1, .b = {0x20, 1, 0x0d, 0xb8, [15] = 9}},
		   {.b = {192, 0, 2, 1}},
		   {.is_v6 = 1, .b = {0x20, 1, 0x0d, 0xb8, [15] = 1}}},
};

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* What becomes of a packet: XDP_PASS or XDP_REDIRECT. */
static uint32_t verdict(uint32_t len)
{
	static uint8_t out[2 * VETH_PACKET_MAX];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uint64_t)(uintptr_t)packet;
	attr.test.data_size_in = len;
	attr.test.data_out = (uint64_t)(uintptr_t)out;
	attr.test.data_size_out = sizeof(out);
	assert_int_equal(bpf(BPF_PROG_TEST_RUN, &attr), 0);
	return attr.test.retval;
}

static uint32_t packet6(uint32_t payload)
{
	uint32_t len = WIRE_ETH_LEN + WIRE_IP6_LEN + WIRE_UDP_LEN + payload;

	memset(packet, 0, len);
	memcpy(packet, veth_mac, 6);
	wire_put16(packet + 12, WIRE_TYPE_IP6);
	packet[14] = 0x60;
	wire_put16(packet + 18, (uint16_t)(payload + WIRE_UDP_LEN));
	packet[20] = WIRE_PROTO_UDP;
	memcpy(packet + 38, config.locals[3].b, 16);
	wire_put16(packet + 56, VXLAN_UDP_PORT);
	return len;
}

static void vxlan_to_each_of_our_addresses_is_taken(void **state)
{
	uint32_t len;

	(void)state;
	len = veth_packet(packet, 64);
	assert_int_equal(verdict(len), XDP_REDIRECT);
	memcpy(packet + 30, config.locals[0].b, 4);
	assert_int_equal(verdict(len), XDP_REDIRECT);
	len = packet6(64);
	assert_int_equal(verdict(len), XDP_REDIRECT);
	memcpy(packet + 38, config.locals[1].b, 16);
	assert_int_equal(verdict(len), XDP_REDIRECT);
}

static void any_other_address_port_or_protocol_is_the_kernels(void **state)
{
	static const uint16_t at4[] = {0, 5, 12, 13, 23, 30, 33, 36, 37};
	static const uint16_t at6[] = {0, 5, 12, 13, 20, 38, 45, 53, 56, 57};
	uint32_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(at4) / sizeof(at4[0]); i++) {
		len = veth_packet(packet, 64);
		packet[at4[i]] ^= 0x40;
		assert_int_equal(verdict(len), XDP_PASS);
	}
	for (size_t i = 0; i < sizeof(at6) / sizeof(at6[0]); i++) {
		len = packet6(64);
		packet[at6[i]] ^= 0x40;
		assert_int_equal(verdict(len), XDP_PASS);
	}
}

static void fragments_are_the_kernels(void **state)
{
	uint32_t len = veth_packet(packet, 64);

	(void)state;
	wire_put16(packet + 20, 0x2000);
	assert_int_equal(verdict(len), XDP_PASS);
	wire_put16(packet + 20, 0x0001);
	assert_int_equal(verdict(len), XDP_PASS);
	wire_put16(packet + 20, 0x4000);
	assert_int_equal(verdict(len), XDP_REDIRECT);
}

static void what_fits_no_chunk_is_the_kernels(void **state)
{
	(void)state;
	assert_int_equal(verdict(veth_packet(packet, LEN_MAX - VETH_FRONT)), XDP_REDIRECT);
	assert_int_equal(verdict(veth_packet(packet, LEN_MAX - VETH_FRONT + 1)), XDP_PASS);
}

static void short_packets_are_the_kernels(void **state)
{
	uint32_t len = packet6(0);

	(void)state;
	assert_int_equal(verdict(len), XDP_REDIRECT);
	while (--len >= WIRE_ETH_LEN)
		assert_int_equal(verdict(len), XDP_PASS);
	len = veth_packet(packet, 0);
	assert_int_equal(verdict(len), XDP_REDIRECT);
	while (--len >= WIRE_ETH_LEN)
		assert_int_equal(verdict(len), XDP_PASS);
}

static void a_queue_without_a_socket_is_the_kernels(void **state)
{
	union bpf_attr attr;
	uint32_t queue = 0;

	(void)state;
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map;
	attr.key = (uint64_t)(uintptr_t)&queue;
	assert_int_equal(bpf(BPF_MAP_DELETE_ELEM, &attr), 0);
	assert_int_equal(verdict(veth_packet(packet, 64)), XDP_PASS);
	assert_int_equal(xdp_program_map_set(map, 0, xsk.fd), 0);
	assert_int_equal(verdict(veth_packet(packet, 64)), XDP_REDIRECT);
}

/* Return: false where the kernel has no AF_XDP, after saying so. */
static bool begin(void)
{
	struct xdp_filter filter = {.config = &config, .len_max = LEN_MAX};
	struct bpf_insn code[XDP_PROGRAM_MAX];
	struct err err = {.text = ""};
	union bpf_attr attr;

	memcpy(filter.mac, veth_mac, 6);
	map = xdp_program_map(1, &err);
	if (map < 0 || xdp_socket_open(&xsk, (int)if_nametoindex("lo"), 0, 2048, true, &err) != 0) {
		printf("skipped: %s\n", err.text);
		return false;
	}
	assert_int_equal(xdp_program_map_set(map, 0, xsk.fd), 0);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uint64_t)(uintptr_t)code;
	attr.insn_cnt = (uint32_t)xdp_program_write(&filter, map, code);
	attr.license = (uint64_t)(uintptr_t) "BSD";
	assert_true(attr.insn_cnt > 0);
	program = bpf(BPF_PROG_LOAD, &attr);
	assert_true(program >= 0);
	return true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vxlan_to_each_of_our_addresses_is_taken),
		cmocka_unit_test(any_other_address_port_or_protocol_is_the_kernels),
		cmocka_unit_test(fragments_are_the_kernels),
		cmocka_unit_test(what_fits_no_chunk_is_the_kernels),
		cmocka_unit_test(short_packets_are_the_kernels),
		cmocka_unit_test(a_queue_without_a_socket_is_the_kernels),
	};
	int failed;

	if (!veth_begin() || !begin())
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	close(program);
	close(map);
	xdp_socket_close(&xsk);
	return failed;
}
