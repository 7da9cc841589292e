/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of headers: tens of bytes, a length that is only known at run time, and no time for a call or for the start-up of the
 * string instructions that compilers put there (30 cycles and more each). Any thread.
 */
#ifndef BASE_COPY_H
#define BASE_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The first and the last @half bytes, which overlap or touch; a constant, so that it is a few moves. */
static inline void copy_ends(uint8_t *restrict to, const uint8_t *restrict from, size_t len,
			     size_t half)
{
	memcpy(to, from, half);
	memcpy(to + len - half, from + len - half, half);
}

/* Outer headers with a snapshot behind them, and what is no header. */
static inline void copy_long(uint8_t *restrict to, const uint8_t *restrict from, size_t len)
{
	if (len > 256) {
		memcpy(to, from, len);
	} else if (len > 192) {
		copy_ends(to, from, len, 128);
	} else {
		memcpy(to, from, 128);
		memcpy(to + len - 64, from + len - 64, 64);
	}
}

/** copy_short() - memcpy() for headers; fast up to 256 bytes, right for any length; writes exactly @len */
__attribute__((always_inline)) static inline void
copy_short(uint8_t *restrict to, const uint8_t *restrict from, size_t len)
{
	if (len > 128) {
		copy_long(to, from, len);
	} else if (len > 64) {
		copy_ends(to, from, len, 64);
	} else if (len > 32) {
		copy_ends(to, from, len, 32);
	} else if (len >= 16) {
		copy_ends(to, from, len, 16);
	} else if (len >= 8) {
		copy_ends(to, from, len, 8);
	} else if (len >= 4) {
		copy_ends(to, from, len, 4);
	} else if (len > 0) {
		to[0] = from[0];
		to[len / 2] = from[len / 2];
		to[len - 1] = from[len - 1];
	}
}

/** copy_large() - memcpy() for hundreds of bytes and more that are hardly in the first level cache */
void copy_large(uint8_t *restrict to, const uint8_t *restrict from, size_t len);

#endif
