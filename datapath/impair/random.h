/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random numbers that a seed determines, and the distributions of jitter. Pure; one thread at a time per stream.
 *
 * Each effect of a link draws from a stream of its own, so that asking for jitter does not change which frames are lost.
 */
#ifndef DATAPATH_IMPAIR_RANDOM_H
#define DATAPATH_IMPAIR_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/** random_next() - 64 random bits: SplitMix64 (Steele, Lea, Flood 2014) */
static inline uint64_t random_next(uint64_t *stream)
{
	uint64_t z = *stream += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/** random_unit() - In (0, 1] */
static inline double random_unit(uint64_t *stream)
{
	return (double)((random_next(stream) >> 11) + 1) / 9007199254740992.0;
}

/** random_below() - 0..n-1 */
static inline uint32_t random_below(uint64_t *stream, uint32_t n)
{
	return (uint32_t)((random_next(stream) >> 32) * n >> 32);
}

/** random_chance() - True with a probability of @ppm parts of a million; draws only if it can be either */
static inline bool random_chance(uint64_t *stream, uint32_t ppm)
{
	return ppm != 0 && (ppm >= 1000000 || random_below(stream, 1000000) < ppm);
}

/** random_uniform() - In [-1, 1]: mean 0 */
double random_uniform(uint64_t *stream);

/** random_normal() - Mean 0, standard deviation 1 (Box and Muller) */
double random_normal(uint64_t *stream);

/**
 * random_pareto() - Mean 0, standard deviation 1, never below -0.58: a Pareto distribution of shape 3, moved and scaled
 *
 * Most are a little early and a few are very late, as in queues along a path. Cut at 30, which one in 150000 exceeds.
 */
double random_pareto(uint64_t *stream);

#endif
