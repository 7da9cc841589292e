/* SPDX-License-Identifier: BSD-3-Clause */
/* Encapsulated frames into a card's packets: segments and checksums by us, or by the card where it announces that. */
#ifndef TAP_NIC_TX_H
#define TAP_NIC_TX_H

#include "frame.h"
#include "nic_device.h"

#define NIC_TX_BURST 64

/**
 * nic_tx_frames() - Send frames
 * @outs: as encap_burst() left them; drop is written
 *
 * Return: packets sent; *@bytes is the sum of their lengths. Context: any worker, with the card's tx lock held; never blocks.
 */
uint32_t nic_tx_frames(const struct nic_device *nic, struct frame_out *outs, uint16_t n,
		       uint8_t outer_len, uint64_t *bytes);

/** nic_tx_packet() - Send one complete packet, in an mbuf that is taken. Return: false if there is no room. */
bool nic_tx_packet(const struct nic_device *nic, struct rte_mbuf *packet);

#endif
