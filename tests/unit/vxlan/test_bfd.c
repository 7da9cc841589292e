/* SPDX-License-Identifier: BSD-3-Clause */
/* BFD packets and the frames they travel in; two sessions that talk to each other in virtual time. */
#include "bfd_session.h"
#include "overlay.h"

#define MS UINT64_C(1000000)

static const uint8_t mac[6] = {2, 0, 0, 0, 1, 0x0a};

static struct bfd_packet packet_of(uint8_t state, uint32_t mine, uint32_t yours)
{
	return (struct bfd_packet){.state = state,
				   .detect_mult = 3,
				   .my_discr = mine,
				   .your_discr = yours,
				   .desired_tx_us = 300000,
				   .required_rx_us = 300000};
}

static void assert_same(const struct bfd_packet *a, const struct bfd_packet *b)
{
	uint8_t x[BFD_LEN], y[BFD_LEN];

	bfd_write(a, x);
	bfd_write(b, y);
	assert_memory_equal(x, y, BFD_LEN);
}

static void packet_survives_writing_and_reading(void **state)
{
	struct bfd_packet packet = packet_of(BFD_UP, 0x01020304, 0xa1a2a3a4), read;
	uint8_t bytes[BFD_LEN];

	(void)state;
	packet.diag = BFD_DIAG_CONCATENATED;
	packet.poll = true;
	bfd_write(&packet, bytes);
	assert_int_equal(bytes[0], 1 << 5 | 6);
	assert_int_equal(bytes[1], 3 << 6 | 0x20);
	assert_int_equal(bytes[3], 24);
	assert_true(bfd_parse(bytes, sizeof(bytes), &read));
	assert_same(&read, &packet);
}

static void what_the_standard_discards_is_refused(void **state)
{
	static const struct {
		uint8_t at, value;
	} wrong[] = {
		{0, 2 << 5},		 /* another version */
		{0, 0},			 /* none */
		{1, BFD_UP << 6 | 0x01}, /* multipoint */
		{1, BFD_UP << 6 | 0x04}, /* authentication, which is not in use */
		{2, 0},			 /* no multiplier */
		{3, 23},		 /* too short */
		{3, 25},		 /* longer than it is */
	};
	struct bfd_packet packet = packet_of(BFD_UP, 1, 2);
	uint8_t bytes[BFD_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bfd_write(&packet, bytes);
		bytes[wrong[i].at] = wrong[i].value;
		assert_false(bfd_parse(bytes, sizeof(bytes), &packet));
		packet = packet_of(BFD_UP, 1, 2);
	}
	bfd_write(&packet, bytes);
	assert_false(bfd_parse(bytes, BFD_LEN - 1, &packet));
	packet = packet_of(BFD_UP, 0, 2); /* it has no discriminator */
	bfd_write(&packet, bytes);
	assert_false(bfd_parse(bytes, sizeof(bytes), &packet));
	for (uint8_t heard = BFD_ADMIN_DOWN; heard <= BFD_UP; heard++) {
		packet = packet_of(heard, 1, 0); /* only who is down may not know the other end */
		bfd_write(&packet, bytes);
		assert_int_equal(bfd_parse(bytes, sizeof(bytes), &packet), heard <= BFD_DOWN);
	}
}

static void frame_is_taken_from_its_sender_only(void **state)
{
	const struct vxlan_ip addresses[2] = {overlay_ip4(192, 0, 2, 1), overlay_ip6(0, 1)};
	const struct vxlan_ip others[2] = {overlay_ip4(192, 0, 2, 2), overlay_ip6(0, 2)};
	struct bfd_packet packet = packet_of(BFD_UP, 1, 2), read;
	struct frame_seg segs[FRAME_SEGS_MAX];
	struct reply reply;
	struct frame f;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		bfd_frame_write(&packet, &addresses[v6], mac, 50000, &reply);
		assert_true(bfd_is_addressed(reply.bytes));
		overlay_frame(&f, segs, reply.bytes, reply.len, 1500);
		assert_true(bfd_frame_parse(&f, &addresses[v6], &read));
		assert_same(&read, &packet);
		assert_false(bfd_frame_parse(&f, &others[v6], &read));
		assert_false(bfd_frame_parse(&f, &addresses[!v6], &read));
		for (uint16_t at = 12; at < reply.len; at++) { /* whatever is changed is noticed */
			bool is_free = v6 && (at == 14 + 1 || at == 14 + 2 || at == 14 + 3);

			reply.bytes[at] ^= 0x40;
			overlay_frame(&f, segs, reply.bytes, reply.len, 1500);
			if (!is_free &&
			    !(v6 && at == 14)) /* class and flow label are in no checksum */
				assert_false(bfd_frame_parse(&f, &addresses[v6], &read));
			reply.bytes[at] ^= 0x40;
		}
		for (uint16_t len = 0; len < reply.len; len++) {
			overlay_frame(&f, segs, reply.bytes, len, 1500);
			assert_false(bfd_frame_parse(&f, &addresses[v6], &read));
		}
	}
}

/* Two ends and the way between them. */
struct pair {
	struct bfd_session ends[2];
	bool is_cut[2]; /* what an end sends is lost */
	uint64_t now_ns;
	unsigned int sent[2];
	struct bfd_packet last[2];
};

static void pair_init(struct pair *pair, uint32_t interval_us)
{
	memset(pair, 0, sizeof(*pair));
	pair->now_ns = 1000 * MS;
	for (uint32_t i = 0; i < 2; i++)
		bfd_session_init(&pair->ends[i], 100 + i, interval_us, 3, false, pair->now_ns);
}

/* As the control thread does it, with packets that need no time. */
static void pair_run(struct pair *pair, uint64_t until_ns)
{
	for (;;) {
		uint64_t a = bfd_session_next_ns(&pair->ends[0]);
		uint64_t b = bfd_session_next_ns(&pair->ends[1]);
		int i = a <= b ? 0 : 1;

		a = a < b ? a : b;
		if (a > until_ns)
			break;
		pair->now_ns = a > pair->now_ns ? a : pair->now_ns;
		bfd_session_expire(&pair->ends[i], pair->now_ns);
		if (pair->ends[i].send_at_ns > pair->now_ns)
			continue;
		bfd_session_send(&pair->ends[i], &pair->last[i], pair->now_ns);
		pair->sent[i]++;
		if (!pair->is_cut[i])
			assert_true(
				bfd_session_receive(&pair->ends[!i], &pair->last[i], pair->now_ns));
	}
	pair->now_ns = until_ns;
}

static void pair_up(struct pair *pair, uint32_t interval_us)
{
	pair_init(pair, interval_us);
	pair_run(pair, pair->now_ns + 1200 * MS);
	assert_true(bfd_session_is_whole(&pair->ends[0]));
	assert_true(bfd_session_is_whole(&pair->ends[1]));
}

static void both_come_up_and_agree_on_the_pace(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 300000);
	pair_run(&pair, pair.now_ns + 100 * MS); /* the first packets say all that is needed */
	assert_true(bfd_session_is_whole(&pair.ends[0]) && bfd_session_is_whole(&pair.ends[1]));
	pair_run(&pair,
		 pair.now_ns + 1000 * MS); /* one end polls when the other has been answered */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pair.ends[i].state, BFD_UP);
		assert_int_equal(pair.ends[i].remote_discr, pair.ends[!i].discr);
		assert_int_equal(bfd_session_interval_us(&pair.ends[i]), 300000);
		assert_int_equal(pair.ends[i].detection_us, 900000);
		assert_false(pair.ends[i].polling);
	}
	memset(pair.sent, 0, sizeof(pair.sent));
	pair_run(&pair, pair.now_ns + 60000 * MS);
	for (int i = 0; i < 2; i++) /* with a jitter of none to a quarter */
		assert_in_range(pair.sent[i], 60000 / 300, 60000 / 225 + 1);
}

static void slower_end_sets_the_pace(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, 100000);
	pair.ends[1].interval_us = 2000000;
	pair_run(&pair, pair.now_ns + 10000 * MS);
	assert_int_equal(bfd_session_interval_us(&pair.ends[0]), 2000000);
	assert_int_equal(bfd_session_interval_us(&pair.ends[1]), 2000000);
	assert_int_equal(pair.ends[0].detection_us, 6000000);
}

static void silence_takes_it_down_and_it_comes_back(void **state)
{
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	pair.is_cut[0] = pair.is_cut[1] = true;
	pair_run(&pair, pair.now_ns + 590 * MS);
	assert_int_equal(pair.ends[0].state, BFD_UP);
	pair_run(&pair, pair.now_ns + 320 * MS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pair.ends[i].state, BFD_DOWN);
		assert_int_equal(pair.ends[i].diag, BFD_DIAG_EXPIRED);
		assert_int_equal(pair.ends[i].remote_discr, 0);
	}
	memset(pair.sent, 0, sizeof(pair.sent));
	pair_run(&pair, pair.now_ns + 60000 * MS);
	assert_in_range(pair.sent[0], 60, 81); /* a second apart, while nobody answers */
	pair.is_cut[0] = pair.is_cut[1] = false;
	pair_run(&pair, pair.now_ns + 1100 * MS);
	assert_true(bfd_session_is_whole(&pair.ends[0]) && bfd_session_is_whole(&pair.ends[1]));
}

static void way_that_is_cut_in_one_direction_is_down_in_both(void **state)
{
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	pair.is_cut[0] = true;
	pair_run(&pair, pair.now_ns + 1000 * MS);
	assert_int_equal(pair.ends[1].diag, BFD_DIAG_EXPIRED);
	assert_int_not_equal(pair.ends[0].state, BFD_UP);
	assert_int_equal(pair.ends[0].diag, BFD_DIAG_NEIGHBOUR);
}

static void end_that_is_down_is_told_at_once_and_leaves_the_session_up(void **state)
{
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	bfd_session_end(&pair.ends[0], true, pair.now_ns);
	assert_in_range(pair.ends[0].send_at_ns, 0, pair.now_ns + 10 * MS);
	pair_run(&pair, pair.now_ns + 10 * MS);
	assert_int_equal(pair.ends[1].state, BFD_UP);
	assert_int_equal(pair.ends[1].remote_diag, BFD_DIAG_CONCATENATED);
	assert_false(bfd_session_is_whole(&pair.ends[1]));
	assert_true(bfd_session_is_whole(&pair.ends[0])); /* the other end is fine */
	pair_run(&pair, pair.now_ns + 5000 * MS);
	assert_false(bfd_session_is_whole(&pair.ends[1]));
	bfd_session_end(&pair.ends[0], false, pair.now_ns);
	pair_run(&pair, pair.now_ns + 10 * MS);
	assert_true(bfd_session_is_whole(&pair.ends[1]));
}

static void end_that_is_down_from_the_beginning_never_shows_a_whole_path(void **state)
{
	struct pair pair;

	(void)state;
	for (int down = 0; down < 2; down++) { /* one of them hears Init first, the other Up */
		pair_init(&pair, 300000);
		pair.ends[down].end_is_down = true;
		for (int i = 0; i < 2000; i++) {
			pair_run(&pair, pair.now_ns + MS);
			assert_false(bfd_session_is_whole(&pair.ends[!down]));
		}
		assert_int_equal(pair.ends[!down].state, BFD_UP);
		assert_true(bfd_session_is_whole(&pair.ends[down]));
	}
}

static void end_that_leaves_is_not_waited_for(void **state)
{
	struct bfd_packet packet;
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	bfd_session_leave(&pair.ends[0], &packet);
	assert_true(bfd_session_receive(&pair.ends[1], &packet, pair.now_ns));
	assert_int_equal(pair.ends[1].state, BFD_DOWN);
	assert_int_equal(pair.ends[1].diag, BFD_DIAG_NEIGHBOUR);
	assert_int_equal(pair.ends[1].remote_state, BFD_ADMIN_DOWN);
	/* And not answered: a session that is down on purpose does not come up. */
	assert_true(bfd_session_receive(&pair.ends[1], &packet, pair.now_ns));
	assert_int_equal(pair.ends[1].state, BFD_DOWN);
}

static void other_end_that_begins_anew_takes_it_down(void **state)
{
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	bfd_session_init(&pair.ends[0], 555, 300000, 3, false, pair.now_ns);
	bfd_session_send(&pair.ends[0], &pair.last[0], pair.now_ns);
	assert_true(bfd_session_receive(&pair.ends[1], &pair.last[0], pair.now_ns));
	assert_int_equal(pair.ends[1].state, BFD_DOWN);
	assert_int_equal(pair.ends[1].remote_discr, 555);
	pair_run(&pair, pair.now_ns + 1100 * MS);
	assert_true(bfd_session_is_whole(&pair.ends[0]) && bfd_session_is_whole(&pair.ends[1]));
}

static void packet_for_another_session_changes_nothing(void **state)
{
	struct bfd_packet packet;
	struct bfd_session before;
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	before = pair.ends[1];
	packet = packet_of(BFD_DOWN, 100, 999);
	assert_false(bfd_session_receive(&pair.ends[1], &packet, pair.now_ns));
	assert_memory_equal(&before, &pair.ends[1], sizeof(before));
}

static void other_timers_are_polled_for_and_nobody_goes_down(void **state)
{
	static const uint32_t intervals_us[] = {100000, 2000000, 50000, 300000};
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	for (size_t i = 0; i < 4; i++) {
		uint32_t before_us = pair.ends[0].interval_us;
		uint64_t end_ns = pair.now_ns + 20000 * MS;

		bfd_session_change(&pair.ends[0], intervals_us[i], 3, pair.now_ns);
		assert_true(pair.ends[0].polling);
		if (intervals_us[i] > before_us) /* until the other end knows, we send as before */
			assert_in_range(bfd_session_interval_us(&pair.ends[0]), 1,
					before_us > 300000 ? before_us : 300000);
		while (pair.now_ns < end_ns) {
			pair_run(&pair, pair.now_ns + 10 * MS);
			assert_int_equal(pair.ends[0].state, BFD_UP);
			assert_int_equal(pair.ends[1].state, BFD_UP);
		}
		assert_false(pair.ends[0].polling);
		assert_int_equal(bfd_session_interval_us(&pair.ends[0]),
				 intervals_us[i] > 300000 ? intervals_us[i] : 300000);
	}
}

static void nobody_makes_us_talk_faster_than_every_ten_milliseconds(void **state)
{
	struct bfd_packet packet, answer;
	struct pair pair;
	unsigned int n = 0;
	uint64_t begin_ns;

	(void)state;
	pair_up(&pair, 300000);
	begin_ns = pair.now_ns;
	packet = packet_of(BFD_UP, 101, 100);
	packet.poll = true;
	packet.required_rx_us = 1;
	for (; pair.now_ns < begin_ns + 1000 * MS; pair.now_ns += MS / 10) {
		assert_true(bfd_session_receive(&pair.ends[0], &packet, pair.now_ns));
		if (pair.ends[0].send_at_ns > pair.now_ns)
			continue;
		bfd_session_send(&pair.ends[0], &answer, pair.now_ns);
		assert_true(answer.final && !answer.poll);
		n++;
	}
	assert_in_range(n, 50, 101);
}

static void one_that_wants_no_packets_gets_none(void **state)
{
	struct bfd_packet packet;
	struct pair pair;

	(void)state;
	pair_up(&pair, 300000);
	packet = packet_of(BFD_UP, 101, 100);
	packet.required_rx_us = 0;
	bfd_session_receive(&pair.ends[0], &packet, pair.now_ns);
	assert_true(pair.ends[0].send_at_ns == BFD_NEVER);
	packet.required_rx_us = 300000;
	bfd_session_receive(&pair.ends[0], &packet, pair.now_ns);
	assert_true(pair.ends[0].send_at_ns < pair.now_ns + 300 * MS);
	packet.demand = true; /* nor one in demand mode, while both are up */
	bfd_session_receive(&pair.ends[0], &packet, pair.now_ns);
	assert_true(pair.ends[0].send_at_ns == BFD_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packet_survives_writing_and_reading),
		cmocka_unit_test(what_the_standard_discards_is_refused),
		cmocka_unit_test(frame_is_taken_from_its_sender_only),
		cmocka_unit_test(both_come_up_and_agree_on_the_pace),
		cmocka_unit_test(slower_end_sets_the_pace),
		cmocka_unit_test(silence_takes_it_down_and_it_comes_back),
		cmocka_unit_test(way_that_is_cut_in_one_direction_is_down_in_both),
		cmocka_unit_test(end_that_is_down_is_told_at_once_and_leaves_the_session_up),
		cmocka_unit_test(end_that_is_down_from_the_beginning_never_shows_a_whole_path),
		cmocka_unit_test(end_that_leaves_is_not_waited_for),
		cmocka_unit_test(other_end_that_begins_anew_takes_it_down),
		cmocka_unit_test(packet_for_another_session_changes_nothing),
		cmocka_unit_test(other_timers_are_polled_for_and_nobody_goes_down),
		cmocka_unit_test(nobody_makes_us_talk_faster_than_every_ten_milliseconds),
		cmocka_unit_test(one_that_wants_no_packets_gets_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
