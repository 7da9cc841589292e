/* SPDX-License-Identifier: BSD-3-Clause */
/* See nic_shadow.h. */
#include "nic_shadow.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tap_device.h"

int nic_shadow_open(const char *ifname, struct err *err)
{
	int fd, ret = tap_device_open(ifname, 1, &fd, err);

	if (ret != 0)
		return ret;
	/* The kernel is to hand over frames as they shall be on the wire. */
	if (ioctl(fd, TUNSETOFFLOAD, 0UL) != 0) {
		ret = err_set(err, errno, "interface %s: %s", ifname, strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

bool nic_shadow_write(int fd, const void *frame, uint32_t len)
{
	struct virtio_net_hdr vnet;
	struct iovec iov[2] = {{&vnet, sizeof(vnet)}, {(void *)(uintptr_t)frame, len}};

	memset(&vnet, 0, sizeof(vnet));
	return writev(fd, iov, 2) >= 0;
}

uint32_t nic_shadow_read(int fd, void *frame, uint32_t room)
{
	struct virtio_net_hdr vnet;
	struct iovec iov[2] = {{&vnet, sizeof(vnet)}, {frame, room}};
	ssize_t n = readv(fd, iov, 2);

	return n > (ssize_t)sizeof(vnet) ? (uint32_t)n - (uint32_t)sizeof(vnet) : 0;
}

void nic_shadow_carrier(int fd, bool on)
{
	unsigned int carrier = on ? 1 : 0;

	if (ioctl(fd, TUNSETCARRIER, &carrier) != 0)
		return; /* the interface was deleted: that is said elsewhere */
}
