/* SPDX-License-Identifier: BSD-3-Clause */
/* See nic_tx.h. */
#include "nic_tx.h"

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "vxlan/packet.h"
#include "vxlan/vxlan.h"
#include "vxlan/wire.h"

#define SEND_TRIES 8 /* a full ring is looked at so often */

struct tx {
	const struct nic_device *nic;
	struct frame_out *outs;
	uint16_t n;
	struct rte_mbuf *mbufs[NIC_TX_BURST];
	uint16_t frame[NIC_TX_BURST]; /* whose packet it is */
	uint32_t n_sent;
	/* of packets put here; those that do not leave are taken out again */
	uint64_t bytes;
};

static void drop(struct tx *tx, uint16_t i, enum drop_reason reason)
{
	tx->outs[tx->frame[i]].drop = (uint8_t)reason;
	tx->bytes -= tx->mbufs[i]->pkt_len;
	rte_pktmbuf_free(tx->mbufs[i]);
}

/* What a driver wants done before it sees packets with work for the card. */
static void prepare(struct tx *tx)
{
	uint16_t ready = 0;

	while (ready < tx->n) {
		ready = (uint16_t)(ready + rte_eth_tx_prepare(tx->nic->port_id, 0,
							      tx->mbufs + ready,
							      (uint16_t)(tx->n - ready)));
		if (ready == tx->n)
			break;
		drop(tx, ready, DROP_BAD_OFFLOAD);
		tx->n--;
		memmove(tx->mbufs + ready, tx->mbufs + ready + 1,
			(size_t)(tx->n - ready) * sizeof(tx->mbufs[0]));
		memmove(tx->frame + ready, tx->frame + ready + 1,
			(size_t)(tx->n - ready) * sizeof(tx->frame[0]));
	}
}

static void flush(struct tx *tx)
{
	uint16_t sent = 0;

	if (tx->nic->tx_offloads != 0)
		prepare(tx);
	for (int i = 0; i < SEND_TRIES && sent < tx->n; i++)
		sent = (uint16_t)(sent + rte_eth_tx_burst(tx->nic->port_id, 0, tx->mbufs + sent,
							  (uint16_t)(tx->n - sent)));
	tx->n_sent += sent;
	while (sent < tx->n)
		drop(tx, sent++, DROP_NO_ROOM);
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

/* The card fills in the outer UDP checksum: take the wish for one out of the headers. Return: whether there was one. */
static bool sum_by_card(const struct tx *tx, struct frame_out *out, uint8_t outer_len)
{
	uint8_t *field = out->prefix + outer_len - VXLAN_HDR_LEN - 2;

	if ((tx->nic->tx_offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) == 0 || outer_len == 0 ||
	    outer_len > out->prefix_len || (field[0] == 0 && field[1] == 0))
		return false;
	memset(field, 0, 2);
	return true;
}

static void sum_ask(struct rte_mbuf *packet, uint8_t outer_len)
{
	bool is_v6 = outer_len == VXLAN_OUTER_LEN6;
	uint8_t *bytes = rte_pktmbuf_mtod(packet, uint8_t *), *ip = bytes + WIRE_ETH_LEN;
	uint16_t sum =
		is_v6 ? rte_ipv6_phdr_cksum((const struct rte_ipv6_hdr *)(const void *)ip, 0)
		      : rte_ipv4_phdr_cksum((const struct rte_ipv4_hdr *)(const void *)ip, 0);

	memcpy(bytes + outer_len - VXLAN_HDR_LEN - 2, &sum, sizeof(sum));
	packet->l2_len = WIRE_ETH_LEN;
	packet->l3_len = is_v6 ? WIRE_IP6_LEN : WIRE_IP4_LEN;
	packet->ol_flags |=
		RTE_MBUF_F_TX_UDP_CKSUM | (is_v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
}

/* All packets of a frame, cut and summed inside here. */
static void frame_put(struct tx *tx, uint16_t frame, uint8_t outer_len)
{
	struct frame_out *out = &tx->outs[frame];
	bool by_card = sum_by_card(tx, out, outer_len);
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
		if (by_card)
			sum_ask(packet, outer_len);
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
