/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/describe.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHERTYPE_TEST 0x88b5 /* IEEE 802: for local experiments */
#define FRAME_MIN      60

static void put16(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

int describe_mac(const char *text, uint8_t mac[6])
{
	int n = 0;

	if (strcmp(text, "broadcast") == 0) {
		memset(mac, 0xff, 6);
		return 0;
	}
	if (strlen(text) == 17 &&
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &n) == 6 &&
	    n == 17)
		return 0;
	return -EINVAL;
}

int describe_tag(struct describe *describe, const char *text, struct err *err)
{
	uint32_t tpid = text[0] == 's' ? 0x88a8 : 0x8100;
	const char *at = text[0] == 's' || text[0] == 'c' ? text + 1 : text;
	char *end;
	unsigned long vid = strtoul(at, &end, 10), priority = 0;
	bool good = isdigit((unsigned char)*at) && vid <= 4095;

	if (good && *end == 'p') {
		at = end + 1;
		priority = strtoul(at, &end, 10);
		good = isdigit((unsigned char)*at) && priority <= 7;
	}
	if (!good || *end != '\0')
		return err_set(
			err, EINVAL,
			"\"%.40s\" is no VLAN tag: 10, 10p5 with a priority, s100 for 802.1ad",
			text);
	if (describe->n_tags == DESCRIBE_TAGS_MAX)
		return err_set(err, EINVAL, "a frame has %d tags at most here", DESCRIBE_TAGS_MAX);
	describe->tags[describe->n_tags++] = tpid << 16 | (uint32_t)priority << 13 | (uint32_t)vid;
	return 0;
}

static int ip_read(const char *text, struct describe_ip *ip)
{
	ip->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(ip->family, text, ip->bytes) == 1 ? 0 : -EINVAL;
}

int describe_ip_pair(struct describe *describe, const char *text, struct err *err)
{
	char copy[2 * INET6_ADDRSTRLEN + 2];
	char *comma;

	snprintf(copy, sizeof(copy), "%s", text);
	comma = strchr(copy, ',');
	if (comma != NULL)
		*comma++ = '\0';
	if (comma == NULL || strlen(text) >= sizeof(copy) ||
	    ip_read(copy, &describe->ip_from) < 0 || ip_read(comma, &describe->ip_to) < 0 ||
	    describe->ip_from.family != describe->ip_to.family)
		return err_set(
			err, EINVAL,
			"\"%.80s\" is not two addresses of one family, like 10.0.0.1,10.0.0.2",
			text);
	return 0;
}

static uint16_t checksum(const uint8_t *bytes, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (n % 2 != 0)
		sum += (uint32_t)bytes[n - 1] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t arp_write(const struct describe *describe, uint8_t *at)
{
	static const uint8_t start[] = {0, 1, 8, 0, 6, 4, 0, 1}; /* RFC 826: a request */

	memcpy(at, start, sizeof(start));
	memcpy(at + 8, describe->from, 6);
	memcpy(at + 14, describe->ip_from.bytes, 4);
	memset(at + 18, 0, 6);
	memcpy(at + 24, describe->ip_to.bytes, 4);
	return 28;
}

/* The transport part: an echo request, or empty UDP and TCP to port 9 (discard). Return: its length. */
static size_t l4_write(uint8_t proto, bool is_v6, uint8_t *at)
{
	size_t n = proto == IPPROTO_TCP ? 20 : 8;

	memset(at, 0, n);
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		at[0] = is_v6 ? 128 : 8;
		return n;
	}
	put16(at, 50000);
	put16(at + 2, 9);
	if (proto == IPPROTO_TCP) {
		at[12] = 5 << 4;
		at[13] = 2; /* SYN */
		put16(at + 14, 65535);
	} else {
		put16(at + 4, (uint32_t)n);
	}
	return n;
}

static void l4_sum(uint8_t proto, const uint8_t *addresses, size_t n_addresses, uint8_t *l4,
		   size_t n)
{
	size_t off = proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2;
	uint32_t sum = 0;

	if (proto != IPPROTO_ICMP) {
		sum = (uint32_t)n + proto;
		for (size_t i = 0; i < n_addresses; i += 2)
			sum += (uint32_t)(addresses[i] << 8 | addresses[i + 1]);
	}
	put16(l4 + off, checksum(l4, n, sum));
}

static size_t ip_write(const struct describe *describe, uint8_t proto, uint8_t *ip)
{
	bool is_v6 = describe->ip_from.family == AF_INET6;
	size_t head = is_v6 ? 40 : 20, n = l4_write(proto, is_v6, ip + head);

	memset(ip, 0, head);
	if (is_v6) {
		ip[0] = 6 << 4;
		put16(ip + 4, (uint32_t)n);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, describe->ip_from.bytes, 16);
		memcpy(ip + 24, describe->ip_to.bytes, 16);
		l4_sum(proto, ip + 8, 32, ip + head, n);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (uint32_t)(head + n));
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, describe->ip_from.bytes, 4);
		memcpy(ip + 16, describe->ip_to.bytes, 4);
		put16(ip + 10, checksum(ip, head, 0));
		l4_sum(proto, ip + 12, 8, ip + head, n);
	}
	return head + n;
}

/* What is behind the tags: its ethertype, and bytes at @at + 2. Return: bytes of both, or -EINVAL. */
static int payload_write(const struct describe *describe, uint8_t *at, struct err *err)
{
	bool is_v6 = describe->ip_from.family == AF_INET6;
	const char *type = describe->type;
	uint8_t proto = 0;
	char *end;
	unsigned long number;

	if (type == NULL)
		type = describe->ip_from.family != 0 ? "icmp" : "0x88b5";
	number = strtoul(type, &end, 0);
	if (isdigit((unsigned char)type[0]) && *end == '\0' && number <= 0xffff) {
		put16(at, (uint32_t)number);
		return 2;
	}
	if (strcmp(type, "arp") == 0) {
		if (is_v6)
			return err_set(err, EINVAL, "ARP is IPv4's");
		put16(at, 0x0806);
		return (int)(2 + arp_write(describe, at + 2));
	}
	if (strcmp(type, "icmp") == 0)
		proto = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	else if (strcmp(type, "udp") == 0)
		proto = IPPROTO_UDP;
	else if (strcmp(type, "tcp") == 0)
		proto = IPPROTO_TCP;
	else
		return err_set(
			err, EINVAL,
			"\"%.40s\" is no type: arp, icmp, udp, tcp, or an ethertype like 0x88cc",
			type);
	if (describe->ip_from.family == 0)
		return err_set(err, EINVAL, "%s needs addresses: --ip FROM,TO", type);
	put16(at, is_v6 ? 0x86dd : 0x0800);
	return (int)(2 + ip_write(describe, proto, at + 2));
}

int describe_frame(const struct describe *describe, uint8_t *bytes, struct err *err)
{
	uint8_t *at = bytes + 12;
	uint32_t length;
	int n;

	memcpy(bytes, describe->to, 6);
	memcpy(bytes + 6, describe->from, 6);
	for (uint8_t i = 0; i < describe->n_tags; i++, at += 4) {
		put16(at, describe->tags[i] >> 16);
		put16(at + 2, describe->tags[i]);
	}
	n = payload_write(describe, at, err);
	if (n < 0)
		return n;
	length = (uint32_t)(at - bytes) + (uint32_t)n;
	if (describe->size != 0 && (describe->size < length || describe->size > DESCRIBE_FRAME_MAX))
		return err_set(err, EINVAL,
			       "--size %u: this frame has %u bytes at least, %d at most",
			       describe->size, length, DESCRIBE_FRAME_MAX);
	n = (int)(describe->size != 0 ? describe->size : length < FRAME_MIN ? FRAME_MIN : length);
	memset(bytes + length, 0, (size_t)n - length);
	return n;
}

int describe_hex(const char *text, uint8_t *bytes, struct err *err)
{
	int n = 0;

	for (; *text != '\0'; text++) {
		char pair[3] = {text[0], text[1], '\0'};

		if (strchr(" :\t\n", *text) != NULL)
			continue;
		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return err_set(err, EINVAL,
				       "byte %d of the frame is not two hexadecimal digits", n + 1);
		if (n == DESCRIBE_FRAME_MAX)
			return err_set(err, EINVAL, "a frame has %d bytes at most",
				       DESCRIBE_FRAME_MAX);
		bytes[n++] = (uint8_t)strtoul(pair, NULL, 16);
		text++;
	}
	return n > 0 ? n : err_set(err, EINVAL, "there is no frame in \"\"");
}
