/* SPDX-License-Identifier: BSD-3-Clause */
/* A card of the traffic microguest: what its parts, sending (traffic_send.c) and receiving (traffic_judge.c), share. */
#ifndef GUESTS_TRAFFIC_CARD_H
#define GUESTS_TRAFFIC_CARD_H

#include "nic.h"
#include "traffic.h"

#define BURST_MAX  256
#define STAMP_MARK 0xa0 /* high half of the first byte; the low half is the epoch's */
#define HEADERS	   42	/* Ethernet, IPv4, UDP */
#define TAG	   4
#define FCS	   4
#define LINE	   64

/* Behind the headers of each frame. In 64 bytes, the cache line of the headers holds it, too. */
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
	struct card *out;	/* where frames that come in leave again; NULL: they end here */
	uint64_t sequence, due; /* TSC times 256 */
	uint64_t random;
	uint64_t mac; /* as the first bytes of a frame are read */
	uint32_t src_at, dst_at, flow_at;
	uint32_t
		unprepared; /* transmit buffers that hold frames of other orders, from nic.tx.next on */
	uint32_t waited; /* looks at too few frames to receive them */
	uint8_t mark;
	bool forgets; /* what could not be sent in time never is: no bursts after a pause */
	struct received streams[TRAFFIC_STREAMS];
};

/* Where the latencies of the present go, next to the card's histogram; @now_in NULL: nowhere. */
struct windows {
	uint64_t cycles, end; /* TSC */
	struct traffic_window *now_in, *limit;
};
extern struct windows traffic_windows;

/** traffic_send() - Send what is due and fits. Return: how many frames; 0 too if there is no room for a whole burst */
uint32_t traffic_send(struct card *card);

/** traffic_receive() - Judge, send on, or only count what has come. Return: how many frames */
uint32_t traffic_receive(struct card *card);

#endif
