/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-net header to and from struct frame_offload; see vnet.h. Runs on the workers. */
#include "vhost/vnet.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "port.h"

static_assert(sizeof(struct vnet_hdr) == VNET_LEN_MAX, "as on the ring");

#define ETH_LEN		14
#define TCP_OFFSET_DOFF 12 /* RFC 9293 §3.1: data offset, upper four bits, in 32-bit words */
#define TCP_HDR_MIN	20
#define TCP_CSUM_OFFSET 16

/* Fills in what a TCP segmentation request says; false if the snapshot does not hold a TCP header there. */
static bool vnet_read_gso(const struct vnet_hdr *hdr, uint32_t allowed, struct frame *f)
{
	struct frame_offload *o = &f->offload;
	uint32_t doff_bytes;

	switch (hdr->gso_type & ~VNET_GSO_ECN) {
	case VNET_GSO_TCPV4:
		o->gso = FRAME_GSO_TCP4;
		if (!(allowed & PORT_TX_TSO4))
			return false;
		break;
	case VNET_GSO_TCPV6:
		o->gso = FRAME_GSO_TCP6;
		if (!(allowed & PORT_TX_TSO6))
			return false;
		break;
	default:
		return false;
	}
	if (!(o->flags & FRAME_NEEDS_CSUM) || o->csum_offset != TCP_CSUM_OFFSET ||
	    hdr->gso_size == 0)
		return false;
	if ((uint32_t)o->csum_start + TCP_HDR_MIN > f->hdr_len)
		return false;
	doff_bytes = (uint32_t)(f->hdr[o->csum_start + TCP_OFFSET_DOFF] >> 4) * 4;
	if (doff_bytes < TCP_HDR_MIN || o->csum_start + doff_bytes > f->hdr_len)
		return false;
	o->gso_ecn = hdr->gso_type & VNET_GSO_ECN;
	o->gso_size = hdr->gso_size;
	o->gso_hdr_len = (uint16_t)(o->csum_start + doff_bytes);
	return true;
}

bool vnet_read(const struct vnet_hdr *hdr, uint32_t allowed, struct frame *f)
{
	memset(&f->offload, 0, sizeof(f->offload));
	if (!(allowed & PORT_TX_CSUM))
		return true; /* nothing was negotiated: the header means nothing */
	if (hdr->flags & VNET_F_NEEDS_CSUM) {
		if (hdr->csum_start < ETH_LEN ||
		    (uint32_t)hdr->csum_start + hdr->csum_offset + 2 > f->len)
			return false;
		f->offload.flags = FRAME_NEEDS_CSUM;
		f->offload.csum_start = hdr->csum_start;
		f->offload.csum_offset = hdr->csum_offset;
	}
	return hdr->gso_type == VNET_GSO_NONE || vnet_read_gso(hdr, allowed, f);
}

enum drop_reason vnet_write(const struct frame_out *out, uint32_t takes, struct vnet_hdr *hdr)
{
	const struct frame_offload *o = &out->f->offload;
	int shift = frame_out_shift(out);

	memset(hdr, 0, sizeof(*hdr));
	hdr->num_buffers = 1;
	if (o->flags & FRAME_NEEDS_CSUM) {
		if (!(takes & PORT_TX_CSUM))
			return DROP_NOT_CONNECTED; /* the receiver changed its mind just now */
		hdr->flags = VNET_F_NEEDS_CSUM;
		hdr->csum_start = (uint16_t)(o->csum_start + shift);
		hdr->csum_offset = o->csum_offset;
	} else if (o->flags & FRAME_CSUM_VALID && takes & PORT_TX_CSUM) {
		hdr->flags = VNET_F_DATA_VALID;
	}
	if (o->gso == FRAME_GSO_NONE)
		return DROP_NONE;
	if (o->gso == FRAME_GSO_TCP4 && takes & PORT_TX_TSO4)
		hdr->gso_type = VNET_GSO_TCPV4;
	else if (o->gso == FRAME_GSO_TCP6 && takes & PORT_TX_TSO6)
		hdr->gso_type = VNET_GSO_TCPV6;
	else
		return DROP_TOO_BIG_FOR_RECEIVER;
	if (o->gso_ecn) {
		if (!(takes & PORT_TX_ECN))
			return DROP_TOO_BIG_FOR_RECEIVER;
		hdr->gso_type |= VNET_GSO_ECN;
	}
	hdr->gso_size = o->gso_size;
	hdr->hdr_len = (uint16_t)(o->gso_hdr_len + shift);
	return DROP_NONE;
}
