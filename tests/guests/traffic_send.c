/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator. A frame is Ethernet, maybe a VLAN tag, IPv4, UDP, and struct stamp; 64 bytes hold all of it. All of it is
 * written once per buffer, when orders are new; from then on only what differs from frame to frame: the sequence number and
 * the time, and if so ordered, the addresses' low bytes, the source port, the payload. One pass over a burst for each.
 */
#include "traffic_card.h"

#define ETH_VLAN 0x8100
#define ETH_IPV4 0x0800

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

static uint32_t header_bytes(const struct traffic_orders *orders)
{
	return HEADERS + (orders->vlan ? TAG : 0);
}

/* Everything of a frame that stays. */
static void frame_prepare(const struct card *card, uint8_t *frame, uint32_t bytes)
{
	const struct traffic_orders *orders = &card->orders;
	const struct stamp stamp = {card->mark, (uint8_t)orders->stream, 0, 0};
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
	__builtin_memcpy(frame + header_bytes(orders), &stamp, sizeof(stamp));
}

/* Only now are the buffers ours: the switch may still have read them when the orders came. */
static void burst_prepare(struct card *card, uint16_t n)
{
	for (uint16_t i = 0; i < n && card->unprepared > 0; i++, card->unprepared--) {
		uint16_t at = (uint16_t)(card->nic.tx.next + i) & (card->nic.tx.size - 1);
		uint32_t size = card->orders.size;

		if (card->orders.role & TRAFFIC_IMIX)
			size = at % 48 < 28 ? 64 : at % 48 < 44 ? 570 : 1518;
		frame_prepare(card, nic_tx_frame(&card->nic, i), size - FCS);
		nic_tx_length(&card->nic, i, size - FCS);
	}
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

/* Counts up the low bytes of the address at @offset. */
static void burst_address(struct card *card, uint16_t n, uint32_t offset, const uint8_t *first,
			  uint32_t *turn, uint32_t n_macs)
{
	uint32_t low = load_be32(first + 2);

	for (uint16_t i = 0; i < n && n_macs > 1; i++)
		store_be32(nic_tx_frame(&card->nic, i) + offset + 2,
			   low + pick(card, turn, n_macs));
}

static void burst_content(struct card *card, uint16_t n)
{
	uint32_t from = header_bytes(&card->orders), head = from + sizeof(struct stamp);

	for (uint16_t i = 0; i < n; i++) {
		uint32_t bytes = nic_tx_bytes(&card->nic, i);
		uint8_t *frame = nic_tx_frame(&card->nic, i);

		for (uint32_t j = head; j < bytes; j++)
			frame[j] = (uint8_t)(card->sequence + i + j - from);
	}
}

static void burst_stamp(struct card *card, uint16_t n, uint64_t now)
{
	uint32_t at = header_bytes(&card->orders) + (uint32_t)offsetof(struct stamp, sequence);
	uint32_t sequence = (uint32_t)card->sequence;

	for (uint16_t i = 0; i < n; i++) {
		struct {
			uint32_t sequence;
			uint64_t tsc;
		} __attribute__((packed)) varying = {sequence++, now};

		__builtin_memcpy(nic_tx_frame(&card->nic, i) + at, &varying, sizeof(varying));
	}
}

static uint64_t burst_bytes(const struct card *card, uint16_t n)
{
	uint64_t bytes = 0;

	if (!(card->orders.role & TRAFFIC_IMIX))
		return (uint64_t)n * (card->orders.size - FCS);
	for (uint16_t i = 0; i < n; i++)
		bytes += nic_tx_bytes(&card->nic, i);
	return bytes;
}

/* How many frames may go now. */
static uint32_t allowance(const struct card *card, uint64_t now)
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
	if (n <= 1)
		return n;
	behind = (now - card->due) / orders->interval + 1;
	return behind < n ? (uint32_t)behind : n;
}

uint32_t traffic_send(struct card *card)
{
	struct traffic_counters *counters = &card->shared->counters;
	const struct traffic_orders *orders = &card->orders;
	uint64_t now = guest_tsc();
	uint32_t n = allowance(card, now);
	uint16_t room;

	if (n == 0)
		return 0;
	room = nic_tx_room(&card->nic, (uint16_t)n);
	if (room < n) {
		counters->tx_full++;
		/* Small bursts cost the switch more: as fast as it goes, wait until there is room for a whole one. */
		if (card->forgets && room == 0)
			card->due = now << 8;
		if (!orders->interval || room == 0)
			return 0;
		n = room;
	}
	for (uint16_t i = 0; i < n; i++) /* those of the burst behind this one */
		nic_prefetch_write(nic_tx_frame(&card->nic, (uint16_t)(n + i)));
	if (card->unprepared)
		burst_prepare(card, (uint16_t)n);
	burst_address(card, (uint16_t)n, 0, orders->dst, &card->dst_at, orders->dst_macs);
	burst_address(card, (uint16_t)n, 6, orders->src, &card->src_at, orders->src_macs);
	for (uint16_t i = 0; i < n && orders->flows > 1; i++)
		store_be16(nic_tx_frame(&card->nic, i) + header_bytes(orders) - 8,
			   1024 + pick(card, &card->flow_at, orders->flows));
	if (orders->role & TRAFFIC_CONTENT)
		burst_content(card, (uint16_t)n);
	burst_stamp(card, (uint16_t)n, now);
	counters->tx_bytes += burst_bytes(card, (uint16_t)n);
	nic_tx_send(&card->nic, (uint16_t)n);
	card->sequence += n;
	card->due += orders->interval * n;
	if (!counters->tx)
		counters->tx_first_tsc = now;
	counters->tx_last_tsc = now;
	counters->tx += n;
	return n;
}
