/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * floor CPU CPU [SIZE [ROUNDS]]: cycles per frame below which no switch between two cards can go, because of lines that move from one CPU to the
 * other and back. On the second CPU the traffic microguest's own generator and judge (guest.h), on the first one a loop that does nothing but what
 * the rings ask for: it trusts everything, decides and counts nothing, and knows that there are two ports. Given the same CPU
 * twice, both work in turns, and no line moves. Ways, in turn:
 *
 *   rings     descriptors read, used elements and indices written; no byte of a frame is touched
 *   copy      and the frame copied, the header in front of it included
 *   snapshot  and its first bytes copied to memory of our own before, as somebody has to who decides on them
 *   fences    and a full fence and a look at the event index behind each publication, as virtio 1.2 §2.7.10 asks for
 *   netloom   netloomd's code for rings (datapath/vhost/ring.h) on the same rings, without a switch between them
 *
 * Printed: Mpps, cycles of rounds that found frames over those frames, and how much of the time that was.
 */
#include <emmintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "floor/guest.h"
#include "vhost/ring.h"

#define ROUND_S	   0.3
#define ROUNDS_MAX 99
#define AWAY_S	   1e-4 /* no round takes so long, somebody else had the CPU */
#define MASK	   (GUEST_RING - 1)

enum way { RINGS, COPY, SNAPSHOT, FENCES, NETLOOM, WAYS };

static const char *const way_names[WAYS] = {"rings", "copy", "snapshot", "fences", "netloom"};

struct side {
	struct guest_ring at;
	uint16_t next, seen; /* of its avail index */
};

struct result {
	double mpps, cycles, busy;
};

static struct side sides[GUEST_CARDS][2];
static struct ring rings[GUEST_CARDS][2];
static struct vhost_mem mem;
static bool in_turns;
static _Atomic bool stop;

static void *generate(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		guest_work();
	return NULL;
}

static uint16_t waiting(struct side *side)
{
	if ((uint16_t)(side->seen - side->next) < GUEST_BURST)
		side->seen = __atomic_load_n(&side->at.avail[1], __ATOMIC_ACQUIRE);
	return (uint16_t)(side->seen - side->next);
}

static inline void publish(struct side *side, const uint16_t *ids, const uint32_t *lengths,
			   uint16_t n, enum way way)
{
	struct nic_used *used = (struct nic_used *)(uintptr_t)(side->at.used + 2);

	for (uint16_t i = 0; i < n; i++)
		used[(side->next + i) & MASK] = (struct nic_used){ids[i], lengths ? lengths[i] : 0};
	side->next += n;
	__atomic_store_n(&side->at.used[1], side->next, __ATOMIC_RELEASE);
	if (way >= FENCES) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		(void)side->at.avail[2 + GUEST_RING];
	}
}

/* In whole pieces of 16, the last of which may overlap. */
static inline void copy_small(uint8_t *to, const uint8_t *from, uint32_t len)
{
	for (uint32_t at = 0; at + 16 < len; at += 16)
		_mm_storeu_si128((__m128i *)(to + at),
				 _mm_loadu_si128((const __m128i *)(from + at)));
	_mm_storeu_si128((__m128i *)(to + len - 16),
			 _mm_loadu_si128((const __m128i *)(from + len - 16)));
}

static inline __attribute__((always_inline)) uint16_t carry(struct side *from, struct side *to,
							    enum way way)
{
	static uint8_t heads[GUEST_BURST][FRAME_HDR_MAX] __attribute__((aligned(64)));
	const struct nic_desc *in[GUEST_BURST], *out[GUEST_BURST];
	uint16_t in_ids[GUEST_BURST], out_ids[GUEST_BURST], n = waiting(from), room;
	uint32_t lengths[GUEST_BURST];

	if (n == 0)
		return 0;
	room = waiting(to);
	n = n < room ? n : room;
	n = n < GUEST_BURST ? n : GUEST_BURST;
	for (uint16_t i = 0; i < n; i++) {
		in_ids[i] = from->at.avail[2 + ((from->next + i) & MASK)];
		out_ids[i] = to->at.avail[2 + ((to->next + i) & MASK)];
		in[i] = &from->at.desc[in_ids[i]];
		out[i] = &to->at.desc[out_ids[i]];
		lengths[i] = in[i]->length;
		for (uint32_t at = 0; way >= COPY && at < 128; at += 64) {
			__builtin_prefetch((const void *)(in[i]->address + at));
			nic_prefetch_write((const void *)(out[i]->address + at));
		}
	}
	for (uint16_t i = 0; way >= SNAPSHOT && i < n; i++) {
		uint32_t len = lengths[i] - NIC_VNET;

		copy_small(heads[i], (const uint8_t *)in[i]->address + NIC_VNET,
			   len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
	}
	for (uint16_t i = 0; way >= COPY && i < n; i++) {
		if (lengths[i] > FRAME_HDR_MAX)
			memcpy((void *)out[i]->address, (const void *)in[i]->address, lengths[i]);
		else
			copy_small((uint8_t *)out[i]->address, (const uint8_t *)in[i]->address,
				   lengths[i]);
	}
	publish(to, out_ids, lengths, n, way);
	publish(from, in_ids, NULL, n, way);
	return n;
}

static uint16_t carry_netloom(struct ring *from, struct ring *to)
{
	static struct frame frames[FRAME_BURST];
	static struct frame_out outs[FRAME_BURST];
	static uint64_t drops[DROP_N];
	uint16_t n = ring_rx(from, frames, FRAME_BURST, drops);

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		frame_out_init(&outs[i], &frames[i]);
	ring_tx(to, outs, n);
	ring_rx_release(from);
	return n;
}

static inline __attribute__((always_inline)) struct result run(enum way way, double hz)
{
	uint64_t begin = guest_tsc(), last = begin, now = begin, busy = 0, away = 0, frames = 0;
	int turn = 0;

	while (now - begin < (uint64_t)(ROUND_S * hz)) {
		uint16_t n;

		if (in_turns) {
			guest_work();
			now = guest_tsc();
			away += now - last;
			last = now;
		}
		n = way == NETLOOM ? carry_netloom(&rings[turn][1], &rings[!turn][0])
				   : carry(&sides[turn][1], &sides[!turn][0], way);
		turn = !turn;
		now = guest_tsc();
		if (n && now - last < (uint64_t)(AWAY_S * hz)) {
			busy += now - last;
			frames += n;
		}
		last = now;
	}
	away = now - begin - away;
	return (struct result){(double)frames / ((double)away / hz) / 1e6,
			       (double)busy / (double)(frames ? frames : 1),
			       (double)busy / (double)away};
}

/* Both kinds of loop go on where the one before has stopped. */
static struct result run_netloom(double hz)
{
	struct result result;
	const char *why;

	for (int i = 0; i < 2 * GUEST_CARDS; i++) {
		const struct side *side = &sides[i / 2][i % 2];
		struct ring_setup setup = {.mem = &mem,
					   .event_idx = true,
					   .indirect = true,
					   .vnet_len = VNET_LEN_MAX,
					   .size = GUEST_RING,
					   .desc = side->at.desc,
					   .driver = (void *)(uintptr_t)side->at.avail,
					   .device = (void *)(uintptr_t)side->at.used,
					   .next_avail = side->next,
					   .next_used = side->next};

		guest_check(ring_open(&rings[i / 2][i % 2], &setup, &why) == 0, 3,
			    "rings can be opened");
	}
	result = run(NETLOOM, hz);
	for (int i = 0; i < 2 * GUEST_CARDS; i++)
		sides[i / 2][i % 2].next = sides[i / 2][i % 2].seen = rings[i / 2][i % 2].next_used;
	return result;
}

static struct result run_way(enum way way, double hz)
{
	switch (way) {
	case RINGS:
		return run(RINGS, hz);
	case COPY:
		return run(COPY, hz);
	case SNAPSHOT:
		return run(SNAPSHOT, hz);
	case FENCES:
		return run(FENCES, hz);
	default:
		return run_netloom(hz);
	}
}

static double tsc_hz(void)
{
	const struct timespec pause = {0, 50000000};
	struct timespec a, b;
	uint64_t from, to;

	clock_gettime(CLOCK_MONOTONIC, &a);
	from = guest_tsc();
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	to = guest_tsc();
	return (double)(to - from) /
	       ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

static int ascending(const void *a, const void *b)
{
	double x = ((const struct result *)a)->cycles, y = ((const struct result *)b)->cycles;

	return (x > y) - (x < y);
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	guest_check(pthread_setaffinity_np(thread, sizeof(set), &set) == 0, 4,
		    "there is such a CPU");
}

int main(int argc, char **argv)
{
	static struct result results[WAYS][ROUNDS_MAX];
	uint32_t size = argc > 3 ? (uint32_t)atoi(argv[3]) : 64;
	int rounds = argc > 4 ? atoi(argv[4]) : 7;
	double hz = tsc_hz();
	pthread_t generator;
	uint8_t *memory;
	size_t bytes;

	if (argc < 3 || size < 64 || size > 1518 || rounds < 1 || rounds > ROUNDS_MAX) {
		fputs("usage: floor CPU CPU [SIZE (64 to 1518) [ROUNDS]]\n", stderr);
		return 2;
	}
	memory = guest_start(size, &bytes);
	vhost_mem_add(&mem, (uint64_t)memory, bytes, memory);
	for (int i = 0; i < 2 * GUEST_CARDS; i++)
		sides[i / 2][i % 2].at = guest_rings[i / 2][i % 2];
	pin(pthread_self(), atoi(argv[1]));
	in_turns = atoi(argv[1]) == atoi(argv[2]);
	if (!in_turns) {
		guest_check(pthread_create(&generator, NULL, generate, NULL) == 0, 5,
			    "threads can be made");
		pin(generator, atoi(argv[2]));
	}
	for (int round = -1; round < rounds; round++)
		for (int way = 0; way < WAYS; way++) {
			struct result result = run_way((enum way)way, hz);

			if (round >= 0)
				results[way][round] = result;
		}
	for (int way = 0; way < WAYS; way++) {
		const struct result *middle = &results[way][rounds / 2];

		qsort(results[way], (size_t)rounds, sizeof(results[0][0]), ascending);
		printf("%-9s %6.1f Mpps %6.1f cycles a frame (%.1f to %.1f), busy %3.0f %%\n",
		       way_names[way], middle->mpps, middle->cycles, results[way][0].cycles,
		       results[way][rounds - 1].cycles, 100 * middle->busy);
	}
	atomic_store(&stop, true);
	if (!in_turns)
		pthread_join(generator, NULL);
	return 0;
}
