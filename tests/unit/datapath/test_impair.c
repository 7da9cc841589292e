/* SPDX-License-Identifier: BSD-3-Clause */
/* Impaired links: what is decided for a frame, by statistics with fixed seeds, and what is kept and given back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "impair/decide.h"
#include "impair/impair.h"
#include "impair/wheel.h"

#define MS	UINT64_C(1000000)
#define SECOND	UINT64_C(1000000000)
#define N_DRAWS 200000
#define PERCENT 10000u
#define SALT	UINT64_C(12345)

static uint64_t turns[IMPAIR_QUEUE_MAX];

struct moments {
	double mean, deviation, least, most;
};

/* Delays of frames that come one a second. */
static struct moments delays(const struct impair_params *p)
{
	struct moments m = {.least = 1e300};
	struct impair_state state;
	struct impair_copy copies[2];
	double sum = 0, squares = 0;

	impair_state_init(&state, SALT, turns);
	for (uint64_t i = 1; i <= N_DRAWS; i++) {
		double delay;

		assert_int_equal(impair_decide(&state, p, 100, i * SECOND, copies), 1);
		delay = (double)(copies[0].due_ns - i * SECOND);
		sum += delay;
		squares += delay * delay;
		m.least = delay < m.least ? delay : m.least;
		m.most = delay > m.most ? delay : m.most;
	}
	m.mean = sum / N_DRAWS;
	m.deviation = sqrt(squares / N_DRAWS - m.mean * m.mean);
	return m;
}

static void assert_near(double value, double wanted, double within)
{
	if (fabs(value - wanted) > within)
		fail_msg("%f is not within %f of %f", value, within, wanted);
}

static void delay_without_jitter_is_exact(void **unused)
{
	struct impair_params p = {.delay_ns = 20 * MS};
	struct moments m = delays(&p);

	(void)unused;
	assert_near(m.least, 20e6, 0.5);
	assert_near(m.most, 20e6, 0.5);
}

static void uniform_jitter_is_flat_between_its_bounds(void **unused)
{
	struct impair_params p = {.delay_ns = 20 * MS, .jitter_ns = 5 * MS};
	struct moments m = delays(&p);

	(void)unused;
	/* Four standard errors of N_DRAWS. */
	assert_near(m.mean, 20e6, 4 * 5e6 / sqrt(3.0 * N_DRAWS));
	assert_near(m.deviation, 5e6 / sqrt(3), 20e3);
	assert_true(m.least >= 15e6 && m.least < 15.01e6);
	assert_true(m.most <= 25e6 && m.most > 24.99e6);
}

static void normal_jitter_has_its_standard_deviation(void **unused)
{
	struct impair_params p = {
		.delay_ns = 50 * MS, .jitter_ns = 5 * MS, .distribution = IMPAIR_NORMAL};
	struct moments m = delays(&p);

	(void)unused;
	assert_near(m.mean, 50e6, 4 * 5e6 / sqrt(N_DRAWS));
	assert_near(m.deviation, 5e6, 4 * 5e6 / sqrt(2.0 * N_DRAWS));
}

static void pareto_jitter_has_a_long_tail_and_keeps_the_mean(void **unused)
{
	struct impair_params p = {
		.delay_ns = 20 * MS, .jitter_ns = 5 * MS, .distribution = IMPAIR_PARETO};
	struct moments m = delays(&p);

	(void)unused;
	assert_near(m.mean, 20e6, 0.1e6);
	assert_near(m.deviation, 5e6, 0.5e6); /* the fourth moment of the tail does not exist */
	assert_true(m.least > 20e6 - 0.5774 * 5e6 - 1e3);
	assert_true(m.most > 20e6 + 10 * 5e6 && m.most <= 20e6 + 30 * 5e6);
}

static uint32_t count_lost(const struct impair_params *p, uint32_t *bursts)
{
	struct impair_state state;
	struct impair_copy copies[2];
	uint32_t lost = 0;
	bool before = false;

	impair_state_init(&state, SALT, turns);
	for (uint64_t i = 0; i < N_DRAWS; i++) {
		bool is_lost = impair_decide(&state, p, 100, SECOND + i * MS, copies) == 0;

		lost += is_lost;
		if (bursts != NULL)
			*bursts += is_lost && !before;
		before = is_lost;
	}
	return lost;
}

static void random_loss_is_as_asked(void **unused)
{
	struct impair_params p = {.loss_ppm = PERCENT};
	double sd = sqrt(N_DRAWS * 0.01 * 0.99);

	(void)unused;
	assert_near(count_lost(&p, NULL), N_DRAWS * 0.01, 4 * sd);
	p.loss_ppm = 0;
	assert_int_equal(count_lost(&p, NULL), 0);
	p.loss_ppm = IMPAIR_PPM;
	assert_int_equal(count_lost(&p, NULL), N_DRAWS);
}

static void gilbert_elliott_loses_in_bursts(void **unused)
{
	/* Entered by one frame of 200, left by one of four: 1.96 % of the time, four frames long on average. */
	struct impair_params p = {.burst_enter_ppm = 5000,
				  .burst_leave_ppm = 25 * PERCENT,
				  .burst_loss_ppm = IMPAIR_PPM};
	uint32_t bursts = 0, lost = count_lost(&p, &bursts);

	(void)unused;
	assert_near(lost / (double)N_DRAWS, 0.005 / 0.255, 0.0025);
	assert_near(lost / (double)bursts, 4.0, 0.3);
}

static void seed_decides_everything(void **unused)
{
	struct impair_params p = {.delay_ns = 20 * MS,
				  .jitter_ns = 5 * MS,
				  .distribution = IMPAIR_NORMAL,
				  .loss_ppm = 10 * PERCENT,
				  .duplicate_ppm = 10 * PERCENT,
				  .corrupt_ppm = 10 * PERCENT,
				  .reorder_ppm = 10 * PERCENT,
				  .seed = 7};
	struct impair_state a, b, other;
	unsigned int differ = 0;

	(void)unused;
	impair_state_init(&a, SALT, turns);
	impair_state_init(&b, SALT, turns);
	impair_state_init(&other, SALT + 1, turns);
	for (uint64_t i = 1; i < 1000; i++) {
		struct impair_copy x[2] = {0}, y[2] = {0}, z[2] = {0};
		unsigned int n = impair_decide(&a, &p, 100, i * SECOND, x);

		assert_int_equal(impair_decide(&b, &p, 100, i * SECOND, y), n);
		assert_memory_equal(x, y, n * sizeof(x[0]));
		differ += impair_decide(&other, &p, 100, i * SECOND, z) != n ||
			  z[0].due_ns != x[0].due_ns;
	}
	assert_true(differ > 900);
}

static void jitter_leaves_the_losses_as_they_were(void **unused)
{
	struct impair_params p = {.loss_ppm = 10 * PERCENT}, q = p;
	struct impair_state a, b;
	struct impair_copy copies[2];

	(void)unused;
	q.delay_ns = 20 * MS;
	q.jitter_ns = 5 * MS;
	impair_state_init(&a, SALT, turns);
	impair_state_init(&b, SALT, turns);
	for (uint64_t i = 1; i < 1000; i++)
		assert_int_equal(impair_decide(&a, &p, 100, i * SECOND, copies),
				 impair_decide(&b, &q, 100, i * SECOND, copies));
}

static void frames_keep_their_order_unless_they_may_overtake(void **unused)
{
	struct impair_params p = {.delay_ns = 20 * MS, .jitter_ns = 10 * MS};
	unsigned int overtaken[2] = {0, 0};

	(void)unused;
	for (int i = 0; i < 2; i++) {
		struct impair_state state;
		uint64_t last = 0;

		p.may_overtake = i == 1;
		impair_state_init(&state, SALT, turns);
		for (uint64_t k = 1; k < 1000; k++) {
			struct impair_copy copies[2];

			impair_decide(&state, &p, 100, SECOND + k * MS, copies);
			overtaken[i] += copies[0].due_ns < last;
			last = copies[0].due_ns;
		}
	}
	assert_int_equal(overtaken[0], 0);
	assert_true(overtaken[1] > 300);
}

static void reordered_frames_skip_the_delay(void **unused)
{
	struct impair_params p = {.delay_ns = 20 * MS, .reorder_ppm = 25 * PERCENT};
	struct impair_state state;
	unsigned int n = 0;

	(void)unused;
	impair_state_init(&state, SALT, turns);
	for (uint64_t i = 1; i <= 10000; i++) {
		struct impair_copy copies[2];

		impair_decide(&state, &p, 100, i * MS, copies);
		assert_int_equal(copies[0].due_ns, copies[0].is_reordered ? i * MS : (i + 20) * MS);
		n += copies[0].is_reordered;
	}
	assert_near(n, 2500, 4 * sqrt(10000 * 0.25 * 0.75));
}

static void rate_is_exact_over_many_frames(void **unused)
{
	/* 1514 bytes at 7 Gbit/s take 1730.2857 ns: what a division leaves must not be lost. */
	struct impair_params p = {.rate_bps = UINT64_C(7000000000),
				  .queue_frames = IMPAIR_QUEUE_MAX,
				  .queue_bytes = UINT64_C(1) << 40};
	struct impair_state state;
	struct impair_copy copies[2];

	(void)unused;
	impair_state_init(&state, SALT, turns);
	for (int i = 0; i < 7000; i++)
		assert_int_equal(impair_decide(&state, &p, 1514, SECOND, copies), 1);
	assert_int_equal(copies[0].due_ns, SECOND + UINT64_C(1514) * 8 * 1000);
}

static void full_queue_drops_and_says_so(void **unused)
{
	struct impair_params p = {.rate_bps = 1000000, .queue_frames = 10};
	struct impair_state state;
	struct impair_copy copies[2];

	(void)unused;
	impair_state_init(&state, SALT, turns);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(impair_decide(&state, &p, 100, SECOND, copies), 1);
		assert_int_equal(copies[0].drop, i <= 10 ? DROP_NONE : DROP_IMPAIR_QUEUE);
	}
	/* 0.8 ms later one has been sent and one finds room. */
	impair_decide(&state, &p, 100, SECOND + 800000, copies);
	assert_int_equal(copies[0].drop, DROP_NONE);
	impair_decide(&state, &p, 100, SECOND + 800000, copies);
	assert_int_equal(copies[0].drop, DROP_IMPAIR_QUEUE);
}

static void queue_counts_bytes_too(void **unused)
{
	struct impair_params p = {.rate_bps = 1000000, .queue_bytes = 5000};
	struct impair_state state;
	struct impair_copy copies[2];

	(void)unused;
	impair_state_init(&state, SALT, turns);
	for (int i = 0; i < 10; i++) {
		impair_decide(&state, &p, 1000, SECOND, copies);
		assert_int_equal(copies[0].drop, i < 5 ? DROP_NONE : DROP_IMPAIR_QUEUE);
	}
}

static void frame_longer_than_the_queue_passes_when_it_is_empty(void **unused)
{
	struct impair_params p = {.rate_bps = 1000000, .queue_bytes = 64};
	struct impair_state state;
	struct impair_copy copies[2];

	(void)unused;
	impair_state_init(&state, SALT, turns);
	impair_decide(&state, &p, 1514, SECOND, copies);
	assert_int_equal(copies[0].drop, DROP_NONE);
}

static void new_rate_does_not_wait_for_the_old(void **unused)
{
	struct impair_params p = {.rate_bps = 1000};
	struct impair_state state;
	struct impair_copy copies[2];

	(void)unused;
	impair_state_init(&state, SALT, turns);
	for (int i = 0; i < 10; i++)
		impair_decide(&state, &p, 1514, SECOND, copies);
	p.rate_bps = 1000000000;
	impair_decide(&state, &p, 1514, SECOND, copies);
	assert_int_equal(copies[0].due_ns, SECOND + 12112);
}

static void frame_make(struct frame *f, uint32_t number, uint8_t *bytes, uint32_t len,
		       struct frame_seg *seg)
{
	memset(f, 0, sizeof(*f));
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + number);
	f->len = len;
	f->hdr_len = (uint16_t)(len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
	f->hdr = f->buf + FRAME_HDR_ROOM;
	memcpy(f->hdr, bytes, f->hdr_len);
	f->n_segs = len > f->hdr_len ? 1 : 0;
	f->segs = seg;
	*seg = (struct frame_seg){.base = bytes + f->hdr_len, .len = len - f->hdr_len};
}

/* All of a popped frame as one piece. */
static uint32_t flatten(const struct frame *f, uint8_t *to)
{
	uint32_t at = f->hdr_len;

	memcpy(to, f->hdr, at);
	for (uint16_t i = 0; i < f->n_segs; i++) {
		memcpy(to + at, f->segs[i].base, f->segs[i].len);
		at += f->segs[i].len;
	}
	return at;
}

static void frames_come_out_as_they_went_in(void **unused)
{
	static const uint32_t lengths[] = {1,	 13,   14,   60,   128,	 129,	1514,
					   2047, 2048, 2049, 4096, 9018, 12287, 12288};
	struct impair_params p = {.delay_ns = MS};
	struct impair *im = impair_new(SALT);
	static struct impair_batch batch;
	static uint8_t in[13000], out[13000];
	static struct frame f;

	(void)unused;
	assert_non_null(im);
	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct frame_out o = {.f = &f};
		struct frame_seg seg;
		bool is_first = false;

		frame_make(&f, i, in, lengths[i], &seg);
		assert_int_equal(impair_push(im, &p, &o, SECOND, &is_first), DROP_NONE);
		assert_true(is_first);
		assert_int_equal(impair_due(im), SECOND + MS);
		assert_int_equal(impair_pop(im, SECOND + MS - 1, &batch), 0);
		assert_int_equal(impair_pop(im, SECOND + MS, &batch), 1);
		assert_int_equal(batch.frames[0].len, lengths[i]);
		assert_int_equal(flatten(&batch.frames[0], out), lengths[i]);
		assert_memory_equal(out, in, lengths[i]);
		impair_release(im, &batch);
		assert_true(impair_due(im) == UINT64_MAX);
	}
	assert_int_equal(impair_free(im), 0);
}

/* In turns of 100 us, more than fits is offered, and what is due is taken out. Return: bits that came out in a second. */
static uint64_t bits_of_a_second(uint64_t rate_bps, uint32_t len)
{
	struct impair_params p = {.rate_bps = rate_bps};
	struct impair *im = impair_new(SALT);
	static struct impair_batch batch;
	static uint8_t in[1514];
	static struct frame f;
	struct frame_out o = {.f = &f};
	struct frame_seg seg;
	uint64_t bits = 0, offered = 0;
	bool is_first;

	assert_non_null(im);
	frame_make(&f, 1, in, len, &seg);
	for (uint64_t now = 10 * SECOND; now < 11 * SECOND; now += MS / 10) {
		for (; offered < rate_bps * 3 / 2 * (now - 10 * SECOND + MS / 10) / SECOND;
		     offered += UINT64_C(8) * len)
			impair_push(im, &p, &o, now, &is_first);
		while (impair_pop(im, now, &batch) > 0) {
			bits += UINT64_C(8) * len * batch.n;
			impair_release(im, &batch);
		}
	}
	impair_free(im);
	return bits;
}

static void rate_is_kept_from_1_mbit_to_10_gbit(void **unused)
{
	(void)unused;
	for (uint64_t rate = 1000000; rate <= UINT64_C(10000000000); rate *= 10) {
		static const uint32_t lengths[] = {64, 1514};

		for (size_t i = 0; i < 2; i++) {
			uint64_t bits;

			if (rate > 1000000000 && lengths[i] == 64)
				continue; /* 15 million frames, for nothing new */
			bits = bits_of_a_second(rate, lengths[i]);
			/* 2 % is asked for. The last frame on its way is missing. */
			assert_true(bits <= rate);
			assert_true(bits >= rate - rate / 1000 - 2 * 8 * lengths[i]);
		}
	}
}

static void prefix_and_checksum_offset_go_along(void **unused)
{
	struct impair_params p = {.delay_ns = MS};
	struct impair *im = impair_new(SALT);
	static struct impair_batch batch;
	static uint8_t in[200], out[300];
	static struct frame f;
	struct frame_out o = {.f = &f, .prefix_len = 16, .skip = 12};
	struct frame_seg seg;
	bool is_first;

	(void)unused;
	frame_make(&f, 1, in, 200, &seg);
	f.offload = (struct frame_offload){
		.flags = FRAME_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
	memset(o.prefix, 0xab, 16);
	impair_push(im, &p, &o, SECOND, &is_first);
	assert_int_equal(impair_pop(im, 2 * SECOND, &batch), 1);
	assert_int_equal(batch.frames[0].offload.csum_start, 38);
	assert_int_equal(flatten(&batch.frames[0], out), 204);
	for (int i = 0; i < 16; i++)
		assert_int_equal(out[i], 0xab);
	assert_memory_equal(out + 16, in + 12, 188);
	impair_release(im, &batch);
	impair_free(im);
}

static void corruption_flips_one_bit(void **unused)
{
	struct impair_params p = {.corrupt_ppm = IMPAIR_PPM};
	struct impair *im = impair_new(SALT);
	static struct impair_batch batch;
	static uint8_t in[5000], out[5000];
	static struct frame f;

	(void)unused;
	for (uint32_t k = 0; k < 50; k++) {
		struct frame_out o = {.f = &f};
		unsigned int flipped = 0;
		struct frame_seg seg;
		bool is_first;

		frame_make(&f, k, in, 5000, &seg);
		f.offload.flags = FRAME_CSUM_VALID;
		impair_push(im, &p, &o, SECOND, &is_first);
		assert_int_equal(impair_pop(im, SECOND, &batch), 1);
		flatten(&batch.frames[0], out);
		for (int i = 0; i < 5000; i++)
			flipped += (unsigned int)__builtin_popcount(in[i] ^ out[i]);
		assert_int_equal(flipped, 1);
		assert_int_equal(batch.frames[0].offload.flags, 0);
		impair_release(im, &batch);
	}
	impair_free(im);
}

static void duplicates_are_two_of_the_same(void **unused)
{
	struct impair_params p = {.duplicate_ppm = IMPAIR_PPM};
	struct impair *im = impair_new(SALT);
	static struct impair_batch batch;
	static uint8_t in[100], out[100];
	struct impair_stats stats;
	static struct frame f;
	struct frame_out o = {.f = &f};
	struct frame_seg seg;
	bool is_first;

	(void)unused;
	frame_make(&f, 3, in, 100, &seg);
	impair_push(im, &p, &o, SECOND, &is_first);
	assert_int_equal(impair_pop(im, SECOND, &batch), 2);
	for (int i = 0; i < 2; i++) {
		flatten(&batch.frames[i], out);
		assert_memory_equal(in, out, 100);
	}
	impair_release(im, &batch);
	impair_stats_get(im, &stats);
	assert_int_equal(stats.frames, 1);
	assert_int_equal(stats.duplicated, 1);
	assert_int_equal(stats.held_frames, 0);
	impair_free(im);
}

static void memory_is_bounded_and_all_of_it_comes_back(void **unused)
{
	struct impair_params p = {
		.delay_ns = SECOND, .jitter_ns = SECOND / 2, .may_overtake = true};
	struct impair *im = impair_new(SALT);
	static struct impair_batch batch;
	static uint8_t in[3000];
	static struct frame f;
	struct frame_out o = {.f = &f};
	struct frame_seg seg;
	struct impair_stats stats;
	bool is_first;

	(void)unused;
	frame_make(&f, 0, in, 3000, &seg);
	for (int round = 0; round < 2; round++) {
		uint32_t held = 0, out = 0;

		while (impair_push(im, &p, &o, SECOND, &is_first) == DROP_NONE)
			held++;
		assert_int_equal(held, IMPAIR_CHUNKS_MAX / 2);
		impair_stats_get(im, &stats);
		assert_int_equal(stats.held_frames, held);
		assert_int_equal(stats.held_bytes, held * 3000);
		assert_int_equal(stats.memory_full, round + 1);
		while (impair_pop(im, 3 * SECOND, &batch) > 0) {
			out += batch.n;
			impair_release(im, &batch);
		}
		assert_int_equal(out, held);
	}
	impair_push(im, &p, &o, SECOND, &is_first);
	assert_int_equal(impair_free(im), 1);
}

static void frame_of_more_than_a_record_is_oversize(void **unused)
{
	struct impair_params p = {.delay_ns = MS};
	struct impair *im = impair_new(SALT);
	static uint8_t in[12289];
	static struct frame f;
	struct frame_out o = {.f = &f};
	struct frame_seg seg;
	bool is_first;

	(void)unused;
	frame_make(&f, 0, in, sizeof(in), &seg);
	assert_int_equal(impair_push(im, &p, &o, SECOND, &is_first), DROP_OVERSIZE);
	impair_free(im);
}

static void wheel_always_knows_the_first(void **unused)
{
	static uint64_t due[300];
	struct wheel *wheel = wheel_new();
	uint32_t id = 0;

	(void)unused;
	for (int i = 0; i < 300; i++)
		due[i] = UINT64_MAX;
	srand(5);
	for (int i = 0; i < 20000; i++) {
		uint32_t which = (uint32_t)rand() % 300;
		uint64_t least = UINT64_MAX;

		due[which] = rand() % 4 == 0 ? UINT64_MAX : (uint64_t)(rand() % 1000);
		wheel_set(wheel, which, due[which]);
		for (int k = 0; k < 300; k++)
			least = due[k] < least ? due[k] : least;
		assert_true(wheel_first(wheel, &id) == least);
		assert_true(least == UINT64_MAX || due[id] == least);
	}
	free(wheel);
}

static void seen_add(uint32_t id, void *arg)
{
	((uint8_t *)arg)[id]++;
}

static void kicks_are_seen_once_each(void **unused)
{
	static const uint32_t ids[] = {0, 1, 63, 64, 1000, 16383};
	static uint8_t seen[WHEEL_IDS_MAX];
	struct wheel *wheel = wheel_new();

	(void)unused;
	for (size_t i = 0; i < 6; i++)
		assert_false(wheel_kick(wheel, ids[i]));
	atomic_store(&wheel->is_asleep, true);
	assert_true(wheel_kick(wheel, 5));
	wheel_kicked(wheel, WHEEL_IDS_MAX, seen_add, seen);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(seen[ids[i]], 1);
	assert_int_equal(seen[5], 1);
	wheel_kicked(wheel, WHEEL_IDS_MAX, seen_add, seen);
	assert_int_equal(seen[0], 1);
	free(wheel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delay_without_jitter_is_exact),
		cmocka_unit_test(uniform_jitter_is_flat_between_its_bounds),
		cmocka_unit_test(normal_jitter_has_its_standard_deviation),
		cmocka_unit_test(pareto_jitter_has_a_long_tail_and_keeps_the_mean),
		cmocka_unit_test(random_loss_is_as_asked),
		cmocka_unit_test(gilbert_elliott_loses_in_bursts),
		cmocka_unit_test(seed_decides_everything),
		cmocka_unit_test(jitter_leaves_the_losses_as_they_were),
		cmocka_unit_test(frames_keep_their_order_unless_they_may_overtake),
		cmocka_unit_test(reordered_frames_skip_the_delay),
		cmocka_unit_test(rate_is_exact_over_many_frames),
		cmocka_unit_test(full_queue_drops_and_says_so),
		cmocka_unit_test(queue_counts_bytes_too),
		cmocka_unit_test(frame_longer_than_the_queue_passes_when_it_is_empty),
		cmocka_unit_test(new_rate_does_not_wait_for_the_old),
		cmocka_unit_test(frames_come_out_as_they_went_in),
		cmocka_unit_test(rate_is_kept_from_1_mbit_to_10_gbit),
		cmocka_unit_test(prefix_and_checksum_offset_go_along),
		cmocka_unit_test(corruption_flips_one_bit),
		cmocka_unit_test(duplicates_are_two_of_the_same),
		cmocka_unit_test(memory_is_bounded_and_all_of_it_comes_back),
		cmocka_unit_test(frame_of_more_than_a_record_is_oversize),
		cmocka_unit_test(wheel_always_knows_the_first),
		cmocka_unit_test(kicks_are_seen_once_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
