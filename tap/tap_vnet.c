/* SPDX-License-Identifier: BSD-3-Clause */
/* See tap_vnet.h. Any thread. TUNSETVNETLE is not used: fields are in host order on both sides. */
#include "tap_vnet.h"

#include <string.h>

bool tap_vnet_read(const struct virtio_net_hdr *vnet, struct frame_offload *offload)
{
	memset(offload, 0, sizeof(*offload));
	if ((vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
		offload->flags = FRAME_NEEDS_CSUM;
		offload->csum_start = vnet->csum_start;
		offload->csum_offset = vnet->csum_offset;
	} else if ((vnet->flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0) {
		offload->flags = FRAME_CSUM_VALID;
	}
	switch (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		offload->gso = FRAME_GSO_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		offload->gso = FRAME_GSO_TCP6;
		break;
	default:
		return false;
	}
	offload->gso_ecn = (vnet->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
	offload->gso_size = vnet->gso_size;
	return true;
}

void tap_vnet_write(const struct frame_out *out, struct virtio_net_hdr *vnet)
{
	const struct frame_offload *offload = &out->f->offload;
	int shift = frame_out_shift(out);

	memset(vnet, 0, sizeof(*vnet));
	if ((offload->flags & FRAME_NEEDS_CSUM) != 0) {
		vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet->csum_start = (uint16_t)(offload->csum_start + shift);
		vnet->csum_offset = offload->csum_offset;
	} else if ((offload->flags & FRAME_CSUM_VALID) != 0) {
		vnet->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (offload->gso != FRAME_GSO_TCP4 && offload->gso != FRAME_GSO_TCP6)
		return;
	vnet->gso_type = offload->gso == FRAME_GSO_TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4
							: VIRTIO_NET_HDR_GSO_TCPV6;
	if (offload->gso_ecn)
		vnet->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	vnet->gso_size = offload->gso_size;
	vnet->hdr_len = (uint16_t)(offload->gso_hdr_len + shift);
}
