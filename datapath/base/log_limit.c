/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A token bucket per call site, so that a peer that makes one line repeat neither fills the disk nor drowns
 * the other lines. A call site is known by the address of its format string; what finds no bucket of its own
 * shares one, which only limits more.
 */
#include "base/log_limit.h"

#include <pthread.h>

#include "base/clock.h"

#define N_BUCKETS 64 /* a power of two */
#define N_PROBES  8

struct bucket {
	const char *format;
	unsigned int tokens;
	uint64_t filled_ns; /* when the last token came */
	uint64_t n_held_back;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket buckets[N_BUCKETS];
/* Written once before other threads start; 0: no limit. */
static unsigned int burst_max;
static uint64_t token_ns;

void log_limit_set(unsigned int burst, unsigned int seconds)
{
	burst_max = burst;
	token_ns = seconds * CLOCK_NS_PER_SECOND;
}

static struct bucket *bucket_of(const char *format, uint64_t now_ns)
{
	unsigned int first = (unsigned int)((uintptr_t)format * UINT64_C(0x9e3779b97f4a7c15) >> 40);

	for (unsigned int i = 0; i < N_PROBES; i++) {
		struct bucket *bucket = &buckets[(first + i) % N_BUCKETS];

		if (!bucket->format)
			*bucket = (struct bucket){format, burst_max, now_ns, 0};
		if (bucket->format == format)
			return bucket;
	}
	return &buckets[first % N_BUCKETS];
}

static void bucket_fill(struct bucket *bucket, uint64_t now_ns)
{
	uint64_t n = token_ns && now_ns > bucket->filled_ns
			     ? (now_ns - bucket->filled_ns) / token_ns
			     : 0;

	if (n >= burst_max - bucket->tokens) {
		bucket->tokens = burst_max;
		bucket->filled_ns = now_ns;
	} else {
		bucket->tokens += (unsigned int)n;
		bucket->filled_ns += n * token_ns;
	}
}

bool log_limit_admit(const char *format, uint64_t now_ns, uint64_t *n_held_back)
{
	struct bucket *bucket;
	bool admitted;

	*n_held_back = 0;
	if (!burst_max)
		return true;
	pthread_mutex_lock(&lock);
	bucket = bucket_of(format, now_ns);
	bucket_fill(bucket, now_ns);
	admitted = bucket->tokens > 0;
	if (admitted) {
		bucket->tokens--;
		*n_held_back = bucket->n_held_back;
		bucket->n_held_back = 0;
	} else {
		bucket->n_held_back++;
	}
	pthread_mutex_unlock(&lock);
	return admitted;
}
