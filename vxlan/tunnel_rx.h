/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every kind of uplink does with the packets it received: decapsulation, and the question through which tunnel each frame came
 * in. An uplink's rx ends with it.
 */
#ifndef VXLAN_TUNNEL_RX_H
#define VXLAN_TUNNEL_RX_H

#include "decap.h"
#include "overlay.h"

/**
 * tunnel_rx() - Turn packets of the underlay into frames of the tunnels they came through
 * @view:    current; NULL: there is no overlay, and all are dropped
 * @uplink:  the port they were received on; what is refused is counted there
 * @worker:  that polls it
 * @frames:  packets in; inner frames out, next to each other, with in_port, given_vid and no_learn set. Packets that are not ours
 *	     are left out uncounted: the kernel has them as well
 * @n:	     at most FRAME_BURST
 * @scratch: as for decap_burst()
 *
 * Counts per VNI and per tunnel. Return: how many inner frames. Context: the uplink's worker; never blocks.
 */
uint16_t tunnel_rx(const struct overlay_view *view, struct port *uplink, uint16_t worker,
		   struct frame *frames, uint16_t n, struct pull_scratch *scratch);

#endif
