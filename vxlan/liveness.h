/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BFD packets between the control thread, which has the sessions, and the workers, who have the uplinks: a bounded ring each way.
 * A session is known by its VNI, for a cable has one other end: the VNI's only member.
 *
 * Neither side waits for the other: a worker that finds a ring in use comes back in its next round. What has waited too long to
 * be sent is old news and is not. What is received is bounded for each VNI, before it reaches control.
 */
#ifndef VXLAN_LIVENESS_H
#define VXLAN_LIVENESS_H

#include "bfd.h"
#include "decap.h"
#include "overlay.h"

#define LIVENESS_RING 4096

struct liveness_event {
	uint32_t vni;
	struct bfd_packet packet;
};

/**
 * liveness_init() - Before the first frame, or when nobody listens any more
 * @event_fd: eventfd that becomes readable when packets have come, borrowed; -1: nobody listens
 */
void liveness_init(int event_fd);

/**
 * liveness_push() - Have packets sent to the other ends of cables
 * @events: copied
 * Return: how many found room. Context: control thread.
 */
uint32_t liveness_push(const struct liveness_event *events, uint32_t n);

/** liveness_waits() - Whether packets wait to be sent */
bool liveness_waits(void);

/** liveness_send() - Send some of those that wait. Context: workers with an uplink; never blocks. */
void liveness_send(const struct overlay_view *view);

/**
 * liveness_receive() - Take a packet that came as DECAP_BFD
 * Return: DROP_NONE, or why it was refused. Context: workers; never blocks.
 */
enum drop_reason liveness_receive(const struct overlay_view *view, const struct decap_info *info,
				  const struct frame *f);

/** liveness_drain() - Take what was received, oldest first; control thread. Return: how many, at most @max. */
uint32_t liveness_drain(struct liveness_event *events, uint32_t max);

#endif
