/* SPDX-License-Identifier: BSD-3-Clause */
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct {
	long number;
	const char *name;
} needed[] = {
	{KVM_CAP_USER_MEMORY, "guest memory"},
	{KVM_CAP_IRQCHIP, "interrupt controllers in the kernel"},
	{KVM_CAP_IRQ_ROUTING, "interrupt routing"},
	{KVM_CAP_IRQFD, "irqfd"},
	{KVM_CAP_IOEVENTFD, "ioeventfd"},
	{KVM_CAP_SIGNAL_MSI, "message signalled interrupts"},
	{KVM_CAP_EXT_CPUID, "CPUID control"},
	{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
};

int kvm_has(int fd, long capability)
{
	int value = ioctl(fd, KVM_CHECK_EXTENSION, capability);

	return value < 0 ? 0 : value;
}

static int open_error(int code, struct err *err)
{
	if (code == ENOENT || code == ENODEV || code == ENXIO)
		return err_set(err, code,
			       "there is no KVM on this machine: /dev/kvm is missing (enable "
			       "virtualization in the firmware, load kvm_intel or kvm_amd)");
	if (code == EACCES || code == EPERM)
		return err_set(err, code,
			       "/dev/kvm may not be opened by this user; join the group kvm");
	return err_set(err, code, "/dev/kvm: %s", strerror(code));
}

int kvm_open(struct err *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0)
		return open_error(errno, err);
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		close(fd);
		return err_set(err, ENOTSUP, "/dev/kvm speaks API version %d, not %d", version,
			       KVM_API_VERSION);
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (kvm_has(fd, needed[i].number))
			continue;
		close(fd);
		return err_set(err, ENOTSUP, "KVM on this machine lacks %s", needed[i].name);
	}
	return fd;
}

int kvm_vm_new(int kvm_fd, struct err *err)
{
	int fd;

	/* A signal may interrupt it on some kernels, and it is then simply done again. */
	do {
		fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_set(err, errno, "KVM cannot create a virtual machine: %s",
			       strerror(errno));
	return fd;
}

size_t kvm_run_bytes(int kvm_fd)
{
	int bytes = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	return bytes < 0 ? 0 : (size_t)bytes;
}
