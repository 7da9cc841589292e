/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has which address, overheard: ARP and ND of stations on both sides of the tunnels. Workers see the frames and tell control what is new;
 * what is known already only gets its time refreshed, in the table itself.
 *
 * Stations may lie, and may talk as fast as they like: what a port can tell in a second is bounded, the ring is bounded, nobody waits.
 */
#ifndef VXLAN_SNOOP_H
#define VXLAN_SNOOP_H

#include "frame.h"
#include "vxlan.h"

#define SNOOP_EVENTS_MAX 1024

struct snoop_event {
	uint32_t vni;
	struct vxlan_ip ip;
	uint8_t mac[6];
	bool is_router; /* ND: it says so */
	uint16_t port;	/* index of the port it was heard on */
};

/** snoop_probed() - Whose presence a frame tests: the target of a unicast request. Return: false if it is none. Pure. */
bool snoop_probed(const struct frame *f, struct vxlan_ip *target);

/**
 * snoop_parse() - What a frame says about its sender's address
 * @f:	   parsed
 * @event: out: ip, mac, is_router
 *
 * ARP requests and replies (RFC 826), neighbour solicitations and advertisements (RFC 4861 §7.2.3, §7.2.5) with a link-layer address.
 * What they say must be about the frame's own source address. Probes say nothing.
 *
 * Return: false if it says nothing, or is malformed. Pure.
 */
bool snoop_parse(const struct frame *f, struct snoop_event *event);

/** snoop_frame() - Look at one frame; fits snapshot_snoop. Context: workers, never blocks. */
void snoop_frame(const struct frame *f, uint16_t sw, uint32_t now_s);

/**
 * snoop_init() - Before the first frame, or when nobody listens any more
 * @event_fd: eventfd that becomes readable when there is news, borrowed; -1: nobody listens
 */
void snoop_init(int event_fd);

/** snoop_drain() - Take news, oldest first; control thread. Return: how many, at most @max. */
uint32_t snoop_drain(struct snoop_event *events, uint32_t max);

/** snoop_refused() - News that found no room, or that a port had too many of */
uint64_t snoop_refused(void);

#endif
