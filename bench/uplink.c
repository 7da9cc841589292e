/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part of bench/uplink.py: one trial of an uplink on a veth, in a network namespace of its own. VXLAN packets of 114 bytes, a
 * frame of 64 inside, are received (and dropped, for there is no overlay) or sent, 32 at a time.
 *
 * usage: uplink af_xdp|af_packet rx|tx SECONDS; prints packets, seconds, and nanoseconds of CPU time of the receiving or sending thread
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tap/uplink_port.h"
#include "checksum.h"
#include "vxlan/wire.h"

#define PACKET_LEN 114
#define BURST	   32

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x0a};
static _Atomic int stop;

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "uplink: %s: %s\n", what, why);
	exit(1);
}

static void packet_make(uint8_t *packet)
{
	static const uint8_t ip[WIRE_IP4_LEN] = {0x45, 0, 0,   0, 0, 0, 0x40, 0, 64, 17,
						 0,    0, 192, 0, 2, 2, 192,  0, 2,  1};

	memset(packet, 0, PACKET_LEN);
	memcpy(packet, mac, sizeof(mac));
	packet[6] = 2;
	wire_put16(packet + 12, WIRE_TYPE_IP4);
	memcpy(packet + 14, ip, sizeof(ip));
	wire_put16(packet + 16, PACKET_LEN - 14);
	checksum_store(packet + 24, checksum_sum(packet + 14, WIRE_IP4_LEN));
	wire_put16(packet + 34, 50000);
	wire_put16(packet + 36, VXLAN_UDP_PORT);
	wire_put16(packet + 38, PACKET_LEN - 34);
}

/* The far side sends what the near side receives. */
static void *generate(void *arg)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex("nlfar")};
	static uint8_t packet[PACKET_LEN];
	static struct iovec iov = {packet, sizeof(packet)};
	static struct mmsghdr msgs[64];
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	(void)arg;
	packet_make(packet);
	for (int i = 0; i < 64; i++)
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		die("generator", strerror(errno));
	while (!stop)
		sendmmsg(fd, msgs, 64, 0);
	close(fd);
	return NULL;
}

static uint64_t receive(struct port *port, double until)
{
	static struct frame frames[FRAME_BURST];
	const uint64_t *n = &port->drops[0].by_reason[DROP_VXLAN_UNKNOWN_VTEP];
	struct pollfd pollfd = {.fd = port->ops->rx_fd(port, 0), .events = POLLIN};

	while (seconds(CLOCK_MONOTONIC) < until) {
		uint64_t before = *n;

		for (int i = 0; i < 16; i++) {
			port->ops->rx(port, 0, 0, frames, FRAME_BURST);
			port->ops->rx_release(port, 0);
		}
		if (*n == before && !port->ops->rx_arm(port, 0, true))
			poll(&pollfd, 1, 10);
	}
	return *n;
}

static uint64_t transmit(struct port *port, double until)
{
	static struct frame frames[BURST];
	struct frame_out outs[BURST];
	uint64_t n = 0;

	for (int i = 0; i < BURST; i++) {
		frames[i].hdr = frames[i].buf + FRAME_HDR_ROOM;
		frames[i].hdr_len = PACKET_LEN;
		frames[i].len = PACKET_LEN;
		packet_make(frames[i].hdr);
	}
	while (seconds(CLOCK_MONOTONIC) < until) {
		for (int i = 0; i < BURST; i++)
			outs[i] = (struct frame_out){.f = &frames[i]};
		uplink_send(port, outs, BURST, 0);
		for (int i = 0; i < BURST; i++)
			n += outs[i].drop == DROP_NONE;
	}
	return n;
}

int main(int argc, char **argv)
{
	const struct port_spec spec = {
		.name = "up", .type = "uplink", .n_queues = 1, .ifname = "nlnear"};
	struct uplink_config config = {
		.udp_port = VXLAN_UDP_PORT, .n_locals = 1, .locals = {{.b = {192, 0, 2, 1}}}};
	struct uplink_link link = {.usable = true, .is_virtual = true, .mtu = 1500, .detail = ""};
	struct err err = {.text = ""};
	struct port_status status;
	struct port *port;
	pthread_t thread;
	double begin, cpu, length;
	uint64_t n;
	int is_rx;

	if (argc != 4 || (length = atof(argv[3])) <= 0)
		die("usage", "uplink af_xdp|af_packet rx|tx SECONDS");
	is_rx = strcmp(argv[2], "rx") == 0;
	config.mode = strcmp(argv[1], "af_xdp") == 0 ? UPLINK_AF_XDP : UPLINK_AF_PACKET;
	if (unshare(CLONE_NEWNET) != 0 || system("ip link add nlnear address 02:00:00:00:00:0a "
						 "type veth peer name nlfar && ip link "
						 "set nlnear up && ip link set nlfar up") != 0)
		die("cannot make a veth", strerror(errno));
	if (uplink_port_new(&spec, &config, &port, &err) != 0)
		die("port", err.text);
	link.ifindex = (int)if_nametoindex("nlnear");
	memcpy(link.mac, mac, sizeof(mac));
	uplink_port_follow(port, &link);
	port->ops->status(port, &status);
	if (strcmp(status.io, argv[1]) != 0)
		die(argv[1], status.io_detail);
	if (is_rx && pthread_create(&thread, NULL, generate, NULL) != 0)
		die("generator", "no thread");
	begin = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	n = is_rx ? receive(port, begin + length) : transmit(port, begin + length);
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
	printf("%llu %.6f %.1f\n", (unsigned long long)n, seconds(CLOCK_MONOTONIC) - begin,
	       n > 0 ? cpu * 1e9 / (double)n : 0.0);
	stop = 1;
	if (is_rx)
		pthread_join(thread, NULL);
	port->ops->close(port);
	return 0;
}
