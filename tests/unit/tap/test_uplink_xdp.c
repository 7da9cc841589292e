/* SPDX-License-Identifier: BSD-3-Clause */
/* AF_XDP sockets on a veth: packets in, packets out, and nothing left behind. Skipped where the kernel has none. */
#include "veth.h"

#include <sys/epoll.h>

#include "tap/uplink_frame.h"
#include "tap/uplink_xdp.h"
#include "tap/xdp_socket.h"

#define QUEUES 2

static const struct uplink_config config = {
	.udp_port = VXLAN_UDP_PORT, .n_locals = 1, .locals = {{.b = {192, 0, 2, 1}}}};
static struct frame frames[FRAME_BURST];
static struct frame_seg segs[FRAME_BURST][FRAME_SEGS_MAX];
static struct uplink_xdp *xdp;
static int packets, epoll_fd;

static struct uplink_link link_now(void)
{
	struct uplink_link link = {.ifindex = (int)if_nametoindex("nlnear"),
				   .usable = true,
				   .is_virtual = true,
				   .mtu = 1500,
				   .detail = ""};

	memcpy(link.mac, veth_mac, 6);
	return link;
}

static struct uplink_xdp *open_now(struct err *err)
{
	struct uplink_link link = link_now();
	struct uplink_xdp_key key;

	uplink_xdp_key("nlnear", &link, &key);
	return uplink_xdp_new(&key, &config, true, true, err);
}

static int setup(void **state)
{
	struct err err = {.text = ""};

	(void)state;
	veth_make(QUEUES);
	packets = veth_packets();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	xdp = open_now(&err);
	if (xdp == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(uplink_xdp_watch(xdp, epoll_fd, true), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	uplink_xdp_free(xdp);
	xdp = NULL;
	close(epoll_fd);
	close(packets);
	veth_delete();
	return 0;
}

static void packets_come_out_as_they_went_in(void **state)
{
	static const uint32_t payloads[] = {8, 135, 136, 137, 1400} /* around a whole snapshot */;
	uint8_t packet[VETH_PACKET_MAX];
	uint16_t n = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		uint32_t len = veth_packet(packet, payloads[i]);

		assert_int_equal(send(packets, packet, len, 0), len);
	}
	while (n < 5) {
		uint16_t got;

		assert_true(veth_wait(epoll_fd));
		assert_true(uplink_xdp_waits(xdp));
		got = uplink_xdp_rx(xdp, frames, segs, FRAME_BURST);
		for (uint16_t i = 0; i < got; i++, n++) {
			const struct frame *f = &frames[i];
			uint32_t len = veth_packet(packet, payloads[n]);

			assert_int_equal(f->len, len);
			assert_memory_equal(f->hdr, packet, f->hdr_len);
			assert_int_equal(f->n_segs, len > UPLINK_HDR_MAX);
			if (f->n_segs > 0)
				assert_memory_equal(f->segs[0].base, packet + UPLINK_HDR_MAX,
						    f->segs[0].len);
		}
		uplink_xdp_release(xdp);
	}
	assert_false(uplink_xdp_waits(xdp));
}

static void every_chunk_is_used_again(void **state)
{
	uint8_t packet[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, 500), n = 0;

	(void)state;
	while (n < 3 * QUEUES * XDP_SOCKET_CHUNKS) {
		for (int i = 0; i < FRAME_BURST; i++)
			assert_int_equal(send(packets, packet, len, 0), len);
		for (uint32_t end = n + FRAME_BURST; n < end;) {
			assert_true(veth_wait(epoll_fd));
			n += uplink_xdp_rx(xdp, frames, segs, FRAME_BURST);
			uplink_xdp_release(xdp);
		}
	}
}

static void burst_is_never_larger_than_asked(void **state)
{
	uint8_t packet[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, 100), n = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(send(packets, packet, len, 0), len);
	while (n < 10) {
		uint16_t got;

		assert_true(veth_wait(epoll_fd));
		got = uplink_xdp_rx(xdp, frames, segs, 3);
		assert_in_range(got, 1, 3);
		n += got;
		uplink_xdp_release(xdp);
	}
}

static void frames_leave_whole_more_than_there_are_chunks(void **state)
{
	uint8_t packet[VETH_PACKET_MAX], got[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, 1000);
	struct frame_seg rest = {packet + FRAME_HDR_MAX, len - FRAME_HDR_MAX};
	struct frame f = {.hdr_len = FRAME_HDR_MAX, .len = len, .n_segs = 1, .segs = &rest};
	uint64_t bytes;

	(void)state;
	f.hdr = f.buf + FRAME_HDR_ROOM;
	memcpy(f.hdr, packet, FRAME_HDR_MAX);
	for (int i = 0; i < 2 * XDP_SOCKET_CHUNKS; i++) {
		struct frame_out outs[2] = {{.f = &f}, {.f = &f}};

		assert_int_equal(uplink_xdp_tx(xdp, outs, 2, 0, &bytes), 2);
		assert_int_equal(outs[0].drop, DROP_NONE);
		assert_int_equal(outs[1].drop, DROP_NONE);
		assert_int_equal(bytes, 2 * len);
		for (int j = 0; j < 2; j++) {
			assert_true(veth_wait(packets));
			assert_int_equal(recv(packets, got, sizeof(got), 0), len);
			assert_memory_equal(got, packet, len);
		}
	}
}

static void a_second_one_is_refused_and_the_first_goes_on(void **state)
{
	struct err err = {.text = ""};
	uint8_t packet[VETH_PACKET_MAX];
	uint32_t len = veth_packet(packet, 100);

	(void)state;
	assert_null(open_now(&err));
	assert_true(err.text[0] != '\0');
	assert_int_equal(send(packets, packet, len, 0), len);
	assert_true(veth_wait(epoll_fd));
	assert_int_equal(uplink_xdp_rx(xdp, frames, segs, FRAME_BURST), 1);
	uplink_xdp_release(xdp);
}

static void closing_leaves_no_program_behind(void **state)
{
	struct err err = {.text = ""};

	(void)state;
	assert_int_equal(veth_command("ip link show nlnear | grep -q xdp"), 0);
	uplink_xdp_free(xdp);
	assert_int_not_equal(veth_command("ip link show nlnear | grep -q xdp"), 0);
	xdp = open_now(&err);
	if (xdp == NULL)
		fail_msg("%s", err.text);
}

static void deleted_interface_does_no_harm(void **state)
{
	struct frame f = {.hdr_len = 60, .len = 60};
	struct frame_out out = {.f = &f};
	uint64_t bytes;

	(void)state;
	f.hdr = f.buf + FRAME_HDR_ROOM;
	veth_delete();
	assert_int_equal(uplink_xdp_rx(xdp, frames, segs, FRAME_BURST), 0);
	uplink_xdp_release(xdp);
	for (int i = 0; i < 2 * XDP_SOCKET_CHUNKS; i++)
		uplink_xdp_tx(xdp, &out, 1, 0, &bytes);
	assert_int_equal(out.drop, DROP_NO_ROOM);
	veth_make(QUEUES); /* for the teardown */
}

static void mtu_and_queues_decide_whether_it_can_be(void **state)
{
	struct uplink_link link = link_now();
	struct err err = {.text = ""};
	struct uplink_xdp_key key;

	(void)state;
	uplink_xdp_key("nlnear", &link, &key);
	assert_int_equal(key.n_queues, QUEUES);
	assert_int_equal(key.chunk_bytes, 2048);
	link.mtu = 3000;
	uplink_xdp_key("nlnear", &link, &key);
	assert_int_equal(key.chunk_bytes, 4096);
	link.mtu = 9000;
	uplink_xdp_key("nlnear", &link, &key);
	assert_null(uplink_xdp_new(&key, &config, true, true, &err));
	assert_non_null(strstr(err.text, "MTU"));
	err = (struct err){.text = ""};
	key.chunk_bytes = 2048;
	key.n_queues = UPLINK_XDP_QUEUES_MAX + 1;
	assert_null(uplink_xdp_new(&key, &config, true, true, &err));
	assert_non_null(strstr(err.text, "ethtool"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(packets_come_out_as_they_went_in),
		TEST(every_chunk_is_used_again),
		TEST(burst_is_never_larger_than_asked),
		TEST(frames_leave_whole_more_than_there_are_chunks),
		TEST(a_second_one_is_refused_and_the_first_goes_on),
		TEST(closing_leaves_no_program_behind),
		TEST(deleted_interface_does_no_harm),
		TEST(mtu_and_queues_decide_whether_it_can_be),
	};
	struct err err = {.text = ""};
	struct xdp_socket probe;

	if (!veth_begin())
		return 77;
	if (xdp_socket_open(&probe, (int)if_nametoindex("lo"), 0, 2048, true, &err) != 0) {
		printf("skipped: %s\n", err.text);
		return 77;
	}
	xdp_socket_close(&probe);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
