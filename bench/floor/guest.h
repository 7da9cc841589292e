/* SPDX-License-Identifier: BSD-3-Clause */
/* The traffic microguest's cards, generator and judge (tests/guests) as a part of this process: no virtual machine, the same rings. */
#ifndef FLOOR_GUEST_H
#define FLOOR_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "guests/nic.h"

#define GUEST_CARDS 2
#define GUEST_RING  1024
#define GUEST_BURST 64

/* Where a ring is. */
struct guest_ring {
	struct nic_desc *desc;
	volatile uint16_t *avail, *used;
};

extern struct guest_ring guest_rings[GUEST_CARDS][2]; /* of each card: it receives, it sends */

/** guest_start() - Two cards that send frames of @size bytes, FCS included, to each other. Return: their memory, of *@bytes */
uint8_t *guest_start(uint32_t size, size_t *bytes);

/** guest_work() - One round over the cards: receive, judge, send */
void guest_work(void);

#endif
