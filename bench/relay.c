/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part of bench/overlay tcp: what nothing in user space that joins two TAP interfaces can do better than. One thread reads
 * a frame, up to 64 KiB of TCP that nobody has cut or summed, into one buffer that stays in its cache, and writes the same
 * bytes to the other interface. There is no switch, no VXLAN, no checksum and no underlay.
 *
 * usage: relay IFNAME IFNAME; says "ready" when both interfaces are there, and works until it is killed
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FRAMES_IN_TURN 2 /* before the other direction is looked at */

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
	struct pollfd taps[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc != 3) {
		fprintf(stderr, "usage: relay IFNAME IFNAME\n");
		return 2;
	}
	taps[0].fd = tap_open(argv[1]);
	taps[1].fd = tap_open(argv[2]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int moved = move(taps[0].fd, taps[1].fd);

		moved |= move(taps[1].fd, taps[0].fd);
		if (!moved && poll(taps, 2, -1) > 0 &&
		    ((taps[0].revents | taps[1].revents) & POLLERR) != 0)
			return 0;
	}
}
