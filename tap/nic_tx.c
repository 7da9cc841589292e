/* SPDX-License-Identifier: BSD-3-Clause */
/* See nic_tx.h. */
#include "nic_tx.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "vxlan/packet.h"

#define SEND_TRIES 8 /* a full ring is looked at so often */

struct tx {
	const struct nic_device *nic;
	struct frame_out *outs;
	uint16_t n;
	struct rte_mbuf *mbufs[NIC_TX_BURST];
	uint16_t frame[NIC_TX_BURST]; /* whose packet it is */
	uint32_t n_sent;
	uint64_t bytes;
};

static void flush(struct tx *tx)
{
	uint16_t sent = 0;

	for (int i = 0; i < SEND_TRIES && sent < tx->n; i++)
		sent = (uint16_t)(sent + rte_eth_tx_burst(tx->nic->port_id, 0, tx->mbufs + sent,
							  (uint16_t)(tx->n - sent)));
	tx->n_sent += sent;
	while (sent < tx->n) {
		tx->outs[tx->frame[sent]].drop = DROP_NO_ROOM;
		tx->bytes -= tx->mbufs[sent]->pkt_len;
		rte_pktmbuf_free(tx->mbufs[sent++]);
	}
	tx->n = 0;
}

static void put(struct tx *tx, uint16_t frame, struct rte_mbuf *packet)
{
	if (tx->n == NIC_TX_BURST)
		flush(tx);
	tx->bytes += packet->pkt_len;
	tx->frame[tx->n] = frame;
	tx->mbufs[tx->n++] = packet;
}

/* All packets of a frame, cut and summed here. */
static void frame_put(struct tx *tx, uint16_t frame, uint8_t outer_len)
{
	struct frame_out *out = &tx->outs[frame];
	struct packet_cursor c;

	out->drop = (uint8_t)packet_start(&c, out, outer_len);
	while (out->drop == DROP_NONE && !packet_is_done(&c)) {
		struct rte_mbuf *packet = rte_pktmbuf_alloc(tx->nic->pool);
		uint32_t len;

		if (packet == NULL) {
			out->drop = DROP_NO_MEMORY;
			return;
		}
		len = packet_next(&c, rte_pktmbuf_mtod(packet, uint8_t *),
				  rte_pktmbuf_tailroom(packet));
		if (len == 0) {
			out->drop = DROP_VXLAN_TOO_BIG;
			rte_pktmbuf_free(packet);
			return;
		}
		packet->data_len = (uint16_t)len;
		packet->pkt_len = len;
		put(tx, frame, packet);
	}
}

uint32_t nic_tx_frames(const struct nic_device *nic, struct frame_out *outs, uint16_t n,
		       uint8_t outer_len, uint64_t *bytes)
{
	struct tx tx = {.nic = nic, .outs = outs};

	for (uint16_t i = 0; i < n; i++)
		frame_put(&tx, i, outer_len);
	flush(&tx);
	*bytes = tx.bytes;
	return tx.n_sent;
}

bool nic_tx_packet(const struct nic_device *nic, struct rte_mbuf *packet)
{
	if (rte_eth_tx_burst(nic->port_id, 0, &packet, 1) == 1)
		return true;
	rte_pktmbuf_free(packet);
	return false;
}
