/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiver: a sink that judges each frame by its stamp - loss, order, duplicates, content, latency - or a guest that sends
 * on what it gets. Lines of frames come from the switch's CPU: they are asked for well before they are read.
 */
#include "traffic_card.h"

#define AHEAD 16 /* frames */
#define FEW   16 /* as fast as it goes, fewer frames are left ... */
#define FEW_WAIT                                                                                   \
	8 /* ... for so many looks: reading them at once would cost the switch and us a line each */
#define MAC_MASK UINT64_C(0xffffffffffff)

struct windows traffic_windows;

static uint64_t load64(const uint8_t *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static void __attribute__((noinline))
sequence_odd(struct received *stream, int32_t ahead, struct traffic_counters *counters)
{
	if (ahead >= 0) {
		counters->lost += (uint32_t)ahead;
		stream->window = ahead >= 63 ? 1 : stream->window << (ahead + 1) | 1;
		stream->next += (uint32_t)ahead + 1;
		return;
	}
	if (ahead >= -64) {
		uint64_t bit = UINT64_C(1) << (-ahead - 1);

		if (stream->window & bit) {
			counters->twice++;
			return;
		}
		stream->window |= bit;
	}
	counters->late++;
	if (counters->lost)
		counters->lost--;
}

static inline void sequence_judge(struct received *stream, uint32_t sequence,
				  struct traffic_counters *counters)
{
	int32_t ahead = (int32_t)(sequence - (uint32_t)stream->next);

	if (__builtin_expect(ahead != 0, 0)) {
		sequence_odd(stream, ahead, counters);
		return;
	}
	stream->next++;
	stream->window = stream->window << 1 | 1;
}

/* 16 buckets to each power of 2: within 6 % of the truth. */
static unsigned int bucket(uint64_t cycles)
{
	unsigned int power;

	if (cycles < 16)
		return (unsigned int)cycles;
	power = 63 - (unsigned int)__builtin_clzll(cycles);
	return (power - 3) * 16 + (unsigned int)(cycles >> (power - 4) & 15);
}

/* Return: of the frame's sequence number and time where they are, NULL when it is none of this epoch's. */
static inline const uint8_t *judge(struct card *card, const uint8_t *frame, uint32_t bytes)
{
	struct traffic_counters *counters = &card->shared->counters;
	const uint8_t *stamp = frame + HEADERS;
	struct stamp is;

	if (__builtin_expect((load64(frame) & MAC_MASK) != card->mac, 0) && !(frame[0] & 1))
		counters->stray++;
	if (frame[12] == 0x81 && frame[13] == 0)
		stamp += TAG;
	__builtin_memcpy(&is, stamp, sizeof(is));
	if (__builtin_expect(bytes < (uint32_t)(stamp - frame) + sizeof(is) ||
				     is.mark != card->mark || stamp[-5] != 9,
			     0)) {
		counters->foreign++;
		return NULL;
	}
	sequence_judge(&card->streams[is.stream], is.sequence, counters);
	return stamp;
}

/* The window that @now is in, NULL when there are none, or none any more. */
static struct traffic_window *window_at(uint64_t now)
{
	struct windows *windows = &traffic_windows;

	while (windows->now_in && now >= windows->end) {
		windows->end += windows->cycles;
		if (++windows->now_in == windows->limit)
			windows->now_in = NULL;
	}
	return windows->now_in;
}

static void delay_count(struct traffic_nic *shared, uint64_t cycles, uint64_t now)
{
	struct traffic_window *window = window_at(now);
	uint64_t units = (cycles + 512) >> 10;
	unsigned int in = bucket(cycles);

	shared->histogram[in]++;
	if (window)
		window->histogram[in < TRAFFIC_WINDOW_BUCKETS ? in : TRAFFIC_WINDOW_BUCKETS - 1]++;
	shared->counters.delay_cycles += cycles;
	shared->counters.delay_squares += units * units;
}

/* What is not asked for in trials of throughput. */
static void judge_closely(struct card *card, const uint8_t *frame, uint32_t bytes,
			  const uint8_t *at, uint64_t now)
{
	struct stamp stamp;

	__builtin_memcpy(&stamp, at, sizeof(stamp));
	if (card->orders.role & TRAFFIC_LATENCY)
		delay_count(card->shared, now > stamp.tsc ? now - stamp.tsc : 0, now);
	if (!(card->orders.role & TRAFFIC_CONTENT))
		return;
	for (uint32_t i = (uint32_t)(at - frame) + sizeof(stamp); i < bytes; i++) {
		if (frame[i] != (uint8_t)(stamp.sequence + i - (uint32_t)(at - frame))) {
			card->shared->counters.corrupt++;
			return;
		}
	}
}

/* In whole lines: buffers are. */
static void send_on(struct card *out, uint16_t ahead, const uint8_t *frame, uint32_t bytes,
		    const uint8_t *dst, const uint8_t *src)
{
	uint8_t *to = nic_tx_frame(&out->nic, ahead);

	for (uint32_t i = 0; i < bytes; i += 16)
		__builtin_memcpy(to + i, frame + i, 16);
	__builtin_memcpy(to, dst, 6);
	__builtin_memcpy(to + 6, src, 6);
	nic_tx_length(&out->nic, ahead, bytes);
}

static uint16_t receivable(struct card *card)
{
	uint16_t n = nic_rx_waiting(&card->nic), room;

	if (n < FEW && !card->orders.interval && !(card->orders.role & TRAFFIC_LATENCY) && n > 0 &&
	    card->waited++ < FEW_WAIT)
		return 0;
	card->waited = 0;
	if (n > BURST_MAX)
		n = BURST_MAX;
	if (card->out && n) {
		room = nic_tx_room(&card->out->nic, n);
		n = n < room ? n : room;
	}
	return n;
}

uint32_t traffic_receive(struct card *card)
{
	struct traffic_counters *counters = &card->shared->counters;
	bool sink = card->orders.role & TRAFFIC_SINK;
	bool closely = card->orders.role & (TRAFFIC_LATENCY | TRAFFIC_CONTENT);
	uint16_t n = receivable(card);
	struct card *out = card->out;
	uint64_t now, n_bytes = 0;
	uint32_t bytes;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n && i < AHEAD; i++)
		__builtin_prefetch(nic_rx_frame(&card->nic, i, &bytes));
	now = guest_tsc();
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *frame = nic_rx_frame(&card->nic, i, &bytes), *stamp;

		if (i + AHEAD < n) {
			uint32_t unused;

			__builtin_prefetch(
				nic_rx_frame(&card->nic, (uint16_t)(i + AHEAD), &unused));
		}
		if (bytes > card->nic.rx.buffer_bytes - NIC_VNET)
			bytes = 0; /* the switch says nonsense: judged as foreign */
		n_bytes += bytes;
		if (out)
			send_on(out, i, frame, bytes, out == card ? frame + 6 : card->orders.dst,
				out == card ? frame : card->orders.src);
		else if (sink && (stamp = judge(card, frame, bytes)) && closely)
			judge_closely(card, frame, bytes, stamp, now);
	}
	nic_rx_done(&card->nic, n);
	if (out) {
		nic_tx_send(&out->nic, n);
		out->shared->counters.tx += n;
		out->shared->counters.tx_bytes += n_bytes;
	}
	if (!counters->rx)
		counters->first_tsc = now;
	counters->last_tsc = now;
	counters->rx += n;
	counters->rx_bytes += n_bytes;
	return n;
}
