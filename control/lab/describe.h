/* SPDX-License-Identifier: BSD-3-Clause */
/* A frame from a description: addresses, tags, what is in it. No I/O. */
#ifndef LAB_DESCRIBE_H
#define LAB_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DESCRIBE_FRAME_MAX 65535
#define DESCRIBE_TAGS_MAX  2

struct describe_ip {
	int family; /* 0: none, else AF_INET or AF_INET6 */
	uint8_t bytes[16];
};

struct describe {
	uint8_t from[6], to[6];
	bool has_from, has_to;
	uint32_t tags[DESCRIBE_TAGS_MAX]; /* TPID and TCI, the outer one first */
	uint8_t n_tags;
	const char *
		type; /* "arp", "icmp", "udp", "tcp", or a number; NULL: icmp with addresses, else 0x88b5 */
	struct describe_ip ip_from, ip_to;
	uint32_t size; /* of the whole frame without FCS, 0: as it comes, 60 at least */
};

/** describe_mac() - "52:54:00:12:34:56" or "broadcast". Return: 0 or -EINVAL */
int describe_mac(const char *text, uint8_t mac[6]);

/** describe_tag() - Add a VLAN tag: "10", "10p5" (priority 5), "s100" (802.1ad). Return: 0 or -EINVAL with @err */
int describe_tag(struct describe *describe, const char *text, struct err *err);

/** describe_ip_pair() - "10.0.0.1,10.0.0.2", from and to. Return: 0 or -EINVAL with @err */
int describe_ip_pair(struct describe *describe, const char *text, struct err *err);

/**
 * describe_frame() - Write the frame
 * @bytes: DESCRIBE_FRAME_MAX of room
 * Return: its length, or -EINVAL with @err when parts contradict each other.
 */
int describe_frame(const struct describe *describe, uint8_t *bytes, struct err *err);

/** describe_hex() - "ff:ff ff..." with any of space, colon and newline between bytes. Return: length or -EINVAL. */
int describe_hex(const char *text, uint8_t *bytes, struct err *err);

#endif
