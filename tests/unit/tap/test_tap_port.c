/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TAP port against the real kernel, in a network namespace of this process's own:
 *
 *     AF_PACKET socket -- [nltest0, an interface] -- tap_port_ops
 *
 * Skipped where namespaces or /dev/net/tun are not to be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "nl/nl_link.h"
#include "tap/tap_port.h"

#define WAIT_MS 5000

static struct port *port;
static int packets = -1;
static struct frame frames[FRAME_BURST];

static const struct port_spec spec = {
	.name = "t", .type = "tap", .n_queues = 1, .ifname = "nltest0"};

static void configure(uint32_t mtu)
{
	const struct nl_link_setup link = {.ifname = "nltest0", .mtu = mtu, .up = true};
	struct err err = {0};

	if (nl_link_configure(&link, &err) != 0)
		fail_msg("%s", err.text);
}

static void silence(const char *name)
{
	char path[128];
	int fd;

	/* no router solicitations and the like between our frames */
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY);
	if (fd >= 0) {
		assert_int_equal(write(fd, "1", 1), 1);
		close(fd);
	}
}

static int open_packets(void)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct ifreq ifr = {0};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	strcpy(ifr.ifr_name, "nltest0");
	assert_int_equal(ioctl(fd, SIOCGIFINDEX, &ifr), 0);
	to.sll_ifindex = ifr.ifr_ifindex;
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int setup(void **state)
{
	struct err err = {0};

	(void)state;
	if (tap_port_ops.open(&spec, &port, &err) != 0) {
		print_message("cannot open a tap: %s\n", err.text);
		return -1;
	}
	silence("nltest0");
	configure(0);
	packets = open_packets();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (packets >= 0)
		close(packets);
	packets = -1;
	tap_port_ops.close(port);
	port = NULL;
	return 0;
}

static void fill(uint8_t *bytes, uint32_t len, uint8_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + seed);
	memcpy(bytes, "\x02\0\0\0\0\x0a\x02\0\0\0\0\x0b\x88\xb5", 14);
}

static uint16_t receive(uint16_t max)
{
	uint64_t until = clock_now_ns() + WAIT_MS * CLOCK_NS_PER_MS;
	uint16_t n = 0;

	while (n == 0 && clock_now_ns() < until)
		n = tap_port_ops.rx(port, 0, 0, frames, max);
	return n;
}

static enum drop_reason transmit(const uint8_t *bytes, uint32_t len, uint8_t skip,
				 uint8_t prefix_len)
{
	static struct frame f;
	struct frame_seg segs[2];
	struct frame_out out = {.f = &f, .skip = skip, .prefix_len = prefix_len};

	memset(&f, 0, sizeof(f));
	f.hdr = f.buf + FRAME_HDR_ROOM;
	f.hdr_len = len < FRAME_HDR_MAX ? (uint16_t)len : FRAME_HDR_MAX;
	memcpy(f.hdr, bytes, f.hdr_len);
	f.len = len;
	memcpy(out.prefix, bytes, prefix_len);
	if (len > f.hdr_len) {
		uint32_t half = (len - f.hdr_len) / 2;

		segs[0] = (struct frame_seg){bytes + f.hdr_len, half};
		segs[1] = (struct frame_seg){bytes + f.hdr_len + half, len - f.hdr_len - half};
		f.segs = segs;
		f.n_segs = 2;
	}
	tap_port_ops.tx(port, 0, &out, 1);
	return out.drop;
}

static ssize_t sniff(uint8_t *bytes, size_t room)
{
	struct pollfd pollfd = {.fd = packets, .events = POLLIN};

	if (poll(&pollfd, 1, WAIT_MS) != 1)
		return -1;
	return recv(packets, bytes, room, 0);
}

static void frames_from_the_kernel_arrive_whole_and_in_order(void **state)
{
	static const uint32_t lens[] = {60, 127, 128, 129, 1514};
	uint8_t bytes[2000];

	(void)state;
	for (uint8_t i = 0; i < 5; i++) {
		fill(bytes, lens[i], i);
		assert_int_equal(send(packets, bytes, lens[i], 0), lens[i]);
	}
	assert_int_equal(receive(FRAME_BURST), 5);
	for (uint8_t i = 0; i < 5; i++) {
		const struct frame *f = &frames[i];

		fill(bytes, lens[i], i);
		assert_int_equal(f->len, lens[i]);
		assert_int_equal(f->hdr_len, lens[i] < FRAME_HDR_MAX ? lens[i] : FRAME_HDR_MAX);
		assert_memory_equal(f->hdr, bytes, f->hdr_len);
		assert_int_equal(f->n_segs, lens[i] > FRAME_HDR_MAX);
		if (f->n_segs > 0) {
			assert_int_equal(f->segs[0].len, lens[i] - FRAME_HDR_MAX);
			assert_memory_equal(f->segs[0].base, bytes + FRAME_HDR_MAX, f->segs[0].len);
		}
	}
	tap_port_ops.rx_release(port, 0);
	assert_int_equal(tap_port_ops.rx(port, 0, 0, frames, FRAME_BURST), 0);
}

static void burst_is_never_larger_than_asked(void **state)
{
	uint8_t bytes[100];

	(void)state;
	for (uint8_t i = 0; i < 10; i++) {
		fill(bytes, sizeof(bytes), i);
		assert_int_equal(send(packets, bytes, sizeof(bytes), 0), sizeof(bytes));
	}
	assert_int_equal(receive(4), 4);
	assert_int_equal(receive(4), 4);
	assert_int_equal(receive(4), 2);
	assert_int_equal(frames[1].hdr[50], (uint8_t)(50 * 7 + 9));
}

static void frames_to_the_kernel_carry_prefix_snapshot_and_segments(void **state)
{
	uint8_t bytes[1514], found[2000];

	(void)state;
	fill(bytes, sizeof(bytes), 3);
	assert_int_equal(transmit(bytes, sizeof(bytes), 0, 0), DROP_NONE);
	assert_int_equal(sniff(found, sizeof(found)), sizeof(bytes));
	assert_memory_equal(found, bytes, sizeof(bytes));
	/* addresses from the prefix, the 4 bytes behind them left out: a tag taken off */
	assert_int_equal(transmit(bytes, sizeof(bytes), 16, 12), DROP_NONE);
	assert_int_equal(sniff(found, sizeof(found)), sizeof(bytes) - 4);
	assert_memory_equal(found, bytes, 12);
	assert_memory_equal(found + 12, bytes + 16, sizeof(bytes) - 16);
}

static void sleeper_is_told_of_waiting_frames(void **state)
{
	struct pollfd pollfd;
	uint8_t bytes[100];

	(void)state;
	assert_false(tap_port_ops.rx_arm(port, 0, true));
	fill(bytes, sizeof(bytes), 1);
	assert_int_equal(send(packets, bytes, sizeof(bytes), 0), sizeof(bytes));
	pollfd = (struct pollfd){.fd = tap_port_ops.rx_fd(port, 0), .events = POLLIN};
	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	assert_true(tap_port_ops.rx_arm(port, 0, true));
	assert_int_equal(receive(FRAME_BURST), 1);
	assert_false(tap_port_ops.rx_arm(port, 0, true));
}

static void interface_that_is_down_is_said_and_recovers(void **state)
{
	struct ifreq ifr = {.ifr_name = "nltest0"};
	struct port_status status;
	uint8_t bytes[100];

	(void)state;
	tap_port_ops.status(port, &status);
	assert_true(status.connected);
	assert_true(status.running);
	assert_string_equal(status.detail, "");
	assert_int_equal(ioctl(packets, SIOCSIFFLAGS, &ifr), 0);
	tap_port_ops.status(port, &status);
	assert_false(status.running);
	assert_non_null(strstr(status.detail, "nltest0 is down"));
	fill(bytes, sizeof(bytes), 1);
	assert_int_equal(transmit(bytes, sizeof(bytes), 0, 0), DROP_NOT_CONNECTED);
	configure(0);
	tap_port_ops.status(port, &status);
	assert_true(status.running);
	assert_int_equal(transmit(bytes, sizeof(bytes), 0, 0), DROP_NONE);
}

static void deleted_interface_degrades_the_port_without_harm(void **state)
{
	struct port_status status;
	uint8_t bytes[100];
	uint32_t generation = port->rx_generation;

	(void)state;
	assert_int_equal(system("ip link delete nltest0"), 0);
	fill(bytes, sizeof(bytes), 1);
	assert_int_equal(tap_port_ops.rx(port, 0, 0, frames, FRAME_BURST), 0);
	assert_int_equal(tap_port_ops.rx_fd(port, 0), -1);
	assert_false(tap_port_ops.rx_arm(port, 0, true));
	assert_true(port->rx_generation != generation);
	assert_int_equal(transmit(bytes, sizeof(bytes), 0, 0), DROP_NOT_CONNECTED);
	tap_port_ops.status(port, &status);
	assert_false(status.connected);
	assert_non_null(strstr(status.detail, "interface nltest0 was deleted"));
	assert_int_equal(tap_port_set_carrier(port, false), -EBADFD);
}

/* The kernel's linkwatch is asynchronous: wait for what is wanted. */
static bool comes_to_run(bool wanted)
{
	struct ifreq ifr = {.ifr_name = "nltest0"};

	for (int i = 0; i < WAIT_MS; i++) {
		assert_int_equal(ioctl(packets, SIOCGIFFLAGS, &ifr), 0);
		if (((ifr.ifr_flags & IFF_RUNNING) != 0) == wanted)
			return true;
		usleep(1000);
	}
	return false;
}

static void carrier_follows_the_cable(void **state)
{
	(void)state;
	assert_true(comes_to_run(true));
	assert_int_equal(tap_port_set_carrier(port, false), 0);
	assert_true(comes_to_run(false));
	assert_int_equal(tap_port_set_carrier(port, true), 0);
	assert_true(comes_to_run(true));
}

static void name_that_is_taken_is_refused_with_a_sentence(void **state)
{
	struct port *second = NULL;
	struct err err = {0};

	(void)state;
	assert_true(tap_port_ops.open(&spec, &second, &err) < 0);
	assert_null(second);
	assert_non_null(strstr(err.text, "nltest0"));
}

static void queues_share_one_interface(void **state)
{
	struct port_spec two = {.name = "m", .type = "tap", .n_queues = 2, .ifname = "nltest1"};
	struct port_status status;
	struct port *multi = NULL;
	struct err err = {0};
	char name[16];

	(void)state;
	if (tap_port_ops.open(&two, &multi, &err) != 0)
		fail_msg("%s", err.text);
	tap_port_ops.status(multi, &status);
	assert_int_equal(status.n_queues, 2);
	assert_true(tap_port_ops.rx_fd(multi, 0) >= 0);
	assert_true(tap_port_ops.rx_fd(multi, 1) >= 0);
	assert_true(tap_port_ops.rx_fd(multi, 0) != tap_port_ops.rx_fd(multi, 1));
	assert_int_equal(tap_port_ops.rx_fd(multi, 2), -1);
	assert_int_equal(tap_port_ifname(multi, name), 0);
	assert_string_equal(name, "nltest1");
	tap_port_ops.close(multi);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(frames_from_the_kernel_arrive_whole_and_in_order),
		TEST(burst_is_never_larger_than_asked),
		TEST(frames_to_the_kernel_carry_prefix_snapshot_and_segments),
		TEST(sleeper_is_told_of_waiting_frames),
		TEST(interface_that_is_down_is_said_and_recovers),
		TEST(deleted_interface_degrades_the_port_without_harm),
		TEST(carrier_follows_the_cable),
		TEST(name_that_is_taken_is_refused_with_a_sentence),
		TEST(queues_share_one_interface),
	};

	if (access("/dev/net/tun", R_OK | W_OK) != 0 || unshare(CLONE_NEWNET) != 0) {
		printf("skipped: needs /dev/net/tun and the right to make a network namespace\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
