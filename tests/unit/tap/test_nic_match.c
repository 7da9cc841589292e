/* SPDX-License-Identifier: BSD-3-Clause */
/* Which packets of a card are ours: the same cases as test_xdp_program.c. */
#include "veth.h"

#include "tap/nic_device.h"
#include "tap/nic_match.h"

static uint8_t packet[VETH_PACKET_MAX];

static const struct uplink_config config = {
	.udp_port = VXLAN_UDP_PORT,
	.n_locals = 4,
	.locals = {{.b = {198, 51, 100, 1}},
		   {.is_v6 = 1, .b = {0x20, 1, 0x0d, 0xb8, [15] = 9}},
		   {.b = {192, 0, 2, 1}},
		   {.is_v6 = 1, .b = {0x20, 1, 0x0d, 0xb8, [15] = 1}}},
};

static bool ours(uint32_t len)
{
	/* on the heap, so that a sanitizer sees what is read beyond */
	uint8_t *copy = malloc(len + 1);
	bool match;

	memcpy(copy, packet, len);
	match = nic_match(&config, veth_mac, copy, len);
	free(copy);
	return match;
}

static uint32_t packet6(uint32_t payload)
{
	uint32_t len = WIRE_ETH_LEN + WIRE_IP6_LEN + WIRE_UDP_LEN + payload;

	memset(packet, 0, len);
	memcpy(packet, veth_mac, 6);
	wire_put16(packet + 12, WIRE_TYPE_IP6);
	packet[14] = 0x60;
	packet[20] = WIRE_PROTO_UDP;
	memcpy(packet + 38, config.locals[3].b, 16);
	wire_put16(packet + 56, VXLAN_UDP_PORT);
	return len;
}

static void vxlan_to_each_of_our_addresses_is_ours(void **state)
{
	uint32_t len = veth_packet(packet, 64);

	(void)state;
	assert_true(ours(len));
	memcpy(packet + 30, config.locals[0].b, 4);
	assert_true(ours(len));
	len = packet6(64);
	assert_true(ours(len));
	memcpy(packet + 38, config.locals[1].b, 16);
	assert_true(ours(len));
}

static void any_other_address_port_or_protocol_is_the_kernels(void **state)
{
	static const uint16_t at4[] = {0, 5, 12, 13, 14, 23, 30, 33, 36, 37};
	static const uint16_t at6[] = {0, 5, 12, 13, 20, 38, 45, 53, 56, 57};
	uint32_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(at4) / sizeof(at4[0]); i++) {
		len = veth_packet(packet, 64);
		packet[at4[i]] ^= 0x40;
		assert_false(ours(len));
	}
	for (size_t i = 0; i < sizeof(at6) / sizeof(at6[0]); i++) {
		len = packet6(64);
		packet[at6[i]] ^= 0x40;
		assert_false(ours(len));
	}
}

static void fragments_and_short_packets_are_the_kernels(void **state)
{
	uint32_t len = veth_packet(packet, 64);

	(void)state;
	wire_put16(packet + 20, 0x2000);
	assert_false(ours(len));
	wire_put16(packet + 20, 0x0001);
	assert_false(ours(len));
	wire_put16(packet + 20, 0x4000);
	assert_true(ours(len));
	for (len = veth_packet(packet, 0); len > 0;)
		assert_false(ours(--len));
	for (len = packet6(0); len > 0;)
		assert_false(ours(--len));
}

static void pci_addresses_are_written_in_one_way(void **state)
{
	(void)state;
	assert_true(nic_device_check("0000:00:03.0"));
	assert_true(nic_device_check("0001:ff:1f.7"));
	assert_false(nic_device_check("00:03.0"));
	assert_false(nic_device_check("0000:00:03.8"));
	assert_false(nic_device_check("0000:00:20.0"));
	assert_false(nic_device_check("0000:00:03.0 "));
	assert_false(nic_device_check("0000:0:3.0"));
	assert_false(nic_device_check("../../x"));
	assert_false(nic_device_check(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vxlan_to_each_of_our_addresses_is_ours),
		cmocka_unit_test(any_other_address_port_or_protocol_is_the_kernels),
		cmocka_unit_test(fragments_and_short_packets_are_the_kernels),
		cmocka_unit_test(pci_addresses_are_written_in_one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
