/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing encapsulated frames to a packet socket, many per system call. */
#ifndef TAP_UPLINK_TX_H
#define TAP_UPLINK_TX_H

#include "frame.h"

#define UPLINK_GSO_UDP_L4                                                                          \
	5 /* VIRTIO_NET_HDR_GSO_UDP_L4 (virtio 1.3 §5.1.6.2), newer than Debian 12's headers */

/** uplink_tx_rows_known() - Whether this kernel cuts rows of UDP datagrams for packet sockets (Linux 6.2) */
bool uplink_tx_rows_known(void);

/**
 * uplink_tx() - Send frames as packets
 * @fd:	       packet socket with PACKET_VNET_HDR
 * @outs:      as encap_burst() left them; drop is written
 * @outer_len: of all of them
 * @bytes:     out: sum of the packets' lengths
 *
 * A frame that makes several packets counts as dropped if one of them was not taken.
 * Return: packets sent. Context: any worker; never blocks.
 */
uint32_t uplink_tx(int fd, struct frame_out *outs, uint16_t n, uint8_t outer_len, uint64_t *bytes);

#endif
