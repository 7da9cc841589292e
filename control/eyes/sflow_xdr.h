/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing sFlow version 5 datagrams: sflow.org/sflow_version_5.txt, all numbers big-endian (XDR, RFC 4506). No I/O. */
#ifndef CONTROL_EYES_SFLOW_XDR_H
#define CONTROL_EYES_SFLOW_XDR_H

#include <stdbool.h>
#include <stdint.h>

#include "vxlan/vxlan.h"

#define SFLOW_DATAGRAM_MAX 1400 /* fits an Ethernet MTU, as §4.1 wants */

struct sflow_datagram {
	uint32_t used;
	uint32_t n_samples;
	uint32_t n_at; /* where their number is */
	uint8_t bytes[SFLOW_DATAGRAM_MAX];
};

struct sflow_flow {
	uint32_t sequence; /* of this source's flow samples */
	uint32_t ifindex;
	uint32_t rate;
	uint32_t pool;	/* frames that could have been sampled */
	uint32_t drops; /* samples lost for want of resources */
	uint32_t frame_len;
	uint32_t header_len;
	const uint8_t *header;
};

struct sflow_counters {
	uint32_t sequence; /* of this source's counter samples */
	uint32_t ifindex;
	bool admin_up, link_up;
	uint64_t rx_bytes, tx_bytes;
	uint32_t rx_pkts, rx_drops, tx_pkts, tx_drops;
};

/** sflow_begin() - Start a datagram. @sequence: of this agent's datagrams */
void sflow_begin(struct sflow_datagram *datagram, const struct vxlan_ip *agent, uint32_t sequence,
		 uint32_t uptime_ms);

/** sflow_add_flow() - Return: false when there is no room: send, begin anew, and try again */
bool sflow_add_flow(struct sflow_datagram *datagram, const struct sflow_flow *flow);
bool sflow_add_counters(struct sflow_datagram *datagram, const struct sflow_counters *counters);

#endif
