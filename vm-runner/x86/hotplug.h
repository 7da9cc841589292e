/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hotplug controller: three registers of 32 bits, a bit per PCI slot, that the DSDT's methods use when the
 * generic event device interrupts (ACPI 6.3 §5.6.9, §6.3). The guest learns from them which slots to look at and
 * which cards to let go of, and says here that it has done so. What is in the slots is not known here.
 *
 * Threads: the guest's side on vCPUs, the host's on the main thread; a lock of its own.
 */
#ifndef VM_X86_HOTPLUG_H
#define VM_X86_HOTPLUG_H

#include <pthread.h>
#include <stdint.h>

/* Offsets from LAYOUT_PORT_HOTPLUG, accessed with 4 bytes. */
#define HOTPLUG_ARRIVED 0 /* slots with a new card; reading it empties it */
#define HOTPLUG_LEAVING 4 /* slots whose card is wanted back; reading it empties it */
#define HOTPLUG_EJECT	8 /* written: these cards may be taken */
#define HOTPLUG_PORTS	12

struct hotplug {
	pthread_mutex_t lock;
	int wake_fd;	  /* eventfd, signalled when there is something to take; -1: nobody waits */
	uint32_t arrived; /* not read yet */
	uint32_t leaving; /* not read yet */
	uint32_t wanted;  /* back: the only ones that the guest can eject */
	uint32_t ejected; /* and has ejected */
};

/** hotplug_open() - Return: 0 or -errno */
int hotplug_open(struct hotplug *hotplug);
void hotplug_close(struct hotplug *hotplug);

/** hotplug_read() - The guest reads a register; what is none reads all ones. Any vCPU thread */
uint32_t hotplug_read(struct hotplug *hotplug, unsigned int offset);

/** hotplug_write() - The guest writes a register; cards that nobody wants back stay. Any vCPU thread */
void hotplug_write(struct hotplug *hotplug, unsigned int offset, uint32_t value);

/** hotplug_arrive() - A card is in @slot. The caller raises the interrupt */
void hotplug_arrive(struct hotplug *hotplug, unsigned int slot);

/** hotplug_leave() - The card in @slot is wanted back. The caller raises the interrupt */
void hotplug_leave(struct hotplug *hotplug, unsigned int slot);

/** hotplug_keep() - It may stay. What the guest has ejected by now is ejected all the same */
void hotplug_keep(struct hotplug *hotplug, unsigned int slot);

/** hotplug_unread() - Slots that the guest has not asked about yet */
uint32_t hotplug_unread(struct hotplug *hotplug);

/** hotplug_ejected_take() - Slots that were ejected since the last call */
uint32_t hotplug_ejected_take(struct hotplug *hotplug);

#endif
