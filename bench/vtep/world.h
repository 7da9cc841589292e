/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is measured: a source and a sink on one worker, and between them a wire, the way into a tunnel, or the way out of one.
 *
 *	plain:	source ---wire--- sink
 *	encap:	source ---switch, tunnel ports--- encapsulation --- sink, as the uplink
 *	decap:	source, as the uplink --- decapsulation ---switch, tunnel ports--- sink
 *
 * VNIs are spread over as many switches as it takes, 2,048 VLANs each, with a source, a sink and a tunnel each: VNI v is 10010 + v and VLAN
 * 1 + v % 2048 of switch v / 2048. Station m is MAC 02:00:00:0b:00:00 + m, in VNI m % n_vnis. All are behind the remote VTEP when
 * frames are encapsulated, and behind the sinks when they are decapsulated. A source sends its VLANs' tags when there are several VNIs.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "base/err.h"
#include "port.h"

enum world_kind { WORLD_PLAIN, WORLD_ENCAP, WORLD_DECAP };

struct world_options {
	enum world_kind kind;
	uint32_t n_vnis, n_macs;
	/* encap: one for each switch; decap and plain: one */
	uint32_t n_pcaps;
	const char *const *pcaps;
};

/**
 * world_start() - Make the ports, tables and snapshot and let the worker run on them
 * Return: 0, or -errno with @err filled. After datapath_start(), once.
 */
int world_start(const struct world_options *options, struct err *err);

/** world_sent() - Packets that arrived in sinks */
uint64_t world_sent(void);

#endif
