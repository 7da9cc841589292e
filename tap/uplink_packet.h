/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiving side of an uplink's packet socket: what arrives, row by row, as frames. Sending is uplink_tx.h.
 */
#ifndef TAP_UPLINK_PACKET_H
#define TAP_UPLINK_PACKET_H

#include "port.h"

struct uplink_packet;

/** uplink_packet_new() - Return: owned by the caller, NULL without memory. @fd: borrowed, from uplink_socket_packet() */
struct uplink_packet *uplink_packet_new(int fd);
void uplink_packet_free(struct uplink_packet *packet);

/**
 * uplink_packet_rx() - The next frames, as a port's rx would have them
 * @port: where what is malformed is counted, as @worker
 * @segs: FRAME_SEGS_MAX entries for each frame
 *
 * What frames point to is valid until the next call. Context: the uplink's worker; never blocks.
 */
uint16_t uplink_packet_rx(struct uplink_packet *packet, struct port *port, uint16_t worker,
			  struct frame *frames, struct frame_seg (*segs)[FRAME_SEGS_MAX],
			  uint16_t max);

/** uplink_packet_waits() - Whether received frames have not been given out yet */
bool uplink_packet_waits(const struct uplink_packet *packet);

#endif
