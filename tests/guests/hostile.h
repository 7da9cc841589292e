/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two ways of misusing rings share; see hostile.c. */
#ifndef GUESTS_HOSTILE_H
#define GUESTS_HOSTILE_H

#include "nic.h"

#define RING	   64
#define F_NEXT	   1
#define F_WRITE	   2
#define F_INDIRECT 4
#define TABLE	   16
#define CHAFF	   4096

extern struct nic nic;
extern struct nic_desc *table; /* indirect, TABLE descriptors of either kind */
extern uint8_t *
	chaff; /* a virtio header, and bytes that are a frame of no station's to none wherever one begins */

/** any() - Any number; the seed decides which ones */
uint64_t any(void);

/** below() - Any number below @n */
uint32_t below(uint32_t n);

/** any_address() - Of a descriptor: often nearly right, for what is plainly wrong is found by the first check */
uint64_t any_address(void);

/** any_length() - Of a descriptor, likewise */
uint32_t any_length(void);

/* To ourselves: such a frame takes its whole way through the switch, and goes nowhere. */
#define STATION_OURS 255

/** frame_put() - A frame of the kind that the switch takes into buffer @at, to @station. Return: its length, header included */
uint32_t frame_put(uint16_t at, uint8_t station);

/** hostile_packed_step() - One misdeed, or something quite in order. Return: false when the ring stands still */
bool hostile_packed_step(void);

#endif
