/* SPDX-License-Identifier: BSD-3-Clause */
#include "eyes/sflow_xdr.h"

#include <string.h>

#define FLOW_SAMPLE	1
#define COUNTERS_SAMPLE 2
#define RAW_HEADER	1
#define IF_COUNTERS	1
#define ETHERNET	1 /* header_protocol */
#define IF_ETHERNET	6 /* ifType */
#define UNKNOWN		UINT32_MAX
#define FCS_LEN		4
#define FLOW_FIXED	(8 + 32 + 8 + 16) /* in front of the header's bytes */
#define COUNTERS_BYTES	(8 + 12 + 8 + 88)

static void put32(struct sflow_datagram *d, uint32_t value)
{
	uint8_t *to = d->bytes + d->used;

	to[0] = (uint8_t)(value >> 24);
	to[1] = (uint8_t)(value >> 16);
	to[2] = (uint8_t)(value >> 8);
	to[3] = (uint8_t)value;
	d->used += 4;
}

static void put64(struct sflow_datagram *d, uint64_t value)
{
	put32(d, (uint32_t)(value >> 32));
	put32(d, (uint32_t)value);
}

void sflow_begin(struct sflow_datagram *datagram, const struct vxlan_ip *agent, uint32_t sequence,
		 uint32_t uptime_ms)
{
	uint32_t n = agent->is_v6 ? 16 : 4;

	datagram->used = 0;
	datagram->n_samples = 0;
	put32(datagram, 5);
	put32(datagram, agent->is_v6 ? 2 : 1);
	memcpy(datagram->bytes + datagram->used, agent->b, n);
	datagram->used += n;
	put32(datagram, 0); /* sub-agent */
	put32(datagram, sequence);
	put32(datagram, uptime_ms);
	datagram->n_at = datagram->used;
	put32(datagram, 0);
}

static void counted(struct sflow_datagram *d)
{
	uint32_t used = d->used;

	d->used = d->n_at;
	put32(d, ++d->n_samples);
	d->used = used;
}

bool sflow_add_flow(struct sflow_datagram *d, const struct sflow_flow *flow)
{
	uint32_t padded = (flow->header_len + 3) / 4 * 4;

	if (d->used + FLOW_FIXED + padded > sizeof(d->bytes))
		return false;
	put32(d, FLOW_SAMPLE);
	put32(d, FLOW_FIXED - 8 + padded);
	put32(d, flow->sequence);
	put32(d, flow->ifindex); /* source: type 0, an ifIndex */
	put32(d, flow->rate);
	put32(d, flow->pool);
	put32(d, flow->drops);
	put32(d, flow->ifindex); /* input */
	put32(d, 0);		 /* output: not known, it is sampled before */
	put32(d, 1);
	put32(d, RAW_HEADER);
	put32(d, 16 + padded);
	put32(d, ETHERNET);
	put32(d, flow->frame_len + FCS_LEN);
	put32(d, FCS_LEN); /* stripped */
	put32(d, flow->header_len);
	memcpy(d->bytes + d->used, flow->header, flow->header_len);
	memset(d->bytes + d->used + flow->header_len, 0, padded - flow->header_len);
	d->used += padded;
	counted(d);
	return true;
}

bool sflow_add_counters(struct sflow_datagram *d, const struct sflow_counters *c)
{
	if (d->used + COUNTERS_BYTES > sizeof(d->bytes))
		return false;
	put32(d, COUNTERS_SAMPLE);
	put32(d, COUNTERS_BYTES - 8);
	put32(d, c->sequence);
	put32(d, c->ifindex);
	put32(d, 1);
	put32(d, IF_COUNTERS);
	put32(d, 88);
	put32(d, c->ifindex);
	put32(d, IF_ETHERNET);
	put64(d, 0); /* ifSpeed: as fast as memory is */
	put32(d, 1); /* full duplex */
	put32(d, (c->admin_up ? 1 : 0) | (c->link_up ? 2 : 0));
	put64(d, c->rx_bytes);
	put32(d, c->rx_pkts);
	put32(d, UNKNOWN); /* multicast, broadcast: not told apart */
	put32(d, UNKNOWN);
	put32(d, c->rx_drops);
	put32(d, UNKNOWN);
	put32(d, UNKNOWN);
	put64(d, c->tx_bytes);
	put32(d, c->tx_pkts);
	put32(d, UNKNOWN);
	put32(d, UNKNOWN);
	put32(d, c->tx_drops);
	put32(d, UNKNOWN);
	put32(d, 0); /* not promiscuous */
	counted(d);
	return true;
}
