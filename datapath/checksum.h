/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum, RFC 1071.
 *
 * Sums are taken over native-order words and stored natively, which gives the same bytes on every machine (RFC 1071 §2). A
 * sum that is not folded yet is a u64: 64 KiB cannot overflow it.
 */
#ifndef DATAPATH_CHECKSUM_H
#define DATAPATH_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** checksum_sum() - Sum of @len bytes; an odd last byte counts as if a zero followed */
uint64_t checksum_sum(const void *data, size_t len);

/**
 * checksum_copy() - Copy @len bytes and sum what was copied: every byte is read once
 *
 * For what may change under our hands: the sum is that of the copy. It also costs little more than the copy alone, while reading
 * again what was just written waits for those writes. @to and @from do not overlap.
 * Return: as checksum_sum().
 */
uint64_t checksum_copy(void *restrict to, const void *restrict from, size_t len);

/** checksum_sum_ip4() - Sum of an IPv4 header without options: 20 bytes, five additions */
static inline uint64_t checksum_sum_ip4(const uint8_t *ip)
{
	uint64_t sum = 0;
	uint32_t word;

	for (int i = 0; i < 20; i += 4) {
		memcpy(&word, ip + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/** checksum_fold() - One's complement sum as 16 bits, not inverted */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

/** checksum_swap() - Make a sum that was taken from an odd offset fit an even one */
static inline uint64_t checksum_swap(uint64_t sum)
{
	return __builtin_bswap16(checksum_fold(sum));
}

/** checksum_store() - Write the inverted sum to its field */
static inline void checksum_store(uint8_t *field, uint64_t sum)
{
	uint16_t value = (uint16_t)~checksum_fold(sum);

	memcpy(field, &value, sizeof(value));
}

/** checksum_store_udp() - The same for UDP, where a computed zero is sent as all ones (RFC 768) */
static inline void checksum_store_udp(uint8_t *field, uint64_t sum)
{
	uint16_t value = (uint16_t)~checksum_fold(sum);

	if (value == 0)
		value = UINT16_MAX;
	memcpy(field, &value, sizeof(value));
}

/**
 * checksum_pseudo() - Sum of the pseudo header in front of TCP, UDP and ICMPv6
 * @addresses: source and destination as they lie in the IP header
 * @addresses_len: 8 (RFC 793) or 32 (RFC 8200 §8.1)
 * @proto:   protocol number
 * @l4_len:  bytes of layer 4, header included
 */
static inline uint64_t checksum_pseudo(const uint8_t *addresses, size_t addresses_len,
				       uint8_t proto, uint32_t l4_len)
{
	uint8_t tail[8] = {(uint8_t)(l4_len >> 24),
			   (uint8_t)(l4_len >> 16),
			   (uint8_t)(l4_len >> 8),
			   (uint8_t)l4_len,
			   0,
			   0,
			   0,
			   proto};

	return checksum_sum(addresses, addresses_len) + checksum_sum(tail, sizeof(tail));
}

#endif
