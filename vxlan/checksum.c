/* SPDX-License-Identifier: BSD-3-Clause */
/* See checksum.h. Pure; any thread. */
#include "checksum.h"

uint64_t checksum_sum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t low = 0, high = 0, word;

	/* Two accumulators of 32-bit halves: no carry to look after. */
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		low += word & UINT32_MAX;
		high += word >> 32;
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		low += word & UINT32_MAX;
		high += word >> 32;
	}
	return low + high;
}
