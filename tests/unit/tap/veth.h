/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cable for tests of uplinks, in a network namespace of this process's own:
 *
 *     packets (a packet socket) on nlfar -- veth -- nlnear, the interface under test
 */
#ifndef TESTS_TAP_VETH_H
#define TESTS_TAP_VETH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checksum.h"
#include "vxlan/vxlan.h"
#include "vxlan/wire.h"

#define VETH_WAIT_MS	10000
#define VETH_FRONT	(VXLAN_OUTER_LEN4 - VXLAN_HDR_LEN)
#define VETH_PACKET_MAX 2048

static const uint8_t veth_mac[6] = {2, 0, 0, 0, 0, 0x0a}; /* nlnear's */

static inline int veth_command(const char *command)
{
	char text[512];

	snprintf(text, sizeof(text), "%s 2>&1", command);
	return system(text); /* NOLINT(cert-env33-c): words of our own */
}

static inline bool veth_is_running(const char *name)
{
	struct ifreq ifr = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
	close(fd);
	return (ifr.ifr_flags & IFF_RUNNING) != 0;
}

/* The kernel lets packets through a moment after the carrier is there. */
static inline void veth_settle(void)
{
	for (int ms = 0; !veth_is_running("nlnear") || !veth_is_running("nlfar"); ms++) {
		assert_true(ms < VETH_WAIT_MS);
		usleep(1000);
	}
}

static inline void veth_make(unsigned int queues)
{
	char command[320];

	snprintf(command, sizeof(command),
		 "ip link add nlnear address 02:00:00:00:00:0a numrxqueues %u numtxqueues %u type "
		 "veth peer "
		 "name nlfar numrxqueues %u numtxqueues %u &&"
		 "for i in nlnear nlfar; do echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; ip "
		 "link set $i up; "
		 "done",
		 queues, queues, queues, queues);
	assert_int_equal(veth_command(command), 0);
	veth_settle();
}

static inline void veth_delete(void)
{
	assert_int_equal(veth_command("ip link delete nlnear"), 0);
}

static inline int veth_packets(void)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex("nlfar")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* UDP from 192.0.2.2 to 192.0.2.1, port 4789. Return: its length. */
static inline uint32_t veth_packet(uint8_t *packet, uint32_t payload)
{
	static const uint8_t ip[WIRE_IP4_LEN] = {0x45, 0, 0,   0, 0, 0, 0x40, 0, 64, 17,
						 0,    0, 192, 0, 2, 2, 192,  0, 2,  1};
	uint32_t len = VETH_FRONT + payload;

	memset(packet, 0, len);
	memcpy(packet, veth_mac, 6);
	packet[6] = 2;
	wire_put16(packet + 12, WIRE_TYPE_IP4);
	memcpy(packet + 14, ip, sizeof(ip));
	wire_put16(packet + 16, (uint16_t)(len - 14));
	checksum_store(packet + 24, checksum_sum(packet + 14, WIRE_IP4_LEN));
	wire_put16(packet + 34, 50000);
	wire_put16(packet + 36, VXLAN_UDP_PORT);
	wire_put16(packet + 38, (uint16_t)(payload + WIRE_UDP_LEN));
	for (uint32_t i = 0; i < payload; i++)
		packet[VETH_FRONT + i] = (uint8_t)(i * 7);
	return len;
}

static inline bool veth_wait(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, VETH_WAIT_MS) == 1;
}

/* Namespace and tools. Return: false where they are not to be had. */
static inline bool veth_begin(void)
{
	if (unshare(CLONE_NEWNET) == 0 && veth_command("ip link set lo up") == 0)
		return true;
	printf("skipped: needs the right to make a network namespace, and iproute2\n");
	return false;
}

#endif
