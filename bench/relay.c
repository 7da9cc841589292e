/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part of bench/overlay tcp: what nothing in user space that joins two interfaces can do better than. One thread reads a
 * frame, up to 64 KiB of TCP that nobody has cut or summed, into one buffer that stays in its cache, and writes the same
 * bytes to the other interface. There is no switch, no VXLAN and no checksum.
 *
 * usage: relay INTERFACE INTERFACE; says "ready" when it has both, and works until it is killed
 * INTERFACE: a TAP interface to be made, or packet:NAME, an interface that is there, through a packet socket
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET	       "packet:"
#define BUFFER_BYTES   (8 << 20) /* as netloomd's */
#define FRAMES_IN_TURN 2	 /* before the other direction is looked at */

static uint8_t buffer[sizeof(struct virtio_net_hdr) + 65535 + 64];

static int tap_open(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0 || ioctl(fd, TUNSETOFFLOAD, offloads) != 0) {
		fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static int packet_open(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)if_nametoindex(name)};
	const int on = 1, bytes = BUFFER_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static int side_open(const char *name)
{
	return strncmp(name, PACKET, sizeof(PACKET) - 1) == 0
		       ? packet_open(name + sizeof(PACKET) - 1)
		       : tap_open(name);
}

/* Return: whether anything was there. */
static int move(int from, int to)
{
	int n = 0;

	for (; n < FRAMES_IN_TURN; n++) {
		ssize_t len = read(from, buffer, sizeof(buffer));

		if (len <= 0)
			break;
		/* What the other interface does not take is lost, as on any link. */
		if (write(to, buffer, (size_t)len) < 0 && errno == EBADFD)
			exit(0);
	}
	return n > 0;
}

int main(int argc, char **argv)
{
	struct pollfd sides[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc != 3) {
		fprintf(stderr, "usage: relay INTERFACE INTERFACE\n");
		return 2;
	}
	sides[0].fd = side_open(argv[1]);
	sides[1].fd = side_open(argv[2]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int moved = move(sides[0].fd, sides[1].fd);

		moved |= move(sides[1].fd, sides[0].fd);
		if (!moved && poll(sides, 2, -1) > 0 &&
		    ((sides[0].revents | sides[1].revents) & POLLERR) != 0)
			return 0;
	}
}
