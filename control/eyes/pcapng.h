/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng blocks (draft-ietf-opsawg-pcapng), written in host byte order. What is read by Wireshark, tshark and tcpdump.
 *
 * Options are appended to a block until it is ended; the block's length is known then. Strings are cut at what an option holds.
 */
#ifndef CONTROL_EYES_PCAPNG_H
#define CONTROL_EYES_PCAPNG_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>

/* Room for a block's options and fixed fields; a packet's bytes are appended without a copy into it. */
#define PCAPNG_BLOCK_MAX 4096

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

struct pcapng_block {
	uint32_t type;
	uint32_t used; /* of head */
	uint8_t head[PCAPNG_BLOCK_MAX];
};

/** pcapng_section() - Section Header Block. @comment: may be NULL */
void pcapng_section(struct evbuffer *out, const char *application, const char *comment);

/** pcapng_interface() - Interface Description Block: Ethernet, times in nanoseconds. @filter: may be NULL */
void pcapng_interface(struct evbuffer *out, const char *name, const char *description,
		      const char *filter, uint32_t snaplen);

struct pcapng_packet {
	uint32_t interface; /* number of the Interface Description Block in the section */
	uint64_t time_ns;   /* since 1970 */
	uint32_t cap_len, wire_len;
	uint32_t direction; /* enum pcapng_direction, 0: not known */
	uint64_t lost;	    /* frames lost since the packet before */
	const char *comments[2];
};

/** pcapng_packet() - Enhanced Packet Block */
void pcapng_packet(struct evbuffer *out, const struct pcapng_packet *packet, const uint8_t *bytes);

struct pcapng_statistics {
	uint32_t interface;
	uint64_t start_ns, end_ns;
	uint64_t received; /* matched the filter */
	uint64_t dropped;  /* of them, for want of room */
	const char *comment;
};

/** pcapng_statistics() - Interface Statistics Block */
void pcapng_statistics(struct evbuffer *out, const struct pcapng_statistics *statistics);

#endif
