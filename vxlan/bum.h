/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Broadcast, unknown unicast and multicast: one copy per VTEP of the flood list (head-end replication), never from tunnel
 * to tunnel (split horizon: every VTEP has reached every other one itself), and no more than a VNI's limit.
 */
#ifndef VXLAN_BUM_H
#define VXLAN_BUM_H

#include <stdatomic.h>

#include "encap.h"

/*
 * Generic cell rate algorithm (ITU-T I.371): one number says all, the time at which the bucket would be full again. Shared by all
 * workers, exact, without a lock. Lives outside the immutable tables, with the caller's `slot` as index.
 */
struct bum_meter {
	_Atomic uint64_t full_at_ns;
};

struct bum_rate {
	uint64_t ns_per_frame; /* 0: no limit */
	uint64_t burst_ns;     /* how far ahead of the rate one may be */
};

/**
 * bum_rate() - A limit in the form the meter wants
 * @frames_per_s: 0: no limit
 * @burst:	  frames that may come at once, at least 1
 */
struct bum_rate bum_rate(uint32_t frames_per_s, uint32_t burst);

/**
 * bum_meter_take() - May one more frame pass?
 * @now_ns: CLOCK_MONOTONIC, the same for a burst
 *
 * Return: true, and the frame is accounted; false: drop it (DROP_VXLAN_BUM_LIMIT). Any thread.
 */
bool bum_meter_take(struct bum_meter *meter, const struct bum_rate *rate, uint64_t now_ns);

/**
 * bum_flood() - Address one frame to all VTEPs that must get it
 * @table:     current overlay table
 * @vni:       index of the VNI
 * @from_peer: VTEP the frame came from, VTEP_NONE if it is from a local port
 * @template:  frame_out for the VNI: f, prefix and skip with the inner tags as they shall be inside
 * @outs, @dests: out, room for @max; give them to encap_burst()
 * @start:     in/out: 0 at first; to be called again with the same value while it is below the number of VTEPs
 * @drop:      out: why nothing may leave (DROP_VXLAN_SPLIT_HORIZON, DROP_VXLAN_BUM_OFF), else DROP_NONE
 *
 * Return: copies written.
 */
uint16_t bum_flood(const struct vtep_table *table, uint16_t vni, uint16_t from_peer,
		   const struct frame_out *template, struct frame_out *outs,
		   struct encap_dest *dests, uint16_t max, uint32_t *start, enum drop_reason *drop);

/** bum_may_leave() - Split horizon for a known destination: true unless both ends are tunnels */
static inline bool bum_may_leave(uint16_t from_peer, uint16_t to_peer)
{
	return from_peer == VTEP_NONE || to_peer == VTEP_NONE;
}

#endif
