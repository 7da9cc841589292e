/* SPDX-License-Identifier: BSD-3-Clause */
/* See checksum.h. Pure; any thread. */
#include "checksum.h"

#ifdef __x86_64__
#include <immintrin.h>

#define WIDE_BYTES 256 /* from here on it pays */

/* Sum of the first @len & ~63 bytes, 64 at a time: as below, in four lanes; copied to @to, if that is not NULL. */
__attribute__((target("avx2"), always_inline)) static inline uint64_t
wide_loop(uint8_t *restrict to, const uint8_t *restrict p, size_t len)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	uint64_t lanes[4];

	for (; len >= 64; p += 64, len -= 64) {
		__m256i x = _mm256_loadu_si256((const __m256i *)p);
		__m256i y = _mm256_loadu_si256((const __m256i *)(p + 32));

		if (to != NULL) {
			_mm256_storeu_si256((__m256i *)to, x);
			_mm256_storeu_si256((__m256i *)(to + 32), y);
			to += 64;
		}
		a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
		c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
		d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
	}
	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	_mm256_storeu_si256((__m256i *)lanes, a);
	return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

__attribute__((target("avx2"))) static uint64_t sum_wide(const uint8_t *p, size_t len)
{
	return wide_loop(NULL, p, len);
}

__attribute__((target("avx2"))) static uint64_t copy_wide(uint8_t *restrict to,
							  const uint8_t *restrict p, size_t len)
{
	return wide_loop(to, p, len);
}

static inline size_t wide_bytes(size_t len)
{
	return len >= WIDE_BYTES && __builtin_cpu_supports("avx2") ? len & ~(size_t)63 : 0;
}
#else
static inline uint64_t sum_wide(const uint8_t *p, size_t len)
{
	(void)p;
	(void)len;
	return 0;
}

static inline uint64_t copy_wide(uint8_t *to, const uint8_t *p, size_t len)
{
	(void)to;
	(void)p;
	(void)len;
	return 0;
}

static inline size_t wide_bytes(size_t len)
{
	(void)len;
	return 0;
}
#endif

uint64_t checksum_sum(const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t wide = wide_bytes(len);
	uint64_t low = 0, high = 0, word;

	if (wide != 0) {
		low = sum_wide(p, wide);
		p += wide;
		len -= wide;
	}
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

uint64_t checksum_copy(void *restrict to, const void *restrict from, size_t len)
{
	const uint8_t *p = from;
	uint8_t *q = to;
	size_t wide = wide_bytes(len);
	uint64_t sum = 0, word;

	if (wide != 0) {
		sum = copy_wide(q, p, wide);
		p += wide;
		q += wide;
		len -= wide;
	}
	for (; len >= 8; p += 8, q += 8, len -= 8) {
		memcpy(&word, p, 8);
		memcpy(q, &word, 8);
		sum += (word & UINT32_MAX) + (word >> 32);
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		memcpy(q, &word, len);
		sum += (word & UINT32_MAX) + (word >> 32);
	}
	return sum;
}
