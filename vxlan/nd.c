/* SPDX-License-Identifier: BSD-3-Clause */
/* See nd.h. Pure; workers. */
#include "nd.h"

#include "checksum.h"
#include "wire.h"

bool nd_parse(const struct frame *f, uint16_t l3_off, struct nd *nd)
{
	const uint8_t *ip = f->hdr + l3_off;
	const uint8_t *message = ip + WIRE_IP6_LEN;
	uint64_t sum;

	if (f->hdr_len < l3_off + WIRE_IP6_LEN + ND_LEN || ip[0] >> 4 != 6)
		return false;
	*nd = (struct nd){.message = message,
			  .len = wire_get16(ip + 4),
			  .type = message[0],
			  .source = ip + 8,
			  .target = message + 8};
	if (ip[6] != WIRE_PROTO_ICMP6 || ip[7] != 255 || message[1] != 0 ||
	    (nd->type != ND_SOLICIT && nd->type != ND_ADVERT))
		return false;
	if (nd->len < ND_LEN || nd->len > f->hdr_len - l3_off - WIRE_IP6_LEN ||
	    nd->target[0] == 0xff)
		return false;
	if ((f->offload.flags & FRAME_NEEDS_CSUM) != 0)
		return true;
	sum = checksum_pseudo(ip + 8, 32, WIRE_PROTO_ICMP6, nd->len) +
	      checksum_sum(message, nd->len);
	return checksum_fold(sum) == UINT16_MAX;
}

const uint8_t *nd_option(const struct nd *nd, uint8_t type)
{
	for (uint16_t off = ND_LEN; off + ND_OPT_LEN <= nd->len;) {
		uint16_t len = (uint16_t)(nd->message[off + 1] * 8);

		if (len == 0 || off + len > nd->len)
			return NULL;
		if (nd->message[off] == type && len == ND_OPT_LEN)
			return nd->message + off + 2;
		off = (uint16_t)(off + len);
	}
	return NULL;
}
