/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory in which a front-end keeps the in-flight state of its rings for us: vhost-user, GET_INFLIGHT_FD and SET_INFLIGHT_FD.
 * What is in it: ring_inflight.h. Private to datapath/vhost.
 *
 * rte_vhost knows both messages, and believes what they say of sizes; it never sees them. We make the memory (sealed, so
 * that it cannot be cut off under the front-end) when a front-end asks for it, and forget it; when the front-end gives it, which it
 * does at each start, we map it until the connection ends or it gives another one.
 *
 * Threads: rte_vhost's, under vhost_device.lock, while no ring is open.
 */
#ifndef DATAPATH_VHOST_VHOST_INFLIGHT_H
#define DATAPATH_VHOST_VHOST_INFLIGHT_H

#include "vhost/ring_inflight.h"
#include "vhost/vhost_message.h"

struct vhost_inflight {
	void *mapped; /* NULL: none */
	size_t len;
	bool packed;
	uint16_t n_queues, queue_size;
	uint64_t
		recover; /* bit per ring: no ring was opened with its part since we were given it */
};

/**
 * vhost_inflight_make() - Answer GET_INFLIGHT_FD
 * @msg:      the request; becomes the answer, with a descriptor that is to be closed when it was sent
 * @n_queues: that we have
 *
 * Return: NULL, or a constant sentence: why not.
 */
const char *vhost_inflight_make(struct vhost_message *msg, bool packed, uint16_t n_queues);

/**
 * vhost_inflight_take() - Do as SET_INFLIGHT_FD says
 * @inflight: empty
 * @msg:      its descriptor remains the caller's
 *
 * Return: NULL, or a constant sentence: why not; @inflight is still empty then.
 */
const char *vhost_inflight_take(struct vhost_inflight *inflight, const struct vhost_message *msg,
				bool packed, uint16_t n_queues);

/** vhost_inflight_drop() - Have none any more */
void vhost_inflight_drop(struct vhost_inflight *inflight);

/**
 * vhost_inflight_ring() - Ring @index's part
 * @size: of the ring
 * @recover: out: it may hold what another switch left
 *
 * Return: state is NULL when there is none for such a ring.
 */
struct ring_inflight vhost_inflight_ring(struct vhost_inflight *inflight, bool packed,
					 uint16_t index, uint16_t size, bool *recover);

#endif
