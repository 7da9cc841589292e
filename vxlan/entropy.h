/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The outer UDP source port says which flow a frame belongs to, so that the underlay's ECMP and the receiver's queues
 * spread flows without reordering any (RFC 7348 §5, "Source Port"). The flow hash is the datapath's l4_flow_hash().
 */
#ifndef VXLAN_ENTROPY_H
#define VXLAN_ENTROPY_H

#include <stdint.h>

/** entropy_port() - Spread a hash over the range @min..@max, both included; uses its high bits */
static inline uint16_t entropy_port(uint32_t hash, uint16_t min, uint16_t max)
{
	return (uint16_t)(min + (((uint64_t)hash * ((uint32_t)max - min + 1)) >> 32));
}

#endif
