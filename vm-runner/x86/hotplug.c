/* SPDX-License-Identifier: BSD-3-Clause */
/* The hotplug controller's registers; see hotplug.h. */
#include "x86/hotplug.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BIT(slot) (UINT32_C(1) << (slot))

int hotplug_open(struct hotplug *hotplug)
{
	*hotplug = (struct hotplug){.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	pthread_mutex_init(&hotplug->lock, NULL);
	return hotplug->wake_fd < 0 ? -errno : 0;
}

void hotplug_close(struct hotplug *hotplug)
{
	if (hotplug->wake_fd >= 0)
		close(hotplug->wake_fd);
	hotplug->wake_fd = -1;
	pthread_mutex_destroy(&hotplug->lock);
}

static uint32_t taken(uint32_t *bits)
{
	uint32_t value = *bits;

	*bits = 0;
	return value;
}

uint32_t hotplug_read(struct hotplug *hotplug, unsigned int offset)
{
	uint32_t value = UINT32_MAX;

	pthread_mutex_lock(&hotplug->lock);
	if (offset == HOTPLUG_ARRIVED)
		value = taken(&hotplug->arrived);
	else if (offset == HOTPLUG_LEAVING)
		value = taken(&hotplug->leaving);
	else if (offset == HOTPLUG_EJECT)
		value = 0;
	pthread_mutex_unlock(&hotplug->lock);
	return value;
}

void hotplug_write(struct hotplug *hotplug, unsigned int offset, uint32_t value)
{
	uint64_t one = 1;

	if (offset != HOTPLUG_EJECT)
		return;
	pthread_mutex_lock(&hotplug->lock);
	value &= hotplug->wanted;
	hotplug->wanted &= ~value;
	hotplug->leaving &= ~value;
	hotplug->ejected |= value;
	/* EAGAIN: woken already. */
	if (value)
		(void)!write(hotplug->wake_fd, &one, sizeof(one));
	pthread_mutex_unlock(&hotplug->lock);
}

void hotplug_arrive(struct hotplug *hotplug, unsigned int slot)
{
	pthread_mutex_lock(&hotplug->lock);
	hotplug->arrived |= BIT(slot);
	pthread_mutex_unlock(&hotplug->lock);
}

void hotplug_leave(struct hotplug *hotplug, unsigned int slot)
{
	pthread_mutex_lock(&hotplug->lock);
	/* Whoever has not looked at it yet need not. */
	hotplug->arrived &= ~BIT(slot);
	hotplug->leaving |= BIT(slot);
	hotplug->wanted |= BIT(slot);
	pthread_mutex_unlock(&hotplug->lock);
}

void hotplug_keep(struct hotplug *hotplug, unsigned int slot)
{
	pthread_mutex_lock(&hotplug->lock);
	hotplug->leaving &= ~BIT(slot);
	hotplug->wanted &= ~BIT(slot);
	pthread_mutex_unlock(&hotplug->lock);
}

uint32_t hotplug_unread(struct hotplug *hotplug)
{
	uint32_t value;

	pthread_mutex_lock(&hotplug->lock);
	value = hotplug->arrived | hotplug->leaving;
	pthread_mutex_unlock(&hotplug->lock);
	return value;
}

uint32_t hotplug_ejected_take(struct hotplug *hotplug)
{
	uint32_t value;

	pthread_mutex_lock(&hotplug->lock);
	value = taken(&hotplug->ejected);
	pthread_mutex_unlock(&hotplug->lock);
	return value;
}
