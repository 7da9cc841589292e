/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The traffic microguest: each of its cards generates, receives and judges, or reflects frames, as the host orders
 * through shared memory (traffic.h). One guest with several cards on one CPU beats several guests that share it.
 *
 * A generated frame is Ethernet, maybe a VLAN tag, IPv4, UDP, and struct stamp; 64 bytes hold all of it. What differs from
 * frame to frame is at most the addresses' low bytes, the source port and the stamp: the rest is written once per buffer.
 *
 * --append ring=N (256) buffer=BYTES (2048: for frames up to that) cards=N (all)
 */
#include "nic.h"
#include "traffic.h"

#define BURST_MAX     256
#define BURST_DEFAULT 32
#define STAMP_MARK    0xa0 /* high half of the first byte; the low half is the epoch's */
#define ETH_VLAN      0x8100
#define ETH_IPV4      0x0800
#define HEADERS	      42 /* Ethernet, IPv4, UDP */
#define TAG	      4
#define FCS	      4
#define LAZY_WAIT     200 /* tenths of a millisecond */
#define STOPPED_WAIT  50

struct stamp {
	uint8_t mark, stream;
	uint32_t sequence;
	uint64_t tsc;
} __attribute__((packed));

struct received {
	uint64_t next;	 /* sequence number */
	uint64_t window; /* bit 0: next - 1 has come, bit 1: next - 2 ... */
};

struct card {
	struct nic nic;
	struct traffic_nic *shared;
	struct traffic_orders orders;
	uint64_t sequence, due; /* TSC times 256 */
	uint64_t random;
	uint32_t src_at, dst_at, flow_at;
	struct received streams[TRAFFIC_STREAMS];
	uint32_t prepared[NIC_RING_MAX]; /* under which epoch each transmit buffer was */
};

static struct card cards[TRAFFIC_NICS_MAX];
static unsigned int n_cards;
static struct traffic_shared *shared;
static uint32_t epoch;
static uint8_t mark;

static void store_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t load_be32(const uint8_t *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return __builtin_bswap32(value);
}

static void store_be32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	__builtin_memcpy(at, &value, sizeof(value));
}

/* RFC 791 */
static uint16_t ip_checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t frame_bytes(const struct traffic_orders *orders, uint16_t at)
{
	uint32_t size = orders->size;

	if (orders->role & TRAFFIC_IMIX)
		size = at % 48 < 28 ? 64 : at % 48 < 44 ? 570 : 1518;
	return size - FCS;
}

/* Everything of a frame that stays. Return: its length. */
static uint32_t frame_prepare(uint8_t *frame, const struct traffic_orders *orders, uint32_t bytes)
{
	uint8_t *at = frame + 12, *ip;
	uint32_t ip_bytes;

	memcpy(frame, orders->dst, 6);
	memcpy(frame + 6, orders->src, 6);
	if (orders->vlan) {
		store_be16(at, ETH_VLAN);
		store_be16(at + 2, orders->vlan);
		at += TAG;
	}
	store_be16(at, ETH_IPV4);
	ip = at + 2;
	ip_bytes = bytes - (uint32_t)(ip - frame);
	memset(ip, 0, 28);
	ip[0] = 0x45;
	store_be16(ip + 2, ip_bytes);
	ip[8] = 64; /* TTL */
	ip[9] = 17; /* UDP */
	store_be32(ip + 12, 0x0a000001);
	store_be32(ip + 16, 0x0a000002);
	store_be16(ip + 10, ip_checksum(ip));
	store_be16(ip + 20, 1024);
	store_be16(ip + 22, 9); /* discard; the checksum may be 0, RFC 768 */
	store_be16(ip + 24, ip_bytes - 20);
	return bytes;
}

static uint32_t pick(struct card *card, uint32_t *turn, uint32_t n)
{
	uint32_t at = *turn;

	if (card->orders.role & TRAFFIC_RANDOM) {
		card->random ^= card->random << 13;
		card->random ^= card->random >> 7;
		card->random ^= card->random << 17;
		return (uint32_t)((card->random >> 32) * n >> 32);
	}
	*turn = at + 1 == n ? 0 : at + 1;
	return at;
}

static void frame_finish(struct card *card, uint8_t *frame, uint32_t bytes, uint64_t now)
{
	const struct traffic_orders *orders = &card->orders;
	uint32_t header = HEADERS + (orders->vlan ? TAG : 0);
	const struct stamp stamp = {mark, (uint8_t)orders->stream, (uint32_t)card->sequence, now};

	if (orders->dst_macs > 1)
		store_be32(frame + 2, load_be32(orders->dst + 2) +
					      pick(card, &card->dst_at, orders->dst_macs));
	if (orders->src_macs > 1)
		store_be32(frame + 8, load_be32(orders->src + 2) +
					      pick(card, &card->src_at, orders->src_macs));
	if (orders->flows > 1)
		store_be16(frame + header - 8, 1024 + pick(card, &card->flow_at, orders->flows));
	__builtin_memcpy(frame + header, &stamp, sizeof(stamp));
	if (orders->role & TRAFFIC_CONTENT)
		for (uint32_t i = header + sizeof(stamp); i < bytes; i++)
			frame[i] = (uint8_t)(card->sequence + i - header);
	card->sequence++;
}

/* How many frames may go now. */
static uint32_t allowance(struct card *card, uint64_t now)
{
	const struct traffic_orders *orders = &card->orders;
	uint32_t n = orders->burst;
	uint64_t behind;

	if (orders->count && orders->count - card->sequence < n)
		n = (uint32_t)(orders->count - card->sequence);
	if (!orders->interval)
		return n;
	now <<= 8;
	if ((int64_t)(now - card->due) < 0)
		return 0;
	behind = (now - card->due) / orders->interval + 1;
	return behind < n ? (uint32_t)behind : n;
}

static uint32_t generate(struct card *card)
{
	struct traffic_counters *counters = &card->shared->counters;
	uint64_t now = guest_tsc(), n_bytes = 0;
	uint32_t n = allowance(card, now);
	uint16_t room;

	if (n == 0)
		return 0;
	room = nic_tx_room(&card->nic);
	if (room < n) {
		counters->tx_full++;
		n = room;
	}
	for (uint16_t i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(card->nic.tx.next + i) & (card->nic.tx.size - 1);
		uint32_t bytes = card->nic.tx.desc[at].length - NIC_VNET;

		/* Only now is it ours: the switch may still have read it when the orders came. */
		if (card->prepared[at] != epoch) {
			bytes = frame_prepare(nic_tx_frame(&card->nic, i), &card->orders,
					      frame_bytes(&card->orders, at));
			nic_tx_length(&card->nic, i, bytes);
			card->prepared[at] = epoch;
		}
		frame_finish(card, nic_tx_frame(&card->nic, i), bytes, now);
		n_bytes += bytes;
	}
	if (n == 0)
		return 0;
	nic_tx_send(&card->nic, (uint16_t)n);
	card->due += card->orders.interval * n;
	if (!counters->tx)
		counters->tx_first_tsc = now;
	counters->tx_last_tsc = now;
	counters->tx += n;
	counters->tx_bytes += n_bytes;
	return n;
}

static void sequence_judge(struct received *stream, uint32_t sequence,
			   struct traffic_counters *counters)
{
	int32_t ahead = (int32_t)(sequence - (uint32_t)stream->next);

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

/* 16 buckets to each power of 2: within 6 % of the truth. */
static unsigned int bucket(uint64_t cycles)
{
	unsigned int power;

	if (cycles < 16)
		return (unsigned int)cycles;
	power = 63 - (unsigned int)__builtin_clzll(cycles);
	return (power - 3) * 16 + (unsigned int)(cycles >> (power - 4) & 15);
}

static void judge(struct card *card, const uint8_t *frame, uint32_t bytes, uint64_t now)
{
	struct traffic_counters *counters = &card->shared->counters;
	uint32_t role = card->orders.role, header = HEADERS;
	struct stamp stamp;

	if (!(frame[0] & 1) && __builtin_memcmp(frame, card->nic.mac, 6) != 0)
		counters->stray++;
	if (bytes >= 18 && frame[12] == 0x81 && frame[13] == 0)
		header += TAG;
	if (bytes < header + sizeof(stamp)) {
		counters->foreign++;
		return;
	}
	__builtin_memcpy(&stamp, frame + header, sizeof(stamp));
	if (stamp.mark != mark || frame[header - 5] != 9) {
		counters->foreign++;
		return;
	}
	sequence_judge(&card->streams[stamp.stream], stamp.sequence, counters);
	if (role & TRAFFIC_LATENCY)
		card->shared->histogram[bucket(now > stamp.tsc ? now - stamp.tsc : 0)]++;
	if (!(role & TRAFFIC_CONTENT))
		return;
	for (uint32_t i = header + sizeof(stamp); i < bytes; i++) {
		if (frame[i] != (uint8_t)(stamp.sequence + i - header)) {
			counters->corrupt++;
			return;
		}
	}
}

static void copy_to(struct card *out, uint16_t ahead, const uint8_t *frame, uint32_t bytes,
		    const uint8_t *dst, const uint8_t *src)
{
	uint8_t *to = nic_tx_frame(&out->nic, ahead);

	__builtin_memcpy(to, dst, 6);
	__builtin_memcpy(to + 6, src, 6);
	for (uint32_t i = 12; i < bytes; i++)
		to[i] = frame[i];
	nic_tx_length(&out->nic, ahead, bytes);
}

/* Where frames of @card leave again; NULL when they end here. */
static struct card *way_out(struct card *card)
{
	if (card->orders.role & TRAFFIC_REFLECT)
		return card;
	if (!(card->orders.role & TRAFFIC_FORWARD))
		return NULL;
	return &cards[(card - cards) ^ 1];
}

static uint32_t receive(struct card *card)
{
	struct traffic_counters *counters = &card->shared->counters;
	uint16_t n = nic_rx_waiting(&card->nic, BURST_MAX);
	struct card *out = way_out(card);
	uint64_t now, n_bytes = 0;

	if (out && n) {
		uint16_t room = nic_tx_room(&out->nic);

		n = n < room ? n : room;
	}
	if (n == 0)
		return 0;
	now = guest_tsc();
	for (uint16_t i = 0; i < n; i++) {
		uint32_t bytes;
		const uint8_t *frame = nic_rx_frame(&card->nic, i, &bytes);

		n_bytes += bytes;
		if (out == card)
			copy_to(out, i, frame, bytes, frame + 6, frame);
		else if (out)
			copy_to(out, i, frame, bytes, card->orders.dst, card->orders.src);
		else if (card->orders.role & TRAFFIC_SINK)
			judge(card, frame, bytes, now);
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

/* The host's orders are as hostile as a guest's frames: what would lead us astray is made harmless. */
static void orders_take(struct card *card)
{
	struct traffic_orders *orders = &card->orders;

	*orders = card->shared->orders;
	if (orders->size < 64)
		orders->size = 64;
	if (orders->size - FCS > card->nic.tx.buffer_bytes - NIC_VNET)
		orders->size = card->nic.tx.buffer_bytes - NIC_VNET + FCS;
	if (card->nic.tx.buffer_bytes - NIC_VNET < 1518)
		orders->role &= ~TRAFFIC_IMIX;
	if (orders->burst == 0 || orders->burst > BURST_MAX)
		orders->burst = BURST_DEFAULT;
	if (orders->flows > 60000)
		orders->flows = 60000;
	orders->stream %= TRAFFIC_STREAMS;
	orders->vlan &= 0xfff;
	if (((unsigned int)(card - cards) ^ 1) >= n_cards)
		orders->role &= ~TRAFFIC_FORWARD;
	memset(&card->shared->counters, 0, sizeof(card->shared->counters));
	memset(card->shared->histogram, 0, sizeof(card->shared->histogram));
	memset(card->streams, 0, sizeof(card->streams));
	card->sequence = 0;
	card->src_at = card->dst_at = card->flow_at = 0;
	card->random = UINT64_C(0x9e3779b97f4a7c15) + orders->stream;
}

static uint32_t epoch_begin(uint32_t wanted)
{
	uint32_t run = __atomic_load_n(&shared->run, __ATOMIC_ACQUIRE);

	if (run & TRAFFIC_QUIT)
		guest_end(0);
	if (run & TRAFFIC_RUN) {
		epoch = wanted;
		mark = (uint8_t)(STAMP_MARK | (wanted & 15));
		for (unsigned int i = 0; i < n_cards; i++)
			orders_take(&cards[i]);
		shared->loops = shared->idle_loops = 0;
	}
	__atomic_store_n(&shared->taken, wanted, __ATOMIC_RELEASE);
	return run;
}

static void __attribute__((noreturn)) work(void)
{
	uint32_t taken = 0, run = 0;
	bool going = false;

	for (;;) {
		uint32_t wanted = __atomic_load_n(&shared->wanted, __ATOMIC_ACQUIRE), n = 0;

		if (wanted != taken) {
			run = epoch_begin(wanted);
			taken = wanted;
			going = false;
		}
		if (!(run & TRAFFIC_RUN)) {
			guest_wait(STOPPED_WAIT);
			continue;
		}
		if (!going && __atomic_load_n(&shared->run, __ATOMIC_ACQUIRE) & TRAFFIC_GO) {
			for (unsigned int i = 0; i < n_cards; i++)
				cards[i].due = guest_tsc() << 8;
			going = true;
		}
		for (unsigned int i = 0; i < n_cards; i++) {
			if (going && cards[i].orders.role & TRAFFIC_GENERATE)
				n += generate(&cards[i]);
			n += receive(&cards[i]);
		}
		shared->loops++;
		shared->idle_loops += n == 0;
		if (n == 0 && run & TRAFFIC_LAZY)
			guest_wait(LAZY_WAIT);
	}
}

void start(const struct microguest_params *params)
{
	unsigned int n_max;

	guest_init(params);
	shared = (struct traffic_shared *)params->shared_base;
	guest_check(shared && params->shared_bytes >= sizeof(*shared), 10,
		    "--shared is there and large enough");
	n_max = (unsigned int)guest_arg("cards", TRAFFIC_NICS_MAX);
	while (n_cards < n_max && n_cards < TRAFFIC_NICS_MAX) {
		struct card *card = &cards[n_cards];

		if (!nic_open(&card->nic, n_cards, (uint16_t)guest_arg("ring", 256),
			      (uint32_t)guest_arg("buffer", 2048)))
			break;
		card->shared = &shared->nics[n_cards++];
		memcpy(card->shared->mac, card->nic.mac, 6);
		card->shared->features = card->nic.features;
	}
	guest_check(n_cards > 0, 11, "there is a network card");
	shared->n_nics = n_cards;
	shared->bytes = sizeof(*shared);
	shared->tsc_khz = params->tsc_khz;
	__atomic_store_n(&shared->magic, TRAFFIC_MAGIC, __ATOMIC_RELEASE);
	guest_say_number("cards: ", n_cards);
	work();
}
