/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An uplink on a veth: what it receives and sends by its packet socket and by AF_XDP, and what becomes of it when the interface does
 * not stay as it was. There is no overlay: what is received is counted as from an unknown VTEP.
 */
#include "veth.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tap/uplink_port.h"
#include "tap/xdp_socket.h"

static struct port *port;
static int packets = -1;
static struct frame frames[FRAME_BURST];

static const struct port_spec spec = {
	.name = "up", .type = "uplink", .n_queues = 1, .ifname = "nlnear"};

static struct uplink_config config_of(uint8_t mode)
{
	return (struct uplink_config){.udp_port = VXLAN_UDP_PORT,
				      .mode = mode,
				      .n_locals = 1,
				      .locals = {{.b = {192, 0, 2, 1}}}};
}

static void follow(bool usable, const char *detail)
{
	struct uplink_link link = {.ifindex = (int)if_nametoindex("nlnear"),
				   .usable = usable,
				   .is_virtual = true,
				   .mtu = 1500,
				   .detail = detail};

	memcpy(link.mac, veth_mac, 6);
	uplink_port_follow(port, &link);
}

static struct port_status status_now(void)
{
	struct port_status status;

	port->ops->status(port, &status);
	return status;
}

static void begin(uint8_t mode)
{
	struct uplink_config config = config_of(mode);
	struct err err = {.text = ""};

	veth_make(1);
	packets = veth_packets();
	if (uplink_port_new(&spec, &config, &port, &err) != 0)
		fail_msg("%s", err.text);
	follow(true, "");
}

static int setup(void **state)
{
	(void)state;
	begin(UPLINK_AUTO);
	return 0;
}

static int setup_xdp(void **state)
{
	(void)state;
	begin(UPLINK_AF_XDP);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	port->ops->close(port);
	port = NULL;
	close(packets);
	if (if_nametoindex("nlnear") != 0)
		veth_delete();
	return 0;
}

static uint64_t received(void)
{
	uint64_t n = 0;

	for (int reason = 0; reason < DROP_N; reason++) {
		if (reason == DROP_VXLAN_UNKNOWN_VTEP)
			n = port->drops[0].by_reason[reason];
		else if (port->drops[0].by_reason[reason] != 0)
			fail_msg("dropped as %s", drop_name((enum drop_reason)reason));
	}
	return n;
}

/* Poll until @n packets have been received in all. */
static void expect_received(uint64_t n)
{
	uint64_t until = clock_now_ns() + VETH_WAIT_MS * CLOCK_NS_PER_MS;

	/* As a worker: no frames, no release. */
	while (received() < n && clock_now_ns() < until)
		assert_int_equal(port->ops->rx(port, 0, 0, frames, FRAME_BURST), 0);
	assert_int_equal(received(), n);
}

static void far_sends(uint32_t payload)
{
	uint8_t packet[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, payload);

	assert_int_equal(send(packets, packet, len, 0), len);
}

static enum drop_reason near_sends(uint8_t *packet, uint32_t len)
{
	struct frame_seg rest = {packet + FRAME_HDR_MAX, len - FRAME_HDR_MAX};
	struct frame f = {.hdr_len = FRAME_HDR_MAX, .len = len, .n_segs = 1, .segs = &rest};
	struct frame_out out = {.f = &f};

	f.hdr = f.buf + FRAME_HDR_ROOM;
	memcpy(f.hdr, packet, FRAME_HDR_MAX);
	uplink_send(port, &out, 1, 0);
	return out.drop;
}

static void expect_sending(void)
{
	uint8_t packet[VETH_PACKET_MAX], got[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, 700);

	assert_int_equal(near_sends(packet, len), DROP_NONE);
	assert_true(veth_wait(packets));
	assert_int_equal(recv(packets, got, sizeof(got), 0), len);
	assert_memory_equal(got, packet, len);
}

static void packets_for_us_come_in_and_all_else_stays_out(void **state)
{
	uint8_t packet[VETH_PACKET_MAX];
	uint32_t len;

	(void)state;
	far_sends(100);
	far_sends(1400);
	expect_received(2);
	len = veth_packet(packet, 100);
	packet[37] ^= 1; /* another port */
	assert_int_equal(send(packets, packet, len, 0), len);
	len = veth_packet(packet, 100);
	packet[5] ^= 1; /* to somebody else */
	assert_int_equal(send(packets, packet, len, 0), len);
	far_sends(50);
	expect_received(3);
	expect_sending();
}

static void sleeper_is_told(void **state)
{
	struct pollfd pollfd = {.fd = port->ops->rx_fd(port, 0), .events = POLLIN};

	(void)state;
	port->ops->rx(port, 0, 0, frames, FRAME_BURST);
	port->ops->rx_release(port, 0);
	assert_false(port->ops->rx_arm(port, 0, true));
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	far_sends(100);
	assert_true(veth_wait(pollfd.fd));
	assert_true(port->ops->rx_arm(port, 0, true));
	expect_received(1);
	assert_false(port->ops->rx_arm(port, 0, true));
}

static void interface_made_again_is_bound_again(void **state)
{
	uint8_t packet[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, 700);
	const char *io = status_now().io;

	(void)state;
	far_sends(100);
	expect_received(1);
	close(packets);
	veth_delete();
	/* before control notices */
	assert_int_not_equal(near_sends(packet, len), DROP_VXLAN_TOO_BIG);
	port->ops->rx(port, 0, 0, frames, FRAME_BURST);
	port->ops->rx_release(port, 0);
	follow(false, "it is gone");
	assert_false(status_now().connected);
	assert_string_equal(status_now().detail, "it is gone");
	assert_int_equal(near_sends(packet, len), DROP_NOT_CONNECTED);
	veth_make(1);
	packets = veth_packets();
	follow(true, "");
	assert_true(status_now().running);
	assert_string_equal(status_now().io, io);
	far_sends(100);
	expect_received(2);
	expect_sending();
}

static void link_that_is_down_takes_nothing(void **state)
{
	uint8_t packet[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, 700);

	(void)state;
	assert_int_equal(veth_command("ip link set nlnear down"), 0);
	follow(false, "it is down");
	assert_int_equal(near_sends(packet, len), DROP_NOT_CONNECTED);
	assert_int_equal(veth_command("ip link set nlnear up"), 0);
	veth_settle();
	follow(true, "");
	expect_sending();
	far_sends(100);
	expect_received(1);
}

static void socket_without_hardware_is_chosen_and_said(void **state)
{
	(void)state;
	assert_string_equal(status_now().io, "af_packet");
	assert_non_null(strstr(status_now().io_detail, "hardware"));
	assert_true(status_now().running);
}

static void second_vtep_of_the_address_is_refused(void **state)
{
	struct uplink_config config = config_of(UPLINK_AF_PACKET);
	struct err err = {.text = ""};
	struct port *second = NULL;

	(void)state;
	assert_int_equal(uplink_port_new(&spec, &config, &second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "in use"));
	assert_null(second);
}

static void xdp_follows_mtu_and_address(void **state)
{
	struct uplink_link link = {.ifindex = (int)if_nametoindex("nlnear"),
				   .usable = true,
				   .is_virtual = true,
				   .mtu = 9000,
				   .detail = ""};

	(void)state;
	memcpy(link.mac, veth_mac, 6);
	assert_string_equal(status_now().io, "af_xdp");
	uplink_port_follow(port, &link);
	assert_string_equal(status_now().io, "af_packet");
	assert_false(status_now().running); /* it is to be AF_XDP or nothing */
	assert_non_null(strstr(status_now().detail, "MTU"));
	/* what comes meanwhile is not lost */
	far_sends(100);
	expect_received(1);
	link.mtu = 3000;
	uplink_port_follow(port, &link);
	assert_string_equal(status_now().io, "af_xdp");
	assert_true(status_now().running);
	far_sends(100);
	expect_received(2);
	expect_sending();
}

static void xdp_gives_way_to_another_program(void **state)
{
	struct uplink_config config = config_of(UPLINK_AUTO);
	struct err err = {.text = ""};
	struct uplink_link link = {.ifindex = (int)if_nametoindex("nlnear"),
				   .usable = true,
				   .is_virtual = false,
				   .mtu = 1500,
				   .detail = ""};
	struct port_status status;
	struct port *second;

	(void)state;
	config.locals[0].b[3] = 77;
	assert_int_equal(uplink_port_new(&spec, &config, &second, &err), 0);
	memcpy(link.mac, veth_mac, 6);
	uplink_port_follow(second, &link);
	second->ops->status(second, &status);
	assert_string_equal(status.io, "af_packet");
	assert_non_null(strstr(status.io_detail, "no AF_XDP"));
	assert_true(status.running);
	second->ops->close(second);
	assert_string_equal(status_now().io, "af_xdp");
	expect_sending();
}

/* Whoever can send us packets that we refuse must not be able to use up what we receive with. */
static void refused_packets_give_their_memory_back(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 3 * XDP_SOCKET_CHUNKS; n += FRAME_BURST) {
		for (int i = 0; i < FRAME_BURST; i++)
			far_sends(100);
		expect_received(n + FRAME_BURST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(packets_for_us_come_in_and_all_else_stays_out),
		TEST(sleeper_is_told),
		TEST(interface_made_again_is_bound_again),
		TEST(link_that_is_down_takes_nothing),
		TEST(socket_without_hardware_is_chosen_and_said),
		TEST(second_vtep_of_the_address_is_refused),
	};
	const struct CMUnitTest xdp_tests[] = {
#define XDP_TEST(name) cmocka_unit_test_setup_teardown(name, setup_xdp, teardown)
		XDP_TEST(packets_for_us_come_in_and_all_else_stays_out),
		XDP_TEST(sleeper_is_told),
		XDP_TEST(interface_made_again_is_bound_again),
		XDP_TEST(link_that_is_down_takes_nothing),
		XDP_TEST(xdp_follows_mtu_and_address),
		XDP_TEST(refused_packets_give_their_memory_back),
		XDP_TEST(xdp_gives_way_to_another_program),
	};
	struct err err = {.text = ""};
	struct xdp_socket probe;
	int failed;

	if (!veth_begin())
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (xdp_socket_open(&probe, (int)if_nametoindex("lo"), 0, 2048, true, &err) != 0) {
		printf("AF_XDP is not tested: %s\n", err.text);
		return failed;
	}
	xdp_socket_close(&probe);
	return failed + cmocka_run_group_tests(xdp_tests, NULL, NULL);
}
