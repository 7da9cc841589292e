/* SPDX-License-Identifier: BSD-3-Clause */
/* SIGBUS in front-ends' memory; see vhost_sigbus.h. */
#include "vhost/vhost_sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <rte_memory.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "vhost/vhost_device.h"

#define SLOTS_MAX 9216 /* rte_vhost's limits: 1024 sockets, 8 regions each; and in-flight state */

/* Written under slots_lock, read by the handler without: @start is 0 while the rest is not valid. */
struct slot {
	_Atomic uintptr_t start;
	_Atomic size_t len;
	_Atomic(struct vhost_device *) dev;
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS_MAX];

/* rte_vhost handles messages on one thread: whose it is at, and whether the asking thread is that one. */
static _Atomic(struct vhost_device *) handled;
static _Thread_local bool handles;

static struct sigaction previous;

int vhost_sigbus_add(struct vhost_device *dev, uintptr_t start, size_t len)
{
	int result = -ENOSPC;

	pthread_mutex_lock(&slots_lock);
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		if (atomic_load(&slots[i].start) != 0)
			continue;
		atomic_store(&slots[i].len, len);
		atomic_store(&slots[i].dev, dev);
		atomic_store(&slots[i].start, start);
		result = 0;
		break;
	}
	pthread_mutex_unlock(&slots_lock);
	return result;
}

void vhost_sigbus_remove(struct vhost_device *dev)
{
	pthread_mutex_lock(&slots_lock);
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		if (atomic_load(&slots[i].dev) != dev)
			continue;
		atomic_store(&slots[i].start, 0);
		atomic_store(&slots[i].dev, NULL);
	}
	pthread_mutex_unlock(&slots_lock);
}

void vhost_sigbus_handling(struct vhost_device *dev)
{
	handles = true;
	atomic_store(&handled, dev);
}

void vhost_sigbus_gone(struct vhost_device *dev)
{
	atomic_compare_exchange_strong(&handled, &dev, NULL);
}

static bool zeros_at(uintptr_t start, size_t len)
{
	void *at = (void *)start;

	return mmap(at, len, PROT_READ | PROT_WRITE,
		    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == at;
}

/* One page: a part of a huge one cannot be replaced, then it is the next larger size. */
static bool zeros_page(uintptr_t address)
{
	static const size_t sizes[] = {4096, 2UL << 20, 1UL << 30};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (zeros_at(address & ~(sizes[i] - 1), sizes[i]))
			return true;
		if (errno != EINVAL)
			return false;
	}
	return false;
}

/* Return: the device whose memory was at @address, NULL if it is nobody's or could not be replaced. */
static struct vhost_device *replace(uintptr_t address)
{
	struct vhost_device *dev;

	for (size_t i = 0; i < SLOTS_MAX; i++) {
		uintptr_t start = atomic_load(&slots[i].start);
		size_t len = atomic_load(&slots[i].len);

		dev = atomic_load(&slots[i].dev);
		if (start == 0 || address < start || address - start >= len || dev == NULL ||
		    atomic_load(&slots[i].start) != start)
			continue;
		/* The whole, so that there is one fault, not one for each page. */
		return zeros_at(start, len) || zeros_page(address) ? dev : NULL;
	}
	dev = handles ? atomic_load(&handled) : NULL;
	if (dev == NULL || rte_mem_virt2memseg_list((void *)address) != NULL)
		return NULL;
	return zeros_page(address) ? dev : NULL;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	struct vhost_device *dev = NULL;

	(void)context;
	if (info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR)
		dev = replace((uintptr_t)info->si_addr);
	if (dev != NULL) {
		vhost_device_fault(dev);
	} else {
		/* The access is repeated after we return, and faults again. */
		sigaction(SIGBUS, &previous, NULL);
		if (info->si_code <= 0)
			raise(number);
	}
	errno = saved;
}

static void install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &previous);
}

void vhost_sigbus_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
