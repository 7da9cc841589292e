/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the virtio-net header TAP speaks (virtio 1.2 §5.1.6) and frame_offload. Pure.
 */
#ifndef TAP_TAP_VNET_H
#define TAP_TAP_VNET_H

#include <linux/virtio_net.h>

#include "frame.h"

/**
 * tap_vnet_read() - What the kernel left for others to do
 * @vnet:    as it came in front of a frame
 * @offload: out; gso_hdr_len is left to the parser
 *
 * Return: false for a kind of segmentation that was not agreed on.
 */
bool tap_vnet_read(const struct virtio_net_hdr *vnet, struct frame_offload *offload);

/**
 * tap_vnet_write() - Tell the kernel what is left to do in a frame
 * @out: its offload wishes, moved by what the egress changed in front
 */
void tap_vnet_write(const struct frame_out *out, struct virtio_net_hdr *vnet);

#endif
