/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header in front of every frame on a virtio ring (virtio 1.2 §5.1.6), to and from struct frame_offload.
 *
 * It comes from a guest: it is copied once, checked against the snapshot of the frame's bytes, and what does not fit
 * is refused. It is little-endian for virtio 1 and, on the machines we run on, for legacy as well.
 */
#ifndef DATAPATH_VHOST_VNET_H
#define DATAPATH_VHOST_VNET_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define VNET_LEN_MAX 12 /* with num_buffers: virtio 1, or mergeable receive buffers */
#define VNET_LEN_OLD 10

#define VNET_F_NEEDS_CSUM 1
#define VNET_F_DATA_VALID 2

#define VNET_GSO_NONE  0
#define VNET_GSO_TCPV4 1
#define VNET_GSO_TCPV6 4
#define VNET_GSO_ECN   0x80

#define VNET_WISHES UINT64_C(0xffff) /* flags and gso_type in the header's first eight bytes */

struct vnet_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
} __attribute__((packed));

/**
 * vnet_read() - Translate a sender's header, checked against the frame it belongs to
 * @hdr:     private copy
 * @allowed: PORT_TX_* of what the sender negotiated (VIRTIO_NET_F_CSUM, HOST_TSO4, ...)
 * @f:       in: hdr, hdr_len, len. out: offload, written whole
 *
 * gso_hdr_len is computed from the snapshot; the sender's hdr_len is a hint that is not used.
 * Return: false if the header contradicts the frame or what was negotiated.
 */
bool vnet_read(const struct vnet_hdr *hdr, uint32_t allowed, struct frame *f);

/**
 * vnet_write() - Header for a receiver
 * @out:     frame and what differs on this egress
 * @takes:   PORT_TX_* of what the receiver negotiated
 * @hdr:     out; num_buffers is 1
 *
 * Return: DROP_NONE, or why the frame cannot be handed to this receiver as it is.
 */
enum drop_reason vnet_write(const struct frame_out *out, uint32_t takes, struct vnet_hdr *hdr);

#endif
