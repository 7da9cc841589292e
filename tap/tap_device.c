/* SPDX-License-Identifier: BSD-3-Clause */
/* See tap_device.h. */
#include "tap_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_PATH "/dev/net/tun"

static int explain(int error, const char *name, struct err *err)
{
	switch (error) {
	case EPERM:
		return err_set(
			err, error,
			"tap \"%s\": not permitted; run netloomd as root or with CAP_NET_ADMIN",
			name);
	case EBUSY:
		return err_set(err, error,
			       "tap \"%s\": another program holds the interface; stop it or choose "
			       "another name",
			       name);
	case EINVAL:
		return err_set(err, error,
			       "tap \"%s\": an interface of that name exists and is no TAP "
			       "interface with as many "
			       "queues; choose another name",
			       name);
	default:
		return err_set(err, error, "tap \"%s\": cannot make the interface: %s", name,
			       strerror(error));
	}
}

/* On success @ifr->ifr_name is the name the kernel gave. */
static int queue_open(struct ifreq *ifr, int *out, struct err *err)
{
	/* What the kernel may leave undone in frames it gives us. */
	unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int hdr_len = sizeof(struct virtio_net_hdr);
	int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return err_set(err, errno, "%s: %s; the kernel's tun module is needed", TUN_PATH,
			       strerror(errno));
	if (ioctl(fd, TUNSETIFF, ifr) != 0) {
		ret = explain(errno, ifr->ifr_name, err);
		goto close_fd;
	}
	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_len) != 0 || ioctl(fd, TUNSETOFFLOAD, offloads) != 0) {
		ret = err_set(err, errno, "tap \"%s\": the kernel offers no virtio-net header: %s",
			      ifr->ifr_name, strerror(errno));
		goto close_fd;
	}
	*out = fd;
	return 0;

close_fd:
	close(fd);
	return ret;
}

int tap_device_open(const char *name, uint16_t n_queues, int *fds, struct err *err)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (strlen(name) >= sizeof(ifr.ifr_name))
		return err_set(err, EINVAL,
			       "tap \"%s\": interface names have at most %zu characters", name,
			       sizeof(ifr.ifr_name) - 1);
	memcpy(ifr.ifr_name, name, strlen(name));
	if (n_queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	for (uint16_t i = 0; i < n_queues; i++) {
		int ret = queue_open(&ifr, &fds[i], err);

		if (ret != 0) {
			while (i > 0)
				close(fds[--i]);
			return ret;
		}
	}
	return 0;
}

int tap_device_name(int fd, char name[TAP_DEVICE_NAME_MAX])
{
	struct ifreq ifr = {0};

	if (ioctl(fd, TUNGETIFF, &ifr) != 0)
		return -ENODEV;
	memcpy(name, ifr.ifr_name, TAP_DEVICE_NAME_MAX);
	name[TAP_DEVICE_NAME_MAX - 1] = '\0';
	return 0;
}
