/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Features come in two kinds. Those of the card (MAC, link status, control queue...) are ours: the
 * back-end needs not know them. Those of the data path (ring format, header format, offloads) describe
 * bytes that the back-end reads and writes: what the driver accepted there, every back-end must have.
 */
#include "virtio/net_features.h"

#include "virtio/virtio.h"

#define BIT(n) VIRTIO_BIT(n)

#define CARD                                                                                       \
	(BIT(NET_F_MAC) | BIT(NET_F_STATUS) | BIT(NET_F_CTRL_VQ) | BIT(NET_F_CTRL_RX) |            \
	 BIT(NET_F_CTRL_MAC_ADDR) | BIT(NET_F_GUEST_ANNOUNCE) | BIT(NET_F_CTRL_GUEST_OFFLOADS) |   \
	 BIT(NET_F_SPEED_DUPLEX))

#define GUEST_OFFLOADS                                                                             \
	(BIT(NET_F_GUEST_CSUM) | BIT(NET_F_GUEST_TSO4) | BIT(NET_F_GUEST_TSO6) |                   \
	 BIT(NET_F_GUEST_ECN))
#define HOST_TSO (BIT(NET_F_HOST_TSO4) | BIT(NET_F_HOST_TSO6))
#define OFFLOADS (GUEST_OFFLOADS | BIT(NET_F_CSUM) | HOST_TSO | BIT(NET_F_HOST_ECN))
/* ECN is not everywhere: offered only when the back-end is known to have it. */
#define OFFLOADS_USUAL (OFFLOADS & ~(BIT(NET_F_GUEST_ECN) | BIT(NET_F_HOST_ECN)))

#define RINGS                                                                                      \
	(BIT(VIRTIO_RING_INDIRECT_DESC) | BIT(VIRTIO_RING_EVENT_IDX) | BIT(NET_F_MRG_RXBUF) |      \
	 BIT(VIRTIO_VERSION_1))
#define DATA_PATH (RINGS | BIT(VIRTIO_RING_PACKED) | OFFLOADS)

/* §5.1.3.1: segmentation needs checksums, ECN needs segmentation. */
static uint64_t dependencies_apply(uint64_t features)
{
	if (!(features & BIT(NET_F_CSUM)))
		features &= ~HOST_TSO;
	if (!(features & HOST_TSO))
		features &= ~BIT(NET_F_HOST_ECN);
	if (!(features & BIT(NET_F_GUEST_CSUM)))
		features &= ~GUEST_OFFLOADS;
	if (!(features & (BIT(NET_F_GUEST_TSO4) | BIT(NET_F_GUEST_TSO6))))
		features &= ~BIT(NET_F_GUEST_ECN);
	return features;
}

uint64_t net_features_offered(const struct net_features_in *in)
{
	uint64_t data_path = RINGS | (in->packed ? BIT(VIRTIO_RING_PACKED) : 0);

	if (in->offloads == NET_OFFLOADS_AUTO && in->backend_known)
		data_path = (data_path | OFFLOADS) & in->backend_features;
	else if (in->offloads != NET_OFFLOADS_OFF)
		data_path |= OFFLOADS_USUAL;
	return CARD | dependencies_apply(data_path) | (in->multiqueue ? BIT(NET_F_MQ) : 0) |
	       (in->mtu ? BIT(NET_F_MTU) : 0);
}

uint64_t net_features_missing(uint64_t acked, uint64_t backend)
{
	return acked & DATA_PATH & ~backend;
}

uint64_t net_features_guest_offloads(uint64_t acked)
{
	return acked & GUEST_OFFLOADS;
}

uint64_t net_features_run(uint64_t acked, uint64_t backend, uint64_t guest_offloads)
{
	uint64_t features = acked & ~(GUEST_OFFLOADS & ~guest_offloads);

	/* Bits of the card are passed on where the back-end knows them: rte_vhost sizes headers by MQ, say. */
	return dependencies_apply(features) & backend;
}
