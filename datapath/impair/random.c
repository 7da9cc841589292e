/* SPDX-License-Identifier: BSD-3-Clause */
#include "impair/random.h"

#include <math.h>

#define PARETO_SHAPE 3.0
#define PARETO_MEAN  1.5		/* shape / (shape - 1) */
#define PARETO_SD    0.8660254037844386 /* sqrt(shape / ((shape - 1)^2 (shape - 2))) */
#define PARETO_MOST  30.0
#define TWO_PI	     6.283185307179586

double random_uniform(uint64_t *stream)
{
	return 2 * random_unit(stream) - 1;
}

double random_normal(uint64_t *stream)
{
	double radius = sqrt(-2 * log(random_unit(stream)));

	return radius * cos(TWO_PI * random_unit(stream));
}

double random_pareto(uint64_t *stream)
{
	double value = (1 / cbrt(random_unit(stream)) - PARETO_MEAN) / PARETO_SD;

	return value < PARETO_MOST ? value : PARETO_MOST;
}
